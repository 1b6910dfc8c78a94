"""From a distance a staircase has the slope that its rule gives; a wrong rule is nobody's slope."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from flint import arb

from oracles.exact.enclose import witness
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.enclose.witness import jumps, sides_with_rule
from oracles.exact.from_numpy import record
from oracles.exact.program.primitives import choices, comparisons, detach, orders, sorting, taylor
from oracles.exact.program.program import PRIMITIVES, Builder
from tests.oracles.exact.test_rounding import build

X, CT = np.array([0.37, 1.4]), np.array([1.0, -0.5])
CUBE = 3 * X[0] ** 2


def bisected(x):
    """y with y^3 + y = x, by forty halvings of [-2, 2]."""
    low, high = x * 0.0 - 2.0, x * 0.0 + 2.0
    for _ in range(40):
        middle = (low + high) * 0.5
        below = comparisons.compare("lt", middle * middle * middle + middle, x)
        low, high = choices.select(below, middle, low), choices.select(below, high, middle)
    return (low + high) * 0.5


def implicit(x):
    """1 / (3 y^2 + 1), at the y of `bisected`."""
    y = evaluate(build(bisected, X), [X], 256)[0][0]
    return 1 / (3 * y * y + 1)


def rounded(x):
    return x.builder.emit(PRIMITIVES["round"], (x * 8.0,), x.shape, x.dtype) * 0.125


def folded(x):
    """Smooth but for a jump far away."""
    return choices.select(comparisons.compare("lt", x, 9.0), x * x * x, -x)


def straight_through(x):
    """The steps of `rounded`, written so that its derivative is 1."""
    return x + detach(rounded(x) - x)


def clipped(x):
    """x, but not below 0.36 and not above 0.38, by comparisons."""
    below = choices.select(comparisons.compare("lt", x, 0.38), x, 0.38)
    return choices.select(comparisons.compare("gt", below, 0.36), below, 0.36)


def stairs(x):
    """A line with stairs of 2^-50: its derivative is 1, and its slope from a distance a little more."""
    return bisected(x) * 2.0**-50 + x


def said(function, rule, truth, seconds=20.0, **named):
    return sides_with_rule(build(function, X), [X], [CT], 0, (0,), arb(rule), arb(truth), seconds, **named)


def test_an_implicit_rule_of_a_bisection_has_the_slope_of_the_forward():
    text = said(bisected, implicit(X), 0.0)
    slope = f"{float(implicit(X)):.3f}"[:4]
    assert text.startswith("from a distance (steps around 2^")
    assert f"the forward itself has the slope {slope}" in text
    assert text.endswith("that the rule gives, and not 0: it is an iteration or is rounded")


def test_a_straight_through_rule_has_the_slope_of_the_forward():
    assert "it is an iteration or is rounded" in said(rounded, 1.0, 0.0)


@pytest.mark.parametrize("factor", [1.001, 1 + 2.0**-20, -1.0, 0.5, 0.0])
def test_a_wrong_rule_of_a_forward_with_a_jump_has_not(factor):
    assert jumps(build(folded, X))
    assert said(folded, CUBE * factor, CUBE) == ""


@pytest.mark.parametrize("function", [straight_through, clipped])
def test_a_rule_that_vanishes_is_not_what_is_constant_or_bounded(function):
    """Of the values of a straight-through estimator 0 is the slope, and far from it that of every clip."""
    assert said(function, 0.0, 1.0) == ""


def test_what_is_detached_leaves_the_steps_beside_it():
    assert "it is an iteration or is rounded" in said(lambda x: rounded(x) * detach(x), X[0], 0.0)


def test_a_wrong_rule_of_a_staircase_has_not():
    assert said(bisected, -implicit(X), 0.0) == ""
    assert said(rounded, -1.0, 0.0) == ""


def test_stairs_that_are_small_and_flat_from_afar_are_found():
    """Fake quantisation of [-2^-30, 2^-30] in steps of 2^-60: beyond it, thirty halvings have the slope 0."""

    def quantised(x):
        inside = comparisons.compare("lt", x * x, 2.0**-60)
        scaled = choices.select(inside, x * 2.0**60, 0.0)
        return x.builder.emit(PRIMITIVES["round"], (scaled,), x.shape, x.dtype) * 2.0**-60

    small = np.array([0.37, 1.4]) * 2.0**-31
    program = build(quantised, small)
    assert "it is an iteration or is rounded" in sides_with_rule(
        program, [small], [CT], 0, (0,), arb(1), arb(0), 20.0
    )
    assert sides_with_rule(program, [small], [CT], 0, (0,), arb(-1), arb(0), 20.0) == ""


def test_a_forward_that_takes_one_branch_close_by_is_asked_no_closer(monkeypatch):
    asked = []

    def counted(*args):
        asked.append(args)
        return evaluate(*args)

    monkeypatch.setattr(witness, "evaluate", counted)
    assert said(folded, -CUBE, CUBE) == ""
    assert len(asked) == 1 + 2 * witness.ONE_BRANCH
    asked.clear()
    assert said(bisected, -implicit(X), 0.0) == ""
    assert len(asked) > 80  # forty stairs, and what lies within the last


def test_a_rule_within_the_height_of_the_stairs_is_not_accused():
    rule = 1 + implicit(X) * arb(2) ** -51  # half way: as far from the slope as the derivative is
    assert said(stairs, rule, 1.0) == ""
    assert "off the derivative here and" in said(stairs, rule, 1.0, near=True)


def test_a_rule_near_a_forward_without_stairs_is_accused():
    true = 3 * arb(X[0]) ** 2
    assert said(folded, true * (1 + arb(2) ** -50), true, near=True) == ""
    line = build(lambda x: choices.select(comparisons.compare("lt", x, 9.0), 3.0 * x, -x), X)
    assert sides_with_rule(line, [X], [CT], 0, (0,), 3 * (1 + arb(2) ** -50), arb(3), 20.0, near=True) == ""


def test_two_steps_by_chance_are_not_enough():
    """A rule that equals the mean slope over one large step."""
    step = arb(2) ** 0
    slope = ((X[0] + step) ** 3 - (X[0] - step) ** 3) / (2 * step)
    assert said(folded, slope, CUBE) == ""


def test_running_out_of_work_decides_nothing_and_says_so():
    assert said(folded, CUBE, 2 * CUBE, seconds=-1.0) == (
        "the second witness ran out of work after 0 of 102 steps"
    )


def test_steps_that_leave_the_domain_are_passed_over():
    def root(x):
        return rounded(taylor.scalar("sqrt", x))

    true = 0.5 / math.sqrt(X[0])
    assert "the forward itself" in said(root, true, 0)
    assert said(root, 2 * true, 0) == ""


@pytest.mark.parametrize("x", [0.05, 0.001, -0.001])
def test_the_mean_slope_of_a_kink_is_no_slope_from_afar(x):
    """At 2^1 to 2^-1 the differences of max(x, 0) are 1/2, and both sides are the same at each."""
    near = np.array([x, 1.4])

    def rectified(x):
        return choices.select(comparisons.compare("gt", x, 0.0), x, 0.0)

    program, true = build(rectified, near), float(x > 0)
    assert sides_with_rule(program, [near], [CT], 0, (0,), arb(0.5), arb(true), 20.0) == ""


# -- what is written with if and while --------------------------------------------------------------------


def halving(x):
    """y with y^3 + y = x, by forty halvings of [-2, 2], with `if`."""
    low, high = -2.0, 2.0
    for _ in range(40):
        middle = (low + high) * 0.5
        if middle * middle * middle + middle < x[0]:
            low = middle
        else:
            high = middle
    return x * 0.0 + middle


def capped(x):
    """Smooth, with a branch that turns at a distance of 1/8, and a value for which it is not meant at 1."""
    if x[0] > 1.0:
        raise ValueError("too large")
    return x * x if x[0] < 0.5 else x


def written(function, rule, truth, at=X, recorded=None, **named):
    """What is said of NumPy code that is recorded again where it goes another way."""

    def again(moved):
        ((which, numbers),) = moved.items()
        assert which == 0
        if recorded is not None:
            recorded.append(float(numbers[0]))
        return record(function, (numbers,))

    here = record(function, (at,))
    ct = np.array([1.0, -0.5], at.dtype)
    return sides_with_rule(
        here.program, here.values, [ct], 0, (0,), arb(rule), arb(truth), 20.0, again=again, **named
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_bisection_with_if_has_the_slope_of_its_rule_where_it_is_recorded_again(dtype):
    at = X.astype(dtype)
    true = implicit(at.astype(float)) * 0.5  # of both results together
    assert "it is an iteration or is rounded" in written(halving, true, 0.0, at)
    for factor in (2.0, -1.0):
        recorded = []
        assert written(halving, true * factor, 0.0, at, recorded) == ""
        assert 6 <= len(recorded) <= 24  # until three agree with each other
    here = record(halving, (at,))
    alone = sides_with_rule(here.program, here.values, [at * 0 + 1], 0, (0,), arb(true), arb(0), 20.0)
    assert alone == ""


@pytest.mark.parametrize("factor", [1.01, 2.0, -1.0, 0.0])
def test_a_wrong_rule_beside_an_innocent_if_is_nobodys_slope(factor):
    recorded = []
    true = 2 * X[0]
    assert written(capped, true * factor, true, recorded=recorded) == ""
    assert max(recorded) > 1.0  # where it raises
    assert all(abs(x - X[0]) >= 0.13 for x in recorded)


def test_what_is_another_function_elsewhere_is_passed_over():
    def changing(x):
        return x[:1] if x[0] > 1.0 else x if x[0] > 0.3 else None

    assert written(changing, 2.0, 1.0) == ""


def test_what_stays_is_not_recorded_again():
    """Its numbers elsewhere are others, and which derivative is meant goes with those from here."""
    here = record(capped, (X,))
    (out,) = here.program.outputs
    stays = detach(out)
    added = [*here.program.equations, stays.builder.definitions[stays]]
    program = replace(here.program, equations=added, outputs=(stays,))

    def again(moved):
        raise AssertionError("it is not asked")

    assert sides_with_rule(program, here.values, [CT], 0, (0,), arb(9), arb(0.74), 20.0, again=again) == ""


def test_a_smooth_forward_has_no_jumps_and_a_branch_is_one():
    assert not jumps(build(lambda x: taylor.scalar("exp", x) * x, X))
    assert jumps(build(rounded, X))
    assert jumps(build(lambda x: orders.take_along(x, orders.argsort(x, 0), 0), X))
    assert not jumps(build(lambda x: sorting.sort(x, 0), X))
    builder = Builder()
    x = builder.input((), "float64")
    builder.guards.append((builder.constant(True), np.array(True)))
    assert jumps(builder.program([x * 2.0]))
    table = np.array([True, False])
    masked = build(lambda x: choices.select(x.builder.constant(~table), x, 0.0), X)
    assert not jumps(masked)
