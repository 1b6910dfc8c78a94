"""Edges of what was decided (a branch, a mask, an order): what is beyond them is not known.

At an edge the derivative is unbounded, and so is each further one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import arb

from oracles.exact.program.balls import KINKS, ZERO, each, zeros
from oracles.exact.program.derive import Tangents, zeros_like
from oracles.exact.program.formats import UNKNOWN, exactly
from oracles.exact.program.primitives.arithmetic import convert, scale
from oracles.exact.program.primitives.arrays import reduce_sum
from oracles.exact.program.program import Array, Equation, Kink, Primitive, Var, sum_of


def _edge_rate(gap: Array) -> Array:
    def one(ball: arb) -> arb:
        if ball > 0:
            return ZERO
        KINKS.say("two numbers that decide a branch, a mask or an order are equal, or may be")
        return UNKNOWN

    return each(one, gap)


def _edge_rate_jvp(equation: Equation, tangents: Tangents) -> Var:
    (moved,) = tangents
    assert moved is not None
    return scale(equation.output, moved)


edge_rate = Primitive(
    "edge_rate",
    _edge_rate,
    _edge_rate_jvp,
    rounded=exactly,
    kink=Kink(
        lambda gap: np.array([not b > 0 for b in gap.ravel().tolist()], bool).reshape(gap.shape),
        lambda gap: gap,
        lambda share, gap: zeros(gap.shape),
    ),
)


def _edged_jvp(equation: Equation, tangents: Tangents) -> Var:
    """The value's tangent; at an edge, whatever moves there moves it at an unknown rate."""
    (_, *gaps, value), (moved, *_, own) = equation.operands, tangents
    if moved is None or not gaps:
        return own if own is not None else zeros_like(value)
    builder = value.builder
    rates = [builder.emit(edge_rate, (gap,), gap.shape, gap.dtype) for gap in gaps]
    rate = sum_of(*(reduce_sum(r, range(r.ndim)) for r in rates))
    beyond = convert(scale(rate, moved), value.dtype)
    return sum_of(own, builder.broadcast(beyond, value.shape))


edged_ = Primitive("edged", lambda *operands: operands[-1], _edged_jvp, rounded=exactly)


def edged(value: Var, moves: Var, gaps: Sequence[Var]) -> Var:
    """The value; its derivative along `moves` is unknown where any of the gaps, numbers >= 0, is 0."""
    return value.builder.emit(edged_, (moves, *gaps, value), value.shape, value.dtype)
