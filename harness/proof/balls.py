"""Balls beside balls and beside numbers: whether they meet, and how far a number is off."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.subject.arrays import Array
from oracles.exact.enclose.refine import Enclosure


def meets(one: Array, other: Array) -> NDArray[np.bool_]:
    """Where two arrays of balls overlap."""
    pairs = zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
    return np.array([bool(a.overlaps(b)) for a, b in pairs], bool).reshape(one.shape)


def distance(truth: Enclosure, numbers: Array) -> NDArray[np.float64]:
    """|computed - true|, at least: less the radius of the truth, which matters where it cancels to 0."""
    with np.errstate(all="ignore"):
        gap: NDArray[np.float64] = np.abs((numbers - truth.mid) - truth.rest) - truth.radius
        return np.where(np.isnan(gap), np.nan, np.maximum(gap, 0.0))


def reach(balls: Array | None, at: tuple[int, ...], truth: Enclosure) -> float:
    """How far from the truth the bound reaches; not a number where there is none."""
    if balls is None:
        return math.nan
    if not balls[at].is_finite():
        return math.inf
    return float(abs(balls[at] - truth.balls[at].mid()).upper())
