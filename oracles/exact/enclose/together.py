"""Whether the fast core sees a function come together around a point, as what is continuous there does.

Its results are computed on both sides, at two distances, and at the point. A jump J stays as the distance d
shrinks, what has the slope S beside it does not: the gap is about J + S d. So where the gap close by is less
than SMALLER times that from afar, J is less than SMALLER * FAR * S, 2^-62 of the slope. What differs by no
more than constants are rounded is no jump either. Where the core cannot tell, more bits must (see `leaps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.pairs import Pairs, sum_of_numbers
from oracles.exact.core.plans import planned
from oracles.exact.enclose.evaluate import Work
from oracles.exact.program.balls import KINKS
from oracles.exact.program.errors import Undecided
from oracles.exact.program.program import Array, Program

CLOSE, FAR = 2.0**-88, 2.0**-44  # how far a number is moved, as a fraction of it; pairs hold 106 bits
SMALLER = 2.0**-18  # than from afar
LEAST = 2.0**-1000  # of what a number is moved by: what underflows does not move
RUNS = 5

Numbers = NDArray[np.float64]


def come_together(
    function: Program,
    values: Sequence[Array],
    along: Sequence[Numbers],
    weights: Sequence[Array] | None,
    wrt: Sequence[int],
    rounding: float,
    work: Work,
) -> bool:
    """Whether nothing jumps at these numbers, as far as a hundred bits tell.

    Args:
        function, values: What is looked at, and where.
        along: How each input in `wrt` moves: in proportion to its numbers, zeros to the smallest of all.
        weights: What the results' gaps are added up with; None where each counts by itself, and the numbers
            move along a tangent, in proportion to the smallest.
        wrt: The inputs that move.
        rounding: By which fraction results may differ, since constants are rounded.
        work: How much may be done.
    """
    numbers = [*(values[i] for i in wrt), *along, *(weights or ())]
    if any(x.dtype == object for x in numbers) or not work.pays_plan(function, RUNS):
        return False
    plan = planned(function)
    if plan is None or not work.pays(RUNS * plan.by_arb):
        return False
    sizes = [np.abs(np.asarray(values[i], np.float64)) for i in wrt]
    least = min((float(x[x > 0].min(initial=1.0)) for x in sizes), default=1.0)
    steps = [
        np.asarray(d, np.float64) * np.where((x > 0) & (weights is not None), x, least)
        for d, x in zip(along, sizes, strict=True)
    ]
    if any(((d != 0) & ~(np.abs(d) * CLOSE > LEAST)).any() for d in steps):
        return False

    def at(distance: float) -> list[Pairs]:
        moved: list[Any] = list(values)
        for i, step in zip(wrt, steps, strict=True):
            moved[i] = sum_of_numbers(np.asarray(values[i], np.float64), distance * step)
        found = plan.run(moved)
        if found is None or kinks:
            raise Undecided("not by pairs")
        return [one.flat for one in found]

    with np.errstate(all="ignore"):
        try:
            with KINKS.collected() as kinks:
                here, close, far = at(0.0), [at(CLOSE), at(-CLOSE)], [at(FAR), at(-FAR)]
        except Undecided:
            return False
        pairs = [(close, far), ([close[0], here], [far[0], here])]
        return all(_shrinks(*ends, weights, rounding) for ends in pairs)


def _shrinks(
    close: Sequence[list[Pairs]], far: Sequence[list[Pairs]], weights: Sequence[Array] | None, least: float
) -> bool:
    """Whether each gap close by is nothing, or far smaller than from afar; or has no weight."""
    for k, (a, b, c, d) in enumerate(zip(*close, *far, strict=True)):
        (gap, error), (apart, unsure) = _gap(a, b), _gap(c, d)
        most = np.abs(gap) + error
        nothing = most <= least * np.maximum(np.abs(a.h), np.abs(b.h))
        shrinks = most <= SMALLER * (np.abs(apart) - unsure)
        unseen = np.zeros(most.shape, bool) if weights is None else np.ravel(weights[k]) == 0
        if not (nothing | shrinks | unseen).all():
            return False
    return True


def _gap(a: Pairs, b: Pairs) -> tuple[Numbers, Numbers]:
    """How far apart results are, and by how much that may be wrong."""
    gap = (a.h - b.h) + (a.l - b.l)
    return gap, a.r + b.r + 2.0**-50 * np.abs(gap)
