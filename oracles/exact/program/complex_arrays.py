"""Arrays and matrices of complex numbers: products, what solves with them, factorizations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from oracles.exact.program import functions as f
from oracles.exact.program.complex import (
    Complex,
    Number,
    as_complex,
    conj,
    div,
    mul,
    pair,
    parts,
    squared_size,
)
from oracles.exact.program.factorizations import away_from, exchanged
from oracles.exact.program.primitives import least_squares, scalar
from oracles.exact.program.primitives import linear_algebra as la
from oracles.exact.program.primitives.arrays import concatenate, index, reduce_sum, reshape
from oracles.exact.program.primitives.orders import argmax
from oracles.exact.program.primitives.spectral import Vectors, signs_of, vectors_of_qr
from oracles.exact.program.program import Array, Var
from oracles.exact.program.recording import Recorder

# -- products ---------------------------------------------------------------------------------------------


def bilinear(product: Callable[[Any, Any], Var], x: Number, y: Number) -> Complex:
    """What is linear in both operands, with real coefficients: a product of any kind."""
    (a, b), (c, d) = parts(x), parts(y)
    if b is None or d is None:
        return pair(product(a, c), product(a, d) if b is None else product(b, c))
    return pair(product(a, c) - product(b, d), product(a, d) + product(b, c))


def matmul(x: Complex | Var, y: Complex | Var) -> Complex:
    """x y over the last two axes, as one product of real matrices: its terms are added in any order."""
    if isinstance(x, Var) or isinstance(y, Var):
        return bilinear(la.matmul, x, y)
    wide = concatenate([x.re, x.im], -1)
    tall = concatenate([concatenate([y.re, y.im], -1), concatenate([-y.im, y.re], -1)], -2)
    found, n = la.matmul(wide, tall), y.shape[-1]
    return Complex(index(found, lambda p: p[..., :n]), index(found, lambda p: p[..., n:]))


def stacked(columns: Sequence[Var], axis: int = -1) -> Var:
    """Side by side along a new last axis, or the one before."""
    return concatenate([index(v, lambda p: np.expand_dims(p, axis)) for v in columns], axis)


def dot_general(
    x: Complex | Var,
    y: Complex | Var,
    contract: tuple[Sequence[int], Sequence[int]],
    batch: tuple[Sequence[int], Sequence[int]],
) -> Complex:
    """As for real values, as one real product: the parts are one more axis to sum over."""
    if isinstance(x, Var) or isinstance(y, Var):
        return bilinear(lambda a, b: la.dot_general(a, b, contract, batch), x, y)
    rows = [stacked([y.re, y.im]), stacked([-y.im, y.re])]
    over = (*contract[0], x.ndim), (*contract[1], y.ndim)
    found = la.dot_general(stacked([x.re, x.im]), stacked(rows, -2), over, batch)
    return Complex(found[..., 0], found[..., 1])


def transpose(x: Complex) -> Complex:
    """The last two axes exchanged."""
    return x.apart(la.transpose)


def adjoint(x: Complex) -> Complex:
    """The conjugate of the transpose."""
    return conj(transpose(x))


def embedded(a: Complex) -> Var:
    """The real matrix [[a, -b], [b, a]], which multiplies and inverts as a + ib does."""
    return concatenate([concatenate([a.re, -a.im], -1), concatenate([a.im, a.re], -1)], -2)


def solve(a: Complex | Var, b: Complex | Var, left: bool = True) -> Complex:
    """The x of a x = b, or of x a = b."""
    kind = next(v.dtype for v in (a, b) if isinstance(v, Complex))
    a, b = as_complex(a, kind), as_complex(b, kind)
    if not left:
        return transpose(solve(transpose(a), transpose(b)))
    n = a.shape[-1]
    found = la.solve(embedded(a), concatenate([b.re, b.im], -2))
    return Complex(index(found, lambda p: p[..., :n, :]), index(found, lambda p: p[..., n:, :]))


def inverse(a: Complex) -> Complex:
    """The inverse of (..., n, n)."""
    n = a.shape[-1]
    found = la.inverse(embedded(a))
    return Complex(index(found, lambda p: p[..., :n, :n]), index(found, lambda p: p[..., n:, :n]))


def exponential(a: Complex) -> Complex:
    """e^a of (..., n, n)."""
    n, found = a.shape[-1], la.exponential(embedded(a))
    return Complex(index(found, lambda p: p[..., :n, :n]), index(found, lambda p: p[..., n:, :n]))


def product(x: Complex, axes: Sequence[int], keepdims: bool = False) -> Complex:
    """The product over axes, by halves: zeros are no exception."""
    axes = sorted(a % x.ndim for a in axes)
    rest = [a for a in range(x.ndim) if a not in axes]
    left = tuple(x.shape[a] for a in rest)

    def row(v: Var) -> Var:
        return index(v, lambda p: p.transpose(*rest, *axes).reshape(*left, -1))

    y = x.apart(row)
    while (n := y.shape[-1]) > 1:
        half = n // 2
        both = mul(y[..., :half], y[..., half : 2 * half])
        y = joined([both, y[..., -1:]], -1) if n % 2 else both
    kept = tuple(1 if a in axes else m for a, m in enumerate(x.shape)) if keepdims else left
    if not y.shape[-1]:
        return pair(y.builder.broadcast(y.builder.constant(1.0, y.re.dtype), kept), 0.0)
    return y.apart(lambda v: index(v, lambda p: p.reshape(kept)))


def cumulated(x: Complex, axis: int) -> Complex:
    """Running products."""
    return running(mul, x, axis)


def running(combine: Callable[[Complex, Complex], Complex], x: Complex, axis: int) -> Complex:
    """What is combined so far, row by row."""
    rows = [x.apart(partial(_row, k=k, axis=axis)) for k in range(x.shape[axis])]
    for k in range(1, len(rows)):
        rows[k] = combine(rows[k - 1], rows[k])
    return joined(rows, axis) if rows else x


def _row(v: Var, k: int, axis: int) -> Var:
    return index(v, lambda p: p.take([k], axis))


def joined(xs: Sequence[Complex], axis: int) -> Complex:
    """One after another along an axis."""
    return Complex(concatenate([x.re for x in xs], axis), concatenate([x.im for x in xs], axis))


# -- factorizations ---------------------------------------------------------------------------------------


def lu(a: Complex, pivot: bool = True) -> tuple[Complex, Array]:
    """As for real matrices (`factorizations.lu`); pivots by the largest |re| + |im|, as LAPACK has it."""
    *_, m, n = a.shape
    rows = np.broadcast_to(np.arange(m), a.shape[:-1]).copy()
    if a.size == 0:
        return a, rows
    if pivot:
        assert isinstance(a.builder, Recorder)
        first = a[..., :, 0]
        size = f.absolute(first.re) + f.absolute(first.im)
        chosen = a.builder.decide(argmax(size, -1))[..., None]
        np.put_along_axis(rows, chosen, rows[..., :1].copy(), -1)
        rows[..., :1] = chosen
        a = a.apart(partial(exchanged, rows=rows))
    top = a[..., :1, :]
    if m == 1:
        return top, rows
    below = div(a[..., 1:, :1], a[..., :1, :1])
    if n == 1:
        return joined([top, below], -2), rows
    rest, order = lu(a[..., 1:, 1:] - mul(below, top[..., 1:]), pivot)
    rows[..., 1:] = np.take_along_axis(rows[..., 1:], order, -1)
    return joined([top, joined([below.apart(partial(exchanged, rows=order)), rest], -1)], -2), rows


def triangle(a: Complex, lower: bool, strict: bool = False, unit: bool = False) -> Complex:
    """One triangle, as `linear_algebra.triangle`."""
    re = la.triangle(a.re, lower, strict=strict, unit=unit)
    return Complex(re, la.triangle(a.im, lower, strict=strict or unit))


def hermitian(a: Complex, lower: bool = True) -> Complex:
    """The Hermitian matrix with this triangle, and a real diagonal."""
    strict = triangle(a, lower, strict=True)
    return strict + adjoint(strict) + la.triangle(la.triangle(a.re, lower=True), lower=False)


def det(a: Complex) -> Complex:
    """By the pivots."""
    factors, rows = lu(a)
    pivots = factors.apart(lambda v: index(v, lambda p: np.diagonal(p, axis1=-2, axis2=-1)))
    signs = [_sign_of(rows[where]) for where in np.ndindex(rows.shape[:-1])]
    return product(pivots, (-1,)) * np.reshape(np.array(signs, float), a.shape[:-2])


def _sign_of(order: Array) -> int:
    """1 or -1: of an even or odd permutation."""
    return round(float(np.linalg.det(np.eye(len(order))[order])))


def cholesky(a: Complex) -> Complex:
    """The lower triangle l of a = l l^H, with a real positive diagonal, from the lower triangle of a.

    It is that of the real matrix whose blocks [[re, -im], [im, re]] multiply as the elements do.
    """
    *batch, n, _ = a.shape
    im = la.triangle(a.im, lower=True, strict=True)
    blocks = stacked([stacked([a.re, -im]), stacked([im, a.re])], -2)  # (..., n, n, 2, 2)
    k = len(batch)
    order = (*range(k), k, k + 2, k + 1, k + 3)
    wide = index(blocks, lambda p: p.transpose(order).reshape(*batch, 2 * n, 2 * n))
    low = la.cholesky(wide)
    return Complex(low[..., 0::2, 0::2], low[..., 1::2, 0::2])


def qr(a: Complex, of: Vectors = vectors_of_qr, complete: bool = False) -> tuple[Complex, Complex]:
    """q and r by reflections, r with a real diagonal; as `factorizations.qr` has real ones."""
    *batch, m, n = a.shape
    k = min(m, n)
    eye = np.broadcast_to(np.eye(m), (*batch, m, m)).copy()
    q, r = as_complex(a.builder.constant(eye, a.re.dtype), a.dtype), a
    for j in range(k):
        x = r[..., j:, j]
        size = scalar("sqrt", reduce_sum(squared_size(x), (-1,), keepdims=True))
        beta = away_from(x.re[..., :1]) * size
        above = x[..., :1] - beta
        v = div(joined([above, x[..., 1:]], -1), above)
        tau = div(-above, beta)
        column = v.apart(partial(_below, count=j))
        q = q - _outer(matmul(q, _upright(column)) * _upright(tau), conj(column))
        r = r - _outer(_upright(column) * _upright(conj(tau)), _row_times(conj(column), r))
    first, r = q[..., :k], r.apart(lambda u: la.triangle(u, lower=False))
    parts, whole = (concatenate([z.re, z.im], -2) for z in (first, a))
    signs = signs_of(parts, whole, _of_parts(of))
    first, rows = first.apart(lambda u: u * signs), r[..., :k, :].apart(lambda u: u * la.transpose(signs))
    if not complete or m <= n:
        return first, rows
    return joined([first, q[..., k:]], -1), joined([rows, r[..., k:, :]], -2)


@cache
def _of_parts(of: Vectors) -> Vectors:
    """The same vectors, with their imaginary parts below the real ones, as the matrix has them."""

    def vectors(numbers: Array) -> Array:
        re, im = np.split(numbers, 2, -2)
        found = of(re + 1j * im)
        return np.concatenate([found.real, found.imag], -2)

    return vectors


def reflections(v: Complex, tau: Complex) -> Complex:
    """The product (m, m) of the reflections 1 - tau_j v_j v_j^H; v_j is 0 above row j and 1 at it."""
    *batch, m, _ = v.shape
    eye = np.broadcast_to(np.eye(m), (*batch, m, m)).copy()
    q = as_complex(v.builder.constant(eye, v.re.dtype), v.dtype)
    for j in range(tau.shape[-1]):
        column = v[..., j + 1 :, j]
        one = as_complex(v.builder.constant(np.ones((*batch, 1)), v.re.dtype), v.dtype)
        column = joined([one, column], -1).apart(partial(_below, count=j))
        q = q - _outer(matmul(q, _upright(column)) * _upright(tau[..., j : j + 1]), conj(column))
    return q


def fit(a: Complex, b: Complex) -> Complex:
    """a^+ b of a matrix of full rank."""
    n = a.shape[-1]
    found = least_squares.fit(embedded(a), concatenate([b.re, b.im], -2))
    return Complex(index(found, lambda p: p[..., :n, :]), index(found, lambda p: p[..., n:, :]))


def pinv(a: Complex) -> Complex:
    """a^+ of full rank."""
    return fit(a, as_complex(a.builder.constant(np.eye(a.shape[-2]), a.re.dtype), a.dtype))


def residue(a: Complex, b: Complex, x: Complex) -> Var:
    """|a x - b|^2, column by column, as LAPACK has it."""
    return least_squares.residue(*map(squared_size, (matmul(a, x) - b, a, b, x)))


def _below(v: Var, count: int) -> Var:
    zeros = v.builder.constant(np.zeros((*v.shape[:-1], count)), v.dtype)
    return concatenate([zeros, v], -1)


def _upright(v: Complex) -> Complex:
    return v.apart(lambda u: reshape(u, (*u.shape, 1)))


def _outer(column: Complex, row: Complex) -> Complex:
    return mul(column, row.apart(lambda u: reshape(u, (*u.shape[:-1], 1, u.shape[-1]))))


def _row_times(row: Complex, a: Complex) -> Complex:
    found = matmul(row.apart(lambda u: reshape(u, (*u.shape[:-1], 1, u.shape[-1]))), a)
    return found.apart(lambda u: reshape(u, (*u.shape[:-2], u.shape[-1])))
