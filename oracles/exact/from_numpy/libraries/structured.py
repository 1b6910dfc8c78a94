"""scipy.linalg's matrices that few numbers make: built, multiplied and solved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.linalg import by_lapack, symmetric
from oracles.exact.from_numpy.libraries.standard import as_it_ran, of_kernel
from oracles.exact.from_numpy.making import as_array
from oracles.exact.from_numpy.refusals import unsupported


def _placed(x: Any, places: Any) -> Any:
    """The elements of x at these places in C order; -1 is a zero."""
    return np.concatenate([x.ravel(), np.zeros(1, x.dtype)])[places]


def _rows(*given: Any) -> Any:
    """One-dimensional arrays."""
    found = [np.atleast_1d(as_array(x)) for x in given]
    if any(x.ndim > 1 for x in found):
        raise unsupported("scipy.linalg.toeplitz, circulant and hankel of more than one axis")
    return found


def _toeplitz(c: Any, r: Any = None) -> Any:
    c, r = _rows(c, np.conj(as_array(c)) if r is None else r)
    return np.concatenate([c[::-1], r[1:]])[len(c) - 1 - np.arange(len(c))[:, None] + np.arange(len(r))]


def _circulant(c: Any) -> Any:
    (c,) = _rows(c)
    places = np.arange(len(c))
    return c[(places[:, None] - places) % len(c)]


def _hankel(c: Any, r: Any = None) -> Any:
    c, r = _rows(c, np.zeros_like(as_array(c)) if r is None else r)
    return np.concatenate([c, r[1:]])[np.arange(len(c))[:, None] + np.arange(len(r))]


def _block_diag(*arrs: Any) -> Any:
    blocks = [np.atleast_2d(as_array(a)) for a in arrs]
    if any(a.ndim > 2 for a in blocks):
        raise unsupported("scipy.linalg.block_diag of batches")
    ends = np.cumsum([a.shape for a in blocks], 0)
    places, count = np.full(ends[-1], -1), 0
    for a, (row, column) in zip(blocks, ends, strict=True):
        m, n = a.shape
        places[row - m : row, column - n : column] = np.arange(count, count + a.size).reshape(m, n)
        count += a.size
    return _placed(np.concatenate([a.ravel() for a in blocks]), places)


def _banded(ab: Any, u: int) -> Any:
    """The matrix with a_ij in row u + i - j of column j."""
    n = ab.shape[-1]
    i, j = np.indices((n, n))
    row = u + i - j
    return _placed(ab, np.where((row >= 0) & (row < len(ab)), row * n + j, -1))


def _solve_banded(l_and_u: Any, ab: Any, b: Any) -> Any:
    ab, b = as_array(ab), as_array(b)
    low, up = l_and_u
    if ab.ndim != 2 or len(ab) != low + up + 1:
        raise unsupported("scipy.linalg.solve_banded of batches, or of another number of rows than l + u + 1")
    return np.linalg.solve(_banded(ab, up), b)


def _solveh_banded(ab: Any, b: Any, lower: bool = False) -> Any:
    ab, b = as_array(ab), as_array(b)
    if ab.ndim != 2:
        raise unsupported("scipy.linalg.solveh_banded of batches")
    return np.linalg.solve(symmetric(_banded(ab, 0 if lower else len(ab) - 1), lower, True), b)


def _in_double(*given: Any) -> Any:
    """Arrays in float64 or complex128, in which SciPy computes whatever they are in."""
    found = [as_array(x) for x in given]
    kind = np.complex128 if any(x.dtype.kind == "c" for x in found) else np.float64
    return [x.astype(kind) for x in found]


def _solve_toeplitz(c_or_cr: Any, b: Any, check_finite: bool = True) -> Any:
    """By Levinson's recursion, which may be further off than elimination."""
    c, r, b = _in_double(*_column_and_row(c_or_cr), b)
    given = as_it_ran("scipy.linalg", "solve_toeplitz", ((c, r), b))
    return of_kernel(np.linalg.solve(_toeplitz(c, r), b), given)


def _matmul_toeplitz(c_or_cr: Any, x: Any, check_finite: bool = False, workers: Any = None) -> Any:
    """By transforms, of a circulant matrix whose first rows and columns are those of the matrix."""
    c, r, x = _in_double(*_column_and_row(c_or_cr), x)
    there, back = (np.fft.fft, np.fft.ifft) if x.dtype.kind == "c" else (np.fft.rfft, np.fft.irfft)
    n = len(c) + len(r) - 1
    around, columns = np.concatenate([c, r[:0:-1]]), x.reshape(len(x), -1)
    product = back(there(around)[:, None] * there(columns, n, 0), n, 0)
    return product[: len(c)].reshape(len(c), *x.shape[1:])


def _column_and_row(c_or_cr: Any) -> Any:
    return c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, np.conj(as_array(c_or_cr)))


def _solve_circulant(c: Any, b: Any, singular: str = "raise", tol: Any = None, **axes: int) -> Any:
    """By transforms, which such a matrix makes products."""
    c, b = np.atleast_1d(as_array(c)), np.atleast_1d(as_array(b))
    if singular != "raise" or axes or c.ndim > 1:
        raise unsupported("scipy.linalg.solve_circulant with singular or axes, or of batches")
    x = np.fft.ifft(np.fft.fft(np.moveaxis(b, 0, -1)) / np.fft.fft(c))
    return np.moveaxis(x if "c" in c.dtype.kind + b.dtype.kind else x.real, -1, 0)


def _khatri_rao(a: Any, b: Any) -> Any:
    """Kronecker's product, column by column."""
    a, b = as_array(a), as_array(b)
    return (a[:, None, :] * b[None, :, :]).reshape(-1, a.shape[1])


STRUCTURED: dict[str, Callable[..., Any]] = {
    "toeplitz": _toeplitz,
    "circulant": _circulant,
    "hankel": _hankel,
    "block_diag": _block_diag,
    "solve_banded": by_lapack(_solve_banded),
    "solveh_banded": by_lapack(_solveh_banded),
    "solve_toeplitz": _solve_toeplitz,
    "matmul_toeplitz": _matmul_toeplitz,
    "solve_circulant": _solve_circulant,
    "khatri_rao": _khatri_rao,
}
