"""torch.func's transforms of custom functions, inside the function that is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, func
from torch.autograd import gradcheck

from harness import check_gradient
from harness.verdicts import Verdict

# Torch compiles forward derivatives as it loads them.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script")
X, P = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def made(factor: float = 1.0, held: Callable[[Tensor], Tensor] = lambda x: x) -> Any:
    """x^2 y, with a derivative that is off by a factor, or holds a part of itself."""

    class Mixed(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x, y):
            return x * x * y

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.save_for_forward(*inputs)

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return factor * g * 2 * held(x) * y, g * x * x

        @staticmethod
        def jvp(ctx, a, b):
            x, y = ctx.saved_tensors
            return factor * a * 2 * held(x) * y + b * x * x

    return Mixed.apply


def value_and_gradient(f, x, p):
    value, pull = func.vjp(lambda q: f(q, x), p)
    return value, pull(x)[0]


# Of each, an operand belongs to the transform and another one does not.
INSIDE: dict[str, Callable[[Any, Tensor, Tensor], Any]] = {
    "grad": lambda f, x, p: func.grad(lambda q: f(q, x).sum())(p),
    "grad by the other": lambda f, x, p: func.grad(lambda q: f(x, q).sum())(p),
    "vjp": value_and_gradient,
    "jacrev": lambda f, x, p: func.jacrev(lambda q: f(q, x))(p),
    "jacrev in chunks": lambda f, x, p: func.jacrev(lambda q: f(q, x), chunk_size=2)(p),
    "jacfwd": lambda f, x, p: func.jacfwd(lambda q: f(q, x))(p),
    "hessian": lambda f, x, p: func.hessian(lambda q: f(q, x).sum())(p),
    "reverse twice": lambda f, x, p: func.jacrev(func.jacrev(lambda q: f(q, x).sum()))(p),
    "nested": lambda f, x, p: func.grad(
        lambda r: func.grad(lambda q: f(q, r).sum())(p).sin().sum()
    )(x),
    "vmap of grad": lambda f, x, p: func.vmap(func.grad(lambda q: f(q, x).sum()))(torch.stack([p, 2 * p])),
    "grad of vmap": lambda f, x, p: func.grad(lambda q: func.vmap(lambda a: f(a, x[0]))(q).sum())(p),
    "a constant": lambda f, x, p: func.grad(lambda q: f(q, X).sum())(p) * x,
    "what is dead": lambda f, x, p: f(value_and_gradient(f, x, p)[1], x),
}  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
def test_a_custom_function_may_have_operands_of_no_transform(name):
    def right(x, p):
        return INSIDE[name](made(), x, p)

    assert gradcheck(right, (X.clone().requires_grad_(), P.clone().requires_grad_()))
    assert check_gradient(right, (X, P)).verdict is Verdict.ACCURATE


@pytest.mark.parametrize("name", ["vjp", "what is dead"])
def test_a_derivative_that_is_off_is_wrong_there_too(name):
    assert check_gradient(lambda x, p: INSIDE[name](made(1.25), x, p), (X, P)).verdict is Verdict.WRONG


@pytest.mark.parametrize("name", ["grad", "jacfwd"])
def test_a_derivative_that_loses_its_own_is_no_pass(name):
    """It holds x, so that its derivative by p lacks a part, and torch says nothing."""
    found = check_gradient(lambda x, p: INSIDE[name](made(held=Tensor.detach), x, p), (X, P))
    assert found.verdict is Verdict.UNSUPPORTED
    assert "is differentiated again uses what autograd does not follow" in found.diagnosis


def test_what_comes_detached_is_held_within_a_transform():
    """The forward is differentiated whole, and what the caller detached is not."""

    def value(x, p):
        return func.vjp(lambda q: made()(q, (x * p).detach()), p)[0] + x

    assert check_gradient(value, (X, P)).verdict is Verdict.ACCURATE
