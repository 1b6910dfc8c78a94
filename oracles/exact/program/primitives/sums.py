"""What a sum of rounded terms loses, in any order: |error| <= (n - 1) u (|x_1| + ... + |x_n|)."""

from __future__ import annotations

import math

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.program.balls import each
from oracles.exact.program.formats import INFINITY, UNKNOWN, Format, Growth
from oracles.exact.program.program import Array, Equation

MARGIN = 2.0**-40  # for bounds that are computed in float64


def sum_units(counts: Array, target: Format) -> Array:
    """What sums of so many terms lose of the sum of their sizes, in any order: (count - 1) u.

    Jeannerod and Rump, Improved Error Bounds for Inner Products in Floating-Point Arithmetic (2013), for any
    count. The sizes themselves are summed in float64.
    """
    return np.asarray(np.maximum(counts - 1, 0) * target.unit * (1 + MARGIN + counts * 2.0**-52))


def sizes_of(x: Array) -> NDArray[np.float64]:
    """At least the largest magnitude in each ball."""
    found = np.array([float(b.abs_upper()) for b in x.ravel().tolist()], float).reshape(x.shape)
    return np.where(np.isnan(found), np.inf, found) * (1 + MARGIN)


def sum_of_terms(
    growth: Growth, equation: Equation, result: Array, sizes: Array, counts: Array, same_sign: Array
) -> Array:
    """A sum of so many terms of these sizes, with its error."""
    target = growth.format(equation)
    # Partial sums may be flushed below the normal numbers; those of zeros alone lose nothing.
    below = np.asarray((sizes > 0) * (growth.flushed(target) * np.maximum(counts - 1, 0)))
    return summed(growth, equation, result, sizes, sum_units(counts, target), below, same_sign)


def summed(
    growth: Growth,
    equation: Equation,
    result: Array,
    sizes: Array,
    lost: Array,
    below: Array,
    same_sign: Array,
) -> Array:
    """A sum with its error, `lost` of the sum of the terms' `sizes`; one of numbers of one sign keeps it.

    `below` is what it loses of products and partial sums that are below the normal numbers.
    """
    target = growth.format(equation)
    overflow = float(target.overflow) if target.name != "float64" else math.inf

    def grow(total: arb, size: float, lost: float, below: float, one_sign: bool) -> arb:
        if not size * (1 + lost) < overflow and total.is_finite():
            growth.overflow = growth.overflow or equation
            certain = total > target.overflow and one_sign and not growth.model.fuses
            return INFINITY if certain else UNKNOWN
        error = lost * size + below
        ball = total + arb(0, error) if error else total
        return ball.nonnegative_part() if one_sign and not ball > 0 else ball

    grown = each(grow, result, sizes * (1 + MARGIN), lost, below, same_sign)
    if growth.keeping:
        growth.local[equation.output] = lost * np.where(lost > 0, sizes, 0.0)
    return growth.grown(equation, grown, 0, False)


def not_negative(x: Array) -> NDArray[np.bool_]:
    """Which balls are certainly not below 0."""
    return np.array([b >= 0 for b in x.ravel().tolist()], bool).reshape(x.shape)


def not_zero(x: Array) -> NDArray[np.float64]:
    """1 where a ball is not exactly 0."""
    return np.array([not b.is_zero() for b in x.ravel().tolist()], float).reshape(x.shape)
