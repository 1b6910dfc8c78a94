"""What ATen's operators of linear algebra are: products, what solves with a matrix, factorizations."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from oracles.exact.from_aten.call import OperatorCall, Rule, plain, promoted
from oracles.exact.from_aten.rules.lu import lu_rules
from oracles.exact.program import functions as f
from oracles.exact.program.complex import Complex
from oracles.exact.program.errors import Undecided, Unsupported, listening
from oracles.exact.program.factorizations import exchanges, lu, qr, reflections
from oracles.exact.program.primitives import detach, scalar
from oracles.exact.program.primitives import linear_algebra as la
from oracles.exact.program.primitives.arrays import index, reduce_sum, reshape
from oracles.exact.program.primitives.least_squares import fit, pinv, residue
from oracles.exact.program.primitives.spectral import Vectors, eigh, singular_values, svd
from oracles.exact.program.primitives.symmetric import Moves, symmetric
from oracles.exact.program.program import Array, Var

ROUNDED = 1e-5  # of the largest number, by which a matrix that is meant to be symmetric may not be so


def added(product: Rule) -> Rule:
    """beta c + alpha (a b)."""

    def rule(c: Var, a: Var, b: Var, *, beta: float = 1, alpha: float = 1) -> Var:
        out: Var = product(a, b)
        out = out if alpha == 1 else out * alpha
        if beta == 0:
            return out
        return (c if beta == 1 else c * beta) + out

    return rule


def cross(x: Var, y: Var, *, dim: int = -1) -> Var:
    """The product of vectors of three."""

    def turn(v: Var, by: int) -> Var:
        return index(v, lambda p: np.roll(p, by, dim))

    shape = np.broadcast_shapes(x.shape, y.shape)
    x, y = x.builder.broadcast(x, shape), y.builder.broadcast(y, shape)
    return turn(x, -1) * turn(y, 1) - turn(x, 1) * turn(y, -1)


def _trilinear(
    a: Var,
    b: Var,
    c: Var,
    expand1: list[int],
    expand2: list[int],
    expand3: list[int],
    sumdim: list[int],
    *_: Any,
) -> Var:
    def wide(x: Var, expand: list[int]) -> Var:
        return index(x, lambda p: np.expand_dims(p, tuple(expand)))

    return reduce_sum(wide(a, expand1) * wide(b, expand2) * wide(c, expand3), tuple(sumdim))


def solve_ex(call: OperatorCall, a: Var, b: Var, left: bool = True) -> Var:
    """The right side may be vectors, one per matrix."""
    if b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]):
        return reshape(la.solve(a, reshape(b, (*b.shape, 1)), left), call.shape)
    return la.solve(a, b, left)


def _triangular_solve(
    b: Var, a: Var, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> tuple[Var, Var]:
    half = la.triangle(a, not upper, unit=unitriangular)
    return la.solve(la.transpose(half) if transpose else half, b), a


def _solve_triangular(a: Var, b: Var, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Var:
    return la.solve(la.triangle(a, not upper, unit=unitriangular), b, left)


def is_hermitian(a: torch.Tensor) -> bool:
    """To rounding, beside the largest number of each matrix.

    Where operators are watched, torch does not see that a conjugate is to be taken; NumPy takes it.
    """
    numbers = a.detach().resolve_conj().cpu().numpy()
    with np.errstate(all="ignore"):
        apart = np.abs(numbers - np.swapaxes(numbers, -1, -2).conj())
        return bool(np.all(apart <= ROUNDED * np.abs(numbers).max((-2, -1), keepdims=True, initial=0)))


def moving_as(numbers: Var, moving: Var) -> Var:
    """These numbers; where they move, they do so as the other ones, which are the same but for rounding."""
    return detach(numbers) + (moving - detach(moving))


def _moves(call: OperatorCall) -> Moves:
    """A matrix that is symmetric to rounding is meant to stay so when it moves."""
    return Moves.MEAN if is_hermitian(call.args[0]) else Moves.TRIANGLE


def _cholesky(call: OperatorCall, a: Var, upper: bool = False, check_errors: bool = False) -> Var:
    """Of one triangle."""
    low = la.cholesky(la.transpose(a) if upper else a, _moves(call))
    return la.transpose(low) if upper else low


def _gram(low: Var, upper: bool) -> Var:
    """The matrix whose factor this is."""
    low = la.transpose(la.triangle(low, lower=False)) if upper else la.triangle(low, lower=True)
    return la.matmul(low, la.transpose(low))


def _pinv(call: OperatorCall, a: Var, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Var:
    """The pseudoinverse that keeps all singular values; hermitian: of one triangle."""
    of_full_rank("linalg.pinv", torch.linalg.matrix_rank(call.args[0].detach(), **call.kwargs), a)
    return pinv(symmetric(a) if hermitian else a)


def of_full_rank(name: str, rank: torch.Tensor, a: Var | Complex) -> None:
    """That torch takes no singular value for 0.

    Raises:
        Unsupported: It does.
    """
    if (rank < min(a.shape[-2:])).any():
        raise Unsupported(f"{name} that drops singular values below a tolerance: not yet")


def _lstsq(call: OperatorCall, a: Var, b: Var, *_: Any, **__: Any) -> tuple[Var, Var | None]:
    """The x of least (a x - b)^2, and that square, column by column (where torch gives it)."""
    of_full_rank("linalg.lstsq", call.results[2], a)
    vectors = b.ndim == a.ndim - 1
    b = reshape(b, (*b.shape, 1)) if vectors else b
    x = fit(a, b)
    left = residue(*map(f.square, (la.matmul(a, x) - b, a, b, x)))
    return reshape(x, call.shape), left if left.shape == tuple(call.results[1].shape) else None


# -- factorizations: LU with its row exchanges, QR and its reflections ------------------------------------


def _eigh(call: OperatorCall, a: Var, uplo: str = "L", compute_v: bool = True) -> tuple[Var, Var]:
    """Values, ascending, and vectors."""
    return eigh(a, uplo == "L", of_eigh(a.dtype), _moves(call))


def _svd(
    call: OperatorCall, a: Var, full_matrices: bool = False, compute_uv: bool = True, *, driver: Any = None
) -> tuple[Var | None, Var, Var | None]:
    if not compute_uv:
        return None, singular_values(a), None
    return svd(a, full_matrices, of_svd(a.dtype))


@cache
def of_eigh(dtype: str) -> Vectors:
    """torch's own eigenvectors, in its precision."""
    kind = getattr(torch, dtype)
    return lambda numbers: _wide(torch.linalg.eigh(torch.from_numpy(numbers).to(kind))[1])


@cache
def of_svd(dtype: str) -> Vectors:
    """torch's own singular vectors, of the shorter side in columns."""
    kind = getattr(torch, dtype)

    def vectors(numbers: Array) -> Array:
        u, _, vh = torch.linalg.svd(torch.from_numpy(numbers).to(kind), full_matrices=False)
        return _wide(u if numbers.shape[-2] <= numbers.shape[-1] else vh.mH)

    return vectors


def _wide(vectors: torch.Tensor) -> Array:
    kind = torch.complex128 if vectors.is_complex() else torch.float64
    return np.asarray(vectors.resolve_conj().to(kind))


def _saved(call: OperatorCall, a: Var) -> tuple[Var | None, Var | None]:
    """The factors and exchanges that a kernel saves for its backward."""
    try:
        with listening():
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


def _qr(a: Var, mode: str = "reduced") -> tuple[Var, Var]:
    return qr(a, of_qr(a.dtype), mode == "complete")


@cache
def of_qr(dtype: str) -> Vectors:
    """torch's own q, in its precision."""
    kind = getattr(torch, dtype)
    return lambda numbers: _wide(torch.linalg.qr(torch.from_numpy(numbers).to(kind))[0])


def _ormqr(v: Var, tau: Var, c: Var, left: bool = True, transpose: bool = False) -> Var:
    """q c, c q and their like, q the product of all reflections."""
    q = reflections(v, tau)
    q = la.transpose(q) if transpose else q
    return la.matmul(q, c) if left else la.matmul(c, q)


RULES: dict[str, Rule] = {
    "_linalg_eigh": _eigh,
    "_linalg_svd": _svd,
    "linalg_matrix_exp": plain(la.exponential),
    **lu_rules(lu, la, la.transpose),
    "_linalg_det": _det,
    "_linalg_slogdet": _slogdet,
    "_linalg_solve_ex": _solve,
    "linalg_qr": plain(_qr),
    "linalg_householder_product": plain(lambda v, tau: reflections(v, tau)[..., : v.shape[-1]]),
    "ormqr": plain(_ormqr),
    "mm": promoted(la.matmul),
    "bmm": promoted(la.matmul),
    "mv": promoted(lambda a, x: la.einsum("ij,j->i", a, x)),
    **dict.fromkeys(("dot", "vdot"), promoted(lambda x, y: la.einsum("i,i->", x, y))),
    "addmm": promoted(added(la.matmul)),
    "baddbmm": promoted(added(la.matmul)),
    "addbmm": promoted(added(lambda a, b: reduce_sum(la.matmul(a, b), (0,)))),
    "addmv": promoted(added(lambda a, x: la.einsum("ij,j->i", a, x))),
    "addr": promoted(added(lambda x, y: la.einsum("i,j->ij", x, y))),
    "linalg_cross": promoted(cross),
    "_trilinear": plain(_trilinear),
    "linalg_solve_triangular": plain(_solve_triangular),
    "triangular_solve": plain(_triangular_solve),
    "linalg_inv_ex": plain(lambda a, check_errors=False: la.inverse(a)),
    "linalg_pinv": _pinv,
    "linalg_lstsq": _lstsq,
    "cholesky": _cholesky,
    "linalg_cholesky_ex": _cholesky,
    "cholesky_inverse": plain(lambda low, upper=False: la.inverse(_gram(low, upper))),
    "cholesky_solve": plain(lambda b, low, upper=False: la.solve(_gram(low, upper), b)),
}
