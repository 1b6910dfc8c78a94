"""JAX's primitives of linear algebra, composed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jax
import numpy as np

from oracles.exact.from_jaxpr.call import Eqn, Rule
from oracles.exact.from_jaxpr.tracing import x64_for
from oracles.exact.program.complex import REAL
from oracles.exact.program.eigen_general import Library
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.factorizations import exchanges, lu, order_of, qr
from oracles.exact.program.primitives.arrays import concatenate, reshape
from oracles.exact.program.primitives.linear_algebra import cholesky, matmul, solve, transpose, triangle
from oracles.exact.program.primitives.spectral import Vectors, eigh, singular_values, svd
from oracles.exact.program.program import Array, Var


def _triangular_solve(call: Eqn, a: Var, b: Var) -> Var:
    """The x of a x = b, or of x a = b; only one triangle of a is read."""
    p = call.params
    a = triangle(a, p["lower"], unit=p["unit_diagonal"])
    return solve(transpose(a) if p["transpose_a"] else a, b, p["left_side"])


def _lu(call: Eqn, a: Var) -> list[Var]:
    """Both factors of a[rows] in one matrix, the exchanges that lead to `rows`, and `rows`."""
    factors, rows = lu(a)
    constant = call.recorder.constant
    return [factors, constant(exchanges(rows, min(a.shape[-2:])), "int32"), constant(rows, "int32")]


def _qr(call: Eqn, a: Var) -> list[Var]:
    if call.params.get("pivoting"):
        raise Unsupported("qr with pivoting: not yet")
    return list(qr(a, of_qr(a.dtype), call.params["full_matrices"]))


@cache
def of_qr(dtype: str) -> Vectors:
    """JAX's own q."""
    return _own(dtype, lambda a: jax.numpy.linalg.qr(a)[0])


def _svd(call: Eqn, a: Var) -> list[Var]:
    if not call.params["compute_uv"]:
        return [singular_values(a)]
    u, s, vt = svd(a, call.params["full_matrices"], of_svd(a.dtype))
    return [s, u, vt]


@cache
def of_eigh(dtype: str) -> Vectors:
    """JAX's own eigenvectors."""
    return _own(dtype, lambda a: jax.numpy.linalg.eigh(a)[1])


@cache
def of_svd(dtype: str) -> Vectors:
    """JAX's own singular vectors, of the shorter side in columns."""

    def short(a: jax.Array) -> jax.Array:
        u, _, vh = jax.numpy.linalg.svd(a, full_matrices=False)
        return u if a.shape[-2] <= a.shape[-1] else jax.numpy.swapaxes(vh, -1, -2).conj()

    return _own(dtype, short)


def _own(dtype: str, vectors: Callable[[jax.Array], jax.Array]) -> Vectors:
    """JAX's vectors in its precision: NumPy's, whose signs may be others, come from float64."""

    def of(numbers: Array) -> Array:
        with x64_for(True):
            found = vectors(jax.numpy.asarray(numbers, dtype))
        return np.asarray(found).astype(numbers.dtype)

    return of


@cache
def of_eig(dtype: str, left: bool = False) -> Library:
    """JAX's own eigenvalues and -vectors; a real matrix has another driver of LAPACK than a complex one.

    `left`: of the adjoint of the matrices it is asked for, whose eigenvectors are the left ones.
    """

    def both(numbers: Array) -> tuple[Array, Array]:
        a = np.swapaxes(numbers, -1, -2).conj() if left else numbers
        with x64_for(True):
            own = jax.numpy.asarray(a if dtype in REAL else a.real, dtype)
            w, v = jax.lax.linalg.eig(
                own, compute_left_eigenvectors=left, compute_right_eigenvectors=not left
            )
        return np.asarray(w.conj() if left else w, complex), np.asarray(v, complex)

    return both


def _tridiagonal_solve(call: Eqn, low: Var, middle: Var, high: Var, b: Var) -> Var:
    """The first number of the lower diagonal and the last of the upper one are not used."""
    n = middle.shape[-1]
    rows = np.arange(n)
    places = np.concatenate([rows * n + rows, rows[1:] * n + rows[:-1], rows[:-1] * n + rows[1:]])
    numbers = concatenate([middle, low[..., 1:], high[..., :-1]], -1)
    flat = reshape(numbers, (*middle.shape[:-1], 1, numbers.shape[-1]))
    spread = call.recorder.constant(np.eye(n * n)[places], middle.dtype)
    return solve(reshape(matmul(flat, spread), (*middle.shape, n)), b)


LINEAR_ALGEBRA: dict[str, Rule] = {
    "cholesky": lambda call, a: cholesky(a),
    "triangular_solve": _triangular_solve,
    "lu": _lu,
    "lu_pivots_to_permutation": lambda call, pivots: call.recorder.constant(
        order_of(call.recorder.decide(pivots), call.shape[-1]), call.dtype
    ),
    "qr": _qr,
    "eigh": lambda call, a: eigh(a, call.params["lower"], of_eigh(a.dtype))[::-1],
    "svd": _svd,
    "tridiagonal_solve": _tridiagonal_solve,
}
