"""JAX's primitives of linear algebra, composed."""

from __future__ import annotations

from oracles.exact.from_jaxpr.call import Eqn, Rule
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.factorizations import exchanges, lu, order_of, qr
from oracles.exact.program.primitives.linear_algebra import cholesky, solve, transpose, triangle
from oracles.exact.program.primitives.spectral import eigh, singular_values, svd
from oracles.exact.program.program import Var


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
    q, r = qr(a)
    k = min(a.shape[-2:])
    return [q, r] if call.params["full_matrices"] else [q[..., :, :k], r[..., :k, :]]


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
        order_of(call.recorder.decide(pivots), call.shape[-1]), call.dtype
    ),
    "qr": _qr,
    "eigh": lambda call, a: eigh(a, call.params["lower"])[::-1],
    "svd": _svd,
}
