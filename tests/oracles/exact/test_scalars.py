from __future__ import annotations

import dataclasses
from collections import Counter
from contextlib import suppress

import numpy as np
import pytest
from flint import arb

from oracles.exact.program.balls import filled, precision
from oracles.exact.program.errors import ExactError
from oracles.exact.program.scalars import SCALARS
from tests.oracles.exact import soundness

EVALUATIONS = 3_000  # `make soundness` has a million


def test_every_enclosure_contains_what_mpmath_computes():
    checked = list(soundness.run(EVALUATIONS, seed=0))
    wrong = [c for c in checked if c.outcome == "WRONG"]
    counts = Counter(c.outcome for c in checked)
    assert not wrong
    assert counts["contained"] >= EVALUATIONS
    assert counts["not finite"] < EVALUATIONS / 100


def test_every_scalar_function_is_checked():
    assert set(soundness.FUNCTIONS) == set(SCALARS)


def test_enclosures_are_narrow_at_ordinary_arguments():
    for name, entry in soundness.FUNCTIONS.items():
        point = 1.5 if name == "acosh" else 0.3
        with precision(128):
            parameters = [arb(p) for p in entry.parameters]
            found = SCALARS[name].taylor(arb(point), 3, *parameters, **entry.static)
        assert min(c.rel_accuracy_bits() for c in found) > 90, name


@pytest.mark.parametrize("name", SCALARS)
@pytest.mark.parametrize("mutation", ["sign", "factor", "shift"])
def test_a_broken_function_is_caught(name, mutation, monkeypatch):
    """The check against mpmath sees a wrong sign, a factor of 1 + 2^-60, and coefficients shifted by one."""
    original = SCALARS[name]

    def broken(x, order, *parameters, **static):
        found = original.taylor(x, order + 1, *parameters, **static)
        if mutation == "sign":
            return [-c for c in found[:-1]]
        if mutation == "factor":
            return [c * (1 + arb(2) ** -60) for c in found[:-1]]
        return found[1:]

    monkeypatch.setitem(
        SCALARS,
        name,
        dataclasses.replace(original, series=None, value=None, arrays=None, coefficients=broken),
    )
    # Shifting the coefficients of exp changes nothing in c_0 and c_1, which are equal.
    outcomes = {c.outcome for c in soundness.check(name, 1.7 if name == "acosh" else 0.7)}
    assert "WRONG" in outcomes


@pytest.mark.parametrize(
    ("exponent", "order", "along", "expected"),
    [
        (0.5, 0, 0, 0),
        (1.5, 1, 0, 0),
        (1.5, 2, 0, None),  # 3/4 x^-1/2
        (2.0, 2, 0, 1),
        (2.0, 3, 0, 0),
        (0.0, 0, 0, 1),
        (0.0, 1, 0, 0),
        (-0.5, 0, 0, None),
        (2.0, 1, 1, 0),  # x + 2 x log x
        (1.0, 1, 1, None),  # 1 + log x
        (0.0, 0, 1, None),  # 0^y jumps at y = 0
    ],
)
def test_a_power_at_zero_has_what_it_has_from_above(exponent, order, along, expected):
    ball = SCALARS["real_power"].taylor(arb(0), order, arb(exponent), along=along)[order]
    assert ball.is_nan() if expected is None else ball == expected


def test_a_power_of_a_ball_above_zero_is_enclosed_and_below_zero_unknown():
    power = SCALARS["real_power"]
    (ball,) = power.taylor(arb(0, 0.25).nonnegative_part(), 0, arb(1.5))
    assert all(ball.contains(value) for value in (0, 0.125))
    assert ball.is_finite()
    assert power.taylor(arb(-2), 0, arb(1.5))[0].is_nan()
    assert power.taylor(arb(-2), 1, arb(3))[1] == 12


def test_a_ball_around_zero_has_powers():
    """Arb's power of it is NaN."""
    for radius in (1e-30, 2.0):
        for n in (2, 3, 4):
            (found,) = SCALARS["power"].arrays(filled([arb(0, radius)], ()), 0, np.array(n))
            assert found.item().contains(arb(radius) ** n)
            assert found.item().is_finite()


@pytest.mark.parametrize("point", [(0, 0), (0, 1), (1, 0), (-1, -1), (-2, 1), (0, 2), (2, 0)])
def test_where_there_is_no_value_nothing_is_raised_but_that_it_is_not_known(point):
    """A power series divided by 0 is no error of the function that is asked about."""
    for scalar in SCALARS.values():
        for count in (1, 2):
            for static in ({}, {"along": 0}, {"along": 1}):
                with suppress(ExactError, TypeError, AssertionError):  # of other numbers of arguments
                    scalar.rows([tuple(map(arb, point[:count]))], 2, **static)
