"""A step of what a clip gives beyond its bounds is known there, and jumps nowhere near."""

from __future__ import annotations

import numpy as np
import pytest

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program import functions as f
from oracles.exact.program.derive import vjp
from oracles.exact.program.primitives import arrays, choices, comparisons, orders, sorting
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
