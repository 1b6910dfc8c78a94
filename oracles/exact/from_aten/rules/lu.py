"""LU with its row exchanges, of real matrices and of complex ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_aten.call import OperatorCall, Rule
from oracles.exact.program.complex import vars_of
from oracles.exact.program.factorizations import exchanges, order_of
from oracles.exact.program.program import Array, Var


def lu_rules(lu: Callable[..., Any], algebra: Any, turned: Callable[..., Any]) -> dict[str, Rule]:
    """The rules, by what factors a matrix, the module that computes with such, and its adjoint, `turned`."""

    def factor(call: OperatorCall, a: Any, *, pivot: bool = True, check_errors: bool = False) -> Any:
        factors, rows = lu(a, pivot)
        return factors, exchanges(rows, min(a.shape[-2:])) + 1

    def factored(call: OperatorCall, a: Any, *, pivot: bool = True) -> Any:
        factors, rows = lu(a, pivot)
        return permutation(rows), *halves(factors)

    def halves(factors: Any) -> tuple[Any, Any]:
        """Unit lower and upper, of as many columns and rows as there are pivots."""
        k = min(factors.shape[-2:])
        lower = algebra.triangle(factors[..., :k], True, unit=True)
        return lower, algebra.triangle(factors[..., :k, :], False)

    def unpack(
        call: OperatorCall, factors: Any, pivots: Var, unpack_data: bool = True, unpack_pivots: bool = True
    ) -> Any:
        rows = order_of(call.decided(pivots) - 1, factors.shape[-2])
        both = halves(factors) if unpack_data else (None, None)
        return permutation(rows) if unpack_pivots else None, *both

    def solve(
        call: OperatorCall, factors: Any, pivots: Var, b: Any, *, left: bool = True, adjoint: bool = False
    ) -> Any:
        rows = order_of(call.decided(pivots) - 1, factors.shape[-2])
        low, up = halves(factors)
        order = call.recorder.constant(permutation(rows), vars_of(factors)[0].dtype)
        a = algebra.matmul(order, algebra.matmul(low, up))
        return algebra.solve(turned(a) if adjoint else a, b, left)

    return {
        "linalg_lu_factor_ex": factor,
        "linalg_lu": factored,
        "lu_unpack": unpack,
        "linalg_lu_solve": solve,
    }


def permutation(rows: Array) -> Array:
    """The matrix p of a = p l u, where a[rows] = l u."""
    return np.swapaxes(np.eye(rows.shape[-1])[rows], -1, -2).copy()
