"""A step of what a clip gives beyond its bounds is known there, and jumps nowhere near."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program import functions as f
from oracles.exact.program.derive import _linearize, vjp
from oracles.exact.program.errors import Undecided
from oracles.exact.program.primitives import arrays, choices, comparisons, orders, sorting, staying
from oracles.exact.program.primitives.staying import stays
from oracles.exact.program.program import Builder
from tests.oracles.exact.test_rounding import build

BEYOND = np.array([-3.0, 5.0, 0.3])  # of a clip to [-2, 4]


def clipped(x):
    return f.clamp(x, -2.0, 4.0)


def by_comparisons(x):
    low = choices.select(comparisons.compare("lt", x, -2.0), -2.0, x)
    return choices.select(comparisons.compare("le", low, 4.0), low, 4.0)


def by_logic(x):
    outside = x.builder.elementwise(
        "or", comparisons.compare("lt", x, -2.0), comparisons.compare("gt", x, 4.0), dtype="bool"
    )
    return choices.select(outside, 1.0, x)


def slopes(function, x, order=1):
    """Of the sum of x times the function of x, by the last derivative of so many."""
    program = build(lambda x: x * function(x), x)
    for _ in range(order):
        program = vjp(program, [0])
    directions = [np.ones(x.shape)] * order
    return evaluate(program, [x, *directions], 128)[0]


STAYING = {
    "a clip": (clipped, [-2, 4, 0]),
    "comparisons": (by_comparisons, [-2, 4, 0]),
    "logic": (by_logic, [1, 1, 0]),
    "moved": (lambda x: clipped(x)[::-1] * 2.0, [0, 8, -4]),
    "joined and cut": (lambda x: arrays.concatenate([x, clipped(x)], 0)[3:], [-2, 4, 0]),
    "the smaller of two": (lambda x: f.minimum(x, clipped(x)), [-3, 4, 0]),
    "of two steps": (lambda x: f.step("ceil", clipped(x)) + clipped(x), [-4, 8, 1]),
}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", STAYING)
def test_a_step_of_it_has_the_slope_that_it_has_around(name, order):
    function, floors = STAYING[name]
    if name == "the smaller of two":  # which moves at -3
        floors, x = floors[1:], BEYOND[1:]
    else:
        x = BEYOND
    found = slopes(lambda x: f.step("floor", function(x)), x, order)
    expected = [floors, [0] * len(floors)][order - 1]
    assert [float(ball.mid()) for ball in found] == expected
    assert all(ball.is_exact() for ball in found)


MOVING = {
    "at the bound": (clipped, [-2.0]),
    "between the bounds": (clipped, [3.0]),
    "its sum with what moves": (lambda x: clipped(x) + x * 2.0, [-3.0]),
    "a number that is left at once": (
        lambda x: choices.select(comparisons.compare("eq", x, 3.0), 2.0, x), [3.0],
    ),
    "in another order": (lambda x: sorting.sort(clipped(x), 0), [3.0, -3.0]),
    "added up": (lambda x: orders.cumsum(clipped(x), 0), [-3.0, 3.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVING)
def test_a_step_of_what_may_move_has_both_sides(name):
    function, x = MOVING[name]
    found = slopes(lambda x: f.step("floor", function(x)), np.array(x))
    assert not all(ball.is_exact() for ball in found)


NUMBERS = (-1.0, 0.0, 0.5, 2.0)
# At the one point where x == c, a step of what is chosen there may be another: other rules look at it.
COMPARED = st.tuples(st.sampled_from(["lt", "le", "gt", "ge"]), st.sampled_from(NUMBERS), st.booleans())
MASK = st.recursive(
    COMPARED,
    lambda m: st.tuples(st.sampled_from(["and", "or"]), m, m) | st.tuples(st.just("not"), m),
    max_leaves=3,
)
EXPRESSION = st.recursive(
    st.just("x") | st.sampled_from(NUMBERS),
    lambda e: (
        st.tuples(st.sampled_from(["add", "mul", "minimum", "maximum"]), e, e)
        | st.tuples(st.sampled_from(["abs", "neg", "floor", "sign"]), e)
        | st.tuples(st.just("where"), MASK, e, e)
    ),
    max_leaves=6,
)


def masked(x, mask):
    """A mask, whose comparisons are of x or of twice x."""
    name, *parts = mask
    if name in ("and", "or", "not"):
        return x.builder.elementwise(name, *(masked(x, part) for part in parts), dtype="bool")
    number, doubled = parts
    return comparisons.compare(name, x + x if doubled else x, number)


def written(x, expression):
    """An expression of x."""
    if not isinstance(expression, tuple):
        return (
            x if expression == "x" else x.builder.broadcast(x.builder.constant(expression, x.dtype), x.shape)
        )
    name, *parts = expression
    if name == "where":
        return choices.select(masked(x, parts[0]), *(written(x, part) for part in parts[1:]))
    values = [written(x, part) for part in parts]
    if name in ("floor", "sign"):
        return f.step(name, *values)
    return x.builder.elementwise(name, *values)


@pytest.mark.parametrize("x", [-1.0, -0.3, 0.0, 0.25, 0.5, 0.7, 1.0, 2.0, 2.5])
@settings(max_examples=60, deadline=None)
@given(expression=EXPRESSION)
def test_what_stays_is_the_same_number_beside_the_point(x, expression):
    """As derivatives ask: what they write between the values of the program may move, too."""
    program = build(lambda x: written(x, expression) * 1.0, np.zeros(1))
    builder, primal, _ = _linearize(program, [0])
    value = primal[program.outputs[0]]
    found = stays(value)
    if isinstance(found, bool):
        found = builder.constant(np.full(1, found))
    asked = builder.program([value, found])

    def at(x):
        return evaluate(asked, [np.array([x]), np.ones(1)], 128)

    try:
        (here,), (still,) = at(x)
    except Undecided:  # a step at its jump
        return
    if still:
        for beside in (x - 2.0**-40, x + 2.0**-40):
            assert at(beside)[0][0] == here


def test_what_is_made_of_two_again_and_again_is_looked_at_once():
    """Each mask joins two that are made of the one before: 2^30 ways lead to the first."""
    builder = Builder()
    x = builder.input((4,), "float64")
    mask = comparisons.compare("lt", x, 0.0)
    for _ in range(30):
        one, other = (builder.elementwise(name, mask, mask, dtype="bool") for name in ("and", "or"))
        mask = builder.elementwise("or", one, other, dtype="bool")
    assert staying._at_most(mask).all()
