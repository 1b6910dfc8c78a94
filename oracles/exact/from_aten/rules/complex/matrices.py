"""Complex matrices: products, and what solves with one."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from oracles.exact.from_aten.call import OperatorCall, Rule
from oracles.exact.from_aten.rules.complex.calls import alone, kind_of, promoted
from oracles.exact.from_aten.rules.complex.factorizations import saved
from oracles.exact.from_aten.rules.linalg import added, cross, of_full_rank
from oracles.exact.program import complex as cx
from oracles.exact.program import complex_arrays as ca
from oracles.exact.program.complex import Complex
from oracles.exact.program.primitives.arrays import reduce_sum, reshape


def _mv(a: Complex, x: Complex) -> Complex:
    found = ca.matmul(a, x.apart(lambda v: reshape(v, (*v.shape, 1))))
    return found.apart(lambda v: reshape(v, v.shape[:-1]))


def _dot(x: Complex, y: Complex) -> Complex:
    """Of two vectors."""
    row, column = x.apart(lambda v: reshape(v, (1, v.size))), y.apart(lambda v: reshape(v, (v.size, 1)))
    return ca.matmul(row, column).apart(lambda v: reshape(v, ()))


def _outer(x: Complex, y: Complex) -> Complex:
    return cx.mul(x.apart(lambda v: reshape(v, (v.size, 1))), y.apart(lambda v: reshape(v, (1, v.size))))


def _solve_triangular(
    call: OperatorCall, a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Complex:
    kind = kind_of(call)
    a, b = cx.as_complex(a, kind), cx.as_complex(b, kind)
    return ca.solve(ca.triangle(a, not upper, unit=unitriangular), b, left)


def _triangular_solve(
    call: OperatorCall,
    b: Complex,
    a: Complex,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> tuple[Complex, Complex]:
    half = ca.triangle(a, not upper, unit=unitriangular)
    return ca.solve(ca.transpose(half) if transpose else half, b), a


def _pinv(
    call: OperatorCall, a: Complex, *, atol: Any = None, rtol: Any = None, hermitian: bool = False
) -> Any:
    """The pseudoinverse that keeps all singular values; hermitian: of one triangle."""
    of_full_rank("linalg.pinv", torch.linalg.matrix_rank(call.args[0].detach(), **call.kwargs), a)
    return ca.pinv(ca.hermitian(a) if hermitian else a)


def _lstsq(call: OperatorCall, a: Complex, b: Complex, *_: Any, **__: Any) -> tuple[Any, Any]:
    """The x of least |a x - b|^2, and that square, column by column (where torch gives it)."""
    of_full_rank("linalg.lstsq", call.results[2], a)
    vectors = b.ndim == a.ndim - 1
    b = b.apart(lambda v: reshape(v, (*v.shape, 1))) if vectors else b
    x = ca.fit(a, b)
    left = ca.residue(a, b, x)
    fits = left.shape == tuple(call.results[1].shape)
    return x.apart(lambda v: reshape(v, call.shape)), left if fits else None


def _vectors(b: Any, a: Any, shape: Any) -> bool:
    return bool(b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]))


def _solve_ex(
    call: OperatorCall, a: Any, b: Any, *, left: bool = True, check_errors: bool = False
) -> tuple[Any, ...]:
    kind = kind_of(call)
    a, b = cx.as_complex(a, kind), cx.as_complex(b, kind)
    if _vectors(b, a, call.shape):
        column = b.apart(lambda v: reshape(v, (*v.shape, 1)))
        return ca.solve(a, column, left).apart(lambda v: reshape(v, call.shape)), *saved(call, a)
    return ca.solve(a, b, left), *saved(call, a)


RULES: dict[str, Rule] = {
    "mm": promoted(ca.matmul),
    "bmm": promoted(ca.matmul),
    "mv": promoted(_mv),
    "dot": promoted(_dot),
    "vdot": promoted(lambda x, y: _dot(cx.conj(x), y)),
    "addmm": promoted(added(ca.matmul)),
    "baddbmm": promoted(added(ca.matmul)),
    "addbmm": promoted(added(lambda a, b: ca.matmul(a, b).apart(lambda v: reduce_sum(v, (0,))))),
    "addmv": promoted(added(_mv)),
    "addr": promoted(added(_outer)),
    "_sparse_addmm": promoted(added(ca.matmul)),
    "_sparse_sparse_matmul": promoted(ca.matmul),
    "linalg_cross": promoted(lambda x, y, *, dim=-1: ca.bilinear(partial(cross, dim=dim), x, y)),
    "linalg_matrix_exp": alone(ca.exponential),
    "linalg_inv_ex": alone(ca.inverse),
    "_linalg_solve_ex": _solve_ex,
    "linalg_solve_triangular": _solve_triangular,
    "triangular_solve": _triangular_solve,
    "linalg_pinv": _pinv,
    "linalg_lstsq": _lstsq,
}
