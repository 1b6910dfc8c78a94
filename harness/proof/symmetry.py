"""Matrices that are symmetric but for their rounding, as inverses and products with a transpose come out."""

from __future__ import annotations

import numpy as np

from harness.subject.derivative import Array

# How far the two numbers of a pair may be apart, relative to them. Beside the largest number of a matrix one
# that is skew beside the identity would be symmetric, as a rotation by little is.
ASYMMETRY = 2.0**-40


def made_symmetric(array: Array, dtype: str) -> Array | None:
    """The mean of a float64 matrix (or of each of a stack) and its transpose.

    None where these are equal, or where any pair of numbers is far apart.
    """
    if dtype != "float64" or array.dtype.kind != "f" or array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        return None
    other = np.swapaxes(array, -1, -2)
    with np.errstate(all="ignore"):
        apart, size = np.abs(array - other), np.abs(array) + np.abs(other)
    is_close = np.all(apart <= ASYMMETRY * size)
    return (array + other) / 2 if is_close and np.any(apart) else None
