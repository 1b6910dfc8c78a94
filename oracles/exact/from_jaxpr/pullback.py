"""The pullback of a JAX function, by `jax.vjp`: its custom rules as they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np


@dataclass(frozen=True)
class Pullback:
    """`pull(cotangents, *args)`: see `pullback`. Two of the same function are equal, and traced once."""

    function: Callable[..., Any]
    argnums: tuple[int, ...]

    def __call__(self, cotangents: Any, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The gradients of <cotangents, function(*args)>."""

        def of_differentiated(*moving: Any) -> Any:
            full = list(args)
            for position, argument in zip(self.argnums, moving, strict=True):
                full[position] = argument
            return self.function(*full, **kwargs)

        out, pull = jax.vjp(of_differentiated, *(args[i] for i in self.argnums))
        if not any(map(_is_floating, jax.tree.leaves(out))):
            return (None,) * len(self.argnums)
        return tuple(pull(jax.tree.map(_cotangent, out, cotangents)))


def pullback(function: Callable[..., Any], argnums: Sequence[int]) -> Pullback:
    """`pull(cotangents, *args)`, the gradients of a function with respect to the arguments `argnums`.

    The cotangents have the structure of the function's result; that of an integer result is ignored. The
    gradients are a tuple, one per entry of `argnums`; all None if no result is floating. The other arguments
    may be anything that the function takes, labels for example.
    """
    return Pullback(function, tuple(argnums))


def _is_floating(result: Any) -> bool:
    return bool(jax.numpy.issubdtype(result.dtype, jax.numpy.floating))


def _cotangent(result: Any, given: Any) -> Any:
    """What `jax.vjp` wants: for an integer result an array of its own kind of zeros."""
    return given if _is_floating(result) else np.zeros(result.shape, jax.dtypes.float0)
