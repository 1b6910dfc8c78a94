"""Division of integers, to each side; by 0 it is undecided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.program.errors import Undecided
from oracles.exact.program.program import Array, Primitive


def _divided(function: Callable[[Array, Array], Any]) -> Callable[[Array, Array], Array]:
    def divide(x: Array, y: Array) -> Array:
        if not np.all(y):
            raise Undecided("an integer is divided by 0: what it becomes depends on the library")
        with np.errstate(over="ignore"):  # the least integer by -1 is itself
            return np.asarray(function(x, y))

    return divide


def _towards_zero(x: Array, y: Array) -> Array:
    down = np.asarray(np.floor_divide(x, y))
    up: Array = (np.fmod(x, y) != 0) & ((x < 0) != (y < 0))
    return np.asarray(down + up.astype(down.dtype))


integer_div = Primitive("integer_div", _divided(_towards_zero))
integer_rem = Primitive("integer_rem", _divided(np.fmod))
integer_floor_div = Primitive("integer_floor_div", _divided(np.floor_divide))
integer_floor_rem = Primitive("integer_floor_rem", _divided(np.remainder))
