"""Gradients that a function takes without `create_graph=True`: they are held fixed, and that is said."""

import pytest
import torch
from torch.autograd import grad

from harness import check_gradient
from harness.verdicts import Verdict

X = torch.tensor([0.5, -1.25, 2.0], dtype=torch.float64)
W = torch.tensor([1.5, 0.25, -0.75], dtype=torch.float64)


def said(f, *args, **options):
    found = check_gradient(f, args, **options)
    assert found.verdict is Verdict.ACCURATE
    return [note for note in found.notes if "create_graph" in note]


class Penalized(torch.nn.Module):
    """A critic with a penalty on its gradient, as WGAN-GP has it."""

    def __init__(self, create_graph):
        super().__init__()
        self.w, self.create_graph = torch.nn.Parameter(W.clone()), create_graph

    def forward(self, x):
        x = x.detach().requires_grad_()
        y = torch.tanh(self.w * x)
        (slope,) = grad(y.sum(), x, create_graph=self.create_graph, retain_graph=True)
        return y.sum() + (slope.norm() - 1) ** 2


def curvature(create_graph):
    def f(x):
        u = torch.sin(x)
        (slope,) = grad(u.sum(), x, create_graph=True)
        (bend,) = grad(slope.sum(), x, create_graph=create_graph, retain_graph=True)
        return (bend + u) ** 2 + u

    return f


def by_backward(create_graph):
    def f(x):
        y = x * 1
        y.retain_grad()
        (y**3).sum().backward(create_graph=create_graph, retain_graph=True)
        return x * y.grad

    return f


@pytest.mark.filterwarnings("ignore:Using backward")
@pytest.mark.parametrize("of", [Penalized, curvature, by_backward])
def test_a_gradient_without_a_graph_is_named_where_it_is_taken(of):
    """All of it passed without a word, though the penalty had no gradient at all."""
    assert not said(of(True), X)
    (note,) = said(of(False), X)
    assert "test_graphless.py:" in note
    assert "held fixed here, as if detached" in note


def of_both(x, w):
    (slope,) = grad((x * w**2).sum(), x, retain_graph=True)
    return slope * x


@pytest.mark.parametrize(
    "f",
    [
        lambda x: torch.func.grad(lambda z: torch.sin(z).sum())(x) * x,
        lambda x: grad((3 * x).sum(), x)[0] * x,
        lambda x: x + grad((x**3).sum(), x)[0].sign(),
        lambda x: (grad((x**3).sum(), x)[0].norm(), torch.sin(x))[1],
    ],
    ids=["torch.func", "a constant", "steps", "unused"],
)
def test_nothing_is_said_where_nothing_is_lost(f):
    assert not said(f, X)


def test_it_counts_for_what_moves_it():
    assert said(of_both, X, W)
    assert not said(of_both, X, W, argnums=0)  # the slope moves with w alone


def test_forward_mode_does_not_hold_it():
    assert not said(of_both, X, W, mode="forward")
    assert said(lambda x: of_both(x, x * 1).sum(), X, order=2)
