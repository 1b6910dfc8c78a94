"""At a kink by the fast core: hulls whose ends are slopes around the point are no wider than what is legal.

`kinks.resolve` narrows a hull to what the slopes around say. Where they reach both its ends there is nothing
to narrow, and the hull that a plan gives is the answer: what lies between two slopes that are legal is legal
(Clarke, Optimization and Nonsmooth Analysis, 1983, 2.5.1). The plan computes the slopes around as well. A
step away from a number is the low part of a pair, and from 0 the high one: it may be as small as Arb's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.components import KNOWN_BITS
from oracles.exact.enclose.kinks import FULL
from oracles.exact.enclose.rays import DISTANCE_BITS, PAIRS
from oracles.exact.program.program import Array

MORE = 64  # directions beside the random ones, towards ends that were not reached
PUSHES = (8.0, -8.0, 0.0, 0.0)  # times the random ones, one after the other where they reach no further end
PATIENCE = 2 * len(PUSHES)
Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Run = Callable[[Sequence[Any]], Sequence[Pairs] | None]


def are_legal(
    run: Run, inputs: Sequence[Array], active: Sequence[int], hulls: Sequence[Pairs], open_: Sequence[Mask]
) -> bool:
    """Whether these hulls are no wider than what is legal; False says nothing.

    Of an element that has three slopes in random directions `resolve` knows no better than the hull.

    Args:
        run: The derivative program in the fast core; None where something is not decided.
        inputs: The numbers of its inputs.
        active: Those that are differentiated: the point is moved along these.
        hulls: The outputs there.
        open_: Which elements are hulls.
    """
    if any(np.asarray(inputs[i]).dtype == object for i in active):
        return False
    slopes = _Slopes(hulls, open_)
    if not np.isfinite(slopes.radius).all():
        return False
    numbers, rng = [np.asarray(inputs[i], np.float64) for i in active], np.random.default_rng(0)

    def adds(way: Sequence[Numbers]) -> bool:
        """Take in the slopes in a direction; whether each is known, and in its hull."""
        moved = dict(zip(active, _stepped(numbers, way), strict=True))
        found = run([moved.get(i, x) for i, x in enumerate(inputs)])
        return found is not None and slopes.add(found)

    for _ in range(PAIRS):
        way = [rng.normal(size=x.shape) for x in numbers]
        if not (adds(way) and adds([-d for d in way])):
            return False
        if not slopes.missing.any():
            return True
    slopes.leave_three()
    failed, left = 0, int(slopes.missing.sum())
    aligned = [x.shape for x in numbers] == [hull.shape for hull in hulls]  # a gradient, and not tangents
    for _ in range(MORE * aligned):
        if not left or failed == PATIENCE:
            break
        # Of many tied for a maximum, those that were not it yet; of a minimum, downwards; in an order, any.
        push = PUSHES[failed % len(PUSHES)]
        if not adds([rng.normal(size=m.shape) + push * m for m in slopes.spread()]):
            return False
        before, left = left, int(slopes.missing.sum())
        failed = 0 if left < before else failed + 1
    return not left


def _stepped(numbers: Sequence[Numbers], way: Sequence[Numbers]) -> list[Pairs]:
    """Numbers a little off; a zero as little as the least of the others, 1 at the most."""
    least = min([1.0, *(float(np.min(np.abs(x[x != 0]), initial=1.0)) for x in numbers)])
    moved = []
    for x, d in zip(numbers, way, strict=True):
        is_zero = x == 0
        step = d * np.where(is_zero, least, np.abs(x)) * 2.0**-DISTANCE_BITS
        moved.append(Pairs(np.where(is_zero, step, x), np.where(is_zero, 0.0, step), np.zeros(x.shape)))
    return moved


class _Slopes:
    """The slopes around of the elements that are hulls, in one row; `radius` is that of the hulls."""

    def __init__(self, hulls: Sequence[Pairs], open_: Sequence[Mask]) -> None:
        self._open = open_
        self._middle, self.radius = self._row(hulls)
        self._low, self._high = np.full(self.radius.shape, np.inf), np.full(self.radius.shape, -np.inf)
        self._found: list[tuple[Numbers, Numbers]] = []
        self._settled = np.zeros(self.radius.shape, bool)

    def _row(self, arrays: Sequence[Pairs]) -> tuple[Numbers, Numbers]:
        own = [x[mask] for x, mask in zip(arrays, self._open, strict=True)]
        return np.concatenate([x.h for x in own]), np.concatenate([x.r + np.abs(x.l) for x in own])

    def add(self, found: Sequence[Pairs]) -> bool:
        """Take in those in one direction; whether each is known, and in its hull."""
        slope, error = self._row(found)
        known = error <= 2.0**-KNOWN_BITS * np.abs(slope)
        inside = np.abs(slope - self._middle) <= (1 + FULL) * self.radius
        self._low, self._high = np.minimum(self._low, slope), np.maximum(self._high, slope)
        if len(self._found) < 2 * PAIRS:
            self._found.append((slope, error))
        return bool((known & inside).all())

    @property
    def missing(self) -> Mask:
        """The hulls of which an end was not reached."""
        reached = (self._high - self._low) / 2 >= (1 - FULL / 2) * self.radius
        return np.asarray(~(reached | self._settled))

    def leave_three(self) -> None:
        """Ask no more of those that have three slopes or more, certainly apart, in these directions."""
        slopes, errors = (np.array(part) for part in zip(*self._found, strict=True))
        order = np.argsort(slopes, axis=0)
        slopes, errors = (np.take_along_axis(part, order, 0) for part in (slopes, errors))
        # Those with one limit differ by as much as the distance: of where(x > 0, x**3, 0) by its square.
        apart = np.diff(slopes, axis=0) > 2 * (errors[1:] + errors[:-1]) + FULL * self.radius
        self._settled = apart.sum(0) >= 2

    def spread(self) -> list[Numbers]:
        """What is missing, as 0 and 1 in the shapes of the outputs."""
        rest, found = self.missing, []
        for own in self._open:
            whole, count = np.zeros(own.shape), int(own.sum())
            whole[own], rest = rest[:count], rest[count:]
            found.append(whole)
        return found
