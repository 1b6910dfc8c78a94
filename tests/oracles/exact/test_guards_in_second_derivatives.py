"""A guard on a number at its bound, `if (x - max(x) > 0).any(): raise`: a second derivative knows its edge.

Each number at the bound is at the edge of that branch. What the slopes around say, they say of every order.
"""

import pytest
import torch

from harness import check_gradient

X = torch.tensor([[0.5, 1.3, 2.0], [-0.4, 0.2, -1.0]], dtype=torch.float64)


def below_its_maximum(x):
    y = x - x.amax(-1, keepdim=True)
    if (y > 0).any():
        raise ValueError("must not be positive")
    return y


def asserted(x):
    y = x - x.amax(-1, keepdim=True)
    assert (y <= 0).all()
    return y


def at_least_0(x):
    y = torch.relu(x)
    if (y < 0).any():
        raise ValueError("must not be negative")
    return y


@pytest.mark.parametrize("guarded", [below_its_maximum, asserted, at_least_0])
@pytest.mark.parametrize("order", [1, 2])
def test_a_guard_at_the_bound_changes_no_derivative(guarded, order):
    found = check_gradient(lambda x: 1 / (1 + guarded(x).abs() ** 2).sum(-1), (X,), order=order)
    assert found.verdict == "accurate", str(found)


class Slope(torch.autograd.Function):
    """3 x^2 g, with a backward that is off by a factor."""

    @staticmethod
    def forward(ctx, x, g, factor):
        ctx.save_for_backward(x, g)
        ctx.factor = factor
        return 3 * x * x * g

    @staticmethod
    def backward(ctx, h):
        x, g = ctx.saved_tensors
        return ctx.factor * h * g * 6 * x, h * 3 * x * x, None


class Cube(torch.autograd.Function):
    """x^3, whose second derivative is off by a factor."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.save_for_backward(x)
        ctx.factor = factor
        return x**3

    @staticmethod
    def backward(ctx, g):
        return Slope.apply(*ctx.saved_tensors, g, ctx.factor), None


@pytest.mark.parametrize(("factor", "verdict"), [(1, "accurate"), (1.01, "wrong"), (0, "wrong")])
def test_a_wrong_second_derivative_behind_a_guard_is_found(factor, verdict):
    found = check_gradient(lambda x: Cube.apply(below_its_maximum(x) + 1.0, factor), (X,), order=2)
    assert found.verdict == verdict


AT_AN_EDGE = {
    "a branch": lambda x: (x**2).sum() if (x >= 2).any() else (x**3).sum(),
    "a mask": lambda x: (x[x >= 2] ** 2).sum(),
}


@pytest.mark.parametrize("name", AT_AN_EDGE)
def test_beside_an_edge_where_another_branch_is_taken_no_second_derivative_is_known(name):
    found = check_gradient(AT_AN_EDGE[name], (X,), order=2)
    assert found.verdict == "undecided"
    assert "another branch is taken beside this point" in str(found)


def test_at_a_tie_that_argmax_breaks_no_second_derivative_is_known():
    tied = torch.tensor([[1.0, 1.0, 0.3]], dtype=torch.float64)
    found = check_gradient(lambda x: (x**3).gather(-1, x.argmax(-1, keepdim=True)).sum(), (tied,), order=2)
    assert found.verdict == "undecided"
    assert "another branch is taken beside this point" in str(found)
