"""What the slopes around a point cost: eight rays tell a hull, and one tells that a ball around 0 is none."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from flint import arb

from oracles.exact.enclose import kinks, unseen
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.enclose.kinks import resolve
from oracles.exact.program.balls import filled
from oracles.exact.program.errors import Turned
from oracles.exact.program.primitives.comparisons import compare
from oracles.exact.program.program import Builder

ABOUT = filled([arb(0.1, 1e-17)], ())


@pytest.fixture
def runs(monkeypatch):
    """Each evaluation close by."""
    found = []

    def counted(*args, **kwargs):
        found.append(args)
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(kinks, "evaluate", counted)
    return found


def difference(guard=None):
    """c x - d x, with `guard(x)` as a branch that was taken."""
    builder = Builder()
    x, c, d = (builder.input((), "float64") for _ in range(3))
    if guard:
        builder.guards.append((guard(x), np.array(True)))
    return builder.program([c * x - d * x])


def test_one_ray_tells_that_no_slope_says_more_of_a_ball_around_0(runs):
    program, inputs = difference(), [np.array(0.5), ABOUT, ABOUT]
    hulls = evaluate(program, inputs, 128)
    assert resolve(program, inputs, [0], hulls, 40)[0].item() is hulls[0].item()
    assert len(runs) == 1


def test_where_a_branch_may_be_another_one_all_rays_are_asked(runs):
    program, inputs = difference(lambda x: compare("ge", x, 0.5)), [np.array(0.5), ABOUT, ABOUT]
    hulls = evaluate(program, inputs, 128)
    with pytest.raises(Turned):
        resolve(program, inputs, [0], hulls, 40)
    inside = [np.array(0.75), *inputs[1:]]
    resolve(program, inside, [0], evaluate(program, inside, 128), 40)
    assert len(runs) > 8


def test_beside_an_element_of_which_a_slope_is_known_all_rays_are_asked(runs):
    builder = Builder()
    x, c, d = (builder.input((), "float64") for _ in range(3))
    program = builder.program([c * x - d * x, d * x])
    inputs = [np.array(0.5), ABOUT, ABOUT]
    hulls = [evaluate(program, inputs, 128)[0], filled([arb(0.05, 1)], ())]
    resolve(program, inputs, [0], hulls, 40)
    assert len(runs) == 8


def test_a_program_without_kinks_is_not_evaluated_for_their_other_sides(monkeypatch):
    monkeypatch.setattr(unseen, "evaluate", None)
    program, close = difference(), [[np.array(0.5), np.array(1.0), np.array(2.0)]] * 3
    assert not unseen.others_differ(program, close[0], [0], close, 40, None)


def test_nothing_is_evaluated_after_a_branch_that_is_another_one():
    builder, seen = Builder(), []
    x = builder.input((), "float64")
    builder.guards.append((compare("ge", x, 0.5), np.array(True)))
    program = builder.program([x * x * x])
    for point, products in ((0.75, 2), (0.25, 0)):
        seen.clear()
        with suppress(Turned):
            evaluate(program, [np.array(point)], 128, watch=lambda e, *_: seen.append(e.primitive.name))
        assert seen.count("mul") == products
