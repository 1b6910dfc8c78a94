"""What ATen's factorizations are: LU with its row exchanges, QR and its reflections."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.from_aten.call import OperatorCall, Rule, plain
from oracles.exact.from_aten.rules.linalg import solve, solve_ex, triangle
from oracles.exact.program import functions as f
from oracles.exact.program.errors import Undecided
from oracles.exact.program.factorizations import lu, qr, reflections
from oracles.exact.program.primitives import linear_algebra as la
from oracles.exact.program.primitives.taylor import scalar
from oracles.exact.program.program import Array, Var


def _lu_factor(call: OperatorCall, a: Var, *, pivot: bool = True, check_errors: bool = False) -> Any:
    factors, rows = lu(a, pivot)
    return factors, exchanges(rows, min(a.shape[-2:])) + 1


def _lu(call: OperatorCall, a: Var, *, pivot: bool = True) -> Any:
    factors, rows = lu(a, pivot)
    return permutation(rows), *_halves(factors)


def _halves(factors: Var) -> tuple[Var, Var]:
    """Unit lower and upper, of as many columns and rows as there are pivots."""
    k = min(factors.shape[-2:])
    return triangle(factors[..., :k], False, True) if factors.shape[-2] == k else _low(
        factors, k
    ), la.triangle(factors[..., :k, :], lower=False)


def _low(factors: Var, k: int) -> Var:
    return la.triangle(factors[..., :k], lower=True, strict=True) + np.eye(factors.shape[-2], k)


def _lu_unpack(
    call: OperatorCall, factors: Var, pivots: Var, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:
    rows = order_of(call.decided(pivots) - 1, factors.shape[-2])
    halves = _halves(factors) if unpack_data else (None, None)
    return permutation(rows) if unpack_pivots else None, *halves


def _lu_solve(
    call: OperatorCall, factors: Var, pivots: Var, b: Var, *, left: bool = True, adjoint: bool = False
) -> Var:
    rows = order_of(call.decided(pivots) - 1, factors.shape[-2])
    low, up = _halves(factors)
    a = la.matmul(call.recorder.constant(permutation(rows), factors.dtype), la.matmul(low, up))
    return solve(la.transpose(a) if adjoint else a, b, left)


def _saved(call: OperatorCall, a: Var) -> tuple[Var | None, Var | None]:
    """The factors and exchanges that a kernel saves for its backward."""
    try:
        factors, rows = lu(a, True)
    except Undecided:  # singular: its backward does without, or is undecided for this reason
        return None, None
    return factors, call.recorder.constant(exchanges(rows, a.shape[-1]) + 1)


def _as_read(call: OperatorCall, a: Var) -> Var:
    """LAPACK reads by columns, so det factors the transpose of what lies by rows."""
    return la.transpose(a) if call.args[0].is_contiguous() else a


def _det(call: OperatorCall, a: Var) -> tuple[Any, ...]:
    return la.det(a), *_saved(call, _as_read(call, a))


def _slogdet(call: OperatorCall, a: Var) -> tuple[Any, ...]:
    det = la.det(a)
    return f.step("sign", det), scalar("log", f.absolute(det)), *_saved(call, _as_read(call, a))


def _solve(
    call: OperatorCall, a: Var, b: Var, *, left: bool = True, check_errors: bool = False
) -> tuple[Any, ...]:
    return solve_ex(call, a, b, left), *_saved(call, a)


def permutation(rows: Array) -> Array:
    """The matrix p of a = p l u, where a[rows] = l u."""
    return np.swapaxes(np.eye(rows.shape[-1])[rows], -1, -2).copy()


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


def _qr(a: Var, mode: str = "reduced") -> tuple[Var, Var]:
    q, r = qr(a)
    k = min(a.shape[-2:])
    return (q, r) if mode == "complete" else (q[..., :k], r[..., :k, :])


def _ormqr(v: Var, tau: Var, c: Var, left: bool = True, transpose: bool = False) -> Var:
    """q c, c q and their like, q the product of all reflections."""
    q = reflections(v, tau)
    q = la.transpose(q) if transpose else q
    return la.matmul(q, c) if left else la.matmul(c, q)


RULES: dict[str, Rule] = {
    "linalg_lu_factor_ex": _lu_factor,
    "linalg_lu": _lu,
    "_linalg_det": _det,
    "_linalg_slogdet": _slogdet,
    "_linalg_solve_ex": _solve,
    "lu_unpack": _lu_unpack,
    "linalg_lu_solve": _lu_solve,
    "linalg_qr": plain(_qr),
    "linalg_householder_product": plain(lambda v, tau: reflections(v, tau)[..., : v.shape[-1]]),
    "ormqr": plain(_ormqr),
}
