"""Views that autograd follows no more, since their base was written: asked of their graph, torch raises."""

import pytest
import torch

from harness import check_gradient
from harness.verdicts import Verdict

X = torch.tensor([0.5, -1.25, 2.0, 0.75], dtype=torch.float64)


def exponential(factor):
    """Its backward writes through views what it saved, an overwritten input, as Megatron's cross entropy."""

    class Exponential(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.exp_()
            ctx.save_for_backward(x)
            return x * 1

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            square = y.view(2, 2)
            square[0, :] *= g[:2]
            square[1, :] *= g[2:] * factor
            return y

    return lambda x: Exponential.apply(x * 1)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("factor", "verdict"), [(1, Verdict.ACCURATE), (1.01, Verdict.WRONG)])
def test_a_backward_that_writes_through_views_is_examined(dtype, factor, verdict):
    """Recording raised where running does not: in bfloat16 a factor of 1.01 passed."""
    found = check_gradient(exponential(factor), (X.to(dtype),))
    assert (found.verdict, found.is_examined) == (verdict, True)


class AsMatrix(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view(2, 2)

    @staticmethod
    def backward(ctx, g):
        return g.view(4)


def under_no_grad(x):
    with torch.no_grad():
        return x.view(2, 2)


@pytest.mark.parametrize(
    "viewed", [under_no_grad, AsMatrix.apply, lambda x: x.split(2)[0]], ids=["no_grad", "custom", "split"]
)
def test_what_is_read_through_one_under_no_grad_is_a_constant(viewed):
    def f(x):
        y = x * 1
        view = viewed(y)
        y.mul_(2)
        with torch.no_grad():
            size = view.square().sum()
        return y * size

    found = check_gradient(f, (X,))
    assert found.verdict is Verdict.ACCURATE
    assert found.is_examined


def left_behind():
    base = X.clone().requires_grad_() * 1
    view = under_no_grad(base)
    base.mul_(2)
    return view


def test_one_may_be_given_or_lie_where_the_function_finds_it():
    """The state that a run may change was asked for its leaves, and an argument for its hooks."""
    view = left_behind()

    def f(x):
        with torch.no_grad():
            size = view.sum()
        return x * size

    assert check_gradient(f, (X,)).verdict is Verdict.ACCURATE
    assert check_gradient(torch.sin, (view,)).verdict is Verdict.ACCURATE
