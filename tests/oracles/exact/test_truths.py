from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles.exact.program import balls
from oracles.exact.program.balls import comparison, filled
from oracles.exact.program.errors import Undecided
from oracles.exact.program.primitives import reductions
from oracles.exact.program.program import PRIMITIVES

F, OPEN, T = 0.0, 0.5, 1.0
MEANINGS = {F: {False}, OPEN: {False, True}, T: {True}}
LOGIC = {
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "xor": lambda a, b: a != b,
    "not": lambda a: not a,
}


def array(*values):
    """Decided values as booleans, as an evaluation has them."""
    found = np.array(values, balls.OPEN)
    return found if OPEN in values else found == T


def read(found):
    return [float(v) for v in np.ravel(found)]


@pytest.mark.parametrize("name", LOGIC)
def test_logic_is_open_just_where_the_open_operands_decide(name):
    for values in product(MEANINGS, repeat=1 if name == "not" else 2):
        possible = {LOGIC[name](*case) for case in product(*(MEANINGS[v] for v in values))}
        wanted = OPEN if len(possible) == 2 else float(possible.pop())
        found = PRIMITIVES[name].opened(*map(array, values))
        assert read(found) == [wanted]
        assert balls.is_open([found]) == (wanted == OPEN)


@pytest.mark.parametrize(("name", "over"), [("reduce_and", all), ("reduce_or", any)])
def test_reductions_are_open_just_where_the_open_elements_decide(name, over):
    for values in product(MEANINGS, repeat=3):
        possible = {over(case) for case in product(*(MEANINGS[v] for v in values))}
        wanted = OPEN if len(possible) == 2 else float(possible.pop())
        found = PRIMITIVES[name].opened(np.array(values, balls.OPEN), axes=(0,))
        assert read(found) == [wanted]
        assert balls.is_open([found]) == (wanted == OPEN)


@settings(derandomize=True, deadline=None)
@given(*[st.tuples(st.integers(-4, 4), st.integers(0, 3))] * 2)
def test_a_comparison_of_balls_is_open_just_where_their_numbers_differ_in_it(a, b):
    b = (b[0] + 0.25, b[1])  # no two ends are the same
    x, y = (filled([arb(mid, rad)], (1,)) for mid, rad in (a, b))
    pairs = list(product(*([m - r, m, m + r] for m, r in (a, b))))
    for name, holds in [("lt", np.less), ("le", np.less_equal), ("gt", np.greater), ("ge", np.greater_equal)]:
        possible = {bool(holds(*pair)) for pair in pairs}
        wanted = OPEN if len(possible) == 2 else float(possible.pop())
        assert read(PRIMITIVES[name].opened(x, y)) == [wanted]


def test_equality_is_certain_for_exact_balls_and_for_disjoint_ones():
    x = filled([arb(1), arb(1, 1), arb(1, 1)], (3,))
    y = filled([arb(1), arb(2), arb(3)], (3,))
    assert read(PRIMITIVES["eq"].opened(x, y)) == [T, OPEN, F]
    assert read(PRIMITIVES["ne"].opened(x, y)) == [F, OPEN, T]
    assert [read(PRIMITIVES[name].opened(x, x))[0] for name in ("lt", "le", "gt", "ge")] == [F, T, F, T]


def test_an_open_choice_holds_both_sides():
    x, y = (filled([arb(v)] * 3, (3,)) for v in (1, 4))
    low, middle, high = PRIMITIVES["select"].opened(array(F, OPEN, T), x, y)
    assert low == 4
    assert high == 1
    assert all(arb(v) in middle for v in (1, 2.5, 4))
    assert arb(4.1) not in middle


def test_an_open_choice_between_booleans_is_open_where_they_differ():
    found = PRIMITIVES["select"].opened(
        array(OPEN, OPEN, T), np.array([True] * 3), np.array([True, False, False])
    )
    assert read(found) == [T, OPEN, T]


def test_an_open_choice_between_integers_must_not_matter():
    same, other = np.array([3, 1]), np.array([3, 2])
    assert PRIMITIVES["select"].opened(array(OPEN, T), same, other).tolist() == [3, 1]
    with pytest.raises(Undecided, match="rounding decides which integer is chosen"):
        PRIMITIVES["select"].opened(array(OPEN, T), other, same + 1)


def test_as_a_number_an_open_value_is_anything_from_0_to_1():
    zero, some, one = balls.as_numbers(array(F, OPEN, T))
    assert zero == 0
    assert one == 1
    assert all(arb(v) in some for v in (0, 0.5, 1))


def test_moves_keep_what_is_open_and_settle_the_rest():
    x = np.array([[F, OPEN, T]], balls.OPEN)
    assert read(PRIMITIVES["reshape"].opened(x, shape=(3,))) == [F, OPEN, T]
    assert read(PRIMITIVES["permute"].opened(x, axes=(1, 0))) == [F, OPEN, T]
    assert read(PRIMITIVES["broadcast"].opened(x, shape=(2, 3))) == [F, OPEN, T] * 2
    assert read(PRIMITIVES["concatenate"].opened(x, np.array([[True]]), axis=1)) == [F, OPEN, T, T]
    taken = PRIMITIVES["take"].opened(x, np.array([2, -1]))
    assert taken.dtype == bool
    assert taken.tolist() == [True, False]


def test_an_open_value_takes_no_branch():
    assert balls.booleans(np.array([F, T], balls.OPEN)).tolist() == [False, True]
    with pytest.raises(Undecided, match="rounding may turn a comparison"):
        balls.booleans(array(OPEN))
    with pytest.raises(Undecided, match="rounding decides which element is taken"):
        PRIMITIVES["take"].opened(np.array([F, T], balls.OPEN), array(OPEN))


def test_a_ball_is_itself_and_two_equal_ones_are_not():
    third = arb(1) / 3
    same, other = filled([third, third], (2,)), filled([third, arb(1) / 3], (2,))
    yes, no = comparison(same, other, np.equal, np.not_equal)
    assert yes.tolist() == [True, False]
    assert no.tolist() == [False, False]
    yes, no = comparison(same, other, np.less, np.greater_equal)
    assert no.tolist() == [True, False]
    unbounded = filled([arb("nan")] * 2, (2,))
    assert not np.any(comparison(unbounded, unbounded, np.equal, np.not_equal))


def test_the_shares_of_a_tied_maximum_are_numbers_of_their_own():
    x = filled([arb(1), arb(1), arb(0)], (3,))
    shares = reductions.weights.evaluate(x, axes=(0,), largest=True)
    assert shares[0] is not shares[1]
    assert not np.any(comparison(shares[:1], shares[1:2], np.equal, np.not_equal))
