"""Matrices that are symmetric but for their rounding, as inverses and products with a transpose come out."""

from __future__ import annotations

import numpy as np

from harness.subject.derivative import Array

# How far the two numbers of a pair may be apart, relative to them. Beside the largest number of a matrix one
# that is skew beside the identity would be symmetric, as a rotation by little is.
ASYMMETRY = {"float64": 2.0**-40, "float32": 2.0**-16}
# Or relative to their diagonal, in units of the last place: what cancels in a sum of x_i x_j is rounded as
# much as the sums of x_i^2 and of x_j^2 together let it (Cauchy-Schwarz).
ROUNDINGS = 16


def made_symmetric(array: Array, dtype: str) -> Array | None:
    """The mean of a matrix of float64 or float32 (or of each of a stack) and its transpose.

    None where these are equal, where any pair of numbers is far apart, and of other dtypes.
    """
    if (
        dtype not in ASYMMETRY
        or array.dtype.kind != "f"
        or array.ndim < 2
        or array.shape[-1] != array.shape[-2]
    ):
        return None
    other = np.swapaxes(array, -1, -2)
    with np.errstate(all="ignore"):
        apart, size = np.abs(array - other), np.abs(array) + np.abs(other)
        diagonal = np.sqrt(np.abs(np.diagonal(array, axis1=-2, axis2=-1)))
        beside = diagonal[..., :, None] * diagonal[..., None, :]
        allowed = np.maximum(ASYMMETRY[dtype] * size, ROUNDINGS * np.finfo(dtype).eps * beside)
    is_close = np.all(apart <= allowed)
    return (array + other) / 2 if is_close and np.any(apart) else None
