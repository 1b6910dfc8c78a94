"""At the edge of a branch of the code: the slopes are those of the branches that are taken beside it.

`if x > 0:` is recorded on the side that is taken, and a mask that chooses elements with those that it
chooses. At x = 0 the other side is a program of its own. It is recorded a little off, along a ray, and counts
if its branches are the same all the way to the point, where it must have the value that the function has.
The slopes close by, on all sides, are then what is legal (Clarke, Optimization and Nonsmooth Analysis, 1983,
2.5).

An edge that is one hyperplane has two sides, and of a ray and its opposite each sees one. So an element has
one slope if it is the same on all rays, or two if each pair of opposite rays sees both. Of anything else, as
of three that are tied, nobody knows whether some rays saw all sides: that stays open. So does a point where
no ray takes the branches that are taken here, unless they are taken at this point alone (`if x == 0:`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from flint import arb

from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.kinks import DISTANCE_BITS, distinct, flat, rays, shaped, union
from oracles.exact.enclose.witness import Again
from oracles.exact.program.balls import exact, precision
from oracles.exact.program.errors import ExactError, Turned, Undecided
from oracles.exact.program.formats import FORMATS, format_of
from oracles.exact.program.program import Array, Program

DRAWS = 2  # of rays for each element; two elements that are tied are told from two that are not by more
MORE_DRAWS = 6
TIED = 32  # elements at edges that are looked at together
KNOWN = 2  # sides that are asked first whether they are a ray's
NUDGES = (30, 8)  # bits: how much less than a number, or than the least of them, it is moved to be recorded
FURTHER = 50  # bits by which a slope that vanishes at the point may grow faster than the distance to it
SPARE = 6  # of a format's digits a nudge leaves so many
JUMPS = "the function jumps where another branch is taken, as it is here: it has no slope"


class Sides:
    """The branches that are taken beside a point, and the slopes on them.

    Args:
        function: The program on the branches that are taken here.
        again: Records the function with other numbers in some of its inputs.
        derive, values, directions, wrt, bits: As for `slopes`.
        work: How much may be done.
        edge: What is said of the point.
        alone: Whether the branches that are taken here are taken at this point alone.
    """

    def __init__(
        self,
        function: Program,
        again: Again,
        derive: Callable[..., Program],
        values: Sequence[Array],
        directions: Sequence[Array],
        wrt: Sequence[int],
        bits: int,
        work: Work,
        edge: Turned,
        alone: bool,
    ) -> None:
        self._again, self._derive, self._wrt, self._work = again, derive, wrt, work
        self._values, self._inputs = values, [*values, *directions]
        self._bits, self._edge, self._alone = bits, edge, alone
        self._here = flat(evaluate(function, values, bits, work, at_point=True))
        self._known = [(function, derive(function, wrt))]
        self._at_edges = 0
        self._draws, self._drawn = 0, list[list[Array]]()

    def enclosures(self) -> list[Enclosure]:
        """The hulls of the slopes of each part.

        Raises:
            Undecided: The function jumps here, or it is not known what its sides are.
        """
        along = self._along_rays(DRAWS)
        found = [self._hull(part) for part in zip(*along, strict=True)]
        if not (self._alone or all(map(self._holds, found, self._as_here()))):
            raise self._edge
        return found

    def total(self, weights: Sequence[Array]) -> arb | None:
        """The hull of a sum of all elements, each times a weight; None where it has more than two sides.

        Nor is it asked of many elements at edges: those that are independent have many sides together.

        Raises:
            Undecided: As `enclosures`.
        """
        if self._at_edges > TIED:
            return None
        along = self._along_rays(MORE_DRAWS)
        with precision(4 * DISTANCE_BITS):
            terms = [[s * exact(w) for s, w in zip(one, weights, strict=True)] for one in along]
            sums = [sum(flat(each), arb(0)) for each in terms]
        sides = self._sides_of(sums)
        return union(sides) if sides else None

    def _along_rays(self, draws: int) -> list[list[Array]]:
        """The slopes along rays, each followed by those along its opposite."""
        while self._draws < draws:
            moved = rays(self._inputs, self._wrt, DISTANCE_BITS, self._bits, self._draws)
            self._drawn += map(self._slopes_at, moved)
            self._draws += 1
        return self._drawn

    def _slopes_at(self, moved: Sequence[Array]) -> list[Array]:
        close, wide = moved[: len(self._values)], 4 * DISTANCE_BITS + self._bits  # sin(x) / x cancels twice
        for function, derivative in self._sides_at(close):
            try:
                there = flat(evaluate(function, close, wide, self._work, at_point=True))
            except Turned:
                continue
            if len(there) != len(self._here):
                raise self._edge
            if not _meet(self._here, there, self._bits):
                raise Undecided(JUMPS)
            return evaluate(derivative, moved, wide, self._work)
        raise self._edge

    def _sides_at(self, close: Sequence[Array]) -> Iterator[tuple[Program, Program]]:
        """Programs that may be the function's on the way to a point close by, each with its derivative."""
        yield from self._known
        for nudge in NUDGES:
            moved = {i: _nudged(self._values[i], close[i], nudge) for i in self._wrt}
            try:
                function = self._again(moved).program
                side = function, self._derive(function, self._wrt)
            except ExactError:
                continue
            self._known = [*self._known[:KNOWN], side]
            yield side

    def _as_here(self) -> list[Array]:
        """The slopes close by, as the branches give them that are taken here."""
        _, derivative = self._known[0]
        moved = next(rays(self._inputs, self._wrt, DISTANCE_BITS, self._bits))
        unguarded = Program(derivative.inputs, derivative.equations, derivative.outputs)
        return evaluate(unguarded, moved, 4 * DISTANCE_BITS + self._bits, self._work)

    def _holds(self, found: Enclosure, slopes: Array) -> bool:
        """Whether slopes close by lie in the hulls."""
        own = flat([found.balls])
        with precision(2 * self._bits):
            return all(ball.contains(self._settled(s)) for ball, s in zip(own, flat([slopes]), strict=True))

    def _settled(self, slope: arb) -> arb:
        """0, if it is as small as the distance is."""
        return arb(0) if abs(slope) < arb(2) ** -(DISTANCE_BITS - FURTHER) else slope

    def _hull(self, along: Sequence[Array]) -> Enclosure:
        each = zip(*(slopes.ravel().tolist() for slopes in along), strict=True)
        sides = [self._sides_of(own) for own in each]
        if not all(sides):
            raise self._edge
        with precision(2 * self._bits):
            (hulls,) = shaped(list(map(union, sides)), along[:1])
        at_edges = sum(len(values) == 2 for values in sides)
        self._at_edges += at_edges
        return Enclosure(hulls, self._bits, (str(self._edge),) if at_edges else ())

    def _sides_of(self, slopes: Sequence[arb]) -> list[arb]:
        """One slope, or the two of an edge; none where it is not known."""
        with precision(2 * self._bits):
            settled = list(map(self._settled, slopes))
            values = distinct(settled, arb("nan"), self._bits)
            if len(values) == 2:
                first = [values[0].contains(s) for s in settled]
                return values if all(a != b for a, b in zip(first[::2], first[1::2], strict=True)) else []
        return values if len(values) == 1 else []


def _meet(here: Sequence[arb], there: Sequence[arb], bits: int) -> bool:
    """Whether a function has the same value here and close by."""
    with precision(bits):
        gaps = (abs(a - b) for a, b in zip(here, there, strict=True))
        return all(gap < arb(2) ** -(bits // 2) for gap in gaps)


def _nudged(x: Array, close: Array, nudge: int) -> Array:
    """Numbers further along a ray, so far that their format tells them from x."""
    name = x.dtype.name
    least = min(nudge, format_of(name).digits - SPARE) if name in FORMATS else nudge
    with precision(2 * DISTANCE_BITS):
        steps = (exact(close) - exact(x)) * arb(2) ** (DISTANCE_BITS - least)
        return np.asarray(np.vectorize(float, otypes=[float])(exact(x) + steps), x.dtype).reshape(x.shape)
