"""At a kink: which elements of a derivative really jump there, and which only look as if they might.

A stable sigmoid is written in two halves that meet smoothly at 0: each comparison and |x| has a kink there,
and the hull of their one-sided slopes, taken one by one, is far too wide. So the derivative is also taken
close by, in several random directions, where no comparison is tied. If all of these agree everywhere, the
function has one slope (the limit of the slopes around a point, as in Clarke, Optimization and Nonsmooth
Analysis, 1983), and that is the answer. If they differ anywhere, the hull of everything legal stays, for
every element: of many tied for a maximum, a few directions do not reach each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from flint import arb

from oracles.exact.balls import collecting_kinks, each, exact, precision
from oracles.exact.evaluate import evaluate
from oracles.exact.program import Array, Program

DISTANCE_BITS = 300  # how close: 2^-300, or that fraction of an element larger than 1
PAIRS = 4  # random directions, each with its opposite


def resolve(
    program: Program,
    inputs: Sequence[Array],
    moving: Sequence[int],
    hulls: Sequence[Array],
    bits: int,
    deadline: float = math.inf,
) -> list[Array]:
    """The common limits of the slopes around, or the hulls if any element jumps.

    Args:
        program: A derivative program, evaluated at `inputs` with the result `hulls`.
        moving: The inputs that are differentiated: the point is moved along these.
        bits: The precision of the result; an agreed element is as wide as 2^-bits of its size.
        deadline: When to give up, as for `evaluate`.
    """
    rng = np.random.default_rng(0)
    found: list[list[Array]] = []
    for _ in range(PAIRS):
        directions = {i: rng.normal(size=np.shape(inputs[i])) for i in moving}
        for sign in (1, -1):
            with precision(2 * DISTANCE_BITS + bits):
                moved = [
                    _near(x, sign * directions[i]) if i in directions else x for i, x in enumerate(inputs)
                ]
            with collecting_kinks() as kinks:
                found.append(evaluate(program, moved, 2 * DISTANCE_BITS + bits, deadline))
            if kinks:
                return list(hulls)  # tied along this direction too: the hull is all that can be said
    with precision(2 * bits):
        agreed = [
            each(lambda hull, *around: _agreed(hull, around, bits), hull, *(f[k] for f in found))
            for k, hull in enumerate(hulls)
        ]
    jumps = any(ball is None for array in agreed for ball in array.ravel().tolist())
    return list(hulls) if jumps else agreed


def _near(x: Array, direction: Array) -> Array:
    def step(ball: arb, d: float) -> arb:
        return ball + arb(d) * arb(2) ** -DISTANCE_BITS * max(arb(1), abs(ball.mid()), key=float)

    return each(step, exact(x), np.asarray(direction))


def _agreed(hull: arb, around: Sequence[arb], bits: int) -> arb | None:
    """The common value of the slopes around with a margin for the distance; None if there is none."""
    middle = around[0].mid()
    margin = arb(0, arb(2) ** -bits * abs(middle)) if middle != 0 else arb(0)
    narrow = middle + margin
    if all(narrow.contains(a) for a in around) and hull.overlaps(narrow):
        return narrow
    return hull if hull.rel_accuracy_bits() > bits // 4 else None
