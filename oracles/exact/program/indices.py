"""Where an element of an array is: its index along each axis, in Python's integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def first_true(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """Where a mask that holds somewhere holds first, in C order."""
    return tuple(np.argwhere(mask)[0].tolist())


def unraveled(place: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Where the element of this number is, in C order."""
    return tuple(map(int, np.unravel_index(place, shape)))
