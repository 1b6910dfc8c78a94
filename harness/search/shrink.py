"""Shrinking: the smallest input, and the simplest to read, at which a gradient still fails as it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from harness.search.moves import Space
from harness.search.numbers import effort, simpler
from harness.search.point import Point, plain
from harness.search.worse import Score
from harness.subject.derivative import Array
from oracles.exact.program.trees import is_floating

KEPT = 0.9  # of the bits that are lost
FEW = 24  # numbers that are tried one by one


@dataclass
class Shrinking:
    """How an input becomes a smaller one.

    Attributes:
        score: How bad an input is.
        wanted: How bad it was.
        count: How many inputs may be asked.
        space: What may be changed.
        given: The input that the function was given: where arrays are as there, a reader has nothing to read.
        spent: How many were asked.
    """

    score: Callable[[Point], Score]
    wanted: Score
    count: int
    space: Space
    given: Point
    spent: int = 0
    _right: set[int] = field(default_factory=set)

    def smallest(self, found: Point) -> Point:
        """The smallest input that is reached."""
        while self.spent < self.count:
            smaller = self._smaller(found)
            if smaller is None:
                break
            found = smaller
        return found

    def _smaller(self, found: Point) -> Point | None:
        before = found
        for step in (plainer, self._as_given, self._shorter, _alike, _elements):
            found = self._taken(found, step)
        return None if found is before else found

    def _taken(self, found: Point, step: Callable[[Point], Iterator[Point]]) -> Point:
        """Take the first that still fails, and go on from there, while there is one."""
        going = True
        while going:
            going = False
            for candidate in step(found):
                if self.spent >= self.count:
                    return found
                if self._weight(candidate) < self._weight(found) and self._fails(candidate):
                    found, going = candidate, True
                    break
        return found

    def _weight(self, of: Point) -> tuple[float, ...]:
        """What a reader has to take in: a cotangent, odd layouts, how many numbers, which, and how far off.

        Parameters as they were given need not be read.
        """
        own = [
            a for k, a in enumerate(of.arrays) if k not in self.space.pinned or a is not self.given.arrays[k]
        ]
        odd = sum(not plain(a) for a in own)
        size, longest, far = sum(a.size for a in own), 0, 0.0
        if size <= FEW:
            for a in filter(is_floating, own):
                efforts = [effort(number, a.dtype.name) for number in a.astype(np.float64).ravel().tolist()]
                longest, far = longest + sum(n for n, _ in efforts), far + sum(d for _, d in efforts)
        distinct = sum(len(np.unique(a)) for a in own)
        return (of.cotangent is not None, odd, size, longest, distinct, far)

    def _fails(self, point: Point) -> bool:
        key = hash(point.key)
        if key in self._right:
            return False
        self.spent += 1
        found = self.score(point)
        fails = found.rank == self.wanted.rank and found.lost >= KEPT * self.wanted.lost
        if not fails:
            self._right.add(key)
        return fails

    def _shorter(self, of: Point) -> Iterator[Point]:
        """Fewer elements along the axes that go together: none, one, two, a half, one less."""
        for axes in self.space.groups:
            n = of.arrays[axes[0][0]].shape[axes[0][1]]
            for wanted in dict.fromkeys((0, 1, 2, 3, n // 2, n - n // 4, n - 1)):
                if 0 <= wanted < n:
                    yield of.resized(axes, wanted)
                    yield of.resized(axes, wanted, last=True)

    def _as_given(self, of: Point) -> Iterator[Point]:
        for k in self.space.pinned:
            if of.arrays[k] is not self.given.arrays[k]:
                arrays = list(of.arrays)
                arrays[k] = self.given.arrays[k]
                yield Point(tuple(arrays), of.cotangent, of.story)


def plainer(of: Point) -> Iterator[Point]:
    """Without a cotangent of its own, and contiguous."""
    if of.cotangent is not None:
        yield of.along(None, of.story)
    for k, a in enumerate(of.arrays):
        if not plain(a):
            arrays = list(of.arrays)
            arrays[k] = np.ascontiguousarray(a).reshape(a.shape)
            yield Point(tuple(arrays), of.cotangent, of.story)


def _alike(of: Point) -> Iterator[Point]:
    """One simple number everywhere, or the array's own first one."""
    for k, a in enumerate(of.arrays):
        if is_floating(a) and a.size > 1 and len(np.unique(a)) > 1:
            for number in (0.0, 1.0, float(a.reshape(-1)[0])):
                yield of.having(k, np.full(a.shape, number, a.dtype))


def _elements(of: Point) -> Iterator[Point]:
    """One number simpler: of few, each; of many, all that are equal at once."""
    for k, a in enumerate(of.arrays):
        if not is_floating(a) or not a.size:
            continue
        values = list(dict.fromkeys(a.astype(np.float64).ravel().tolist()))
        for value in values if len(values) <= FEW else ():
            for number in simpler(value, a.dtype.name):
                yield of.having(k, _with(a, value, number))
        if len(values) < a.size <= FEW:
            for at in range(a.size):
                value = float(a.reshape(-1)[at])
                for number in simpler(value, a.dtype.name)[:4]:
                    changed = a.copy()
                    changed.reshape(-1)[at] = number
                    yield of.having(k, changed)


def _with(array: Array, value: float, number: float) -> Array:
    same = array.astype(np.float64) == value
    if value == 0:
        same &= np.signbit(array) == np.signbit(np.float64(value))
    return np.where(same, np.asarray(number, array.dtype), array).astype(array.dtype)
