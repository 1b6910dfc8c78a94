"""`where(x > 0, f(where(x > 0, x, 1)), 0)`: where slopes go to 0 beside the edge, 0 alone is legal at it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from tests.sampling import cells

POINTS = ([0.0, 1.25, -2.0], [0.0, 0.0, 0.5])
# What is masked, where it is not 0, and its slope.
MASKED = {
    "a cube": (lambda xp, s: s**3, lambda xp, s: 3 * s**2),
    "a power": (lambda xp, s: s**2.5, lambda xp, s: 2.5 * s**1.5),
    "a small power": (lambda xp, s: s**1.5, lambda xp, s: 1.5 * s**0.5),
    "e^(-1/x)": (lambda xp, s: xp.exp(-1 / s), lambda xp, s: xp.exp(-1 / s) / s**2),
    "x^2 log x": (lambda xp, s: s**2 * xp.log(s), lambda xp, s: 2 * s * xp.log(s) + s),
}
CELLS = cells(MASKED, (np, torch, jnp), ("float32", "float64"), POINTS)


def safe(xp, masked):
    def function(x):
        one = xp.ones_like(x)
        return xp.where(x > 0, masked(xp, xp.where(x > 0, x, one)), 0 * one)

    return function


def loaded(xp, x, dtype):
    return torch.tensor(x, dtype=getattr(torch, dtype)) if xp is torch else xp.asarray(np.array(x, dtype))


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize(("name", "xp", "dtype", "point"), CELLS)
def test_the_slope_at_the_edge_is_0(name, xp, dtype, point):
    masked, slope = MASKED[name]
    x, function = loaded(xp, point, dtype), safe(xp, masked)

    def by_hand(at_edge):
        def vjp(c, x):
            one = xp.ones_like(x)
            found = xp.where(x > 0, slope(xp, xp.where(x > 0, x, one)), 0 * one)
            return c * xp.where(x == 0, at_edge * one, found)

        return vjp

    assert check_gradient(function, (x,), vjp=by_hand(0.0)).verdict == "accurate"
    for wrong in (0.25, -1.0, 3.0):
        assert check_gradient(function, (x,), vjp=by_hand(wrong)).verdict == "wrong"
    if xp is not np:
        assert check_gradient(function, (x,)).verdict == "accurate"


@pytest.mark.parametrize(
    "masked", [lambda xp, s: xp.sqrt(s), lambda xp, s: s * xp.log(s), lambda xp, s: 1 / s]
)
def test_a_slope_without_end_on_one_side_stays_open(masked):
    assert check_gradient(safe(torch, masked), (torch.tensor([0.0, 1.25]),)).verdict == "undecided"


# 0 by cancelling alone: a root of it has no slope, and what stands beside it keeps its own.
NOTHING = {
    "a root of |0|": lambda x: np.sqrt(np.abs(2 * x - x - x)).sum(),
    "a root of what is cut off": lambda x: np.sqrt(np.maximum(2 * x - x - x, 0)).sum(),
    "a root of a gap of one element": lambda x: np.sqrt(np.diff(np.sort(x[[0, 0]]))).sum(),
}


@pytest.mark.parametrize("name", NOTHING)
def test_where_no_slope_around_is_a_number_none_is_proven(name):
    def function(x):
        return np.sin(x).sum() + NOTHING[name](x)

    x = np.array([1.024, 1.87, -0.24])
    for rule in (lambda c, x: c * np.cos(x), lambda c, x: 0 * x):
        assert check_gradient(function, (x,), vjp=rule).verdict == "undecided"
