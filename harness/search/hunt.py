"""The hunt: inputs are asked, and the neighbours of those that are bad, until so many were asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from harness.proof.question import Answer
from harness.search.elements import BATCH, Cloud, acts_by_element, is_possible, kinds_of, leads
from harness.search.moves import Space, neighbour
from harness.search.point import Point
from harness.search.worse import NOTHING, OPEN, Score, elements, reason, score
from harness.subject.derivative import Array, Arrays

ELITE = 12  # inputs that have neighbours
SINGLES = 32  # inputs asked one by one between two batches
LEAST = 8  # inputs of a batch that is not halved any more


@dataclass(frozen=True)
class Seen:
    """An input, and what was seen there.

    Attributes:
        point, answer, score: The input, the answer, and how bad it is.
        evaluations: How many inputs had been asked.
    """

    point: Point
    answer: Answer
    score: Score
    evaluations: int


@dataclass
class Hunt:
    """A search for the worst input; the same seed gives the same.

    Attributes:
        ask: The answer at an input.
        run: The function's values at some arrays; whatever it raises.
        space: What may be changed.
        rng: Draws.
        count: How many inputs are asked, at the most.
        spent: How many were.
        open: Where nothing could be proven, with why: the first input of each kind.
    """

    ask: Callable[[Point], Answer]
    run: Callable[[Arrays], Sequence[Array]]
    space: Space
    rng: np.random.Generator
    count: int
    spent: int = 0
    open: dict[str, Seen] = field(default_factory=dict)
    elite: list[Seen] = field(default_factory=list)
    best: Score = NOTHING
    _known: set[int] = field(default_factory=set)

    def failures(self, given: Point, seeds: Iterable[Point]) -> Iterator[Seen]:
        """The inputs at which the gradient is not right, as they are found.

        Args:
            given: The input that the function was given.
            seeds: Inputs to begin with.
        """
        cloud = Cloud(given) if is_possible(given) and self.space.has(given, least=2) else None
        for point in (given, *seeds):
            yield from self._failing(self.at(point))
        stalled = 0
        while not self.is_over and stalled < 100 * SINGLES:
            if cloud and not (yield from self._many(cloud)):
                cloud = None
            for _ in range(SINGLES):
                seen = self.at(self._next(given))
                stalled = 0 if seen else stalled + 1
                yield from self._failing(seen)

    @property
    def is_over(self) -> bool:
        """Whether as many were asked as should be."""
        return self.spent >= self.count

    def at(self, point: Point) -> Seen | None:
        """Ask at one input; None where it was asked before."""
        key = hash(point.key)
        if self.is_over or key in self._known:
            return None
        self._known.add(key)
        self.spent += 1
        answer = self.ask(point)
        seen = Seen(point, answer, score(answer), self.spent)
        why = reason(answer) if seen.score.rank == OPEN else ""
        if why:
            self.open.setdefault(re.sub(r"\d+", "#", why), replace(seen, answer=replace(answer, sight=None)))
        elif seen.score > NOTHING:
            kept = replace(seen, answer=replace(answer, load=None))
            self.elite = sorted([*self.elite, kept], key=lambda one: one.score, reverse=True)[:ELITE]
        return seen

    def _failing(self, seen: Seen | None) -> Iterator[Seen]:
        if seen and seen.score.fails:
            self.best = max(self.best, seen.score)
            yield seen

    def _next(self, given: Point) -> Point:
        """A neighbour of the given input, or of one that is bad or promises to be."""
        parent = given
        if self.elite and self.rng.random() < 0.6:
            parent = self.elite[int(self.rng.integers(len(self.elite)))].point
        known = next((one.answer.sight for one in self.elite if one.point is parent), None)
        along = known.posed.directions if known else ()
        return neighbour(self.rng, parent, self.space, along)

    # -- many inputs in one array -------------------------------------------------------------------------

    def _many(self, cloud: Cloud) -> Generator[Seen, None, bool]:
        """Ask many inputs of one element at once; whether that is possible."""
        count = min(BATCH, (self.count - self.spent) // 2)
        if count < LEAST:
            return True
        columns, edge = cloud.draw(self.rng, count)
        try:
            values = self.run(cloud.shaped(columns).arrays)
            kinds = kinds_of(*(v.ravel()[:count] for v in values))
        except Exception:  # what a function refuses is no news
            return False
        if any(v.size < count for v in values):
            return False
        if len(columns) == 1:
            cloud.saw_kinds(columns[0], kinds)
        sizes = np.abs([v.astype(np.float64).ravel()[:count] for v in values]).max(axis=0)
        taken = np.isfinite(sizes) | (
            edge & (sizes == np.inf)
        )  # a value may overflow where its slope does not
        self.spent += count
        return (yield from self._asked(cloud, [c[taken] for c in columns]))

    def _asked(self, cloud: Cloud, columns: list[Array]) -> Generator[Seen, None, bool]:
        if not len(columns[0]):
            return True
        point = cloud.shaped(columns)
        answer = self.ask(point)
        if answer.sight is None:
            if len(columns[0]) <= LEAST:
                return True
            half = len(columns[0]) // 2
            for part in (slice(half), slice(half, None)):
                if not (yield from self._asked(cloud, [c[part] for c in columns])):
                    return False
            return True
        if not acts_by_element(answer.sight.posed.forward.program, point.arrays[0].size):
            return False
        found = elements(answer.sight)
        cloud.saw(columns, found)
        whole = score(answer)
        before, failed = self.best, False
        for single in cloud.singles(columns, leads(columns, found)):
            for seen in self._failing(self.at(single)):
                failed = True
                yield seen
        if not failed and whole.fails and whole > before and self.space.has(point):
            yield from self._failing(Seen(point, answer, whole, self.spent))
        return True
