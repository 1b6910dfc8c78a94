"""Comparisons and logic: certain, or undecided; where rounding may turn one, one of three truth values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.program.balls import OPEN, TIES, as_balls, comparison, decide, settled, truths
from oracles.exact.program.errors import Undecided
from oracles.exact.program.maxima import Maxima
from oracles.exact.program.program import Array, Comparison, Equation, Operand, Primitive, Var, define


def _comparison(
    name: str, holds: np.ufunc, fails: np.ufunc, opposite: str, larger: int | None = None
) -> Primitive:
    def evaluate(x: Array, y: Array) -> Array:
        if x.dtype != object and y.dtype != object:
            return np.asarray(holds(x, y))
        found = decide(as_balls(x), as_balls(y), holds, fails)
        if larger is None and np.any(found == (name == "eq")):
            TIES.say(found.tobytes())
        return found

    def opened(x: Array, y: Array) -> Array:
        if OPEN in (x.dtype, y.dtype):
            return np.full(np.broadcast_shapes(x.shape, y.shape), 0.5, OPEN)
        if x.dtype != object and y.dtype != object:
            return np.asarray(holds(x, y))
        return truths(*comparison(as_balls(x), as_balls(y), holds, fails))

    def edge(equation: Equation) -> list[Var]:
        gap = equation.operands[0] - equation.operands[1]
        return [gap.builder.elementwise("abs", gap)]

    return define(
        Primitive(
            name,
            evaluate,
            opened=opened,
            rows=Maxima.equal if name == "eq" else None,
            comparison=Comparison(opposite, larger),
            edge=None if larger is None else edge,
            jumps=True,
        )
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
    return builder.elementwise(name, x, y, dtype="bool")


def kleene(values: Array) -> Array:
    """Booleans among truth values."""
    return values.astype(OPEN)


def _xor(x: Array, y: Array) -> Array:
    open_ = (x == 0.5) | (y == 0.5)
    return np.where(open_, 0.5, np.abs(kleene(x) - kleene(y))).astype(OPEN)


def _logic(name: str, function: Callable[..., Any], opened: Callable[..., Array] | None = None) -> Primitive:
    on_three = None if opened is None else lambda *a: settled(opened(*a))
    return define(Primitive(name, lambda *a: np.asarray(function(*a)), opened=on_three))


and_ = _logic("and", np.bitwise_and, lambda x, y: np.minimum(kleene(x), kleene(y)))
or_ = _logic("or", np.bitwise_or, lambda x, y: np.maximum(kleene(x), kleene(y)))
xor = _logic("xor", np.bitwise_xor, _xor)
not_ = _logic("not", np.invert, lambda x: 1 - kleene(x))
integer_div = _logic("integer_div", lambda x, y: (np.sign(x) * np.sign(y)) * (np.abs(x) // np.abs(y)))
integer_rem = _logic("integer_rem", np.fmod)


# -- what is not finite: only an infinity that was written so; NaN cannot be written ---------------------


def _kind(name: str, holds: Callable[[arb], bool]) -> Primitive:
    def one(ball: arb) -> bool:
        # Arb's NaN says that nothing is known, which may be a pole or a ball that is still too wide.
        if ball.is_nan() or not (ball.is_finite() or ball.is_exact()):
            raise Undecided(f"cannot tell whether {ball} is a finite number")
        return holds(ball)

    def evaluate(x: Array) -> Array:
        flat = [one(ball) for ball in as_balls(x).ravel().tolist()]
        return np.array(flat, bool).reshape(x.shape)

    return define(Primitive(name, evaluate))


is_nan = _kind("is_nan", lambda ball: bool(ball.is_nan()))
is_infinite = _kind(
    "is_infinite", lambda ball: bool(ball.is_exact() and not ball.is_finite() and not ball.is_nan())
)
