"""Arrays, random ones of both signs, and named ways to draw a case's arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = tuple[Array, ...]
Floating: TypeAlias = np.dtype[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class InputMaker:
    """One named way to draw a case's arguments.

    `make(rng, dtype, shape)` returns the arguments in order. `boundary` tells the inputs that look for
    trouble (zeros, ties, saturation, layout) from the ordinary draws; `heavy` those that take seconds.
    """

    name: str
    make: Callable[[np.random.Generator, Floating, tuple[int, ...]], Arrays]
    shape: tuple[int, ...]
    boundary: bool = False
    heavy: bool = False


def signed(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
    """Random numbers of both signs with two decimals, magnitudes from 0.25 to 2, never zero."""
    magnitude = np.round(rng.uniform(0.25, 2.0, shape), 2)
    return np.asarray(magnitude * rng.choice([-1.0, 1.0], shape), dtype=dtype)
