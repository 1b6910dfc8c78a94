"""Functions of torch with right gradients, and rules with wrong ones. torch is imported when one is made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

Made = Callable[[str], tuple[Callable[..., Any], tuple[Any, ...]]]

NAMES = (
    "sin cos tanh exp expm1 sigmoid softplus relu gelu silu elu selu mish softsign logsigmoid "
    "abs square sum mean sinh atan asinh hardtanh leaky_relu"
)


def _tensor(shape: tuple[int, ...], dtype: str) -> Any:
    torch = import_module("torch")
    count = 1
    for n in shape:
        count *= n
    return torch.linspace(-1.3, 1.7, count, dtype=torch.float64).reshape(shape).to(getattr(torch, dtype))


def _of(name: str, dtype: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    torch = import_module("torch")
    function = getattr(torch, name, None) or getattr(torch.nn.functional, name)
    return function, (_tensor((2, 3), dtype),)


def _softmax(dtype: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    torch = import_module("torch")
    return partial(torch.softmax, dim=-1), (_tensor((2, 3), dtype),)


def _linear(dtype: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    functional = import_module("torch").nn.functional
    return functional.linear, (_tensor((2, 3), dtype), _tensor((4, 3), dtype), _tensor((4,), dtype))


def _cross_entropy(dtype: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    torch = import_module("torch")
    return torch.nn.functional.cross_entropy, (_tensor((2, 3), dtype), torch.tensor([0, 2]))


RIGHT: dict[str, Made] = {
    **{name: partial(_of, name) for name in NAMES.split()},
    "softmax": _softmax,
    "linear": _linear,
    "cross_entropy": _cross_entropy,
}


def _wrong(kind: str, dtype: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    torch = import_module("torch")

    class Tanh(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = torch.tanh(x)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (y,) = ctx.saved_tensors
            return {"sign": -g * (1 - y * y), "factor": 1.001 * g * (1 - y * y), "dropped": g * (1 - y)}[kind]

    return Tanh.apply, (_tensor((2, 3), dtype),)


WRONG: dict[str, Made] = {kind: partial(_wrong, kind) for kind in ("sign", "factor", "dropped")}
