"""torch.equal, == and != of two values that the same code computes: one number, whether held fixed or not."""

import pytest
import torch

from harness import check_gradient

X = torch.tensor([[1.54, -0.29], [-2.18, 0.57], [-1.08, -1.4]], dtype=torch.float64)


def with_ones(x):
    return torch.sin(x) * torch.ones_like(x)


def with_detached(x):
    return torch.sigmoid(x) / x.detach().std()


def with_no_grad(x):
    with torch.no_grad():
        size = torch.exp(x).sum()
    return torch.sin(x) / size


def complex_numbers(x):
    return torch.exp(1j * x) * torch.ones_like(x)


TWICE = [with_ones, with_detached, with_no_grad, complex_numbers]


def branched(a, b, x):
    return (x * x * x).sum() if torch.equal(a, b) else x.sum()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("computed", TWICE)
def test_what_is_computed_twice_alike_is_equal(computed, dtype):
    found = check_gradient(lambda x: branched(computed(x), computed(x), x), (X.to(dtype),))
    assert found.verdict == "accurate", str(found)


@pytest.mark.parametrize("other", [torch.cos, lambda x: torch.sin(x) + 1e-9])
def test_other_numbers_are_not(other):
    found = check_gradient(lambda x: branched(torch.sin(x), other(x), x), (X,))
    assert found.verdict == "accurate", str(found)


def test_what_was_written_into_meanwhile_is_not():
    def f(x):
        a, b = with_ones(x), with_ones(x)
        b[0, 0] += 1
        return branched(a, b, x)

    assert check_gradient(f, (X,)).verdict == "accurate"


def test_a_number_and_itself_detached_are_equal_in_a_mask():
    def f(x):
        return torch.where(torch.sin(x) == torch.sin(x.detach()), x * x, x)

    assert check_gradient(f, (X,)).verdict == "accurate"


@pytest.mark.parametrize(("slope", "verdict"), [(lambda x: 2 * x, "accurate"), (torch.ones_like, "wrong")])
def test_a_wrong_rule_of_the_branch_that_is_taken_is_found(slope, verdict):
    class Branched(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x if (with_ones(x) == with_ones(x)).all() else x

        @staticmethod
        def backward(ctx, g):
            return g * slope(*ctx.saved_tensors)

    assert check_gradient(Branched.apply, (X,)).verdict == verdict
