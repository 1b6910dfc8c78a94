"""A formula that differs from the truth: where, by how much, and whether an iteration would leave that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.proof.endings import tolerance
from harness.proof.evidence import Mask
from harness.proof.nearness import resolving
from harness.proof.truth import Truth
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.program.formats import format_of
from oracles.exact.program.indices import unraveled
from oracles.exact.program.program import Program
from oracles.exact.program.recording import Recording

SMALL = 1e-2  # a relative error that looks like a constant or an approximation, and not like another formula
LEFT_OF_ZERO_ULPS = 16  # of the largest input, that a forward which iterates may leave of a slope of 0
ITERATES = 5  # calls of one operation on one line: a loop, or a solver's
LAST_STEP = 4  # ulps that the last iterate's rounding may move a gradient
NEAR = 64  # how many roundings of the inputs an iteration may stop short: 1 to 30 seen


@dataclass(frozen=True, slots=True)
class Apart:
    """A formula, the truth, and where they agree.

    Attributes:
        truth: T.
        recording: The gradient's program.
        found: E, one for each differentiated input.
        agrees: Per input and element, whether E meets T, or differs by nothing that matters.
    """

    truth: Truth
    recording: Recording
    found: Sequence[Enclosure]
    agrees: Sequence[Mask]

    def but(self, open_: Sequence[Mask]) -> Apart:
        """The same without elements of which nothing can be said."""
        return replace(self, agrees=[a | own for a, own in zip(self.agrees, open_, strict=True)])

    @property
    def furthest(self) -> tuple[int, tuple[int, ...]]:
        """The input and the element that is furthest off, relative to the largest true element."""
        best, where = -1.0, (0, ())
        for k, (e, t, agree) in enumerate(zip(self.found, self.truth.enclosures, self.agrees, strict=True)):
            if agree.all():
                continue
            size = float(np.max(np.abs(t.mid), initial=0.0)) or 1.0
            with np.errstate(all="ignore"):
                gap = np.abs(e.mid - t.mid) / size
            gap = np.where(agree, -1.0, np.where(np.isnan(gap), np.inf, gap))  # beyond float64 both
            at = unraveled(np.argmax(gap), gap.shape)
            if float(gap[at]) > best:
                best, where = float(gap[at]), (k, at)  # type: ignore[assignment]
        return where

    def is_near(self, which: int, element: tuple[int, ...]) -> bool:
        """Whether an element is off by little."""
        e, t = self.found[which], self.truth.enclosures[which]
        return bool(abs(e.mid[element] - t.mid[element]) < SMALL * abs(t.mid[element]))

    @property
    def iterates(self) -> bool:
        """Whether one of the two is an iteration: the forward, or a rule that ends by its numbers."""
        own = self.recording.program
        return iterates(self.truth.specification) or bool(own.guards and iterates(own))

    @property
    def is_unresolved(self) -> bool:
        """Whether it is off by no more than a few ulps of the largest number that is given.

        So are second derivatives of a solver that has converged, which are 0 in the limit; and where a
        bisection ends, which fifty halvings tell to 2^-50 of the range, each value that is constant.
        """
        given = self.truth.inputs
        size = max((np.max(np.abs(np.asarray(x, np.float64)), initial=0.0) for x in given), default=0.0)
        return all(
            (agree | (np.abs(e.mid - t.mid) < LEFT_OF_ZERO_ULPS * format_of(d).ulp(np.array(size)))).all()
            for e, t, d, agree in self._each()
        )

    @property
    def is_attained(self) -> bool:
        """Whether it is nowhere much further off than rounded inputs move the truth somewhere."""
        for (e, t, _, agree), attainable in zip(self._each(), self.truth.attainable, strict=True):
            most = np.max(attainable, where=np.isfinite(attainable), initial=0.0)
            if np.any(~agree & ~(np.abs(e.mid - t.mid) <= NEAR * most)):
                return False
        return True

    @property
    def is_to_its_last_step(self) -> bool:
        """Whether it is off by a few ulps of the largest element, of float32 where the dtype is coarser.

        A solver that has converged is off by the rounding of its last iterate, one number for all elements.
        """
        return all((agree | (_gap(e, t) <= _last_step(t, d))).all() for e, t, d, agree in self._each())

    def own_tolerance(self) -> float:
        """By which tolerance of its own the rule ends, where that explains what it is off; else 0.

        Coarser than half of the digits it is none: a loop over time ends by its numbers, too. How many digits
        that leaves of a small gradient is for its numbers to say.
        """
        ends = tolerance(self.recording) if self.recording.program.guards else 0.0
        largest = (float(np.max(np.abs(t.mid), initial=0.0)) for t in self.truth.enclosures)
        room = NEAR * ends * max(1.0, *largest)
        explains = all(
            ends <= 2.0 ** -(format_of(d).digits // 2) and (agree | (_gap(e, t) <= room)).all()
            for e, t, d, agree in self._each()
        )
        return ends if explains else 0.0

    def _each(self) -> zip[tuple[Enclosure, Enclosure, str, Mask]]:
        return zip(self.found, self.truth.enclosures, self.truth.dtypes, self.agrees, strict=True)


def _last_step(t: Enclosure, dtype: str) -> float:
    return LAST_STEP * float(format_of(resolving(dtype)).ulp(np.array(t.largest)))


def _gap(e: Enclosure, t: Enclosure) -> Mask:
    """How far two are apart at the most."""
    return np.asarray(np.abs((e.mid - t.mid) + (e.rest - t.rest)) + e.radius + t.radius)


def iterates(program: Program, times: int = ITERATES) -> bool:
    """Whether one line of the source calls one operation so many times, and at one place more than once.

    A long line calls it at many places, and is no loop.
    """
    calls = {e.origin for e in program.equations if e.origin}
    lines = Counter((c.operation, c.place) for c in calls)
    again = Counter((c.operation, c.place, c.place.offset if c.place else -1) for c in calls)
    repeated = {(operation, line) for (operation, line, _), count in again.items() if count > 1}
    return any(count >= times for line, count in lines.items() if line in repeated)
