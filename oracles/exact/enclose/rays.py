"""Points close by: a little off in random directions, where no comparison is tied."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.program.balls import each, exact, precision
from oracles.exact.program.program import Array

DISTANCE_BITS = 300  # how close: 2^-300, or that fraction of an element larger than 1
PAIRS = 4  # random directions, each with its opposite

Direction: TypeAlias = Mapping[int, NDArray[np.float64]]  # by the numbers of inputs


def rays(
    inputs: Sequence[Array], active: Sequence[int], distance: int, bits: int, seed: int = 0
) -> Iterator[list[Array]]:
    """The inputs with those that move a little off, in random directions, each with its opposite.

    A zero moves little against the smallest of the others.
    """
    for direction in directions(inputs, active, seed):
        yield moved(inputs, direction, distance, bits)


def directions(inputs: Sequence[Array], active: Sequence[int], seed: int = 0) -> Iterator[Direction]:
    """Random directions, each with its opposite."""
    rng = np.random.default_rng(seed)
    for _ in range(PAIRS):
        way = {i: rng.normal(size=np.shape(inputs[i])) for i in active}
        yield way
        yield {i: -d for i, d in way.items()}


def moved(inputs: Sequence[Array], direction: Direction, distance: int, bits: int) -> list[Array]:
    """The inputs a little off in a direction."""
    least = least_of(inputs, direction)
    bits += max(0, -int(math.frexp(float(least))[1]))
    with precision(2 * distance + bits):
        return [
            _near(x, direction[i], distance, least) if i in direction else x for i, x in enumerate(inputs)
        ]


def least_of(inputs: Sequence[Array], active: Iterable[int]) -> arb:
    """The smallest size of what moves, 1 at the most: what a zero moves in proportion to."""
    sizes = [abs(b.mid()) for i in active for b in exact(inputs[i]).ravel().tolist() if not b.is_zero()]
    least: arb = min([arb(1), *sizes], key=float)
    return least


def sizes_of(inputs: Sequence[Array], active: Sequence[int]) -> Direction:
    """What numbers move in proportion to."""
    least = float(least_of(inputs, active))

    def size(ball: arb) -> float:
        return least if ball.is_zero() else abs(float(ball.mid()))

    return {i: each(size, exact(inputs[i])).astype(float) for i in active}


def _near(x: Array, direction: Array, distance: int, least: arb) -> Array:
    def step(ball: arb, d: float) -> arb:
        return ball + arb(d) * arb(2) ** -distance * (least if ball.is_zero() else abs(ball.mid()))

    return each(step, exact(x), np.asarray(direction))
