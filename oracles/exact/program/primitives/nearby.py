"""What LAPACK's algorithms lose: each result is exact for a matrix near the given one (backward errors).

So B is what Arb finds for all of these matrices at once. Their distance |E| from the given one is:
- for elimination with row exchanges 3 n u |L| |U| (Higham, Accuracy and Stability of Numerical Algorithms,
  2nd ed., 2002, theorem 9.4), where |L| <= 1 and the numbers of U are at most `growth` times as large as
  those of A. Its bound 2^(n-1) is reached by made-up matrices; in others no more than n was seen (section
  9.4), and four times as much is allowed. The inverse is n such systems (section 14.3). Cholesky's method,
  where it solves, loses less: 3 n u |R^T| |R|, whose numbers are at most those of A (section 10.1).
- for Cholesky's factor 2 (n + 1) u sqrt(a_ii a_jj) (theorem 10.5).
- for rotations and reflections, by which eigenvalues and singular values are found, p(n) u |A|, the root of
  the sum of all squares, p "a modestly growing function of n" (LAPACK Users' Guide, 3rd ed., 1999, sections
  4.7 to 4.9; Golub and Van Loan, Matrix Computations, 4th ed., 2013, sections 7.5.6 and 8.3), as measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import TypeAlias

import numpy as np
from flint import arb

from oracles.exact.program.balls import as_balls, each, filled
from oracles.exact.program.formats import Format, Growth
from oracles.exact.program.primitives.sums import sizes_of
from oracles.exact.program.program import Array, Equation

Rounded: TypeAlias = Callable[[Growth, Equation, list[Array], Format], Array]

# p(n) is so much times n. Seen in float32, of some 1,000 matrices of up to 64 columns each: eigvalsh 1.9 in
# PyTorch and 1.6 in JAX, svdvals 1.6 and 1.5. Eigenvectors and matrices that are not symmetric are taken for
# the same; tests hold them against it.
ROTATED = 4.0
GROWTH = 4.0  # of elimination, times n


def eliminated(a: Array, unit: float) -> Array:
    """The matrices for one of which elimination solves."""
    n = a.shape[-1]
    return _nearby(a, 3 * n * n * unit * _growth(n) * sizes_of(a).max((-2, -1), keepdims=True, initial=0.0))


def _growth(n: int) -> float:
    """Of the numbers of U beside those of A."""
    return min(2.0 ** max(n - 1, 0), GROWTH * max(n, 1))


def logarithms(a: Array, det: Array) -> Array:
    """What a determinant loses as e to a sum of n logarithms, in units: 2 (n + 2) of the sum of their sizes.

    No pivot is larger than t, `growth` times the largest number of A. So the positive logarithms are n log t
    together at the most, and all sizes twice that and the size of the whole sum.
    """
    n = a.shape[-1]
    top = _growth(n) * sizes_of(a).max((-2, -1), initial=0.0)
    size = sizes_of(det)
    least = np.array([float(abs(d).lower()) for d in det.ravel().tolist()]).reshape(det.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.maximum(np.abs(np.log(size)), np.abs(np.log(least)))
        sizes = 2 * n * np.maximum(np.log(top), 0.0) + whole
    return np.where(np.isfinite(sizes), 2 * (n + 2) * sizes, 0.0)


def factored(a: Array, unit: float) -> Array:
    """The matrices for one of which Cholesky's factor is exact."""
    n = a.shape[-1]
    roots = np.sqrt(np.diagonal(sizes_of(a), axis1=-2, axis2=-1))
    return _nearby(a, 2 * (n + 1) * unit * roots[..., :, None] * roots[..., None, :])


def rotated(unit: float, *parts: Array) -> list[Array]:
    """The matrices for one of which eigenvalues and vectors are exact; a part that is 0 stays it."""
    sizes = [sizes_of(part) for part in parts]
    norm = np.sqrt(sum((size**2).sum((-2, -1), keepdims=True) for size in sizes))
    return [
        _nearby(part, lost(part.shape[-1], unit) * norm) if size.any() else as_balls(part)
        for part, size in zip(parts, sizes, strict=True)
    ]


def of_nearby(function: Callable[..., Array], vectors: bool = False) -> Rounded:
    """How spectra round: exactly for a matrix near the given one; and by so much of a vector's length."""

    def rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
        near = rotated(target.unit, *(growth.stored(as_balls(o), target.name) for o in operands))
        found = function(*near, **equation.params)
        if vectors:
            found = found + arb(0, lost(operands[0].shape[-1], target.unit))
        return growth.grown(equation, found, 1, True)

    return rounded


def lost(n: int, unit: float) -> float:
    """p(n) u: what a matrix of so many columns loses of its norm, and an eigenvector of its length."""
    return ROTATED * max(n, 2) * unit


def lengths(a: Array) -> Array:
    """The largest that the columns' norms may be."""
    squares = np.add.reduce(each(lambda x: arb(x.abs_upper()) ** 2, a), axis=0)
    return each(lambda s: arb(s.sqrt().upper()), squares)


def length(a: Array) -> arb:
    """The root of the sum of all squares."""
    whole: arb = lengths(a.reshape(-1, 1))[0]
    return whole


def largest_norm(a: Array) -> arb:
    """At least the largest singular value: |a|^2 <= |a|_1 |a|_inf (Golub and Van Loan, section 2.3)."""
    sizes = each(lambda x: arb(x.abs_upper()), a)
    rows, columns = (reduce(arb.max, np.add.reduce(sizes, axis=k).tolist()) for k in (0, 1))
    norm: arb = (rows * columns).sqrt().min(length(a))
    return norm


def _nearby(a: Array, radii: Array) -> Array:
    """The balls grown by these radii, and by what computing the radii lost."""
    balls, grown = as_balls(a), np.broadcast_to(radii * (1 + 2.0**-20), a.shape).ravel().tolist()
    wide = [arb(0, r) if math.isfinite(r) else arb("nan") for r in grown]
    return filled([b + r for b, r in zip(balls.ravel().tolist(), wide, strict=True)], a.shape)
