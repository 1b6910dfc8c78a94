"""log Gamma and its slope: narrow balls, and kernels that are some units of 1 off near their zeros."""

from __future__ import annotations

from contextlib import nullcontext

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import numpy as np
import pytest
import torch
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import check_gradient
from harness.verdicts import Verdict
from oracles.exact.core import library
from oracles.exact.program.balls import precision
from oracles.exact.program.scalars import SCALARS

NEAR_ZEROS = np.concatenate(
    [np.linspace(1.2, 1.8, 600), np.linspace(0.9, 1.1, 200), np.linspace(1.9, 2.1, 200)]
)


@pytest.mark.parametrize("name", ["lgamma", "digamma"])
@settings(derandomize=True, deadline=None, max_examples=60)
@given(x=st.floats(0.01, 300), wide=st.floats(-40, -3), at=st.floats(-1, 1))
def test_a_ball_holds_what_is_in_it_and_is_hardly_wider_than_its_slope_says(name, x, wide, at):
    with precision(96):
        ball = arb(x, x * 2.0**wide)
        inside = arb(x) + ball.rad() * at
        found, true = (SCALARS[name].taylor(point, 2) for point in (ball, inside))
        slopes = [k * abs(c) for k, c in enumerate(SCALARS[name].taylor(ball, 3))][1:]
        for order, (one, other) in enumerate(zip(found, true, strict=True)):
            assert one.overlaps(other)
            assert float(one.rad()) <= 1.01 * float(slopes[order].upper()) * float(ball.rad()) + 1e-24


@pytest.mark.parametrize("by_arb", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kernel", [torch.lgamma, jsp.gammaln])
def test_near_a_zero_a_kernel_is_some_units_of_1_off_and_right(kernel, dtype, by_arb):
    """Above all lgamma's gradient at 1.46; also of a computed argument."""
    dense = np.linspace(1.3, 1.6, 1500 if kernel is torch.lgamma else 100)
    x = np.concatenate([NEAR_ZEROS[::9], dense]).astype(dtype)
    with jax.enable_x64(dtype == "float64"), library.without() if by_arb else nullcontext():
        point = torch.tensor(x) if kernel is torch.lgamma else jnp.asarray(x)
        for f in (kernel, lambda t: kernel(t * 1.5 - 0.5 * t)):
            assert check_gradient(f, (point,), upstream="fail").passed


@pytest.mark.parametrize("factor", [1 + 2.0**-10, 1 - 2.0**-12])
def test_a_slope_that_is_off_is_seen(factor):
    class Off(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.lgamma(x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * torch.digamma(x) * factor

    assert check_gradient(Off.apply, (torch.tensor(NEAR_ZEROS),)).verdict is Verdict.WRONG
