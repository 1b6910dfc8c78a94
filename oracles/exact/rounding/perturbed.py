"""Numbers half an ulp up or down, exactly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.pairs import Pairs, sum_of_numbers
from oracles.exact.program.balls import exact
from oracles.exact.program.formats import FORMATS
from oracles.exact.program.program import Array, Shape
from oracles.exact.rounding.ways import Ways

Numbers: TypeAlias = NDArray[np.float64]
FEW_DRAWN = 2**12  # elements, of whose perturbations the signs are kept: half a megabyte


def both_ways(numbers: Array, half: Numbers) -> tuple[Pairs, Pairs]:
    """Numbers half an ulp up, and down, exactly."""
    x = np.asarray(numbers, np.float64)
    return sum_of_numbers(x, half), sum_of_numbers(x, -half)


def shifted(moving: Mapping[int, tuple[Pairs, Pairs]], ways: Ways) -> dict[int, tuple[Numbers, Numbers]]:
    """Numbers in one row that go up or down: the high parts and the low ones, a row for each way."""
    shapes = tuple(up.shape for up, _ in moving.values())
    few = ways.together or sum(map(math.prod, shapes)) <= FEW_DRAWN
    draws = (_few_rows if few else _rows)(ways, shapes)
    found = {}
    for (i, (up, down)), goes_up in zip(moving.items(), draws, strict=True):
        if up.l.any() or down.l.any():  # of float64
            found[i] = np.where(goes_up, up.h, down.h), np.where(goes_up, up.l, down.l)
        else:  # so few bits that the sum is exact, and a third of the time
            high = goes_up * (up.h - down.h)
            found[i] = np.add(high, down.h, out=high), np.broadcast_to(up.l, high.shape)
    return found


def _rows(ways: Ways, shapes: tuple[Shape, ...]) -> list[Numbers]:
    """For each of several arrays, which numbers go up: 1 for these, a row for each way."""
    each = zip(*(ways.ups(seed, shapes) for seed in ways.seeds), strict=True)
    return [np.array(ups, np.float64).reshape(len(ways.seeds), -1) for ups in each]


_few_rows = lru_cache(maxsize=32)(_rows)


def half_ulps(x: Array, dtype: str, differentiated: bool) -> Numbers:
    """Half an ulp of every number of an input; an infinity is no rounded number.

    Nor is a 0 of what is not differentiated: a cotangent, a direction or a mask leaves out by it. (Moved, it
    would let in what it leaves out, and a truth that is 0 whatever the numbers are would not be 0 nearby.)
    """
    numbers = np.asarray(x, np.float64)
    exact_here = np.isinf(numbers) if differentiated else np.isinf(numbers) | (numbers == 0)
    return np.where(exact_here, 0.0, FORMATS[dtype].ulp(numbers) / 2)


def ends(x: Array, half: Numbers) -> tuple[Array, Array]:
    """Every number half an ulp down, and half an ulp up."""
    return np.asarray(x - exact(half)), np.asarray(x + exact(half))


def perturb(
    inputs: Sequence[Array], steps: Mapping[int, tuple[Array, Array]], ways: Ways, seed: int
) -> list[Array]:
    """The inputs with every number of those that have steps half an ulp up or down, in one of the ways."""
    moved = list(inputs)
    ups = ways.ups(seed, tuple(up.shape for _, up in steps.values()))
    for (i, (down, up)), goes_up in zip(steps.items(), ups, strict=True):
        moved[i] = np.where(goes_up, up, down)
    return moved
