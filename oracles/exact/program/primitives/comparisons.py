"""Comparisons: certain, or undecided; where rounding may turn one, one of three truth values."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.program.balls import OPEN, TIES, as_balls, comparison, decide, truths
from oracles.exact.program.maxima import Maxima
from oracles.exact.program.primitives.arithmetic import constant
from oracles.exact.program.primitives.arrays import MOVES
from oracles.exact.program.program import Array, Comparison, Equation, Operand, Primitive, Var


def _comparison(
    name: str, holds: np.ufunc, fails: np.ufunc, opposite: str, larger: int | None = None
) -> Primitive:
    def evaluate(x: Array, y: Array) -> Array:
        if x.dtype != object and y.dtype != object:
            return np.asarray(holds(x, y))
        x, y = as_balls(x), as_balls(y)
        yes, no = comparison(x, y, holds, fails)
        equal = yes if name == "eq" else no
        if larger is None and equal.any():
            TIES.say(equal.tobytes())
        return decide(x, y, yes, no)

    def opened(x: Array, y: Array) -> Array:
        if OPEN in (x.dtype, y.dtype):
            return np.full(np.broadcast_shapes(x.shape, y.shape), 0.5, OPEN)
        if x.dtype != object and y.dtype != object:
            return np.asarray(holds(x, y))
        return truths(*comparison(as_balls(x), as_balls(y), holds, fails))

    def edge(equation: Equation) -> list[Var]:
        gap = equation.operands[0] - equation.operands[1]
        return [gap.builder.elementwise("abs", gap)]

    return Primitive(
        name,
        evaluate,
        opened=opened,
        rows=Maxima.equal if name == "eq" else None,
        comparison=Comparison(opposite, larger),
        edge=None if larger is None else edge,
        jumps=True,
        itself=bool(holds(0, 0)),
    )


lt = _comparison("lt", np.less, np.greater_equal, "ge", larger=1)
le = _comparison("le", np.less_equal, np.greater, "gt", larger=1)
gt = _comparison("gt", np.greater, np.less_equal, "le", larger=0)
ge = _comparison("ge", np.greater_equal, np.less, "lt", larger=0)
eq = _comparison("eq", np.equal, np.not_equal, "ne")
ne = _comparison("ne", np.not_equal, np.equal, "eq")


def compare(name: str, x: Operand, y: Operand) -> Var:
    """x < y and its kin (lt, le, gt, ge, eq, ne), as booleans."""
    builder = next(v.builder for v in (x, y) if isinstance(v, Var))
    if name in ("eq", "ne") and isinstance(x, Var) and _is_zero(y):
        x, y = _terms(x) or (x, y)
    return builder.elementwise(name, x, y, dtype="bool")


def _terms(x: Var) -> tuple[Var, Var] | None:
    """a and b of a - b, where both are elements of one value, as in w[:, None] - w; None of all else.

    That it is 0 where these are one element no digits tell; that a is b then their balls do.
    """
    equation = x.builder.definitions.get(x)
    if equation is None or equation.primitive.name != "sub" or not x.is_float:
        return None
    a, b = equation.operands
    return (a, b) if _moved_from(a) is _moved_from(b) else None


def _moved_from(x: Var) -> Var:
    """The value whose elements it has."""
    while (e := x.builder.definitions.get(x)) is not None and e.primitive in MOVES:
        x = e.operands[0]
    return x


def _is_zero(y: Operand) -> bool:
    """Whether it stands in the code, and is 0."""
    number: Any = y
    if isinstance(y, Var):
        equation = y.builder.definitions.get(_moved_from(y))
        number = equation.params["value"] if equation and equation.primitive is constant else None
    return np.asarray(number).dtype != object and not np.any(number)
