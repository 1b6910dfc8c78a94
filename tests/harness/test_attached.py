"""Gradients that a custom function gives to what was computed under no_grad, or detached."""

import pytest
import torch

from harness import check_gradient, exact_gradient
from harness.verdicts import Verdict
from oracles.exact.program.errors import Unsupported

X = torch.tensor([0.5, 1.25, 2.0], dtype=torch.float64)


def attaching(factor, returned=lambda out: out):
    """As torchdiffeq's _StitchGradient; here of z = sqrt(p), by its implicit derivative."""

    class Attach(torch.autograd.Function):
        @staticmethod
        def forward(ctx, p, z):
            ctx.save_for_backward(z)
            return returned(z)

        @staticmethod
        def backward(ctx, g):
            (z,) = ctx.saved_tensors
            return factor * g / (2 * z), None

    return Attach.apply


def newton(p):
    with torch.no_grad():
        z = torch.ones_like(p)
        for _ in range(12):
            z = (z + p / z) / 2
    return z


RETURNED = {"itself": lambda z: z, "a view": lambda z: z[:], "a copy": lambda z: z.clone()}


@pytest.mark.parametrize("returned", RETURNED.values(), ids=RETURNED)
@pytest.mark.parametrize("solve", [newton, lambda p: p.detach().sqrt()], ids=["no_grad", "detach"])
def test_it_is_the_derivative_of_that_computation(returned, solve):
    """The record held it fixed, and autograd does not: nothing was proven, or a right gradient was wrong."""
    found = check_gradient(lambda p: torch.cos(attaching(1, returned)(p, solve(p))), (X,))
    assert found.verdict is Verdict.ACCURATE
    assert "custom function gives a gradient" in found.notes[-1]
    wrong = check_gradient(lambda p: torch.cos(attaching(1 + 2.0**-20, returned)(p, solve(p))), (X,))
    assert wrong.verdict is Verdict.WRONG
    assert "the derivative is" in str(wrong)
    assert "the derivative is 0;" not in str(wrong)


def test_elsewhere_the_same_memory_is_held_fixed():
    def f(p):
        z = newton(p)
        return attaching(1)(p, z) * z

    (given,) = torch.autograd.grad(f(p := X.clone().requires_grad_()).sum(), p)
    assert torch.allclose(given, torch.full_like(X, 0.5))
    assert check_gradient(f, (X,)).verdict is Verdict.ACCURATE


def test_what_was_held_fixed_before_stays_so():
    """A step size under no_grad is one on purpose: with it torchdiffeq's adaptive solver was off by 0.2 %."""

    def f(x):
        with torch.no_grad():
            step = torch.exp(-x)
        time = x + step
        with torch.no_grad():
            z = time.sqrt()
        return attaching(1)(time, z)

    assert check_gradient(f, (X,)).verdict is Verdict.ACCURATE


def layers(count, factor=1.0):
    """Implicit layers in a row, each solved under no_grad."""

    def f(p):
        for _ in range(count):
            p = torch.sin(attaching(factor)(p, newton(p))) + 1.5
        return p

    return f


@pytest.mark.parametrize("count", [2, 5])
def test_several_in_a_row_are_each_its_own_derivative(count):
    """What the second was given counted as constant: right ones were wrong, beside a derivative of 0."""
    assert check_gradient(layers(count), (X,)).verdict is Verdict.ACCURATE
    assert check_gradient(layers(count, 1 + 2.0**-20), (X,)).verdict is Verdict.WRONG


def test_beside_a_second_one_what_was_computed_of_the_first_is_held_fixed():
    def f(p):
        y = attaching(1)(p, newton(p)) * 1.5
        z = newton(y)
        return attaching(1)(y, z) * z

    (given,) = torch.autograd.grad(f(p := X.clone().requires_grad_()).sum(), p)
    assert torch.allclose(given, 0.375 / X.sqrt())
    assert check_gradient(f, (X,)).verdict is Verdict.ACCURATE


class HandedOn(torch.autograd.Function):
    """As torchgpipe's Join: the second argument is there for the graph's sake."""

    @staticmethod
    def forward(ctx, out, phony):
        return out

    @staticmethod
    def backward(ctx, g):
        return g, None


def test_what_is_handed_on_is_held_fixed():
    def f(x, w):
        return HandedOn.apply(torch.exp(x.detach()), w) * x * w

    found = check_gradient(f, (X, X + 1))
    assert found.verdict is Verdict.ACCURATE
    assert not found.notes


def test_a_rounded_value_is_a_surrogate_as_ever():
    class StraightThrough(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, rounded):
            return rounded

        @staticmethod
        def backward(ctx, g):
            return g, None

    found = check_gradient(lambda x: StraightThrough.apply(x, (4 * x).detach().round() / 4), (X + 0.1,))
    assert found.verdict is Verdict.WRONG
    assert "surrogate=" in str(found)


def test_a_function_that_rounds_holds_nothing_fixed():
    class Rounded(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.round()

        @staticmethod
        def backward(ctx, g):
            return g

    found = check_gradient(Rounded.apply, (X + 0.1,))
    assert found.verdict is Verdict.WRONG
    assert not any("custom function" in note for note in found.notes)
    assert not exact_gradient(Rounded.apply, (X + 0.1,)).mid.any()


def test_of_two_readings_no_exact_gradient_is_given():
    with pytest.raises(Unsupported, match="no_grad"):
        exact_gradient(lambda p: attaching(1)(p, newton(p)), (X,))
