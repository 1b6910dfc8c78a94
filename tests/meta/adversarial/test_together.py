"""Kinks together: what rounding leaves of a gradient that is legal in each element accuses nobody."""

import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.verdicts import Verdict


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_ties_of_what_is_constant_leave_their_rounding(dtype):
    """All of x / x tie, and their gradients are 0 but for rounding."""
    x = torch.linspace(-1.7, 1.9, 8, dtype=torch.float32).reshape(2, 2, 2).to(dtype)

    def largest(x):
        v = torch.cat([x, x, x], 1)
        return torch.topk(v / v, 1).values

    assert check_gradient(largest, [x]).passed


def test_a_gradient_by_hand_may_be_rounded_at_a_kink():
    """Attention over tied rows: each element is a sum of products of rounded numbers."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 4))

    def f(x):
        return np.max(np.concatenate([x @ x.T, x @ x.T]) * 0.25, 0)

    jacobian = 0.25 * np.zeros((3, 3, 4))
    y = x @ x.T
    for j, i in enumerate(np.argmax(y, 0)):
        jacobian[j, i] += 0.25 * x[j]
        jacobian[j, j] += 0.25 * x[i]
    rounded = jacobian * (1 + 2.0**-52 * rng.choice([-1, 1], size=jacobian.shape))
    assert check_gradient(f, [x], vjp=lambda g, x: np.einsum("j,jkl->kl", g, rounded), probes=False).passed


def test_shares_that_do_not_belong_together_are_found_as_ever():
    x = torch.tensor([9.0, -9.0])

    class Both(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.abs().max()

        @staticmethod
        def backward(ctx, g):
            return g * torch.tensor([1.0, -1.0])

    assert check_gradient(Both.apply, [x]).verdict in {Verdict.WRONG, Verdict.MISCOMPUTED}


def largest(x):
    return np.max(x)


@pytest.mark.parametrize(("share", "passes"), [(1 / 4096, True), (0.0, False), (1e-7, False), (1e-3, False)])
def test_shares_of_many_ties_must_add_up(share, passes):
    """Each is nothing beside 1, and all of them are 1."""
    x = np.ones(4096, np.float16)
    found = check_gradient(largest, [x], vjp=lambda g, x: g * np.full_like(x, share), probes=False)
    assert found.passed is passes


@pytest.mark.parametrize(("scale", "passes"), [(2.0**-4, True), (2.0**-14, False)])
def test_shares_of_a_right_formula_that_underflow_are_found(scale, passes):
    """2^-26 is 0 in float16: all of the 4,096 shares are."""
    x, down, up = np.ones(4096, np.float16), np.float16(scale), np.float16(1 / scale)

    def shared(g, x):
        return g * (x == np.max(x)) * down / np.float16(4096) * up

    assert check_gradient(largest, [x], vjp=shared, probes=False).passed is passes
