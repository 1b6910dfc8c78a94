"""Weights that a torch function holds are no arguments: a note says that nobody asked for their gradients."""

import functools

import pytest
import torch

from gradproof import check_gradient

X = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh()).double()


def told(f, *args, **options):
    return [note for note in check_gradient(f, args, probes=False, **options).notes if "holds" in note]


@pytest.mark.entire
@pytest.mark.parametrize(
    "holding",
    [
        lambda net: lambda x: net(x),
        lambda net: lambda x: net.forward(x).sum(),
        lambda net: net.forward,
        lambda net: functools.partial(lambda n, x: n(x), net),
        lambda net: lambda x: torch.utils.checkpoint.checkpoint(net, x, use_reentrant=False),
    ],
)
def test_parameters_of_a_module_that_another_function_calls_are_named(holding, net):
    (note,) = told(holding(net), X)
    assert note.startswith("the function holds 0.bias of Sequential, 0.weight of Sequential: no gradient of ")


def test_a_tensor_is_told_by_its_shape_and_many_by_their_number():
    w = torch.ones(3, dtype=torch.float64, requires_grad=True)
    (note,) = told(lambda x: x @ w, X)
    assert "holds a tensor of shape (3,): no gradient" in note
    many = [torch.tensor(1.0, dtype=torch.float64, requires_grad=True) for _ in range(5)]
    assert "shape () and 2 more: " in told(lambda x: sum(m * x for m in many), X)[0]


def test_what_is_asked_for_or_has_no_gradient_is_not_told(net):
    assert told(net, X) == []
    w = torch.ones(3, dtype=torch.float64, requires_grad=True)
    net.kept = [w]  # of which another note tells
    net.forward = lambda x: x @ w
    assert told(net, X) == []
    del net.forward
    assert told(lambda x, w: x @ w, X, torch.ones(3, dtype=torch.float64, requires_grad=True)) == []
    assert told(lambda x: net(x), X, argnums=0) == []  # who names the arguments has chosen
    assert told(lambda x: net(x).detach() * x.sum(), X) == []
    with torch.no_grad():
        assert len(told(lambda x: net(x), X)) == 1  # whatever the caller's mode is
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    assert told(lambda x: net(x), X) == []


def test_it_changes_no_verdict_and_leaves_no_gradient_behind(net):
    found = check_gradient(lambda x: net(x), (X,))
    assert found.passed
    assert all(parameter.grad is None for parameter in net.parameters())
