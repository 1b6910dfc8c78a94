"""Arrays, and random ones of both signs."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = tuple[Array, ...]
Floating: TypeAlias = np.dtype[np.floating[Any]]


def signed(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
    """Random numbers of both signs with two decimals, magnitudes from 0.25 to 2, never zero."""
    magnitude = np.round(rng.uniform(0.25, 2.0, shape), 2)
    return np.asarray(magnitude * rng.choice([-1.0, 1.0], shape), dtype=dtype)
