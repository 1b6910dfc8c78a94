"""Three truth values, for comparisons that rounding may turn: false, true, and open.

They are arrays of float16 with 0, 1 and 1/2 (Kleene, Introduction to Metamathematics, 1952, 64), a dtype that
no array of an evaluation has otherwise. What is decided everywhere is an ordinary array of booleans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.program.balls import ONE, ZERO, as_balls, comparison, each, unit
from oracles.exact.program.errors import Undecided
from oracles.exact.program.primitives.elementwise import select_
from oracles.exact.program.program import Array

KIND = np.dtype(np.float16)


def is_open(arrays: Sequence[Array]) -> bool:
    """Whether any of these has an open element."""
    return any(a.dtype == KIND for a in arrays)


def of(yes: Array, no: Array) -> Array:
    """True where `yes`, false where `no`, open elsewhere."""
    if (yes | no).all():
        return np.asarray(yes)
    return np.where(yes, 1.0, np.where(no, 0.0, 0.5)).astype(KIND)


def plain(values: Array) -> Array:
    """Booleans.

    Raises:
        Undecided: One is open.
    """
    if values.dtype != KIND:
        return values
    if (values == 0.5).any():
        raise Undecided("rounding may turn a comparison")
    return np.asarray(values == 1)


def as_numbers(values: Array) -> Array:
    """0, 1, or the ball of both."""
    if values.dtype != KIND:
        return as_balls(values)
    return each(lambda v: unit() if v == 0.5 else ONE if v else ZERO, values)


def _kleene(values: Array) -> Array:
    return values.astype(KIND)


def _settled(values: Array) -> Array:
    return np.asarray(values if (values == 0.5).any() else values == 1)


def _comparison(holds: np.ufunc, fails: np.ufunc) -> Callable[..., Array]:
    def rule(x: Array, y: Array) -> Array:
        if KIND in (x.dtype, y.dtype):
            return np.full(np.broadcast_shapes(x.shape, y.shape), 0.5, KIND)
        if x.dtype != object and y.dtype != object:
            return np.asarray(holds(x, y))
        return of(*comparison(as_balls(x), as_balls(y), holds, fails))

    return rule


def _select(pred: Array, x: Array, y: Array) -> Array:
    if pred.dtype != KIND:
        return np.asarray(select_.evaluate(pred, x, y))
    if x.dtype != object and y.dtype != object:
        if np.array_equal(x[pred == 0.5], y[pred == 0.5]):
            return np.where(pred == 1, x, y)
        if x.dtype.kind == "b" or KIND in (x.dtype, y.dtype):
            x, y = _kleene(x), _kleene(y)
            return _settled(np.where(pred == 0.5, np.where(x == y, x, 0.5), np.where(pred == 1, x, y)))
        raise Undecided("rounding decides which integer is chosen")

    def one(p: float, a: arb, b: arb) -> arb:
        return a.union(b) if p == 0.5 else a if p == 1 else b

    return each(one, pred, as_balls(x), as_balls(y))


def _convert(x: Array, *, to: str) -> Array:
    if to == "bool":
        return x
    return as_numbers(x)


def _moves(function: Callable[..., Any]) -> Callable[..., Array]:
    return lambda x, **params: _settled(np.asarray(function(x, **params)))


def _take(x: Array, positions: Array) -> Array:
    if positions.dtype == KIND:
        raise Undecided("rounding decides which element is taken")
    found = x.reshape(-1)[positions]
    return _settled(np.where(positions < 0, KIND.type(0), found))


COMPARISONS = {
    "lt": _comparison(np.less, np.greater_equal),
    "le": _comparison(np.less_equal, np.greater),
    "gt": _comparison(np.greater, np.less_equal),
    "ge": _comparison(np.greater_equal, np.less),
    "eq": _comparison(np.equal, np.not_equal),
    "ne": _comparison(np.not_equal, np.equal),
}
RULES: dict[str, Callable[..., Array]] = {
    **COMPARISONS,
    "and": lambda x, y: _settled(np.minimum(_kleene(x), _kleene(y))),
    "or": lambda x, y: _settled(np.maximum(_kleene(x), _kleene(y))),
    "not": lambda x: _settled(1 - _kleene(x)),
    "xor": lambda x, y: _settled(
        np.where((x == 0.5) | (y == 0.5), 0.5, np.abs(_kleene(x) - _kleene(y))).astype(KIND)
    ),
    "reduce_and": _moves(lambda x, *, axes: np.minimum.reduce(x, axis=axes)),
    "reduce_or": _moves(lambda x, *, axes: np.maximum.reduce(x, axis=axes)),
    "select": _select,
    "convert": _convert,
    "reshape": _moves(lambda x, *, shape: x.reshape(shape)),
    "permute": _moves(lambda x, *, axes: x.transpose(axes)),
    "broadcast": _moves(lambda x, *, shape: np.broadcast_to(x, shape)),
    "take": _take,
    "concatenate": lambda *parts, axis: np.concatenate([_kleene(p) for p in parts], axis),
}
