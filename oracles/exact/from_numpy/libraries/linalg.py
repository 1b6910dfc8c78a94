"""scipy.linalg, by numpy.linalg: the flags that say which triangle is read, or how it is computed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.libraries.standard import as_given, as_it_ran, of_kernel
from oracles.exact.from_numpy.making import as_array, wrap
from oracles.exact.from_numpy.nested import values
from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.program import complex_arrays as ca
from oracles.exact.program.complex import Complex, as_complex
from oracles.exact.program.eigen_general import eig, of_eig
from oracles.exact.program.factorizations import exchanges, lu, order_of
from oracles.exact.program.primitives import linear_algebra as la
from oracles.exact.program.primitives.arrays import MOVES
from oracles.exact.program.primitives.spectral import eigh
from oracles.exact.program.primitives.symmetric import symmetric as of_triangle
from oracles.exact.program.program import Array, Equation, Var

# Flags that change nothing of what is computed.
HINTS = set(
    str.split("check_finite overwrite_a overwrite_b overwrite_c overwrite_ab lapack_driver lwork driver")
)


def _scipy() -> Any:
    return import_module("scipy.linalg")


def by_lapack(function: Callable[..., Any]) -> Callable[..., Any]:
    """Without the flags that change nothing, and in no float16, which LAPACK has not."""

    def plain(*args: Any, **kwargs: Any) -> Any:
        said = {name: wide(value) for name, value in kwargs.items() if name not in HINTS}
        return function(*map(wide, args), **said)

    return plain


def wide(x: Any) -> Any:
    """In float32 what is in float16."""
    if isinstance(x, tuple):
        return tuple(map(wide, x))
    return x.astype(np.float32) if getattr(x, "dtype", None) == np.float16 else x


def _adjoint(a: Any) -> Any:
    return np.swapaxes(np.conj(a), -1, -2)


def symmetric(a: Any, lower: bool, conjugate: bool) -> Any:
    """The matrix whose one triangle this is."""
    if isinstance(a, TracedArray) and a.is_float and a.dtype.kind != "c":
        read = np.tri(a.shape[-1], dtype=bool) if lower else np.tri(a.shape[-1], dtype=bool).T
        value = np.where(read, a.in_numpy, np.swapaxes(a.in_numpy, -1, -2))
        a.tape.calls("scipy.linalg")
        return wrap(a.tape, value, of_triangle(a.recorded, lower))
    triangle, strict = (np.tril(a), np.tril(a, -1)) if lower else (np.triu(a), np.triu(a, 1))
    return triangle + (_adjoint(strict) if conjugate else np.swapaxes(strict, -1, -2))


_STRUCTURES: dict[str | None, Callable[[Any, bool], Any]] = {
    **dict.fromkeys(("sym", "symmetric"), lambda a, lower: symmetric(a, lower, False)),
    **dict.fromkeys(
        ("her", "hermitian", "pos", "positive definite"), lambda a, lower: symmetric(a, lower, True)
    ),
    **dict.fromkeys(("gen", "general"), lambda a, lower: a),
    None: lambda a, lower: a,
    "upper triangular": lambda a, lower: np.triu(a),
    "lower triangular": lambda a, lower: np.tril(a),
}


def _solve(a: Any, b: Any, lower: bool = False, assume_a: Any = None, transposed: bool = False) -> Any:
    if assume_a not in _STRUCTURES:
        raise unsupported(f"scipy.linalg.solve with assume_a={assume_a!r}")
    matrix = _STRUCTURES[assume_a](a, lower)
    return np.linalg.solve(np.swapaxes(matrix, -1, -2) if transposed else matrix, b)


def _solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False
) -> Any:
    matrix = np.tril(a, -unit_diagonal) if lower else np.triu(a, int(unit_diagonal))
    matrix = matrix + np.eye(a.shape[-1], dtype=a.dtype) if unit_diagonal else matrix
    return np.linalg.solve(_turned(matrix, trans), b)


def _turned(matrix: Any, trans: Any) -> Any:
    if trans in (0, "N"):
        return matrix
    return np.swapaxes(matrix, -1, -2) if trans in (1, "T") else _adjoint(matrix)


def _cholesky(a: Any, lower: bool = False) -> Any:
    return np.linalg.cholesky(a, upper=not lower)


def _cho_factor(a: Any, lower: bool = False) -> Any:
    """What stands in the other triangle stays."""
    read = np.tri(a.shape[-1], dtype=bool) if lower else np.tri(a.shape[-1], dtype=bool).T
    return np.where(read, _cholesky(a, lower), a), lower


def _cho_solve(c_and_lower: Any, b: Any) -> Any:
    c, lower = c_and_lower
    half = np.tril(c) if lower else np.triu(c)
    product = half @ _adjoint(half) if lower else _adjoint(half) @ half
    known = _factored(half, lower)
    return np.linalg.solve(product if known is None else wrap(c.tape, product.in_numpy, known), b)


def _factored(half: Any, lower: bool) -> Var | None:
    """The symmetric matrix of which this is Cholesky's factor; None if that is not known."""
    if not isinstance(half, TracedArray) or half.dtype.kind == "c":
        return None
    recorder, moves = half.tape.recorder, list[Equation]()
    made = recorder.definitions.get(half.recorded)
    while made is not None and made.primitive in MOVES:
        moves.append(made)
        made = recorder.definitions.get(made.operands[0])
    if made is None or made.primitive is not la.cholesky_:
        return None
    at = np.arange(1, made.output.size + 1).reshape(made.output.shape)
    own, found = np.tril(at) if lower else np.swapaxes(np.tril(at), -1, -2), at
    for move in reversed(moves):
        where = [np.asarray(recorder.known(v)) for v in move.operands[1:]]
        found = move.primitive.evaluate(found, *where, **move.params)
    return made.operands[0] if np.array_equal(found, own) else None


def _lu_factor(a: Any) -> Any:
    if a.dtype.kind == "c" or a.ndim != 2 or not isinstance(a, TracedArray):
        raise unsupported("scipy.linalg.lu of complex numbers or batches")
    factors, rows = lu(a.recorded)
    return wrap(a.tape, _scipy().lu_factor(a.in_numpy)[0], factors), exchanges(rows, min(a.shape))


def _lu(a: Any, permute_l: bool = False, p_indices: bool = False) -> Any:
    factors, swaps = _lu_factor(a)
    k = min(a.shape)
    one = np.eye(a.shape[0], dtype=factors.dtype)
    low = np.tril(factors, -1)[:, :k] + one[:, :k]
    high, rows = np.triu(factors)[:k], order_of(swaps, a.shape[0])
    if permute_l:
        return low[np.argsort(rows)], high
    return (np.argsort(rows) if p_indices else one[:, rows]), low, high


def _lu_solve(lu_and_piv: Any, b: Any, trans: int = 0) -> Any:
    factors, swaps = lu_and_piv
    n, rows = factors.shape[0], order_of(np.asarray(swaps), factors.shape[0])
    product = (np.tril(factors, -1) + np.eye(n, dtype=factors.dtype)) @ np.triu(factors)
    if trans == 0:
        return np.linalg.solve(product, b[rows])
    return np.linalg.solve(_turned(product, trans), b)[np.argsort(rows)]


def _qr(a: Any, mode: str = "full", pivoting: bool = False) -> Any:
    if pivoting or mode not in {"full", "r", "economic"}:
        raise unsupported(f"scipy.linalg.qr with mode={mode!r}, pivoting={pivoting}")
    q, r = np.linalg.qr(a, "reduced" if mode == "economic" else "complete")
    return (r,) if mode == "r" else (q, r)


def _eigh(a: Any, b: Any = None, *, lower: bool = True, eigvals_only: bool = False, type: int = 1) -> Any:
    if b is not None:
        return _eigh_of_two(a, b, lower, eigvals_only, type)
    side: Any = "L" if lower else "U"
    if eigvals_only:
        return np.linalg.eigvalsh(a, side)
    if a.dtype.kind == "c" or a.ndim != 2:
        raise unsupported("scipy.linalg.eigh of complex numbers or batches")
    both = zip(_scipy().eigh(a.in_numpy, lower=lower), eigh(a.recorded, lower, _vectors), strict=True)
    return tuple(wrap(a.tape, value, recorded) for value, recorded in both)


def _eigh_of_two(a: Any, b: Any, lower: bool, eigvals_only: bool, type: int) -> Any:
    """A v = w B v, by the factor of B = L L*: u = L* v has L^-1 A L^-* u = w u.

    Of type 2, A B v = w v, u is the same, and of type 3, B A v = w v, it is L^-1 v: L* A L u = w u.
    """
    said = {"lower": lower, "eigvals_only": eigvals_only, "type": type}
    given = as_it_ran("scipy.linalg", "eigh", (a, b), said)
    a, b = (symmetric(as_array(m), lower, conjugate=True) for m in (a, b))
    factor = np.linalg.cholesky(b)
    if type == 1:
        inner: Any = np.linalg.solve(factor, _adjoint(np.linalg.solve(factor, a)))
    else:
        inner = _adjoint(factor) @ a @ factor
    if eigvals_only:
        return of_kernel(np.linalg.eigvalsh(inner), given)
    if inner.dtype.kind == "c":
        raise unsupported("the vectors of scipy.linalg.eigh of two complex matrices")
    numbers, vectors = values(factor), given[1]
    turned = np.linalg.solve(numbers, vectors) if type == 3 else numbers.T @ vectors
    both = zip((given[0], turned), eigh(inner.recorded, True, lambda _: turned), strict=True)
    w, u = (wrap(inner.tape, value, recorded) for value, recorded in both)
    v = factor @ u if type == 3 else np.linalg.solve(factor.T, u)
    return of_kernel(w, given[0]), of_kernel(v, vectors)


def _vectors(numbers: Array) -> Array:
    """As SciPy's driver of LAPACK has them, which is another one than NumPy's."""
    return np.asarray(_scipy().eigh(numbers)[1])


def _eig(a: Any, b: Any = None, left: bool = False, right: bool = True) -> Any:
    if b is not None or left or not right or a.ndim != 2:
        raise unsupported("scipy.linalg.eig with b, left, without right, or of batches")
    value, kind = _scipy().eig(a.in_numpy), (a.in_numpy + 0j).dtype.name
    own = eig(as_complex(a.recorded, kind), of_eig(a.in_numpy.dtype, _scipy().eig))
    both = zip(value, own, strict=True)
    return tuple(wrap(a.tape, number, recorded) for number, recorded in both)


def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    if not compute_uv:
        return np.linalg.svd(a, compute_uv=False)
    return tuple(np.linalg.svd(a, full_matrices))


def _expm(a: Any) -> Any:
    recorded = a.recorded
    found = ca.exponential(recorded) if isinstance(recorded, Complex) else la.exponential(recorded)
    return wrap(a.tape, _scipy().expm(a.in_numpy), found)


def _pinv(a: Any, *, atol: Any = None, rtol: Any = None, return_rank: bool = False) -> Any:
    if atol or return_rank:
        raise unsupported("scipy.linalg.pinv with atol or return_rank")
    return np.linalg.pinv(a, rtol=rtol)


def _lstsq(a: Any, b: Any, cond: Any = None) -> Any:
    x, rest, rank, s = np.linalg.lstsq(a, b, cond)
    return x, (rest[0] if np.ndim(b) == 1 and np.size(rest) else rest), rank, s


def _norm(
    a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True
) -> Any:
    """Where SciPy asks BLAS or LAPACK it gives one of Python's numbers."""
    given = as_it_ran("scipy.linalg", "norm", (a, ord, axis, keepdims, check_finite))
    return as_given(np.linalg.norm(a, ord, axis, keepdims), given)


def _det(a: Any) -> Any:
    """The pivots are multiplied in float64, so that fewer overflow."""
    found = np.linalg.det(a)
    return found.astype(np.float64) if found.dtype.kind == "f" else found.astype(np.complex128)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "solve": _solve,
    "solve_triangular": _solve_triangular,
    "inv": np.linalg.inv,
    "det": _det,
    "pinv": _pinv,
    "lstsq": _lstsq,
    "cholesky": _cholesky,
    "cho_factor": _cho_factor,
    "cho_solve": _cho_solve,
    "lu": _lu,
    "lu_factor": _lu_factor,
    "lu_solve": _lu_solve,
    "qr": _qr,
    "eigh": _eigh,
    "eigvalsh": lambda a, b=None, **said: _eigh(a, b, eigvals_only=True, **said),
    "eig": _eig,
    "eigvals": lambda a, b=None: _eig(a, b)[0],
    "svd": _svd,
    "svdvals": lambda a: np.linalg.svd(a, compute_uv=False),
    "expm": _expm,
}
LINALG: dict[str, Callable[..., Any]] = {
    **{name: by_lapack(function) for name, function in _FUNCTIONS.items()},
    "norm": _norm,
}
