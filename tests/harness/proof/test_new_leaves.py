"""Where a torch function begins another graph: what comes before it is held fixed, as by `detach`."""

from __future__ import annotations

import pytest
import torch

from harness.check import check_gradient

X, W = (torch.tensor(x, dtype=torch.float64) for x in ([0.5, -1.25, 2.0], [1.5, 0.75, -0.25]))


def filled(x, w):
    other = torch.empty(3, dtype=x.dtype, requires_grad=True)
    with torch.no_grad():
        other.copy_(x)
    return other * w


def computed(x, w):
    with torch.no_grad():
        other = x * 2
    return other.requires_grad_() * w + x


def penalty(x, w):
    point = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad((point * w).sin().sum(), point, create_graph=True)
    return (slope.norm() - 1) ** 2


def own_penalty(x, w):
    (slope,) = torch.autograd.grad((x * w).sin().sum(), x, create_graph=True)
    return (slope.norm() - 1) ** 2


FIXED = {
    "detach": lambda x, w: x.detach().requires_grad_() * w,
    "clone": lambda x, w: x.clone().detach().requires_grad_() * w,
    "view": lambda x, w: x.detach().requires_grad_()[1:] * w[1:],
    "Parameter": lambda x, w: torch.nn.Parameter(x.sin()) * w,
    "Variable": lambda x, w: torch.autograd.Variable(x.data, requires_grad=True) * w,
    "beside": lambda x, w: x.detach().requires_grad_() * w + x * 2,
    "filled": filled,
    "computed": computed,
    "penalty": penalty,
}


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize("name", FIXED)
def test_autograd_is_right(name, mode):
    assert check_gradient(FIXED[name], (X, W), mode=mode).verdict.value == "accurate"


def test_a_rule_that_goes_on_to_what_is_fixed_is_wrong():
    def check(vjp):
        return check_gradient(FIXED["detach"], (X, W), vjp=vjp).verdict.value

    assert check(lambda g, x, w: (0 * w, g * x)) == "accurate"
    assert check(lambda g, x, w: (g * w, g * x)) == "wrong"


def test_an_argument_that_is_asked_to_require_grad_is_still_one():
    assert check_gradient(lambda x, w: x.requires_grad_() * w, (X, W)).verdict.value == "accurate"


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_a_function_may_differentiate_by_its_argument(mode):
    """Which then has to require grad, and along a tangent in the other one alone it does not."""
    assert check_gradient(own_penalty, (X, W), mode=mode).verdict.value == "accurate"
