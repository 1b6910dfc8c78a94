"""Where a function acts by element, an array holds as many inputs as it has elements: they are asked at once.

That is read from the recorded program of each such array, so that nothing is assumed of the function. What is
seen there is a lead: an input counts once it fails by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from harness.search.numbers import at_ordinals, drawn, ordinals, stepped
from harness.search.point import Point
from harness.search.worse import RIGHT, Elements
from harness.subject.derivative import Array
from oracles.exact.program.program import Program
from oracles.exact.program.trees import is_floating

Mask = NDArray[np.bool_]
BATCH = 256  # inputs at once
LEADS = 32  # the most promising that are followed
# fmt: off
BY_ELEMENT = frozenset([
    "abs", "add", "and", "blend", "ceil", "convert", "detach", "div", "eq", "floor", "ge", "gt",
    "is_infinite", "is_nan", "le", "lt", "maximum", "minimum", "mul", "ne", "neg", "no_grad", "not", "or",
    "reshape", "round", "scale", "select", "sign", "signed", "sub", "taylor", "trunc", "xor",
])
# fmt: on


def acts_by_element(program: Program, count: int) -> bool:
    """Whether each of so many elements of the results is made of those elements of the inputs alone."""
    moving = {v for v in program.inputs if v.size == count}
    if any(v.size != count for v in program.inputs):
        return False
    for equation in program.equations:
        read = [v for v in equation.operands if v in moving]
        if not read:
            continue
        alike = equation.output.size == count and all(v.size == count for v in read)
        if not alike or equation.primitive.name not in BY_ELEMENT:
            return False
        moving.add(equation.output)
    return all(v.size == count for v in program.outputs)


def is_possible(of: Point) -> bool:
    """Whether all arrays have one shape and hold floating numbers, as an input of one element each may."""
    shapes = {a.shape for a in of.arrays}
    return len(shapes) == 1 and all(is_floating(a) and a.size for a in of.arrays)


@dataclass
class Cloud:
    """The inputs of one element that were seen: one row each, a number for each argument.

    Attributes:
        like: An input whose shape and dtypes they have.
        rows: Those that promise most, worst first, with their ranks and bits lost.
        edges: For a function of one number: where it was seen, and what kind of number came out there.
    """

    like: Point
    rows: list[tuple[float, float, tuple[float, ...]]] = field(default_factory=list)
    edges: dict[int, int] = field(default_factory=dict)

    def draw(self, rng: np.random.Generator, count: int) -> tuple[list[Array], Mask]:
        """So many inputs: near those that promise most, where kinds of numbers meet, and anywhere.

        Which of them are where kinds meet is told, too.
        """
        found, near, between = [], self._near(rng, count // 2), self._between(count // 4)
        for k, a in enumerate(self.like.arrays):
            known = [*([near[k]] if near else []), between]
            have = sum(map(len, known))
            found.append(np.concatenate([*known, drawn(rng, a.dtype, count - have)]).astype(a.dtype))
        edge = np.zeros(count, bool)
        edge[have - len(between) : have] = True
        return found, edge

    def _near(self, rng: np.random.Generator, count: int) -> list[Array]:
        if not self.rows:
            return []
        chosen = rng.integers(0, len(self.rows), count)
        found = []
        for k, a in enumerate(self.like.arrays):
            own = np.array([self.rows[i][2][k] for i in chosen]).astype(a.dtype)
            moved = rng.random(count) < (1.0 if len(self.like.arrays) == 1 else 0.6)
            found.append(np.where(moved, stepped(rng, own), own).astype(a.dtype))
        return found

    def _between(self, count: int) -> Array:
        """Half way between neighbours at which different kinds of numbers come out."""
        seen = sorted(self.edges)
        gaps = [(a, b) for a, b in pairwise(seen) if self.edges[a] != self.edges[b] and b - a > 1]
        widest = sorted(gaps, key=lambda gap: gap[0] - gap[1])[:count]
        return at_ordinals(np.array([a + (b - a) // 2 for a, b in widest], int), self.like.arrays[0].dtype)

    def shaped(self, columns: Sequence[Array]) -> Point:
        """These inputs as one array for each argument, of as many axes as the given ones have."""
        shape = self.like.arrays[0].shape
        rest = shape[1:]
        whole = math.prod(rest)
        rows = -(-len(columns[0]) // whole)
        arrays = [np.resize(c, rows * whole).reshape(rows, *rest) for c in columns]
        return Point(tuple(arrays), None, "many at once")

    def saw(self, columns: Sequence[Array], found: Elements) -> None:
        """Keep what promises most."""
        own = [
            (float(rank), float(lost), tuple(float(c[i]) for c in columns))
            for i, (rank, lost) in enumerate(zip(found.ranks, found.lost, strict=False))
            if i < len(columns[0])
        ]
        self.rows = sorted({*self.rows, *own}, reverse=True)[:LEADS]

    def saw_kinds(self, column: Array, kinds: Array) -> None:
        """Keep where which kind of number came out."""
        self.edges.update(zip(ordinals(column).tolist(), kinds.tolist(), strict=True))

    def singles(self, columns: Sequence[Array], which: Sequence[int]) -> Iterator[Point]:
        """Some of these inputs, each by itself, in the given number of axes."""
        axes = self.like.arrays[0].ndim
        for i in which:
            arrays = tuple(c[i : i + 1].reshape((1,) * axes) for c in columns)
            yield Point(arrays, None, "a number that many at once led to")


def leads(columns: Sequence[Array], found: Elements) -> list[int]:
    """The inputs of one element that look as if they failed: the worst one, and the one nearest to 1."""
    count = len(columns[0])
    failing = np.flatnonzero(found.ranks[:count] > RIGHT)
    if not failing.size:
        return []
    worst = failing[np.lexsort((found.lost[failing], found.ranks[failing]))[-1]]
    with np.errstate(all="ignore"):
        sizes = [np.abs(np.log2(np.abs(c[failing].astype(np.float64)))) for c in columns]
    nearest = failing[int(np.argmin(np.sum(sizes, axis=0)))]
    return list(dict.fromkeys([int(worst), int(nearest)]))


def kinds_of(*arrays: Array) -> Array:
    """What kinds of numbers stand at each place: not finite, zero, subnormal or others, with their signs."""
    whole = np.zeros(arrays[0].size, np.int64)
    for array in arrays:
        numbers = array.astype(np.float64).ravel()
        with np.errstate(all="ignore"):
            own = np.where(np.isnan(numbers), 5, np.where(np.isinf(numbers), 3, np.sign(np.abs(numbers))))
            whole = 16 * whole + (np.where(np.isnan(numbers), own, own * np.sign(numbers)) + 8).astype(int)
    return whole
