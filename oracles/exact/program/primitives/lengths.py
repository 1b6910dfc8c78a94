"""Lengths, roots of sums of squares: their slopes by what is squared, which have an end where a length is 0.

The slope of r = sqrt(v_1^2 + ... + v_n^2) along v_k is v_k / r, and |v_k| <= r: it lies in [-1, 1] wherever
r > 0, and so do the limits that are legal at 0 (Clarke, Optimization and Nonsmooth Analysis, 1983, 2.5.1). By
the chain rule it is the product of 1 / (2 r), which has no end there, and 2 v_k: of balls that contain 0, as
those of an amplitude that vanishes but for rounding, that says nothing. What follows often multiplies by r
itself, as |z|^2 does, and that makes a slope with an end as small as r is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from flint import arb

from oracles.exact.program.balls import KINKS, as_balls, each
from oracles.exact.program.derive import Tangents, again, zeros_like
from oracles.exact.program.formats import Format, Growth
from oracles.exact.program.primitives.arithmetic import div, reciprocal, scale
from oracles.exact.program.primitives.squares import KEPT, SUMS, are_squares, before, signs, squared
from oracles.exact.program.program import Array, Equation, Kink, Primitive, Var, sum_of

Rule: TypeAlias = Callable[[Var, Var, Var], Var]  # of a tangent, what it is of, and the length


def _unit(v: Array, size: Array) -> Array:
    def one(v: arb, size: arb) -> arb:
        if size > 0 or not size.is_finite():
            return v / size
        KINKS.say("a length is 0, or may be")
        return arb(0, 1)

    return each(one, as_balls(v), as_balls(size))


def _unit_jvp(equation: Equation, tangents: Tangents) -> Var:
    """d(v / r) = (dv - (v / r) dr) / r."""
    (_, size), (moved, lengthened) = equation.operands, tangents
    turned = None if lengthened is None else -scale(lengthened, equation.output)
    return scale(sum_of(moved, turned), reciprocal(size))


def _rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """A division: squares may underflow, so a computed length may be 0 where what is squared is not."""
    assert div.rounded is not None
    return div.rounded(growth, equation._replace(primitive=div), operands, target)


def _may_be_0(v: Array, size: Array) -> Array:
    return ~np.asarray(as_balls(size) > 0, bool)


# v / r, of a number and a length that it is a part of: any number in [-1, 1] where the length may be 0
unit_ = Primitive(
    "unit",
    _unit,
    _unit_jvp,
    rounded=_rounded,
    kink=Kink(
        _may_be_0,
        lambda v, size: as_balls(v),
        lambda share, v, size: np.full(np.shape(v), arb(1 - share), object),
    ),
)


def _within(x: Array, most: Array) -> Array:
    return each(
        lambda x, most: x.min(most).max(-most) if most.is_finite() else x, as_balls(x), as_balls(most)
    )


# x, of which it is known that it is not larger than another number: where it is a hull, that narrows it
within_ = Primitive(
    "within",
    _within,
    lambda e, tangents: tangents[0] if tangents[0] is not None else zeros_like(e.output),
    rounded=lambda growth, equation, operands, target: as_balls(operands[0]),
)


def length(total: Var) -> Var:
    """The root of a sum of squares."""
    return total.builder.elementwise("taylor", total, dtype=total.dtype, function="length", order=0)


def has_parts(total: Var) -> bool:
    """Whether the tangents of what is squared are at hand."""
    return total.builder.tangents is not None and are_squares(total)


def along(total: Var, size: Var) -> Var | None:
    """The tangent of a length, the root of this total, by the tangents of what is squared; None for 0.

    Forward it is at most as large as the length of all these, by the inequality of Cauchy and Schwarz.
    """
    found = _joined(total, size, lambda moved, v, size: scale(moved, v.builder.elementwise("unit", v, size)))
    if found is None or not total.builder.forward:
        return found
    squares = _joined(total, size, lambda moved, v, size: moved * moved)
    return found if squares is None else found.builder.elementwise("within", found, length(squares))


def _joined(total: Var, size: Var, rule: Rule, sign: int = 1) -> Var | None:
    """The sum, as that of the squares is made, of what a rule gives for each that moves."""
    made = total.builder.definitions[total]
    if made.primitive in SUMS:
        terms = [_joined(v, size, rule, s) for v, s in zip(made.operands, signs(made, sign), strict=True)]
        return sum_of(*terms) if any(t is not None for t in terms) else None
    if made.primitive not in KEPT:
        v = squared(made, sign)
        moved = (total.builder.tangents or {}).get(v) if v is not None else None
        return None if v is None or moved is None else rule(moved, v, size)
    found = _joined(made.operands[0], before(made, size), rule, sign)
    return None if found is None else again(made, [found])
