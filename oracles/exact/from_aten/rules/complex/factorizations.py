"""Factorizations of complex matrices, and what is computed from their factors."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from oracles.exact.from_aten.call import OperatorCall, Rule
from oracles.exact.from_aten.rules.complex.calls import kind_of
from oracles.exact.from_aten.rules.linalg import (
    is_hermitian,
    moving_as,
    of_eigh,
    of_qr,
    of_svd,
)
from oracles.exact.from_aten.rules.lu import lu_rules
from oracles.exact.program import complex as cx
from oracles.exact.program import complex_arrays as ca
from oracles.exact.program import eigen_general, eigen_hermitian
from oracles.exact.program.complex import REAL, Complex
from oracles.exact.program.errors import Undecided, listening
from oracles.exact.program.factorizations import exchanges
from oracles.exact.program.primitives import scalar
from oracles.exact.program.primitives.arrays import index, reshape
from oracles.exact.program.program import Array, Var


def _cholesky(call: OperatorCall, a: Complex, upper: bool = False, check_errors: bool = False) -> Complex:
    """Of one triangle; a matrix that is Hermitian to rounding is meant to stay so when it moves.

    Beside these matrices torch goes on as if the diagonal of the factor became complex: dL is
    L p(L^-1 dA L^-H), p the lower triangle with half of the diagonal. It adds nothing for Hermitian ones.
    """
    if not is_hermitian(call.args[0]):
        low = ca.cholesky(ca.adjoint(a) if upper else a)
        return ca.adjoint(low) if upper else low
    numbers = ca.hermitian(a, not upper)
    low = ca.cholesky(_moving_as(numbers, cx.div(a + ca.adjoint(a), 2.0)))
    inner = ca.solve(low, ca.adjoint(ca.solve(low, ca.adjoint(_moving_as(numbers, a)))))
    turn = index(inner.im, lambda p: np.diagonal(p, axis1=-2, axis2=-1)) * 0.5
    low = low + cx.mul(low, cx.pair(0.0, reshape(turn, (*turn.shape[:-1], 1, turn.shape[-1]))))
    return ca.adjoint(low) if upper else low


def _moving_as(numbers: Complex, moving: Complex) -> Complex:
    return Complex(moving_as(numbers.re, moving.re), moving_as(numbers.im, moving.im))


def _gram(low: Complex, upper: bool) -> Complex:
    """The matrix whose factor this is."""
    low = ca.adjoint(ca.triangle(low, lower=False)) if upper else ca.triangle(low, lower=True)
    return ca.matmul(low, ca.adjoint(low))


def saved(call: OperatorCall, a: Complex) -> tuple[Any, Any]:
    """The factors and exchanges that a kernel saves for its backward; of a complex matrix as it lies."""
    try:
        with listening():
            factors, rows = ca.lu(a)
    except Undecided:
        return None, None
    return factors, call.recorder.constant(exchanges(rows, a.shape[-1]) + 1)


def _det(call: OperatorCall, a: Complex) -> tuple[Any, ...]:
    return ca.det(a), *saved(call, a)


def _slogdet(call: OperatorCall, a: Complex) -> tuple[Any, ...]:
    det = ca.det(a)
    return cx.sign(det), scalar("log", cx.absolute(det)), *saved(call, a)


def _qr(call: OperatorCall, a: Complex, mode: str = "reduced") -> tuple[Complex, Complex]:
    return ca.qr(a, of_qr(a.dtype), mode == "complete")


def _ormqr(
    call: OperatorCall, v: Complex, tau: Complex, c: Complex, left: bool = True, transpose: bool = False
) -> Complex:
    q = ca.reflections(v, tau)
    q = ca.adjoint(q) if transpose else q
    return ca.matmul(q, c) if left else ca.matmul(c, q)


def _eig(call: OperatorCall, a: Var | Complex) -> tuple[Complex, Complex]:
    return eigen_general.eig(cx.as_complex(a, kind_of(call)), _of_eig(a.dtype))


def _eigh(call: OperatorCall, a: Complex, uplo: str = "L", compute_v: bool = True) -> tuple[Var, Complex]:
    """As of a real matrix: one that is Hermitian to rounding is meant to stay so."""
    if is_hermitian(call.args[0]):
        a = _moving_as(ca.hermitian(a, uplo == "L"), cx.div(a + ca.adjoint(a), 2.0))
    return eigen_hermitian.eigh(a, uplo == "L", of_eigh(a.dtype))


def _svd(
    call: OperatorCall,
    a: Complex,
    full_matrices: bool = False,
    compute_uv: bool = True,
    *,
    driver: Any = None,
) -> tuple[Complex | None, Var, Complex | None]:
    if not compute_uv:
        return None, eigen_hermitian.singular_values(a), None
    return eigen_hermitian.svd(a, full_matrices, of_svd(a.dtype))


@cache
def _of_eig(dtype: str) -> eigen_general.Library:
    """torch's own eigenvalues and -vectors, in its precision; of a real matrix by its driver for these."""

    def of(numbers: Array) -> tuple[Array, Array]:
        own = torch.from_numpy(numbers if dtype in REAL else numbers.real.copy()).to(getattr(torch, dtype))
        w, v = (np.asarray(x.to(torch.complex128)) for x in torch.linalg.eig(own))
        return w, v

    return of


RULES: dict[str, Rule] = {
    **dict.fromkeys(("cholesky", "linalg_cholesky_ex"), _cholesky),
    "cholesky_inverse": lambda call, low, upper=False: ca.inverse(_gram(low, upper)),
    "cholesky_solve": lambda call, b, low, upper=False: ca.solve(_gram(low, upper), b),
    **lu_rules(ca.lu, ca, ca.adjoint),
    "_linalg_det": _det,
    "_linalg_slogdet": _slogdet,
    "linalg_qr": _qr,
    "linalg_householder_product": lambda call, v, tau: ca.reflections(v, tau)[..., : v.shape[-1]],
    "ormqr": _ormqr,
    "linalg_eig": _eig,
    "_linalg_eigh": _eigh,
    "_linalg_svd": _svd,
}
