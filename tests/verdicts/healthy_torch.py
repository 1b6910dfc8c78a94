"""Rules in PyTorch that a naive proof accuses, what they mean, and backward passes that overwrite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tests.verdicts.mutants_torch import Silu, Softmax


class Sparsemax(torch.autograd.Function):
    """max(x - tau, 0), with tau halved in until the rows sum to 1, and the implicit function's backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, halvings: int) -> Tensor:
        low = x.amax(-1, keepdim=True) - 1
        width = 1.0
        for _ in range(halvings):
            width = width / 2
            total = (x - (low + width)).clamp(min=0).sum(-1, keepdim=True)
            low = torch.where(total >= 1, low + width, low)
        p = (x - low).clamp(min=0)
        ctx.save_for_backward(p)
        return p

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (p,) = ctx.saved_tensors
        support = p > 0
        mean = (g * support).sum(-1, keepdim=True) / support.sum(-1, keepdim=True)
        return torch.where(support, g - mean, 0), None


def sparsemax(halvings: int) -> Callable[[Tensor], Any]:
    apply: Callable[[Tensor, int], Any] = Sparsemax.apply
    return lambda x: apply(x, halvings)


def sparsemax_spec(x: Tensor) -> Tensor:
    """Sparsemax in closed form: tau from the sums of the largest entries."""
    z = x.sort(-1, descending=True).values
    inside = 1 + torch.arange(1, x.shape[-1] + 1) * z > z.cumsum(-1)
    tau = (torch.where(inside, z, 0).sum(-1, keepdim=True) - 1) / inside.sum(-1, keepdim=True)
    return (x - tau).clamp(min=0)


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g


class Quantised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return ((x * 8).round() / 8).clamp(-1, 1)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return torch.where(x.abs() <= 1, g, 0)


def identity(x: Tensor) -> Tensor:
    """What the straight-through estimator declares."""
    return x.clone()


def clipped(x: Tensor) -> Tensor:
    """What fake quantisation declares."""
    return x.clamp(-1, 1)


def gated(x: Tensor) -> Tensor:
    """x times a gate that is held: the derivative is the gate."""
    return x * torch.sigmoid(x).detach()


def scaled(x: Tensor) -> Tensor:
    """Rows over a size that is taken without a gradient."""
    with torch.no_grad():
        size = x.abs().amax(-1, keepdim=True)
    return x / size


def straight_through_idiom(x: Tensor) -> Tensor:
    """The straight-through estimator without a custom rule: 1 is the derivative of this very program."""
    return x + (x.round() - x).detach()


class Detaching(torch.autograd.Function):
    """A forward that detaches inside, where nothing is recorded anyway: the backward is that of the whole."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        gate = torch.sigmoid(x.detach())
        ctx.save_for_backward(x, gate)
        return x * gate

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, s = ctx.saved_tensors
        return g * (s + x * s * (1 - s))


class SoftmaxOverwriting(Softmax):
    """g is overwritten by g y, and then used as if it were still g."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        total = g.mul_(y).sum(-1, keepdim=True)
        return y * (g - total)


class SiluOverwriting(Silu):
    """`part` is overwritten by the slope's half, and then used as if it were still g s."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, s = ctx.saved_tensors
        part = g * s
        rest = part.mul_(1 - s)
        return part + x * rest


class SiluInPlace(Silu):
    """In place as well, and right: what is overwritten is not used again."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, s = ctx.saved_tensors
        slope = (1 - s).mul_(x).add_(1).mul_(s)
        return slope.mul_(g)


def relu(at_zero: float) -> Callable[[Tensor], Any]:
    """relu whose slope at exactly 0 is `at_zero`."""

    class Relu(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x.clamp(min=0)

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Any:
            (x,) = ctx.saved_tensors
            return g * torch.where(x == 0, at_zero, (x > 0).to(x.dtype))

    return Relu.apply


class Newton(torch.autograd.Function):
    """1/sqrt(x) in three Newton steps from 1, with the derivative of 1/sqrt(x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        y = torch.ones_like(x)
        for _ in range(3):
            y = y * (1.5 - 0.5 * x * y * y)
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return -0.5 * g / (x * x.sqrt())
