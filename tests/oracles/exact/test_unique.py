"""torch.unique and unique_consecutive of what is differentiated: an order and its ties, which are decided."""

import pytest
import torch

from harness import check_gradient

X = torch.tensor([[0.6, -1.2, 2.0], [0.1, 0.9, -0.4]], dtype=torch.float64)
TIED = torch.tensor([[0.6, -1.2, 0.6], [0.1, 0.9, -0.4]], dtype=torch.float64)


def by_place(x):
    _, which, counts = torch.unique(x, return_inverse=True, return_counts=True)
    return (x * x * which * counts[which]).sum()


def by_value(x):
    return (torch.unique(x.detach()) ** 2).sum() * x.sum()


def one_after_the_other(x):
    values, which = torch.unique_consecutive(x.detach().flatten().sort().values, return_inverse=True)
    return (x.flatten() ** 2 * which * values[which]).sum()


def of_steps(x):
    return (x * x * torch.unique(torch.round(x), return_inverse=True)[1]).sum()


@pytest.mark.parametrize("function", [by_place, by_value, one_after_the_other, of_steps])
def test_where_no_two_are_equal_it_is_what_torch_finds(function):
    found = check_gradient(function, (X,))
    assert found.verdict == "accurate", str(found)


@pytest.mark.parametrize("function", [by_place, by_value, one_after_the_other])
def test_at_a_tie_what_is_beside_it_is_not_known(function):
    assert check_gradient(function, (TIED,)).verdict == "undecided"


class Different(torch.autograd.Function):
    """The squares of the elements that differ."""

    @staticmethod
    def forward(ctx, x, in_place):
        values, which = torch.unique(x, return_inverse=True)
        ctx.save_for_backward(values, which)
        ctx.in_place = in_place
        return values**2

    @staticmethod
    def backward(ctx, g):
        values, which = ctx.saved_tensors
        slopes = 2 * values * g
        return slopes[which] if ctx.in_place else slopes.reshape(which.shape), None


@pytest.mark.parametrize(("in_place", "verdict"), [(True, "accurate"), (False, "wrong")])
def test_a_rule_that_gives_each_its_own_is_told_from_one_that_does_not(in_place, verdict):
    assert check_gradient(lambda x: Different.apply(x, in_place), (X,)).verdict == verdict
