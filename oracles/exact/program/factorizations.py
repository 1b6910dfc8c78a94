"""Factorizations of matrices (..., m, n), composed of array equations; every derivative follows."""

from __future__ import annotations

import numpy as np

from oracles.exact.program import functions as f
from oracles.exact.program.primitives import compare, scalar, select
from oracles.exact.program.primitives.arrays import concatenate, reduce_sum, reshape
from oracles.exact.program.primitives.linear_algebra import matmul, transpose
from oracles.exact.program.primitives.orders import argmax, take_along
from oracles.exact.program.primitives.orthogonal import factors
from oracles.exact.program.primitives.spectral import Vectors, signs_of, vectors_of_qr
from oracles.exact.program.program import Array, Var
from oracles.exact.program.recording import Recorder


def lu(a: Var, pivot: bool = True) -> tuple[Var, Array]:
    """Both factors of a[rows] = l u in one matrix, and `rows` (Golub and Van Loan, section 3.4).

    One column at a time: its largest element becomes the pivot, then its row and column are eliminated.
    Which row that is, is decided here, and guarded.
    """
    *_, m, n = a.shape
    rows = np.broadcast_to(np.arange(m), a.shape[:-1]).copy()
    if a.size == 0:
        return a, rows
    if pivot:
        assert isinstance(a.builder, Recorder)
        chosen = a.builder.decide(argmax(f.absolute(a[..., :, 0]), -1))[..., None]
        first = rows[..., :1].copy()
        np.put_along_axis(rows, chosen, first, -1)
        rows[..., :1] = chosen
        a = exchanged(a, rows)
    top, below = a[..., :1, :], a[..., 1:, :1] / a[..., :1, :1]
    if m == 1:
        return top, rows
    if n == 1:
        return concatenate([top, below], -2), rows
    rest, order = lu(a[..., 1:, 1:] - below * top[..., 1:], pivot)
    rows[..., 1:] = np.take_along_axis(rows[..., 1:], order, -1)
    return concatenate([top, concatenate([exchanged(below, order), rest], -1)], -2), rows


def exchanged(a: Var, rows: Array) -> Var:
    """The rows of a in this order, batch by batch."""
    return take_along(a, a.builder.constant(np.broadcast_to(rows[..., None], a.shape).copy()), -2)


def exchanges(rows: Array, count: int) -> Array:
    """An order of rows as LAPACK gives it: at step k row k is exchanged with row `exchanges[k]`."""
    out = np.empty((*rows.shape[:-1], count), np.int64)
    for where in np.ndindex(rows.shape[:-1]):
        current = list(range(rows.shape[-1]))
        for k in range(count):
            at = current.index(int(rows[where][k]))
            out[(*where, k)] = at
            current[k], current[at] = current[at], current[k]
    return out


def order_of(swaps: Array, size: int) -> Array:
    """The order of rows that a list of exchanges makes."""
    out = np.broadcast_to(np.arange(size), (*swaps.shape[:-1], size)).copy()
    for where in np.ndindex(swaps.shape[:-1]):
        for k, at in enumerate(swaps[where].tolist()):
            out[(*where, k)], out[(*where, at)] = out[(*where, at)], out[(*where, k)]
    return out


def qr(a: Var, of: Vectors = vectors_of_qr, complete: bool = False) -> tuple[Var, Var]:
    """q and r, as many columns and rows as the smaller side of a has; complete: as many as a has rows.

    `of` gives q of a library, whose signs they have.
    """
    q, r = factors(a)
    signs = signs_of(q, a, of)
    q, r = q * signs, r * transpose(signs)
    *batch, m, n = a.shape
    if not complete or m <= n:
        return q, r
    return concatenate([q, _reflected(a)[..., n:]], -1), concatenate([r, _zeros(a, (*batch, m - n, n))], -2)


def _reflected(a: Var) -> Var:
    """The product (m, m) of Householder's reflections of a tall a (Golub and Van Loan, 5.2), as in LAPACK.

    Its columns beyond those of a are at right angles to a, and otherwise what this algorithm makes them.
    """
    *batch, m, n = a.shape
    q = a.builder.constant(np.broadcast_to(np.eye(m), (*batch, m, m)).copy(), a.dtype)
    r = a
    for j in range(n):
        x = r[..., j:, j]
        alpha = away_from(x[..., :1]) * scalar("sqrt", reduce_sum(f.square(x), (-1,), keepdims=True))
        v = concatenate([_zeros(a, (*batch, j)), x[..., :1] - alpha, x[..., 1:]], -1)
        factor = 2.0 / reduce_sum(f.square(v), (-1,), keepdims=True)
        q, r = _reflect(q, v, factor, left=False), _reflect(r, v, factor, left=True)
    return q


def away_from(x: Var) -> Var:
    """1 where x is below 0, else -1: the side to which xLARFG reflects, so that nothing cancels."""
    one = x.builder.broadcast(x.builder.constant(1.0, x.dtype), x.shape)
    return select(compare("lt", x, 0.0), one, -1.0)


def reflections(v: Var, tau: Var) -> Var:
    """The product (m, m) of the reflections 1 - tau_j v_j v_j^T; v_j is 0 above row j and 1 at it."""
    *batch, m, _ = v.shape
    q = v.builder.constant(np.broadcast_to(np.eye(m), (*batch, m, m)).copy(), v.dtype)
    for j in range(tau.shape[-1]):
        column = concatenate([_zeros(v, (*batch, j)), _zeros(v, (*batch, 1)) + 1.0, v[..., j + 1 :, j]], -1)
        q = _reflect(q, column, tau[..., j : j + 1], left=False)
    return q


def _reflect(a: Var, v: Var, factor: Var, left: bool) -> Var:
    """(1 - factor v v^T) a, or a (1 - factor v v^T)."""
    column, row = reshape(v, (*v.shape, 1)), reshape(v, (*v.shape[:-1], 1, v.shape[-1]))
    scaled = column * reshape(factor, (*factor.shape, 1))
    return a - (matmul(scaled, matmul(row, a)) if left else matmul(matmul(a, scaled), row))


def _zeros(like: Var, shape: tuple[int, ...]) -> Var:
    return like.builder.constant(np.zeros(shape), like.dtype)
