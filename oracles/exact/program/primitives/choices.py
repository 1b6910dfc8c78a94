"""Choices and kinks (select, blend, maximum, abs), and steps, which are constant between jumps."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import arb

from oracles.exact.program.balls import (
    KINKS,
    OPEN,
    ZERO,
    as_balls,
    certain_extreme,
    each,
    filled,
    settled,
)
from oracles.exact.program.derive import Tangents, jointly_linear
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import UNKNOWN, Format, Growth, exactly
from oracles.exact.program.maxima import Maxima
from oracles.exact.program.primitives.arithmetic import certain
from oracles.exact.program.primitives.comparisons import kleene
from oracles.exact.program.program import Array, Equation, Operand, Primitive, Var, define


def _select(pred: Array, x: Array, y: Array) -> Array:
    if pred.dtype == bool and (x.dtype == object) != (y.dtype == object):
        x, y = as_balls(x), as_balls(y)
    return np.where(pred, x, y)


def _select_opened(pred: Array, x: Array, y: Array) -> Array:
    if pred.dtype != OPEN:
        return np.asarray(_select(pred, x, y))
    if x.dtype != object and y.dtype != object:
        if np.array_equal(x[pred == 0.5], y[pred == 0.5]):
            return np.where(pred == 1, x, y)
        if x.dtype.kind == "b" or OPEN in (x.dtype, y.dtype):
            x, y = kleene(x), kleene(y)
            return settled(np.where(pred == 0.5, np.where(x == y, x, 0.5), np.where(pred == 1, x, y)))
        raise Undecided("rounding decides which integer is chosen")

    def one(p: float, a: arb, b: arb) -> arb:
        return a.union(b) if p == 0.5 else a if p == 1 else b

    return each(one, pred, as_balls(x), as_balls(y))


def _select_jvp(equation: Equation, tangents: Tangents) -> Var:
    """The tangent of the chosen side. On the edge of `a < b` both one-sided derivatives are legal."""
    builder = equation.output.builder
    definition = builder.definitions.get(equation.operands[0])
    comparison = definition.primitive.comparison if definition else None
    k = comparison.larger if comparison else None
    if definition and k is not None and builder.active.intersection(definition.operands):
        a, b = definition.operands[k], definition.operands[1 - k]
        return blend(a, b, tangents[1], tangents[2], equation.output)
    return jointly_linear(1, 2)(equation, tangents)


def _select_transpose(equation: Equation, k: int, ct: Var) -> Var:
    pred = equation.operands[0]
    return select(pred, ct, 0.0) if k == 1 else select(pred, 0.0, ct)


select_ = define(
    Primitive("select", _select, _select_jvp, _select_transpose, exactly, _select_opened, Maxima.chosen)
)


def select(pred: Var, x: Operand, y: Operand) -> Var:
    """x where pred, else y."""
    like = next(v for v in (x, y) if isinstance(v, Var))
    x, y = (like.builder.as_var(v, like.dtype) for v in (x, y))
    return like.builder.elementwise("select", pred, x, y, dtype=like.dtype)


def _blend(a: Array, b: Array, x: Array, y: Array) -> Array:
    def choose(a: arb, b: arb, x: arb, y: arb) -> arb:
        if a > b:
            return x
        if a < b:
            return y
        KINKS.say(f"neither of {a.str(8)} and {b.str(8)} is certainly larger")
        return x.union(y)

    return each(choose, as_balls(a), as_balls(b), x, y)


# x where a > b, y where a < b, and the hull of both where neither is certain: the legal derivatives of
# max(a, b) and its kin. Piecewise constant in a and b, linear in x and y.
blend_ = define(
    Primitive(
        "blend",
        _blend,
        jointly_linear(2, 3),
        lambda e, k, ct: blend(
            e.operands[0], e.operands[1], ct if k == 2 else None, ct if k == 3 else None, ct
        ),
        exactly,
    )
)


def blend(a: Var, b: Var, x: Var | None, y: Var | None, like: Var) -> Var:
    """x where a > b, y where a < b, their hull where neither is certain; None is zero, shaped like `like`."""
    zero = like.builder.constant(0.0, like.dtype)
    return like.builder.elementwise(
        "blend", a, b, zero if x is None else x, zero if y is None else y, dtype=like.dtype
    )


def _maximum_jvp(equation: Equation, tangents: Tangents) -> Var:
    x, y = equation.operands
    return blend(x, y, tangents[0], tangents[1], equation.output)


def _minimum_jvp(equation: Equation, tangents: Tangents) -> Var:
    x, y = equation.operands
    return blend(x, y, tangents[1], tangents[0], equation.output)


def _extreme(choose: str, integers: np.ufunc) -> Any:
    certain = certain_extreme(choose)

    def evaluate(x: Array, y: Array) -> Array:
        if x.dtype != object and y.dtype != object:
            return np.asarray(integers(x, y))
        return each(certain, as_balls(x), as_balls(y))

    return evaluate


maximum = define(
    Primitive("maximum", _extreme("max", np.maximum), _maximum_jvp, rounded=exactly, rows=Maxima.larger)
)
minimum = define(Primitive("minimum", _extreme("min", np.minimum), _minimum_jvp, rounded=exactly))


def _abs_jvp(equation: Equation, tangents: Tangents) -> Var:
    (x,), (tx,) = equation.operands, tangents
    assert tx is not None
    return blend(x, x.builder.broadcast(x.builder.constant(0.0, x.dtype), x.shape), tx, -tx, x)


abs_ = define(Primitive("abs", np.absolute, _abs_jvp, rounded=exactly))


# -- steps: constant between jumps ------------------------------------------------------------------------


def _between(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """Everything between the steps at the two ends."""
    evaluate = equation.primitive.evaluate

    def one(b: arb) -> arb:
        if not b.is_finite():
            return UNKNOWN
        low, high = evaluate(filled([b.lower(), b.upper()], (2,))).tolist()
        whole: arb = low.union(high) if low != high else low
        return whole

    return each(one, as_balls(operands[0]))


def _step(name: str, function: Any, integers: Any) -> Primitive:
    def evaluate(x: Array, **params: Any) -> Array:
        return each(function, x) if x.dtype == object else np.asarray(integers(x))

    return define(Primitive(name, evaluate, rounded=_between, jumps=True))


def _sign(x: arb) -> arb:
    return ZERO if x.is_zero() else certain(x, x.sgn())


def _round_half_even(x: arb) -> arb:
    below = certain(x, (x + 0.5).floor())
    if x + 0.5 == below and int(float(below)) % 2:
        return below - 1
    return below


sign = _step("sign", _sign, np.sign)
floor = _step("floor", lambda x: certain(x, x.floor()), lambda x: x)
ceil = _step("ceil", lambda x: certain(x, x.ceil()), lambda x: x)
round_ = _step("round", _round_half_even, lambda x: x)
trunc = _step("trunc", lambda x: certain(x, x.floor() if x >= 0 else x.ceil()), lambda x: x)
