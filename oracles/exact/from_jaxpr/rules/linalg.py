"""JAX's primitives of linear algebra, composed."""

from __future__ import annotations

import numpy as np

from oracles.exact.from_jaxpr.call import Eqn, Rule
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.factorizations import lu, qr
from oracles.exact.program.primitives.linear_algebra import cholesky, solve, transpose, triangle
from oracles.exact.program.primitives.spectral import eigh, singular_values, svd
from oracles.exact.program.program import Array, Var


def _triangular_solve(call: Eqn, a: Var, b: Var) -> Var:
    """The x of a x = b, or of x a = b; only one triangle of a is read."""
    p = call.params
    a = triangle(a, p["lower"], strict=p["unit_diagonal"])
    if p["unit_diagonal"]:
        a = a + np.eye(a.shape[-1])
    if p["transpose_a"]:
        a = transpose(a)
    return solve(a, b) if p["left_side"] else transpose(solve(transpose(a), transpose(b)))


def _lu(call: Eqn, a: Var) -> list[Var]:
    """Both factors of a[rows] in one matrix, the exchanges that lead to `rows`, and `rows`."""
    factors, rows = lu(a)
    exchanges = call.recorder.constant(_exchanges(rows, min(a.shape[-2:])), "int32")
    return [factors, exchanges, call.recorder.constant(rows, "int32")]


def _exchanges(rows: Array, count: int) -> Array:
    """The permutation as LAPACK has it: at step k row k is exchanged with row `exchanges[k]`."""
    out = np.empty((*rows.shape[:-1], count), np.int64)
    for where in np.ndindex(rows.shape[:-1]):
        current = list(range(rows.shape[-1]))
        for k in range(count):
            at = current.index(rows[where][k])
            out[(*where, k)] = at
            current[k], current[at] = current[at], current[k]
    return out


def _qr(call: Eqn, a: Var) -> list[Var]:
    if call.params.get("pivoting"):
        raise Unsupported("qr with pivoting: not yet")
    q, r = qr(a)
    k = min(a.shape[-2:])
    return [q, r] if call.params["full_matrices"] else [q[..., :, :k], r[..., :k, :]]


def _eigh(call: Eqn, a: Var) -> list[Var]:
    w, v = eigh(a, call.params["lower"])
    return [v, w]


def _svd(call: Eqn, a: Var) -> list[Var]:
    if not call.params["compute_uv"]:
        return [singular_values(a)]
    if call.params["full_matrices"] and a.shape[-2] != a.shape[-1]:
        raise Unsupported(
            "svd with full_matrices=True of a matrix that is not square: the rest is not unique"
        )
    u, s, vt = svd(a)
    return [s, u, vt]


LINEAR_ALGEBRA: dict[str, Rule] = {
    "cholesky": lambda call, a: cholesky(a),
    "triangular_solve": _triangular_solve,
    "lu": _lu,
    "lu_pivots_to_permutation": lambda call, pivots: call.recorder.constant(
        _permutation(call.recorder.decide(pivots), call.shape[-1]), call.dtype
    ),
    "qr": _qr,
    "eigh": _eigh,
    "svd": _svd,
}


def _permutation(exchanges: Array, n: int) -> Array:
    """The order of rows that the exchanges lead to."""
    out = np.broadcast_to(np.arange(n), (*exchanges.shape[:-1], n)).copy()
    for where in np.ndindex(exchanges.shape[:-1]):
        row = out[where]
        for k, at in enumerate(exchanges[where]):
            row[[k, at]] = row[[at, k]]
    return out
