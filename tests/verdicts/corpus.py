"""What the verdicts are tested on: four functions, 33 wrong backward passes, and the points.

The backward passes themselves are in `mutants_numpy`, `mutants_torch` and `mutants_jax`, each with

    RIGHT: {function: implementation}        MUTANTS: {(function, mutant): implementation}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import torch

FUNCTIONS = ("softmax", "layernorm", "gelu", "silu")
EPS = 1e-5  # layernorm's
GENERAL = ("zero", "x1.01", "x1.1", "neg", "roll rows", "one elem=0", "one row=0")
SPECIFIC = {
    "softmax": ("no sum term",),
    "layernorm": ("no mean(g)", "no y mean(g y)"),
    "gelu": ("tanh-approx backward",),
    "silu": ("no x s (1 - s)",),
}
MUTANT_NAMES = {function: GENERAL + SPECIFIC[function] for function in FUNCTIONS}
PAIRS = tuple((function, mutant) for function, names in MUTANT_NAMES.items() for mutant in names)
SHAPES = ((4, 8), (32, 64), (256, 1024))
DTYPES = ("float64", "float32", "bfloat16")


class Implementation(NamedTuple):
    """A function in plain NumPy and its backward; in torch and JAX one callable carries both."""

    forward: Callable[..., Any]
    vjp: Callable[..., Any]


def draw(shape: tuple[int, ...], dtype: str, seed: int) -> tuple[Any, Any]:
    """x and a signed cotangent, normal numbers that bfloat16 holds: every dtype sees the same ones."""
    rng = np.random.default_rng(seed)
    x, cotangent = (rng.standard_normal(shape).astype(ml_dtypes.bfloat16) for _ in range(2))
    return x.astype(dtype), cotangent.astype(dtype)


def to_torch(array: Any) -> torch.Tensor:
    """A tensor of the same dtype; torch reads no bfloat16 of NumPy's, but the bits are the same."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def to_jax(array: Any) -> jax.Array:
    """A JAX array of the same dtype; a float64 one is to be used inside `jax.enable_x64(True)`."""
    with jax.enable_x64(array.dtype == np.float64):
        return jnp.asarray(array)


def to_numpy(array: Any) -> Any:
    """The array that `to_torch` or `to_jax` was given."""
    if isinstance(array, torch.Tensor) and array.dtype == torch.bfloat16:
        return array.detach().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return array.detach().numpy() if isinstance(array, torch.Tensor) else np.asarray(array)


def value(framework: str, implementation: Any, x: Any) -> Any:
    """What the implementation's forward gives, as NumPy's."""
    if framework == "numpy":
        return implementation.forward(x)
    if framework == "torch":
        return to_numpy(implementation(to_torch(x)))
    with jax.enable_x64(x.dtype == np.float64):
        return to_numpy(implementation(to_jax(x)))


def gradient(framework: str, implementation: Any, x: Any, cotangent: Any) -> Any:
    """What the implementation's backward gives, as NumPy's."""
    if framework == "numpy":
        return implementation.vjp(cotangent, x)
    if framework == "torch":
        leaf = to_torch(x).requires_grad_()
        return to_numpy(torch.autograd.grad(implementation(leaf), leaf, to_torch(cotangent))[0])
    with jax.enable_x64(x.dtype == np.float64):
        return to_numpy(jax.vjp(implementation, to_jax(x))[1](to_jax(cotangent))[0])
