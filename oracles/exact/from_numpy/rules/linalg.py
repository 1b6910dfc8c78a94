"""numpy.linalg on recorded values."""

from __future__ import annotations

import functools
import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.from_numpy.rules.reductions import (
    NO_VALUE,
    Axis,
    Rule,
    alike,
    axes_of,
    floating,
    kept,
    pair,
)
from oracles.exact.program import functions as fn
from oracles.exact.program.factorizations import qr
from oracles.exact.program.primitives import compare, scalar
from oracles.exact.program.primitives import linear_algebra as la
from oracles.exact.program.primitives import reductions as red
from oracles.exact.program.primitives.arrays import index, reduce_sum, reshape, without
from oracles.exact.program.primitives.least_squares import fit, pinv, residue
from oracles.exact.program.primitives.spectral import eigh, singular_values, svd
from oracles.exact.program.program import Operand, Var


def matmul(x: Var, y: Var) -> Var:
    """x @ y: a vector is a row on the left and a column on the right."""
    left = reshape(x, (1, *x.shape)) if x.ndim == 1 else x
    right = reshape(y, (*y.shape, 1)) if y.ndim == 1 else y
    z = la.matmul(left, right)
    shape = [*z.shape[:-2], *([] if x.ndim == 1 else z.shape[-2:-1]), *([] if y.ndim == 1 else z.shape[-1:])]
    return reshape(z, shape)


def vecdot(x: Operand, y: Operand, axis: int = -1) -> Var:
    """The sum of products along one axis."""
    x, y = pair(x, y)
    return reduce_sum(x * y, (axis,))


def _dot(a: Operand, b: Operand) -> Var:
    """Sum over the last axis of a and the one before the last of b."""
    a, b = pair(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim <= 2 and b.ndim <= 2:
        return matmul(a, b)
    return la.dot_general(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),)), ((), ()))


def _inner(a: Operand, b: Operand) -> Var:
    a, b = pair(a, b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return la.dot_general(a, b, ((a.ndim - 1,), (b.ndim - 1,)), ((), ()))


def _vdot(a: Operand, b: Operand) -> Var:
    a, b = pair(a, b)
    return vecdot(reshape(a, (a.size,)), reshape(b, (b.size,)))


def _outer(a: Operand, b: Operand) -> Var:
    a, b = pair(a, b)
    return reshape(a, (a.size, 1)) * reshape(b, (1, b.size))


def _tensordot(a: Operand, b: Operand, axes: Any = 2) -> Var:
    a, b = pair(a, b)
    if isinstance(axes, int):
        axes = (range(a.ndim - axes, a.ndim), range(axes))
    over_a, over_b = (np.atleast_1d(np.asarray(v, int)).tolist() for v in axes)
    return la.dot_general(a, b, ([i % a.ndim for i in over_a], [i % b.ndim for i in over_b]), ((), ()))


def _einsum(*operands: Any, optimize: Any = False, **kwargs: Any) -> Var:
    if kwargs:
        raise unsupported(f"np.einsum with {', '.join(kwargs)}")
    spec, arrays = einsum_arguments(operands)
    found = alike(*arrays)
    return la.einsum(*_widest(_explicit(spec, [a.ndim for a in found]), found))


def _widest(spec: str, arrays: Sequence[Var]) -> tuple[Any, ...]:
    """An axis of one element, where another of that name has more, is left out: it serves each of those."""
    left, out = spec.split("->")
    terms = left.split(",")
    sizes = dict.fromkeys(left, 0)
    for term, array in zip(terms, arrays, strict=True):
        sizes |= {name: max(sizes[name], n) for name, n in zip(term, array.shape, strict=True)}
    wide = [
        [i for i, (name, n) in enumerate(zip(term, array.shape, strict=True)) if n == sizes[name]]
        for term, array in zip(terms, arrays, strict=True)
    ]
    narrow = ["".join(term[i] for i in axes) for term, axes in zip(terms, wide, strict=True)]
    parts = [reshape(a, [a.shape[i] for i in axes]) for a, axes in zip(arrays, wide, strict=True)]
    return f"{','.join(narrow)}->{out}", *parts


def einsum_arguments(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """The specification as a string, also where the axes are given as lists of integers."""
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), list(operands[1:])
    letters = string.ascii_letters

    def term(axes: Any) -> str:
        return "".join("..." if a is Ellipsis else letters[a] for a in axes)

    pairs = [(operands[i], term(operands[i + 1])) for i in range(0, len(operands) - 1, 2)]
    out = f"->{term(operands[-1])}" if len(operands) % 2 else ""
    return ",".join(t for _, t in pairs) + out, [a for a, _ in pairs]


def _explicit(spec: str, ndims: list[int]) -> str:
    """NumPy's specification with named axes for each ellipsis and with its output."""
    left, arrow, out = spec.partition("->")
    free = [c for c in string.ascii_letters if c not in spec]
    dots, terms = 0, []
    for term, ndim in zip(left.split(","), ndims, strict=True):
        if "..." in term:
            count = ndim - len(term) + 3
            dots = max(dots, count)
            term = term.replace("...", "".join(free[:count][::-1]))
        terms.append(term)
    rest = "".join(free[:dots][::-1])
    if not arrow:
        joined = left.replace("...", "").replace(",", "")
        out = "..." + "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    return f"{','.join(terms)}->{out.replace('...', rest)}"


def _cross(
    a: Operand, b: Operand, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Var:
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    a, b = pair(a, b)
    a, b = index(a, lambda p: np.moveaxis(p, axisa, -1)), index(b, lambda p: np.moveaxis(p, axisb, -1))
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise unsupported("np.cross of vectors that have not three elements")
    turn, back = [1, 2, 0], [2, 0, 1]
    product = a[..., turn] * b[..., back] - a[..., back] * b[..., turn]
    return index(product, lambda p: np.moveaxis(p, -1, axisc))


def _kron(a: Operand, b: Operand) -> Var:
    a, b = pair(a, b)
    n = max(a.ndim, b.ndim)
    a, b = (reshape(v, ((1,) * (n - v.ndim) + v.shape)) for v in (a, b))
    wide = reshape(a, [m for size in a.shape for m in (size, 1)]) * reshape(
        b, [m for size in b.shape for m in (1, size)]
    )
    return reshape(wide, [p * q for p, q in zip(a.shape, b.shape, strict=True)])


def _trace(a: Var, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Var:
    return reduce_sum(index(a, lambda p: np.diagonal(p, offset, axis1, axis2)), (-1,))


def _vector_norm(x: Var, axes: tuple[int, ...], order: Any, keepdims: bool) -> Var:
    size = fn.absolute(x)
    if order in {np.inf, -np.inf}:
        return (red.reduce_max if order > 0 else red.reduce_min)(size, axes, keepdims)
    if order in {None, 2, "fro"}:
        return scalar("sqrt", reduce_sum(fn.square(x), axes, keepdims))
    if order == 1:
        return reduce_sum(size, axes, keepdims)
    if isinstance(order, str) or order == 0:
        raise unsupported(f"numpy.linalg.norm with ord={order!r}")
    return fn.power(reduce_sum(fn.power(size, float(order)), axes, keepdims), 1.0 / float(order))


def _norm(x: Var, ord: Any = None, axis: Axis = None, keepdims: Any = False) -> Var:
    """The root of the sum of squares or another vector norm; of a matrix also its largest sum of a row."""
    x, axes, keep = floating(x), axes_of(x, axis), kept(keepdims)
    if ord is None or len(axes) == 1:
        return _vector_norm(x, axes, ord, keep)
    if len(axes) == 2 and ord in {1, -1, np.inf, -np.inf}:
        rows, columns = axes
        summed, rest = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = reduce_sum(fn.absolute(x), (summed,), keepdims=True)
        whole = (red.reduce_max if ord > 0 else red.reduce_min)(sums, (rest,), keepdims=True)
        return whole if keep else reshape(whole, without(x.shape, axes))
    if ord == "fro":
        return _vector_norm(x, axes, None, keep)
    if ord in {2, -2, "nuc"}:
        return _spectral_norm(x, ord, axes, keep)
    raise unsupported(f"numpy.linalg.norm with ord={ord!r} of a matrix")


def _solve(a: Operand, b: Operand) -> Var:
    a, b = pair(a, b)
    column = b.ndim == 1
    right = reshape(b, (*b.shape, 1)) if column else b
    x = la.solve(a, right)
    return reshape(x, x.shape[:-1]) if column else x


def _slogdet(a: Var) -> tuple[Var, Var]:
    """The sign, and the logarithm of the size."""
    d = la.det(floating(a))
    return fn.step("sign", d), scalar("log", fn.absolute(d))


def _cholesky(a: Var, /, *, upper: bool = False) -> Var:
    low = la.cholesky(la.transpose(floating(a)) if upper else floating(a))
    return la.transpose(low) if upper else low


def _eigh(a: Var, UPLO: str = "L") -> tuple[Var, Var]:
    return eigh(floating(a), UPLO.upper() == "L")


def _svd(a: Var, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    if hermitian:
        raise unsupported("numpy.linalg.svd with hermitian=True")
    if not compute_uv:
        return singular_values(floating(a))
    return svd(floating(a), full_matrices)


def _pinv(a: Var, rcond: Any = None, hermitian: bool = False, *, rtol: Any = NO_VALUE) -> Var:
    """Of full rank: no singular value is cut off, which is decided from the sums of sizes in a and a^+."""
    if hermitian or np.ndim(rcond) or (rtol is not NO_VALUE and np.ndim(rtol)):
        raise unsupported("numpy.linalg.pinv with hermitian, or a cut for each matrix")
    a = floating(a)
    inverse = pinv(a)
    cut = 1e-15 if rtol is NO_VALUE else _least(a) if rtol is None else float(rtol)
    cut = cut if rcond is None else float(rcond)
    sums = [reduce_sum(fn.absolute(v), axes_of(v, (-2, -1))) for v in (a, inverse)]
    recorder: Any = a.builder
    if cut > 0 and a.size and not recorder.decide(compare("lt", sums[0] * sums[1], 1 / cut)).all():
        raise unsupported("numpy.linalg.pinv of a matrix that has not full rank")
    return inverse


def _least(a: Var) -> float:
    """Below what part of the largest singular value another one is taken for 0."""
    return float(np.finfo(np.float64 if a.dtype == "float64" else np.float32).eps * max(a.shape[-2:]))


def _lstsq(a: Operand, b: Operand, rcond: Any = None) -> tuple[Var, Var, Var, Var]:
    """Of full rank: no singular value is cut off, which is decided."""
    a, b = pair(a, b)
    a, b = floating(a), floating(b)
    rows, columns = a.shape
    s = singular_values(a)
    cut = float(np.finfo(np.float64).eps * max(a.shape) if rcond is None else rcond)
    recorder: Any = a.builder
    if not recorder.decide(compare("gt", s[-1], s[0] * max(cut, 0.0))):
        raise unsupported("numpy.linalg.lstsq of a matrix that has not full rank")
    right = reshape(b, (*b.shape, 1)) if b.ndim == 1 else b
    x = fit(a, right)
    rest = residue(*map(fn.square, (right - la.matmul(a, x), a, right, x)))
    rest = rest if rows > columns else index(rest, lambda p: p[:0])
    rank = a.builder.constant(np.array(min(rows, columns)), "int64")
    return (reshape(x, (columns,)) if b.ndim == 1 else x), rest, rank, s


def _tensorsolve(a: Operand, b: Operand, axes: Any = None) -> Var:
    """sum_j a_ij x_j = b_i, where i stands for as many axes as b has, and j for the others."""
    a, b = pair(a, b)
    last = [k % a.ndim for k in axes or ()]
    order = [k for k in range(a.ndim) if k not in last] + last
    a = index(a, lambda p: p.transpose(order))
    shape = a.shape[b.ndim :]
    found = _solve(reshape(a, (b.size, math.prod(shape))), reshape(b, (b.size,)))
    return reshape(found, shape)


def _cond(x: Var, p: Any = None) -> Var:
    if p in {None, 2, -2}:
        s = singular_values(floating(x))
        largest, least = s[..., 0], s[..., -1]
        return least / largest if p == -2 else largest / least
    return _norm(x, p, (-2, -1)) * _norm(la.inverse(floating(x)), p, (-2, -1))


def _spectral_norm(x: Var, order: Any, axes: tuple[int, ...], keep: bool) -> Var:
    """The largest or the smallest singular value, or the sum of all."""
    s = singular_values(index(x, lambda p: np.moveaxis(p, axes, (-2, -1))))
    found = reduce_sum(s, (s.ndim - 1,)) if order == "nuc" else s[..., 0 if order == 2 else -1]
    return reshape(found, [1 if a in axes else n for a, n in enumerate(x.shape)]) if keep else found


def _matrix_power(a: Var, n: int) -> Var:
    if n < 0:
        return _matrix_power(la.inverse(a), -n)
    result = a.builder.broadcast(a.builder.constant(np.eye(a.shape[-1]), a.dtype), a.shape)
    for bit in f"{n:b}":
        result = la.matmul(result, result)
        result = la.matmul(result, a) if bit == "1" else result
    return result


def _qr(a: Var, mode: str = "reduced") -> Any:
    if mode not in {"reduced", "complete", "r"}:
        raise unsupported(f"numpy.linalg.qr with mode={mode!r}")
    q, r = qr(floating(a), complete=mode == "complete")
    return r if mode == "r" else (q, r)


RULES: dict[str, Rule] = {
    "trace": _trace,
    "linalg.trace": lambda x, offset=0, dtype=None: _trace(x, offset, -2, -1),
    "linalg.norm": _norm,
    "linalg.vector_norm": lambda x, axis=None, keepdims=False, ord=2: _vector_norm(
        floating(x), axes_of(x, axis), ord, kept(keepdims)
    ),
    "linalg.solve": _solve,
    "linalg.tensorsolve": _tensorsolve,
    "linalg.inv": lambda a: la.inverse(floating(a)),
    "linalg.det": lambda a: la.det(floating(a)),
    "linalg.slogdet": _slogdet,
    "linalg.cholesky": _cholesky,
    "linalg.matrix_power": _matrix_power,
    "linalg.eigh": _eigh,
    "linalg.eigvalsh": lambda a, UPLO="L": _eigh(a, UPLO)[0],
    "linalg.svd": _svd,
    "linalg.svdvals": lambda x, /: singular_values(floating(x)),
    "linalg.pinv": _pinv,
    "linalg.cond": _cond,
    "linalg.lstsq": _lstsq,
    "linalg.qr": _qr,
    "dot": _dot,
    "vdot": _vdot,
    "inner": _inner,
    **dict.fromkeys(("outer", "linalg.outer"), _outer),
    **dict.fromkeys(("tensordot", "linalg.tensordot"), _tensordot),
    "einsum": _einsum,
    **dict.fromkeys(("cross", "linalg.cross"), _cross),
    "kron": _kron,
    "linalg.matmul": lambda a, b: matmul(*pair(a, b)),
    "linalg.vecdot": vecdot,
    "linalg.multi_dot": lambda arrays: functools.reduce(_dot, arrays),
}
