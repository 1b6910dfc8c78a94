"""Numbers that are normalised but for their rounding: shares, unit vectors, orthogonal matrices.

As they were computed they are off by a few roundings of the sum that they were divided by, which is more than
half an ulp of each: the gradient `p - t` of a cross entropy is that for labels t whose sum is 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from flint import arb, arb_mat

from harness.proof.symmetry import made_symmetric
from harness.subject.derivative import Array
from oracles.exact.program.balls import each, exact, filled, precision
from oracles.exact_oracle import BITS

ROUNDINGS = 4  # times the root of the number of terms, in units of the last place: what a sum may be off
MOST_WORK = 2**24  # products in a step that makes a matrix orthogonal or idempotent: a tenth of a second
OF_INVERSE = 128  # in the same units: what a projection on columns may be off, by the inverse in it
STEPS = 4  # of Newton's: the error, at most 2^-16, is squared by each, up to a small factor
DTYPES = ("float64", "float32")


def made_normalised(array: Array, dtype: str) -> Array | None:
    """The same numbers, normalised to the bits of a verdict; None where they are exactly, or not nearly.

    An orthogonal matrix (also of rows or columns alone), an idempotent one, shares along an axis or all axes,
    vectors of length 1; rows of zeros stay.
    """
    if dtype not in DTYPES or array.dtype.kind != "f" or array.size < 2 or not np.isfinite(array).all():
        return None
    eps = float(np.finfo(dtype).eps)
    for defect, terms, normalised in _kinds(array.astype(np.float64)):
        if defect <= ROUNDINGS * np.sqrt(terms) * eps:
            with precision(2 * BITS):
                found = normalised()
            pairs = zip(found.ravel().tolist(), array.ravel().tolist(), strict=True)
            return None if all(ball.contains(x) for ball, x in pairs) else found
    return None


def made_projection(array: Array, dtype: str) -> Array | None:
    """The nearest orthogonal projection; None of what is none, or not nearly, and of none and all of a space.

    As B inv(B.T B) B.T it is off as far as that inverse is, which no rounding of a sum bounds.
    """
    if dtype not in DTYPES or not _may_step(array) or array.shape[0] != array.shape[1]:
        return None
    a = array.astype(np.float64)
    other = made_symmetric(array, dtype)
    if not np.isfinite(a).all() or (other is None and not np.array_equal(a, a.T)):
        return None
    a = a if other is None else other.astype(np.float64)
    is_near = np.abs(a @ a - a).max() <= OF_INVERSE * np.finfo(dtype).eps
    if not (is_near and 0 < round(float(np.trace(a))) < len(a)):
        return None
    with precision(2 * BITS):
        return _stepped(a, _idempotent)


def _kinds(a: Array) -> Iterator[tuple[float, int, Callable[[], Array]]]:
    """How far numbers are off being normalised, by sums of how many terms, and what makes them so."""
    if _may_step(a):
        wide = a.shape[0] < a.shape[1]
        tall = a.T if wide else a
        off = float(np.abs(tall.T @ tall - np.eye(tall.shape[1])).max())
        yield off, len(tall), lambda: _stepped(tall, _orthogonal).T if wide else _stepped(tall, _orthogonal)
        if a.shape[0] == a.shape[1] and a.any():
            yield float(np.abs(a @ a - a).max()), len(a), lambda: _stepped(a, _idempotent)
    for axes in dict.fromkeys([*((k,) for k in reversed(range(a.ndim))), tuple(range(a.ndim))]):
        for power in (1, 2):
            total = (a**power).sum(axes)
            used, terms = (a != 0).any(axes), a.size // max(total.size, 1)
            if terms > 1 and used.any():
                yield float(np.abs(total - 1)[used].max()), terms, partial(_scaled, a, axes, power)


def _may_step(a: Array) -> bool:
    return a.ndim == 2 and a.size > 1 and a.size * min(a.shape) <= MOST_WORK


def _scaled(a: Array, axes: tuple[int, ...], power: int) -> Array:
    """Over the sum along axes, or over the length."""
    balls = exact(a)
    total = (balls**power).sum(axes, keepdims=True)
    size = each(lambda t: arb(1) if t == 0 else t.root(power), total)
    return np.asarray(balls / size)


def _orthogonal(x: arb_mat) -> arb_mat:
    """A step of Newton's to the nearest one."""
    one = arb_mat(np.eye(x.ncols()).tolist())
    return x * (one * arb(3) - x.transpose() * x) * arb(0.5)


def _idempotent(x: arb_mat) -> arb_mat:
    """Likewise (McWeeny, Rev. Mod. Phys. 32, 1960)."""
    return x * x * (arb_mat(np.eye(x.ncols()).tolist()) * arb(3) - x * arb(2))


def _stepped(a: Array, step: Callable[[arb_mat], arb_mat]) -> Array:
    x = arb_mat(a.tolist())
    for _ in range(STEPS):
        x = step(x).mid()
    return filled(x.entries(), a.shape)
