"""The truth at points nearby, by balls of as many bits as tell how far it moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from oracles.exact.enclose.components import is_known
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.identities import vanishing
from oracles.exact.enclose.limits import FEW, Limits
from oracles.exact.program.balls import KINKS, ZERO, exact, precision
from oracles.exact.program.errors import Exhausted, Undecided
from oracles.exact.program.program import Array, Program
from oracles.exact.rounding.changes import Mask
from oracles.exact.rounding.perturbed import Numbers, ends, perturb
from oracles.exact.rounding.ways import Ways

Found = TypeVar("Found")
ENOUGH = 8  # where the work does not suffice for more


@dataclass
class Ladder:
    """How many bits tell how far points nearby are: more, as they are needed, unless the most do not do."""

    fewest: int
    most: int
    bits: int

    @staticmethod
    def from_(bits: int) -> Ladder:
        """Begins with these, those of the truth, which may have been told by more than it has now."""
        return Ladder(bits, max(FEW * bits, Limits().bits), bits)

    def told(
        self,
        near: Callable[[int], Found],
        is_told: Callable[[Found], bool],
        affords: Callable[[int], bool] = lambda bits: True,
    ) -> Found:
        """What is `near` one point, by as many bits as tell it and are afforded."""
        found = near(self.bits)
        while self.bits < self.most and not is_told(found) and affords(2 * self.bits):
            self.bits *= 2
            found = near(self.bits)
            if self.bits >= self.most and not is_told(found):
                self.bits = self.most = self.fewest  # they would not tell it at the other points
        return found


def are_blurred(around: Sequence[Array], true: Sequence[Array]) -> bool:
    """Whether some ball is too wide to tell how far it is from the truth."""
    pairs = (
        (b, t)
        for found, own in zip(around, true, strict=True)
        for b, t in zip(found.ravel().tolist(), own.ravel().tolist(), strict=True)
    )
    return any(
        not b.is_finite() or (b.rad() > abs(t) * 2.0**-60 and 16 * b.rad() > abs(b - t))
        for b, t in pairs
        if not t.contains(0)
    )


def by_arb(
    program: Program,
    numbers: Sequence[Array],
    halves: Mapping[int, Numbers],
    truth: Sequence[Enclosure],
    ways: Ways,
    bits: int,
    work: Work | None,
) -> tuple[list[Numbers], list[Mask]]:
    """By balls of as many bits as they need.

    Raises:
        Exhausted: The work was done before enough perturbations.
    """
    largest = [np.zeros(t.shape) for t in truth]
    zero = [t.contains(np.zeros(t.shape)) for t in truth]
    ladder, true = Ladder.from_(bits), [t.balls for t in truth]
    zeros = vanishing(program, numbers, zero)
    nearby = Nearby(program, numbers, halves, ways, work)

    for done, seed in enumerate(ways.seeds):
        try:
            around, kinks = nearby.told(seed, ladder, true)
            for balls, mask in zip(around, zeros, strict=False):
                balls[mask] = ZERO
        except Exhausted as reason:
            if done < (enough := min(ENOUGH, len(ways.seeds))):
                said = f"after {done} of {enough} perturbations for the attainable error"
                raise Exhausted(f"out of work {said}") from reason
            break
        except Undecided:
            continue  # across a branch: another program than the one that is asked about
        with precision(ladder.bits):
            for k, (there, here) in enumerate(zip(around, truth, strict=True)):
                far = distance(there, here.balls)
                if kinks:  # still on one: its hull says nothing of an element that has one slope
                    far[_are_hulls(there) & ~here.wide] = 0.0
                np.maximum(largest[k], far, out=largest[k])
                if zero[k].any():
                    still = [b.contains(0) for b in there.ravel().tolist()]
                    zero[k] &= np.array(still, bool).reshape(there.shape)
    return largest, zero


class Nearby:
    """The truth at points nearby, by Arb."""

    def __init__(
        self,
        program: Program,
        numbers: Sequence[Array],
        halves: Mapping[int, Numbers],
        ways: Ways,
        work: Work | None,
    ) -> None:
        self.program, self.numbers, self.halves, self.ways, self.work = program, numbers, halves, ways, work
        self._given = lru_cache(maxsize=1)(self._exactly)  # of the last number of bits

    def at(self, seed: int, bits: int) -> tuple[list[Array], list[str]]:
        """The outputs at one of them, and the kinks that it lies on.

        Raises:
            Undecided: As `evaluate`.
        """
        with KINKS.collected() as kinks:
            found = evaluate(self.program, perturb(*self._given(bits), self.ways, seed), bits, self.work)
        return found, kinks

    def told(self, seed: int, ladder: Ladder, true: Sequence[Array]) -> tuple[list[Array], list[str]]:
        """The same by as many bits as tell how far the first outputs are from the truth, and are afforded.

        Raises:
            Undecided: As `evaluate`.
        """

        def is_told(found: tuple[list[Array], list[str]]) -> bool:
            return bool(found[1]) or not are_blurred(found[0][: len(true)], true)

        return ladder.told(partial(self.at, seed), is_told, self.affords)

    def affords(self, bits: int) -> bool:
        """Whether one more is within the work."""
        return self.work is None or self.work.affords(self.program, bits)

    def _exactly(self, bits: int) -> tuple[list[Array], dict[int, tuple[Array, Array]]]:
        with precision(bits):
            inputs = [exact(x) for x in self.numbers]
            return inputs, {i: ends(inputs[i], h) for i, h in self.halves.items()}


def distance(there: Array, here: Array) -> NDArray[np.float64]:
    """The distances of midpoints; infinite where nothing is known."""
    apart = np.asarray(there - here).ravel().tolist()
    gap = np.abs(np.fromiter(map(float, apart), np.float64, len(apart))).reshape(here.shape)
    return np.where(np.isnan(gap), np.inf, gap)


def _are_hulls(balls: Array) -> NDArray[np.bool_]:
    return np.array([not is_known(b) for b in balls.ravel().tolist()], bool).reshape(balls.shape)
