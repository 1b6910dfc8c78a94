"""What is run: a value and a gradient made ready in one framework, with the way there and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Native = Any  # an array of a framework


@dataclass(frozen=True)
class Direction:
    """The derivative along one direction: `derivative` of the case along `tangents`, one per argument."""

    tangents: tuple[Array, ...]
    derivative: float


@dataclass(frozen=True)
class Gradient:
    """A gradient as NumPy arrays.

    Attributes:
        arrays: One per differentiated argument, in its shape and dtype; None is "no gradient", which is
            not a zero gradient. A masked array says that the masked entries were not computed.
        directions: Derivatives along random directions, where the entries were only sampled.
        error_estimate: The oracle's own estimate of its largest absolute error, None if it has none.
        note: How it was obtained, in words, where that is not plain.
        primal: The function's value as the derivative's own run returns it; None where it returns none.
    """

    arrays: tuple[Array | None, ...]
    directions: tuple[Direction, ...] = ()
    error_estimate: float | None = None
    note: str = ""
    primal: tuple[Array, ...] | None = None


@dataclass(frozen=True)
class Subject:
    """A function and its gradient, ready to run; loading, work and fetching are timed apart.

    Attributes:
        load: NumPy array to the framework's own, on its device.
        value: `value(*args)` on loaded arrays; the result is finished when it returns.
        gradient: `gradient(cotangent, *args)` on loaded arrays, likewise.
        fetch_value: What `value` returned, as a NumPy array; a tuple of them where it returns one.
        fetch_gradient: What `gradient` returned, as a `Gradient`.
    """

    load: Callable[[Array], Native]
    value: Callable[..., Native]
    gradient: Callable[..., Native]
    fetch_value: Callable[[Native], Any]
    fetch_gradient: Callable[[Native], Gradient]


def values_by(fetch: Callable[[Native], Array]) -> Callable[[Any], Any]:
    """Fetches a value, or each of a tuple of values."""
    return lambda found: tuple(map(fetch, found)) if isinstance(found, tuple | list) else fetch(found)


def gradient_by(fetch: Callable[[Native], Array], primal: bool = False) -> Callable[[Any], Gradient]:
    """Fetches a gradient: one array or several; with `primal` a pair of the function's results and these."""

    def gradient(result: Any) -> Gradient:
        own, result = result if primal else (None, result)
        parts = result if isinstance(result, tuple | list) else (result,)
        values = None if own is None else tuple(map(fetch, own if isinstance(own, tuple | list) else (own,)))
        return Gradient(tuple(None if g is None else fetch(g) for g in parts), primal=values)

    return gradient
