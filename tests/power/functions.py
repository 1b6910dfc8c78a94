"""Twenty functions of torch and twenty of JAX, and three with a broadcast operand, as subjects to mutate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import torch
import torch.nn.functional as F

from tests.power.mutants import Function, Mutant, Pull, Subject, changed, part

WEIGHTS = np.random.default_rng(7).normal(size=(64, 64)).astype(np.float32)


def _columns(x: Any) -> int:
    return int(x.shape[-1])


TORCH: dict[str, Function] = {
    "softmax": lambda x: F.softmax(x, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "layer_norm": lambda x: F.layer_norm(x, (_columns(x),)),
    "logsumexp": lambda x: torch.logsumexp(x, -1),
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "elu": F.elu,
    "softplus": F.softplus,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "exp": torch.exp,
    "sin": torch.sin,
    "square": torch.square,
    "cumsum": lambda x: torch.cumsum(x, -1),
    "mean": lambda x: torch.mean(x, -1),
    "norm": lambda x: torch.linalg.vector_norm(x, dim=-1),
    "matmul": lambda x: x @ torch.from_numpy(WEIGHTS[: _columns(x), :4].copy()).to(x.dtype),
    "mse_loss": lambda x: F.mse_loss(x, torch.zeros_like(x)),
    "cross_entropy": lambda x: F.cross_entropy(x, torch.zeros(x.shape[0], dtype=torch.int64)),
}
JAX: dict[str, Function] = {
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "standardize": jax.nn.standardize,
    "logsumexp": lambda x: jax.nn.logsumexp(x, -1),
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "elu": jax.nn.elu,
    "softplus": jax.nn.softplus,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "exp": jnp.exp,
    "sin": jnp.sin,
    "square": jnp.square,
    "cumsum": lambda x: jnp.cumsum(x, -1),
    "mean": lambda x: jnp.mean(x, -1),
    "norm": lambda x: jnp.sqrt(jnp.sum(x * x, -1)),
    "matmul": lambda x: x @ jnp.asarray(WEIGHTS[: x.shape[-1], :4], x.dtype),
    "mse": lambda x: jnp.mean(x * x),
    "cross_entropy": lambda x: -jnp.mean(jax.nn.log_softmax(x)[:, 0]),
}
# Alike in both; the last argument is broadcast along the rows, and its gradient is the one that is changed.
BROADCAST: dict[str, tuple[Function, Callable[[int], tuple[tuple[int, ...], ...]]]] = {
    "bias, b": (lambda x, b: x + b, lambda columns: ((columns,),)),
    "column scale, w": (lambda x, w: x * w, lambda columns: ((columns,),)),
    "linear, b": (lambda x, w, b: x @ w + b, lambda columns: ((columns, 4), (4,))),
}


def _one_factor(hold: Function, f: Function, x: Any) -> Any:
    """x s(x) with s held: the product rule's other term is lost."""
    return x * hold(f(x) / x)


def _value_only(hold: Function, f: Function, x: Any) -> Any:
    """The gradient is g y: what the rule takes off from that is lost."""
    return x * hold(f(x))


def _one_projection(hold: Function, f: Function, x: Any) -> Any:
    """The gradient of a normalisation without the mean of g y."""
    centred = x - x.mean(-1)[:, None]
    return centred * hold(f(x) / centred)


# The function whose gradient is the rule without one of its terms; `hold` stops the gradient.
DROPPED: dict[str, Callable[[Function, Function, Any], Any]] = {
    "softmax": _value_only,  # p g - p sum(p g)
    "sigmoid": _value_only,  # y - y^2
    "tanh": lambda hold, f, x: x,  # 1 - y^2
    "log_softmax": lambda hold, f, x: x,  # g - p sum(g)
    "layer_norm": _one_projection,
    "standardize": _one_projection,
    "gelu": _one_factor,
    "silu": _one_factor,
    "mish": _one_factor,
    "elu": lambda hold, f, x: x * (x > 0),
    "cumsum": lambda hold, f, x: f(x) - x,
    "matmul": lambda hold, f, x: part(f(x), lambda m: m[:, -1:]),
    "cross_entropy": lambda hold, f, x: -x[:, 0].mean(),  # p - onehot
}


def drawn(size: tuple[int, ...], dtype: str, seed: int = 3) -> Any:
    """Normal numbers that bfloat16 holds, so that every dtype sees the same."""
    x = np.random.default_rng(seed).normal(size=size).astype(ml_dtypes.bfloat16)
    return x.astype(getattr(ml_dtypes, dtype) if dtype == "bfloat16" else dtype)


def names(framework: str) -> list[str]:
    """What there is in a framework."""
    return [*(TORCH if framework == "torch" else JAX), *BROADCAST]


def subject(framework: str, name: str, size: tuple[int, int], dtype: str) -> Subject:
    """A function at a point of a size."""
    x = drawn(size, dtype)
    if name in BROADCAST:
        f, shapes = BROADCAST[name]
        args = (x, *(drawn(shape, dtype, seed) for seed, shape in enumerate(shapes(size[1]))))
        pull, last = _pull(framework, f), len(args) - 1
        return Subject(
            framework, f, args, pull, moves=len(args), changed=last, rows=size[0],
            first_row=lambda g, *given: pull(part(g, lambda m: m[1:]), *given),
        )  # fmt: skip
    f = (TORCH if framework == "torch" else JAX)[name]
    dropped, hold = DROPPED.get(name), torch.detach if framework == "torch" else jax.lax.stop_gradient
    lost = dropped and _pull(framework, lambda x: dropped(hold, f, x))
    return Subject(framework, f, (x,), _pull(framework, f), dropped=lost)


def _pull(framework: str, f: Function) -> Pull:
    """The framework's own gradients."""
    if framework == "jax":
        return lambda g, *args: jax.vjp(f, *args)[1](g)

    def pull(g: torch.Tensor, *args: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with torch.enable_grad():
            leaves = [a.detach().requires_grad_() for a in args]
            return torch.autograd.grad(f(*leaves), leaves, g)

    return pull


class _Mutated(torch.autograd.Function):
    """One class for all mutants: our check looks at each class that there is."""

    @staticmethod
    def forward(ctx: Any, f: Function, pull: Pull, *args: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(*args)
        ctx.pull = pull
        return f(*args)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return None, None, *ctx.pull(g, *ctx.saved_tensors)


def mutated(s: Subject, mutant: Mutant) -> Function:
    """A function of a framework with its own gradient, changed."""
    pull = changed(s, mutant)
    if s.framework == "torch":
        return lambda *args: _Mutated.apply(s.function, pull, *args)
    function = jax.custom_vjp(lambda *args: s.function(*args))
    function.defvjp(lambda *args: (s.function(*args), args), lambda args, g: pull(g, *args))
    return function
