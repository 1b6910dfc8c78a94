"""Arrays that the code computed out of sight: how well their numbers are known.

`A = X.T @ X` is rounded before the gradient `A @ w - b` runs, and a matrix of cosines is off by ulps of its
angles. How far that goes does not follow from the numbers, so it is taken from their neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from oracles.exact.enclose.literals import BITS, are_long, is_data, is_finite, sides
from oracles.exact.program.balls import as_balls, filled, precision
from oracles.exact.program.formats import format_of
from oracles.exact.program.program import Array, Program

# Of the amplitude: cosines of angles of hundreds of turns are off by that, and sums of a thousand products in
# float32. What is computed in narrower formats is added up in float32, and off by its last rounding.
KNOWN = {"float64": 2.0**-42, "float32": 2.0**-22}
COEFFICIENTS = 32  # a row of so many or fewer may be written, as those of a polynomial
# That such a number is known to: logarithms of binomials by three log-gammas are off by that.
ROW_ULPS = {"float64": 16, "float32": 4}
ALIKE = 8  # times the typical size that the largest of numbers of one size may be
TURNS = 8  # of balancing rows and columns: the largest of each is a factor of 2 from 1 by then, mostly

Numbers = NDArray[np.float64]


def sizes_in(programs: Iterable[Program]) -> frozenset[float]:
    """How large the numbers are that stand in arrays of these programs."""
    arrays = (e.params["value"] for program in programs for e in program.equations if is_data(e))
    return frozenset(abs(float(b.mid())) for array in arrays for b in as_balls(array).ravel().tolist())


def computed_moved(array: Array, dtype: str, seed: int, known: frozenset[float]) -> Array:
    """An array with the numbers moved that may have been computed, but for the known sizes.

    By so much of their amplitude; those of a short row by ulps of their own: coefficients of a polynomial
    were written, and others are another approximation.
    """

    def steps(numbers: Numbers, may_be: NDArray[np.bool_]) -> Numbers:
        is_row = numbers.ndim == 1 and numbers.size <= COEFFICIENTS
        ulps = format_of(dtype).ulp(numbers)
        step = ROW_ULPS[dtype] * ulps if is_row else KNOWN[dtype] * amplitudes(numbers)
        side = sides(numbers.ravel(), seed).reshape(numbers.shape) if seed else 1.0
        return np.where(may_be, step, 0.0) * side

    return _with_steps(array, dtype, known, steps)


def without_noise(array: Array, dtype: str, known: frozenset[float]) -> Array:
    """The same with 0 for what may be nothing beside the others of its array: sin(pi) is 1.2e-16.

    Of arrays of numbers of one size: beside a penalty, or what masks, an ordinary number is no noise.
    """

    def steps(numbers: Numbers, may_be: NDArray[np.bool_]) -> Numbers:
        sizes = np.abs(numbers)
        largest = np.max(sizes, initial=0.0)
        noise = sizes <= KNOWN[dtype] * largest
        others = sizes[~noise]
        of_one_size = others.size and largest <= ALIKE * np.median(others)
        return np.where(may_be & noise & bool(of_one_size), -numbers, 0.0)

    return _with_steps(array, dtype, known, steps)


def _with_steps(
    array: Array,
    dtype: str,
    known: frozenset[float],
    steps: Callable[[Numbers, NDArray[np.bool_]], Numbers],
) -> Array:
    if dtype not in KNOWN or not is_finite(array):
        return array
    balls = as_balls(array)
    flat = balls.ravel().tolist()
    numbers = np.array([float(b.mid()) for b in flat])
    may_be = are_long(flat, dtype) & [abs(n) not in known for n in numbers.tolist()]
    by = steps(numbers.reshape(array.shape), may_be.reshape(array.shape)).ravel().tolist()
    with precision(BITS):
        moved = [b + x if x else b for b, x in zip(flat, by, strict=True)]
    return filled(moved, balls.shape)


def amplitudes(numbers: Numbers) -> Numbers:
    """How large each number might be, by its neighbours: what its rounding is in proportion to.

    Of a matrix the product of what its row and its column are scaled by, where rows and columns are balanced
    (Ruiz, A scaling algorithm to equilibrate both rows and columns norms in matrices, 2001). So X.T @ X of
    features of many sizes is known to what each element lost, and one huge element, a penalty, excuses
    none beyond its row and column. Of a vector, the typical size.
    """
    sizes = np.abs(numbers)
    table = sizes.reshape(-1, sizes.shape[-1]) if sizes.ndim > 1 else sizes.reshape(1, -1)
    if not sizes.any() or 1 in table.shape:
        return np.maximum(sizes, np.median(sizes[sizes > 0]) if sizes.any() else 0.0)
    with np.errstate(divide="ignore"):
        logs = np.log2(table)
    rows, columns = np.zeros((len(logs), 1)), np.zeros((1, logs.shape[1]))
    for _ in range(TURNS):
        left = logs - rows - columns
        rows, columns = rows + _largest(left, 1) / 2, columns + _largest(left, 0) / 2
    return np.maximum(table, np.exp2(rows + columns)).reshape(sizes.shape)


def _largest(logs: Numbers, axis: int) -> Numbers:
    """Of each row or column; 0 where it holds zeros alone."""
    found = logs.max(axis, keepdims=True)
    return np.where(np.isfinite(found), found, 0.0)
