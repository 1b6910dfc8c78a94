"""Legal is what the subdifferential holds: gradients that are legal element by element, along directions.

The hulls of the elements are a box around the legal gradients, and it has corners that are none: of max|x|
at (9, -9), the gradient (1, -1) is legal in each element, and no mixture of (1, 0) and (0, -1). Forward mode
takes one slope for each kink. So along a direction its hull holds every gradient that comes of one choice for
each kink, and every mixture of such (what it forgets only widens it), and less than the box does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from flint import arb
from numpy.typing import NDArray

from harness.subject.derivative import Array
from oracles.exact.core.pairs import Pairs
from oracles.exact.core.plans import planned
from oracles.exact.enclose.branches import Sides
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.kinks import resolve
from oracles.exact.program.balls import LOST, all_finite, exact, precision
from oracles.exact.program.derive import contracted, jvp
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.program import Program
from oracles.exact_oracle import BITS

NARROW = 2.0**-32  # of the largest: what is narrower is 0, and proven to be so to many digits only
CENTRED = 2.0**-20  # of its radius: what is nearer to the middle of its hull has no side
ROWS, PAIRED = 8, 5  # rows, and tied elements of one array, that are looked at alone and in pairs
SIGNS = 2  # directions of random signs
MOST_SHOWN = 8

Direction = list[NDArray[np.float64]]  # one array per differentiated input


class Slopes:
    """The hulls of the derivatives of <cotangent, f> along directions.

    Args:
        program, values: The function and the numbers of its inputs.
        cotangents: One per output.
        wrt: The inputs that are differentiated.
        work: How much may be done for all directions.
        sides: The branches beside the point, at the edge of one.
    """

    def __init__(
        self,
        program: Program,
        values: Sequence[Array],
        cotangents: Sequence[Array],
        wrt: Sequence[int],
        work: Work,
        sides: Sides | None = None,
    ) -> None:
        self._program, self._values, self._cotangents = program, values, cotangents
        self._wrt, self._work, self._sides = wrt, work, sides
        self._known: dict[bytes, arb | None] = {}

    def along(self, direction: Direction) -> arb | None:
        """The hull along a direction; None where it is not known."""
        key = b"".join(d.tobytes() for d in direction)
        if key not in self._known:
            self._known[key] = self._hull(direction)
        return self._known[key]

    @cached_property
    def _tangents(self) -> Program:
        return jvp(self._program, self._wrt)

    @cached_property
    def _total(self) -> Program:
        return contracted(self._tangents)

    def _hull(self, direction: Direction) -> arb | None:
        inputs = [*self._values, *direction]
        try:
            if self._sides:
                return self._sides.total(direction)
            plan = planned(self._total) if self._work.pays_plan(self._total) else None
            found = plan.run([*inputs, *self._cotangents]) if plan and self._work.pays(plan.by_arb) else None
            if found and found[0].known:
                return found[0].ball(())
            with LOST.collected() as lost:
                slopes = evaluate(self._tangents, inputs, BITS, self._work)
            if lost:  # along 0 into a slope that is not finite, as a norm's at 0: that says nothing
                return None
            if not all(all_finite(s) for s in slopes):  # the edge of a branch
                slopes = resolve(self._tangents, inputs, self._wrt, slopes, BITS, self._work)
        except (Undecided, Unsupported):
            return None
        with precision(BITS):
            parts = zip(slopes, self._cotangents, strict=True)
            total = sum((b for s, c in parts for b in np.ravel(s * exact(c)).tolist()), arb(0))
        return total if total.is_finite() else None


def refutation(
    slopes: Slopes, true: Sequence[Enclosure], numbers: Sequence[Pairs], slack: float = 0.0
) -> str:
    """Along which direction a gradient, legal in each element, is not legal; "" if none is found.

    Args:
        slopes: The hulls along directions.
        true: The hulls of the elements, one array per differentiated input.
        numbers: The gradient, as balls as wide as its elements are known.
        slack: How far it may be outside, relative to the hull.
    """
    jumping = [_jumps(e) for e in true]
    if not any(j.any() for j in jumping):
        return ""
    for direction in _directions(true, jumping, numbers):
        hull = slopes.along(direction) if any(map(np.any, direction)) else None
        total = None if hull is None else _along(numbers, direction)
        if hull is None or total is None:
            continue
        with precision(BITS):
            apart = not hull.overlaps(total + arb(0, slack * float(hull.abs_upper())))
        if apart:
            return _said(total, hull, direction)
    return ""


def _along(numbers: Sequence[Pairs], direction: Direction) -> arb | None:
    """The sum of the numbers, each times -1, 0 or 1; None where one is not finite.

    `fsum` rounds once: by 2^-53 of what it gives, at the most.
    """
    own = [x[d != 0] for x, d in zip(numbers, direction, strict=True)]
    ways = [d[d != 0] for d in direction]
    if not all(x.known for x in own):
        return None
    high = math.fsum(np.concatenate([x.h * way for x, way in zip(own, ways, strict=True)]).tolist())
    low = math.fsum(np.concatenate([x.l * way for x, way in zip(own, ways, strict=True)]).tolist())
    error = math.fsum(np.concatenate([x.r for x in own]).tolist()) + 2.0**-53 * (abs(high) + abs(low))
    with precision(BITS):
        return arb(high) + low + arb(0, error * (1 + 2.0**-50))


def _jumps(e: Enclosure) -> NDArray[np.bool_]:
    """The elements whose hull has a size."""
    radius = np.where(np.isfinite(e.radius), e.radius, 0.0)
    size = float(np.max(np.abs(e.mid) + radius, initial=0.0, where=np.isfinite(e.mid)))
    jumps: NDArray[np.bool_] = e.wide & (e.radius > NARROW * size)
    return jumps


def _directions(
    true: Sequence[Enclosure], jumping: Sequence[NDArray[np.bool_]], numbers: Sequence[Pairs]
) -> Iterator[Direction]:
    """Where a gradient may leave the legal ones: all together, and away from the middle of the box."""
    yield [np.where(j, 1.0, 0.0) for j in jumping]
    away = [_side(e, j, n) for e, j, n in zip(true, jumping, numbers, strict=True)]
    yield away
    rng = np.random.default_rng(0)
    for _ in range(SIGNS):
        yield [np.where(j, rng.choice([-1.0, 1.0], size=j.shape), 0.0) for j in jumping]
    for k, (d, j) in enumerate(zip(away, jumping, strict=True)):
        for part in _parts(d, j):
            yield [part if i == k else np.zeros(other.shape) for i, other in enumerate(away)]


def _side(e: Enclosure, jumping: NDArray[np.bool_], numbers: Pairs) -> NDArray[np.float64]:
    """On which side of the middle of its hull each element is."""
    with np.errstate(invalid="ignore"):
        off = numbers.h - e.mid
        return np.where(jumping & (np.abs(off) > CENTRED * e.radius), np.sign(off), 0.0)


def _parts(away: NDArray[np.float64], jumping: NDArray[np.bool_]) -> Iterator[NDArray[np.float64]]:
    """Rows; and the first elements at kinks, alone, and in pairs of equal and of opposite signs."""
    for row in range(min(away.shape[0], ROWS)) if away.ndim > 1 else ():
        part = np.zeros(away.shape)
        part[row] = away[row]
        yield part
    places = [tuple(at) for at in np.argwhere(jumping)[:PAIRED]]
    for m, one in enumerate(places):
        yield _at(away.shape, {one: 1.0})
        for other in places[:m]:
            yield _at(away.shape, {one: 1.0, other: 1.0})
            yield _at(away.shape, {one: 1.0, other: -1.0})


def _at(shape: tuple[int, ...], numbers: dict[tuple[int, ...], float]) -> NDArray[np.float64]:
    part = np.zeros(shape)
    for place, number in numbers.items():
        part[place] = number
    return part


def _said(total: arb, hull: arb, direction: Direction) -> str:
    low, high = float(hull.lower()), float(hull.upper())
    legal = f"{low:.6g}" if high - low <= 1e-6 * abs(high) else f"{low:.6g} to {high:.6g}"
    flat = np.concatenate([d.ravel() for d in direction])
    shown = ", ".join(f"{v:g}" for v in flat[:MOST_SHOWN]) + (", ..." if flat.size > MOST_SHOWN else "")
    return (
        f"each element is legal at its kink, but along ({shown}) they give {float(total.mid()):.6g}, where "
        f"the derivative is {legal}"
    )
