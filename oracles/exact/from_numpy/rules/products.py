"""NumPy's products of arrays on recorded values."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from oracles.exact.from_numpy.rules.reductions import Rule, pair
from oracles.exact.from_numpy.tape import unsupported
from oracles.exact.program.primitives import linear_algebra as la
from oracles.exact.program.primitives.arrays import index, reduce_sum, reshape
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
    spec, arrays = _einsum_arguments(operands)
    like = next(a for a in arrays if isinstance(a, Var))
    return la.einsum(_explicit(spec, [np.ndim(a) if not isinstance(a, Var) else a.ndim for a in arrays]),
                     *(pair(a, like)[0] for a in arrays))  # fmt: skip


def _einsum_arguments(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
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
    a, b = index(a, lambda p: np.moveaxis(p, axisa, 0)), index(b, lambda p: np.moveaxis(p, axisb, 0))
    if a.shape[0] != 3 or b.shape[0] != 3:
        raise unsupported("np.cross of vectors that have not three elements")
    turn, back = [1, 2, 0], [2, 0, 1]
    product = a[turn] * b[back] - a[back] * b[turn]
    return index(product, lambda p: np.moveaxis(p, 0, axisc))


def _kron(a: Operand, b: Operand) -> Var:
    a, b = pair(a, b)
    n = max(a.ndim, b.ndim)
    a, b = (reshape(v, ((1,) * (n - v.ndim) + v.shape)) for v in (a, b))
    wide = reshape(a, [m for size in a.shape for m in (size, 1)]) * reshape(
        b, [m for size in b.shape for m in (1, size)]
    )
    return reshape(wide, [p * q for p, q in zip(a.shape, b.shape, strict=True)])


def _multi_dot(arrays: Any) -> Var:
    total = arrays[0]
    for a in arrays[1:]:
        total = _dot(total, a)
    found: Var = total
    return found


PRODUCT_RULES: dict[str, Rule] = {
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
    "linalg.multi_dot": _multi_dot,
}
