"""Matrices that are symmetric but for their rounding, as inverses and products with a transpose come out."""

from __future__ import annotations

import numpy as np

from harness.subject.derivative import Array

# How far from it, relative to the largest element: a matrix of condition 2^20 is inverted so, and no matrix
# is meant to be another than its transpose by so little.
ASYMMETRY = {"float64": 2.0**-32, "float32": 2.0**-14}


def made_symmetric(array: Array, dtype: str) -> Array | None:
    """The mean of a matrix (or of each of a stack) and its transpose; None where these are equal, or far off.

    Where only some of a stack are far off, the whole is.
    """
    if array.dtype.kind != "f" or array.ndim < 2 or array.shape[-1] != array.shape[-2] or not array.size:
        return None
    other = np.swapaxes(array, -1, -2)
    with np.errstate(all="ignore"):
        apart = np.max(np.abs(array - other), axis=(-1, -2))
        largest = np.max(np.abs(array), axis=(-1, -2))
    is_close = apart <= ASYMMETRY.get(dtype, 0.0) * largest
    return (array + other) / 2 if np.all(is_close) and np.any(apart) else None
