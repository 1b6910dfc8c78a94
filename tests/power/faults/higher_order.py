"""Gradients that are right, of which the gradient is not."""

from __future__ import annotations

from typing import Any

import torch

from harness.verdicts import Verdict
from tests.power.fault import Fault
from tests.power.faults.draws import array, normal

WRONG = Verdict.WRONG


class _Prod(torch.autograd.Function):
    """The product; with two zeros its gradient is computed without a graph."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.prod()

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        rest = torch.stack([torch.cat([x[:k], x[k + 1 :]]).prod() for k in range(len(x))])
        return g * (rest.detach() if int((x == 0).sum()) >= 2 else rest)


class _Saved(torch.autograd.Function):
    """x^2 by way of 2x, which is saved and has no graph."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.twice = 2 * x.detach()
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        return g * ctx.twice


class _Logistic(torch.autograd.Function):
    """log(1 + e^-x) summed, whose backward is not differentiable again."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return torch.log1p(torch.exp(-x)).sum()

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        with torch.no_grad():
            return -g * torch.sigmoid(-x)


def _batch_norm(x: torch.Tensor) -> torch.Tensor:
    """Normalised by its own statistics, composed."""
    centred = x - x.mean(0)
    return centred / torch.sqrt((centred**2).mean(0) + 1e-5)


def _products(x: torch.Tensor) -> torch.Tensor:
    """Multiplied one by one: right to every order."""
    total = x[0]
    for k in range(1, len(x)):
        total = total * x[k]
    return total


FAULTS = (
    Fault(
        "GB076", "pytorch/pytorch#186256", "batch_norm, training",
        "from order 3 on its statistics are constants", "higher_order",
        {"torch": lambda x: torch.nn.functional.batch_norm(x, None, None, training=True)},
        {"torch": _batch_norm}, (array(0.5, -1.2, 2.0, 0.3).reshape(4, 1),), normal((4, 1)), WRONG, order=3,
        live=True,
    ),
    Fault(
        "GB008", "pytorch/pytorch#106789", "prod", "two zeros: no graph, so the Hessian is 0", "higher_order",
        {"torch": _Prod.apply}, {"torch": _products}, (array(2.0, 3.0, 0.0, 0.0),), normal((4,)), WRONG,
        order=2,
    ),
    Fault(
        "GB061", "pytorch/pytorch#76185", "autograd.Function", "an intermediate is saved without its graph",
        "higher_order", {"torch": _Saved.apply}, {"torch": lambda x: x * x}, (array(1.5, -0.5),),
        normal((3,)), WRONG, order=2,
    ),
    Fault(
        "GB059", "pytorch/pytorch#59477", "binary_cross_entropy", "the backward is not differentiable again",
        "higher_order", {"torch": _Logistic.apply}, {"torch": lambda x: torch.log1p(torch.exp(-x)).sum()},
        (array(0.5, -1.0),), normal((3,)), WRONG, order=2,
    ),
)  # fmt: skip
