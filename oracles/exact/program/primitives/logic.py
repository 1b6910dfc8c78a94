"""Logic: of booleans, and of three truth values where rounding may turn a comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.program.balls import OPEN, settled
from oracles.exact.program.program import Array, Primitive


def kleene(values: Array) -> Array:
    """Booleans among truth values."""
    return values.astype(OPEN)


def _xor(x: Array, y: Array) -> Array:
    open_ = (x == 0.5) | (y == 0.5)
    return np.where(open_, 0.5, np.abs(kleene(x) - kleene(y))).astype(OPEN)


def _logic(name: str, function: Callable[..., Any], opened: Callable[..., Array]) -> Primitive:
    return Primitive(name, lambda *a: np.asarray(function(*a)), opened=lambda *a: settled(opened(*a)))


and_ = _logic("and", np.bitwise_and, lambda x, y: np.minimum(kleene(x), kleene(y)))
or_ = _logic("or", np.bitwise_or, lambda x, y: np.maximum(kleene(x), kleene(y)))
xor = _logic("xor", np.bitwise_xor, _xor)
not_ = _logic("not", np.invert, lambda x: 1 - kleene(x))
