"""Ordinary arguments, as a test would draw them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def normal(
    *shapes: tuple[int, ...], dtype: str = "float64"
) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    """Standard normal arrays."""
    return lambda rng: tuple(np.asarray(rng.normal(size=s)).astype(dtype) for s in shapes)


def positive(
    *shapes: tuple[int, ...], dtype: str = "float64"
) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    """Uniform in [0.5, 1.5]."""
    return lambda rng: tuple(rng.uniform(0.5, 1.5, s).astype(dtype) for s in shapes)


def array(*values: float, dtype: str = "float64") -> Any:
    """One array."""
    return np.array(values, dtype)
