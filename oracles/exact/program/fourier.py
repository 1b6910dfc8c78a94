"""Discrete Fourier transforms, as sums with proven roots of unity, by factors of their lengths.

n log n: a length n = p q is q transforms of length p, a rotation, and p transforms of length q (Cooley and
Tukey, 1965). Each small transform is one product with a real matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from oracles.exact.program import complex as cx
from oracles.exact.program import complex_arrays as ca
from oracles.exact.program.complex import Complex
from oracles.exact.program.primitives import linear_algebra as la
from oracles.exact.program.primitives.arithmetic import cosines_
from oracles.exact.program.primitives.arrays import concatenate, index, reshape
from oracles.exact.program.primitives.roughness import rough
from oracles.exact.program.program import Array, Builder, Var

DIRECT = 16  # as one product


def _roots(builder: Builder, turns: Array, n: int, dtype: str, forward: bool) -> Complex:
    """e^(-2 pi i k / n), or e^(2 pi i k / n), of an array of whole numbers k."""
    quarter = n if forward else -n  # -sin is the cosine a quarter of a turn later, and sin one before
    re = builder.emit(cosines_, (), turns.shape, dtype, turns=turns % n, of=n)
    im = builder.emit(cosines_, (), turns.shape, dtype, turns=(4 * turns + quarter) % (4 * n), of=4 * n)
    return Complex(re, im)


def transform(x: Complex, axes: Sequence[int], forward: bool) -> Complex:
    """sum_j x_j e^(-+ 2 pi i j k / n) along each of the axes, without a factor."""
    for axis in axes:
        n, last = x.shape[axis], x.ndim - 1
        moved = x.apart(lambda v, a=axis: index(v, lambda p: np.moveaxis(p, a, -1)))  # type: ignore[misc]
        found = _along_last(moved, forward)
        units = 4 * n + 16 * max(n.bit_length(), 1)  # terms in any order, and rotations on the way
        terms = (moved.re, moved.im)
        found = found.apart(lambda v, t=terms, u=units, a=last: rough(v, "spectrum", t, u, axis=a))  # type: ignore[misc]
        x = found.apart(lambda v, a=axis: index(v, lambda p: np.moveaxis(p, -1, a)))  # type: ignore[misc]
    return x


def _along_last(x: Complex, forward: bool) -> Complex:
    n = x.shape[-1]
    p = _factor(n)
    if p == n:
        return _direct(x, forward)
    q, batch = n // p, x.shape[:-1]
    grid = x.apart(lambda v: index(v, lambda i: np.swapaxes(i.reshape(*batch, p, q), -1, -2)))
    rows = _along_last(grid, forward)  # (..., q, p): for each residue j modulo q, by k modulo p
    turns = np.arange(q)[:, None] * np.arange(p)
    rows = cx.mul(rows, _roots(x.builder, turns, n, x.re.dtype, forward))
    columns = _along_last(rows.apart(la.transpose), forward)  # (..., p, q)
    return columns.apart(lambda v: index(v, lambda i: np.swapaxes(i, -1, -2).reshape(*batch, n)))


@cache
def _factor(n: int) -> int:
    """A divisor near the root of n, or n itself where it is small or prime."""
    if n <= DIRECT:
        return n
    divisors = [p for p in range(2, int(n**0.5) + 1) if n % p == 0]
    return max(divisors, default=n)


def _direct(x: Complex, forward: bool) -> Complex:
    n = x.shape[-1]
    if n <= 1:
        return x
    roots = _roots(x.builder, np.outer(np.arange(n), np.arange(n)), n, x.re.dtype, forward)
    flat = x.apart(lambda v: reshape(v, (v.size // n, n)))
    return ca.matmul(flat, roots).apart(lambda v: reshape(v, x.shape))


def real_inverse(x: Complex, axes: Sequence[int], length: int) -> Var:
    """The transform back of the first half of a spectrum whose other half is its conjugate; a real one.

    What is imaginary in the sum of all, and in the middle of an even length, is not used.
    """
    *others, last = (a % x.ndim for a in axes)
    x = transform(x, others, False)
    half = length // 2 + 1
    x = x.apart(lambda v: resized(v, last, half))
    mirrored = np.arange(length - half, 0, -1)
    rest = cx.conj(x.apart(lambda v: index(v, lambda p: p.take(mirrored, last))))
    return transform(ca.joined([x, rest], last), (last,), False).re


def resized(x: Var, axis: int, n: int) -> Var:
    """Cut off, or filled with zeros."""
    if x.shape[axis] >= n:
        return index(x, lambda p: p.take(range(n), axis))
    shape = [n - m if a == axis else m for a, m in enumerate(x.shape)]
    zeros = x.builder.broadcast(x.builder.constant(0.0, x.dtype), tuple(shape))
    return concatenate([x, zeros], axis)
