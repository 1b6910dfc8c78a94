"""numpy.linalg on recorded values."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.from_numpy.rules.reductions import Axis, Rule, axes_of, floating, kept, pair
from oracles.exact.from_numpy.tape import unsupported
from oracles.exact.program import functions as fn
from oracles.exact.program.factorizations import qr
from oracles.exact.program.primitives import linear_algebra as la
from oracles.exact.program.primitives import reductions as red
from oracles.exact.program.primitives.arrays import index, reduce_sum, reshape
from oracles.exact.program.primitives.taylor import scalar
from oracles.exact.program.program import Operand, Var


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
        return whole if keep else reshape(whole, [n for a, n in enumerate(x.shape) if a not in axes])
    if ord == "fro":
        return _vector_norm(x, axes, None, keep)
    raise unsupported(f"numpy.linalg.norm with ord={ord!r} of a matrix, which needs singular values")


def _solve(a: Operand, b: Operand) -> Var:
    a, b = pair(a, b)
    column = b.ndim == 1
    right = reshape(b, (*b.shape, 1)) if column else b
    batch = np.broadcast_shapes(a.shape[:-2], right.shape[:-2])
    a = a.builder.broadcast(a, (*batch, *a.shape[-2:]))
    x = la.solve(a, a.builder.broadcast(right, (*batch, *right.shape[-2:])))
    return reshape(x, x.shape[:-1]) if column else x


def _slogdet(a: Var) -> tuple[Var, Var]:
    """The sign, and the logarithm of the size."""
    d = la.det(floating(a))
    return fn.step("sign", d), scalar("log", fn.absolute(d))


def _cholesky(a: Var, /, *, upper: bool = False) -> Var:
    low = la.cholesky(la.transpose(floating(a)) if upper else floating(a))
    return la.transpose(low) if upper else low


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
    q, r = qr(floating(a))
    k = min(a.shape[-2:]) if mode != "complete" else a.shape[-2]
    return r[..., :k, :] if mode == "r" else (q[..., :k], r[..., :k, :])


LINALG_RULES: dict[str, Rule] = {
    "trace": _trace,
    "linalg.trace": lambda x, offset=0, dtype=None: _trace(x, offset, -2, -1),
    "linalg.norm": _norm,
    "linalg.vector_norm": lambda x, axis=None, keepdims=False, ord=2: _vector_norm(
        floating(x), axes_of(x, axis), ord, kept(keepdims)
    ),
    "linalg.solve": _solve,
    "linalg.inv": lambda a: la.inverse(floating(a)),
    "linalg.det": lambda a: la.det(floating(a)),
    "linalg.slogdet": _slogdet,
    "linalg.cholesky": _cholesky,
    "linalg.matrix_power": _matrix_power,
    "linalg.qr": _qr,
}
