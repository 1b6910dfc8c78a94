"""The largest changes so far of a truth, and which of them are not known well enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.blocks import Block
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.components import KNOWN_BITS
from oracles.exact.program.formats import Format
from oracles.exact.rounding.perturbed import Numbers

Mask: TypeAlias = NDArray[np.bool_]
TIMES = 16


@dataclass
class Changes:
    """The largest changes so far of some elements of the truth, which stay 0, and which are open.

    Of `hulls` at a kink it is the middles that count, whatever holds them. A change is known up to `blurred`.
    What is 0 here is still 0 where its ball holds 0 and is at most `nothing`, a number for each output.
    """

    here: Sequence[Pairs]
    largest: Sequence[Numbers]
    zero: Sequence[Mask]
    open: Sequence[Mask]
    hulls: Sequence[Mask]
    blurred: Sequence[Numbers]
    nothing: Sequence[float]

    @staticmethod
    def none(here: Sequence[Pairs], hulls: Sequence[Mask], nothing: Sequence[float]) -> Changes:
        """Before the first."""
        largest, blurred = ([np.zeros(t.size) for t in here] for _ in range(2))
        zero = [t.contains(np.zeros(t.size)) for t in here]
        closed = [np.zeros(t.size, bool) for t in here]
        return Changes(here, largest, zero, closed, hulls, blurred, nothing)

    def trust(self, runs: Sequence[Pairs], first: Sequence[Pairs]) -> None:
        """Midpoints alone are off everywhere by about what they are off in the `first` of these runs.

        Rounding's errors at points that are half an ulp apart are of one size: `TIMES` as much is taken.
        """
        for k, known in enumerate(first):
            off = np.abs((runs[k].h[0] - known.h) + (runs[k].l[0] - known.l))
            self.blurred[k][:] = np.where(runs[k].r[0] < np.inf, TIMES * off, np.inf)

    def take(self, block: Block, found: Changes) -> None:
        """Put in what was found of the elements that a block makes."""
        for own, made in ((self.largest, found.largest), (self.zero, found.zero), (self.open, found.open)):
            for place, numbers in zip(block.made(own), made, strict=True):
                place[...] = numbers

    @property
    def is_open(self) -> bool:
        """Whether some change is not known well enough."""
        return any(mask.any() for mask in self.open)

    def ulps(self, formats: Sequence[Format]) -> list[Numbers]:
        """Those of the truth."""
        return [kind.ulp(own.h) for own, kind in zip(self.here, formats, strict=True)]

    def add(self, around: Sequence[Pairs], blurs: Sequence[Numbers] | None) -> None:
        """Take in more truths nearby, a row each. Whether a ball around 0 is 0 is for more bits to say.

        Where some of these are at a kink, balls that are wider than any of `blurs` are hulls there, which say
        nothing of an element that has one slope here.
        """
        for k, there in enumerate(around):
            own = self.here[k]
            far = there.h - own.h
            far += there.l - own.l
            far = np.abs(far, out=far)
            kink, wide = self.hulls[k], there.r > 2.0**-KNOWN_BITS * np.abs(there.h)
            hull = kink & wide if blurs is None else wide & (kink | (there.r > blurs[k]))
            errors = np.where(hull, 0.0, there.r).max(0) + np.where(kink, 0.0, own.r)
            np.maximum(self.blurred[k], errors, out=self.blurred[k])
            far[hull & ~kink] = 0.0
            if self.zero[k].any():
                holds = ~(np.abs(there.h) > there.r)
                still = holds & ~kink & (there.r <= self.nothing[k])
                far[still & self.zero[k]] = 0.0
                nothing = there.is_zero() | still | (holds & (kink | hull))
                self.open[k] |= (self.zero[k] & ~nothing & holds).any(0)
                self.zero[k] &= nothing.all(0)
            np.maximum(self.largest[k], far.max(0), out=self.largest[k])

    @property
    def open_zeros(self) -> list[Mask]:
        """What is 0 here, and not known to be 0 nearby."""
        return [mask & own.is_zero() for mask, own in zip(self.open, self.here, strict=True)]

    def close(self, zeros: Sequence[Mask]) -> None:
        """Some that are 0 everywhere."""
        for k, mask in enumerate(zeros):
            self.largest[k][mask], self.zero[k][mask], self.open[k][mask] = 0.0, True, False

    def see(self, formats: Sequence[Format], share: float) -> None:
        """Which changes are not known to this share of a."""
        for k, ulps in enumerate(self.ulps(formats)):
            told = self.blurred[k] <= (self.largest[k] + ulps / 2) * share
            still = self.zero[k] & (self.blurred[k] <= 2 * self.nothing[k])
            self.open[k] |= ~(told | still)
