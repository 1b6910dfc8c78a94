"""The corpus as `torch.autograd.Function`s, with their backward passes in torch's operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tests.verdicts.corpus import EPS, GENERAL


def softmax(x: Tensor) -> Tensor:
    e = torch.exp(x - x.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)


def normalised(x: Tensor) -> tuple[Tensor, Tensor]:
    """The rows at mean 0 and variance 1, and what they were multiplied by."""
    centred = x - x.mean(-1, keepdim=True)
    rstd = torch.rsqrt((centred * centred).mean(-1, keepdim=True) + EPS)
    return centred * rstd, rstd


def cdf(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(x * math.sqrt(0.5)))


PLAIN: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": softmax,
    "layernorm": lambda x: normalised(x)[0],
    "gelu": lambda x: x * cdf(x),
    "silu": lambda x: x * torch.sigmoid(x),
}


class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = softmax(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return y * (g - (g * y).sum(-1, keepdim=True))


class SoftmaxWithoutSum(Softmax):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return y * g


class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y, rstd = normalised(x)
        ctx.save_for_backward(y, rstd)
        return y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        y, rstd = ctx.saved_tensors
        return rstd * (g - g.mean(-1, keepdim=True) - y * (g * y).mean(-1, keepdim=True))


class LayerNormWithoutMean(LayerNorm):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        y, rstd = ctx.saved_tensors
        return rstd * (g - y * (g * y).mean(-1, keepdim=True))


class LayerNormWithoutAlong(LayerNorm):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        _, rstd = ctx.saved_tensors
        return rstd * (g - g.mean(-1, keepdim=True))


class Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * cdf(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        density = torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return g * (cdf(x) + x * density)


class GeluByTanh(Gelu):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        scale = math.sqrt(2 / math.pi)
        t = torch.tanh(scale * (x + 0.044715 * x * x * x))
        slope = scale * (1 + 3 * 0.044715 * x * x)
        return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope)


class Silu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        s = torch.sigmoid(x)
        ctx.save_for_backward(x, s)
        return x * s

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, s = ctx.saved_tensors
        return g * (s + x * s * (1 - s))


class SiluWithoutSlope(Silu):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        _, s = ctx.saved_tensors
        return g * s


def _without_element(dx: Tensor) -> Tensor:
    dx = dx.clone(memory_format=torch.contiguous_format)
    dx.view(-1)[dx.numel() // 2] = 0
    return dx


def _without_row(dx: Tensor) -> Tensor:
    dx = dx.clone()
    dx[len(dx) // 2] = 0
    return dx


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "zero": torch.zeros_like,
    "x1.01": lambda dx: 1.01 * dx,
    "x1.1": lambda dx: 1.1 * dx,
    "neg": torch.neg,
    "roll rows": lambda dx: dx.roll(1, 0),
    "one elem=0": _without_element,
    "one row=0": _without_row,
}


def _changed(right: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The Function with another backward: the right one's result, changed."""

    class Changed(right):  # type: ignore[misc]  # the base is a variable
        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Any:
            return change(right.backward(ctx, g))

    return Changed


CLASSES: dict[str, Any] = {"softmax": Softmax, "layernorm": LayerNorm, "gelu": Gelu, "silu": Silu}
RIGHT: dict[str, Callable[[Tensor], Any]] = {name: right.apply for name, right in CLASSES.items()}
MUTANTS: dict[tuple[str, str], Callable[[Tensor], Any]] = {
    **{
        (name, mutant): _changed(right, CHANGES[mutant]).apply
        for name, right in CLASSES.items()
        for mutant in GENERAL
    },
    ("softmax", "no sum term"): SoftmaxWithoutSum.apply,
    ("layernorm", "no mean(g)"): LayerNormWithoutMean.apply,
    ("layernorm", "no y mean(g y)"): LayerNormWithoutAlong.apply,
    ("gelu", "tanh-approx backward"): GeluByTanh.apply,
    ("silu", "no x s (1 - s)"): SiluWithoutSlope.apply,
}
