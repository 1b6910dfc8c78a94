"""The pullback of a JAX function, by `jax.vjp`, and its pushforward: its custom rules as they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from oracles.exact.program.trees import Derived


@dataclass(frozen=True)
class Pullback(Derived):
    """`pull(cotangents, *args)`, the gradients of a function with respect to the arguments `argnums`.

    The cotangents have the structure of the function's result; that of an integer result is ignored. The
    gradients are a tuple, one per entry of `argnums`; all None if no result is floating. The other arguments
    may be anything that the function takes, labels for example. With `primal` it returns (value, gradients):
    the value is what the rule's own forward returns. Two of the same function are equal, and traced once.
    """

    function: Callable[..., Any]
    argnums: tuple[int, ...]
    primal: bool = False

    def __call__(self, cotangents: Any, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The gradients of <cotangents, function(*args)>."""

        function, moving = _of_moving(self.function, self.argnums, args, kwargs)
        out, pull = jax.vjp(function, *moving)
        gradients: tuple[Any, ...] = (None,) * len(self.argnums)
        if any(map(_is_floating, jax.tree.leaves(out))):
            gradients = tuple(pull(jax.tree.map(_cotangent, out, cotangents)))
        return (out, gradients) if self.primal else gradients

    @property
    def origins(self) -> tuple[Any, ...]:
        """The function."""
        return (self.function,)


@dataclass(frozen=True)
class Pushforward(Derived):
    """`push(tangents, *args)`: the derivative of every result along the tangents of the arguments `argnums`.

    Two of the same function are equal, and traced once. With `primal` it returns (value, tangents).
    """

    function: Callable[..., Any]
    argnums: tuple[int, ...]
    primal: bool = False

    def __call__(self, tangents: Sequence[Any], *args: Any) -> Any:
        """The tangents of the results."""
        function, moving = _of_moving(self.function, self.argnums, args, {})
        found = jax.jvp(function, tuple(moving), tuple(tangents))
        return found if self.primal else found[1]

    @property
    def origins(self) -> tuple[Any, ...]:
        """The function."""
        return (self.function,)


def _of_moving(
    function: Callable[..., Any], argnums: Sequence[int], args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], list[Any]]:
    """The function of its differentiated arguments alone, and these."""

    def of_moving(*moving: Any) -> Any:
        full = list(args)
        for position, argument in zip(argnums, moving, strict=True):
            full[position] = argument
        return function(*full, **kwargs)

    return of_moving, [args[i] for i in argnums]


def _is_floating(result: Any) -> bool:
    return bool(jax.numpy.issubdtype(result.dtype, jax.numpy.floating))


def _cotangent(result: Any, given: Any) -> Any:
    """What `jax.vjp` wants: for an integer result an array of its own kind of zeros."""
    return given if _is_floating(result) else np.zeros(result.shape, jax.dtypes.float0)
