"""Steps, constant between jumps: sign, floor, ceil, round, trunc."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flint import arb, ctx

from oracles.exact.program.balls import KINKS, ZERO, as_balls, each, filled
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import UNKNOWN, Format, Growth, exactly
from oracles.exact.program.primitives.arithmetic import certain, towards_zero
from oracles.exact.program.primitives.choices import each_apart, select
from oracles.exact.program.primitives.staying import Told, is_known, stays
from oracles.exact.program.program import Array, Equation, Kink, Primitive, Var

SIDE_BITS = 8  # of the last bits of a number, what counts as at it
BETWEEN = 0.25  # no step jumps there


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


def _step(name: str, function: Callable[[arb], arb], integers: Any, jump: Callable[[arb], arb]) -> Primitive:
    """A step, and what stands for it in a derivative: at its jump the hull of both sides.

    `jump(x)` is the jump that is nearest to x.
    """

    def one(ball: arb) -> arb:
        """Of what is not known, 0 / 0, no side of a jump is asked for; an infinity stays, or has a sign."""
        if ball.is_finite():
            return function(ball)
        if not ball.is_exact():
            return UNKNOWN
        return ball.sgn() if name == "sign" else ball

    def evaluate(x: Array) -> Array:
        return each(one, x) if x.dtype == object else np.asarray(integers(x))

    def both(x: Array) -> Array:
        return each(lambda ball: _on_both_sides(function, ball), as_balls(x))

    def jumps(x: Array) -> Array:
        return np.array([not b.is_exact() for b in both(x).ravel().tolist()], bool).reshape(x.shape)

    def between(share: float, x: Array) -> Array:
        return each(lambda b: b.mid() + (2 * share - 1) * b.rad(), both(x))

    kink = Kink(jumps, lambda x: each(lambda b: b - jump(b), as_balls(x)), between)
    hull = Primitive(f"{name}_around", both, rounded=_between, jumps=True, kink=kink)

    def around(equation: Equation) -> Var:
        (x,), out = equation.operands, equation.output
        still = stays(x) if x.is_float else True
        if isinstance(still, bool):
            return out if still else out.builder.emit(hull, (x,), out.shape, out.dtype)
        # Each of the two is only asked of the elements that are its own: elsewhere of a number between jumps.
        one, both = select(still, x, BETWEEN), select(still, BETWEEN, x)
        found = select(
            still,
            out.builder.emit(equation.primitive, (one,), out.shape, out.dtype),
            out.builder.emit(hull, (both,), out.shape, out.dtype),
        )
        out.builder.staying[found] = Told(is_known(found), False)
        return found

    return Primitive(name, evaluate, rounded=_between, jumps=True, around=around, apart=each_apart)


def _on_both_sides(function: Callable[[arb], arb], x: arb) -> arb:
    """The values of a step from a little below the ball to a little above it."""
    if not x.is_finite():
        return UNKNOWN
    margin = abs(x) * arb(2) ** (SIDE_BITS - ctx.prec) if not x.contains(0) else arb(2) ** -ctx.prec
    below, above = function((x.lower() - margin).lower()), function((x.upper() + margin).upper())
    if below == above:
        return below
    KINKS.say(f"{x.str(8)} is where a step jumps from {below.str(8)} to {above.str(8)}")
    return below.union(above)


def _round_half_even(x: arb) -> arb:
    below = certain(x, (x + 0.5).floor())
    if x + 0.5 == below and int(float(below)) % 2:
        return below - 1
    return below


def _nearest(x: arb) -> arb:
    return (x.mid() + 0.5).floor()


def _certainly_nearest(x: arb) -> arb:
    """The whole number that is nearest; of two that are about as near either."""
    if not x.is_finite():
        return x if x.is_exact() else UNKNOWN
    if x.rad() >= BETWEEN:
        raise Undecided(f"the number that a step gets is not known well enough: {x.str(8)}")
    return _nearest(x)


# Of a derivative alone: it jumps, but half between the jumps of a step, where either will do.
nearest_ = Primitive("nearest", lambda x: each(_certainly_nearest, as_balls(x)), rounded=exactly)


def nearest(x: Var) -> Var:
    """The whole number that is nearest to each element; of two that are as near either."""
    return x.builder.elementwise("nearest", x)


sign = _step("sign", lambda x: ZERO if x.is_zero() else certain(x, x.sgn()), np.sign, lambda x: ZERO)
floor = _step("floor", lambda x: certain(x, x.floor()), lambda x: x, _nearest)
ceil = _step("ceil", lambda x: certain(x, x.ceil()), lambda x: x, _nearest)
round_ = _step("round", _round_half_even, lambda x: x, lambda x: _nearest(x - 0.5) + 0.5)
trunc = _step("trunc", towards_zero, lambda x: x, _nearest)
STEPS = frozenset({sign, floor, ceil, round_, trunc})
