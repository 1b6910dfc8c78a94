"""The hunt and what shrinks, of faults that are written down: no gradient is asked."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from harness.proof.question import Answer, Part
from harness.search.database import keep, load
from harness.search.hunt import Hunt
from harness.search.moves import Space
from harness.search.point import Point
from harness.search.shrink import Shrinking
from harness.search.worse import Score, score
from harness.verdicts import Verdict

GIVEN = (np.array([[0.5, -1.0, 2.0], [1.5, -0.25, 0.75]]), np.array([0, 1, 2, 1]))
ALONG = (np.array([0.5, -1.5]),)
SPACE = Space(groups=(((1, 0),), ((0, 1),), ((0, 0),)))


def answering(fails):
    """An answer that is wrong where a point fails, with the cotangent that was taken."""

    def ask(point):
        verdict = Verdict.WRONG if fails(point) else Verdict.ACCURATE
        along = point.cotangent or ALONG
        sight = SimpleNamespace(posed=SimpleNamespace(directions=along))
        return Answer((Part("search", "x", verdict, None, ""),), sight=sight)

    return ask


def hunted(fails, count):
    def refuses(arrays):
        raise ValueError("one by one")

    hunt = Hunt(answering(fails), refuses, SPACE, np.random.default_rng(0), count)
    return next(hunt.failures(Point(GIVEN), []), None)


def x(point):
    return point.arrays[0]


# Where a fault is, and the smallest input that is reached: how many numbers x has, and which.
FAULTS = {
    "a zero": (lambda p: (x(p) == 0).any(), 1, [0.0]),
    "a zero of the other sign": (lambda p: bool(((x(p) == 0) & np.signbit(x(p))).any()), 1, [-0.0]),
    "two zeros, not three": (lambda p: (x(p) == 0).sum() == 2, 4, None),
    "the largest twice": (lambda p: x(p).size > 1 and (x(p) == x(p).max()).sum() > 1, 2, [0.0, 0.0]),
    "all negative": (lambda p: x(p).size and (x(p) < 0).all(), 1, [-1.0]),
    "an end of the format": (lambda p: (np.abs(x(p)) > 1e300).any(), 1, None),
    "below the normal numbers": (lambda p: ((x(p) != 0) & (np.abs(x(p)) < 1e-308)).any(), 1, None),
    "a window": (lambda p: ((x(p) > 37) & (x(p) < 40)).any(), 1, [38.0]),
    "gaps in memory": (lambda p: x(p).size > 1 and not x(p).flags.forc, 2, [0.0, 0.0]),
    "a row shown many times": (
        lambda p: x(p).size and x(p).shape[0] > 1 and x(p).strides[0] == 0, 2, [0.0, 0.0],
    ),
    "a long axis": (lambda p: max(x(p).shape) > 100, None, None),
    "one row": (lambda p: x(p).size and x(p).shape[0] == 1, 1, [0.0]),
    "no row": (lambda p: x(p).size == 0, None, []),
    "an index repeated": (
        lambda p: x(p).size and len(np.unique(p.arrays[1])) == 1 < p.arrays[1].size, 1, [0.0],
    ),
    "a cotangent of one element": (
        lambda p: p.cotangent is not None and np.count_nonzero(p.cotangent[0]) == 1, None, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_shrunk(name):
    fails, most, numbers = FAULTS[name]
    seen = hunted(fails, 3000)
    assert seen, name
    ask = answering(fails)
    own = Shrinking(lambda p: score(ask(p)), seen.score, 3000, SPACE, Point(GIVEN))
    smallest = own.smallest(seen.point)
    assert fails(smallest)
    assert smallest.size <= seen.point.size
    assert most is None or x(smallest).size <= most
    assert numbers is None or x(smallest).ravel().tolist() == numbers
    assert smallest.cotangent is None or "cotangent" in name


def test_parameters_keep_their_shapes_and_are_given_back():
    given = Point((np.ones((4, 3)), np.arange(3.0)))
    shapes = set()

    def ask(point):
        shapes.add(tuple(a.shape for a in point.arrays))
        return answering(lambda p: p.arrays[0].size and p.arrays[0].min() < 0)(point)

    space = Space(pinned=frozenset({1}), groups=(((0, 0),),))
    hunt = Hunt(ask, lambda arrays: 1 / 0, space, np.random.default_rng(0), 300)
    seen = list(itertools.islice(hunt.failures(given, []), 20))[-1]
    assert {of for _, of in shapes} == {(3,)}
    assert {len(of) for of, _ in shapes} == {2}
    own = Shrinking(lambda p: score(ask(p)), seen.score, 300, space, given)
    smallest = own.smallest(seen.point)
    assert smallest.arrays[0].shape == (1, 3)
    assert smallest.arrays[1] is given.arrays[1]


def test_the_same_seed_asks_the_same():
    runs = []
    for _ in range(2):
        asked = []
        hunted(lambda p, asked=asked: asked.append(p.key) or False, 200)
        runs.append(asked)
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == len(runs[0]) == 200


def test_what_loses_more_bits_is_worse_and_a_worse_verdict_more_so():
    def scored(verdict, **more):
        return score(Answer((Part("", "x", verdict, None, "", **more),)))

    order = [
        scored(Verdict.UNDECIDED), scored(Verdict.ACCURATE), scored(Verdict.IMPRECISE),
        scored(Verdict.MISCOMPUTED), scored(Verdict.WRONG),
    ]  # fmt: skip
    assert order == sorted(order)
    assert [one.fails for one in order] == [False, False, True, True, True]
    assert order[-1].is_worst
    assert not scored(Verdict.IMPRECISE, negligible=True).fails
    assert not scored(Verdict.WRONG, remark=True).fails
    assert Score(3, 20.0) < Score(3, 24.0) < Score(4, 0.0)


def test_kept_inputs_come_back_as_they_were(tmp_path):
    file = tmp_path / "of" / "f.json"
    point = Point((np.repeat(GIVEN[0][..., None], 2, -1)[..., 0], GIVEN[1]), ALONG)
    turned = Point((np.asfortranarray(GIVEN[0]), GIVEN[1]))
    shown = Point((np.broadcast_to(GIVEN[0][:1], (2, 3)), GIVEN[1]))
    keep(file, [point, turned, shown])
    for one, again in zip((point, turned, shown), load(file, GIVEN), strict=True):
        assert one.key == again.key
    assert load(file, (np.ones(3, np.float32),)) == []
    keep(file, [])
    assert not file.exists()
    assert load(file, GIVEN) == []
