"""Points beside the given one: where kernels break, and draws around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from harness.inputs.arrays import Array, signed
from harness.problem import Problem
from oracles.exact.program.formats import format_of
from oracles.exact.program.trees import is_floating

SPREAD = 0.1  # how far draws are from the given numbers, of the largest of them


def _exponents(array: Array) -> int:
    """The exponent from which on powers of two overflow."""
    return format_of(array.dtype.name).greatest_exponent + 1


def _saturation(dtype: str) -> float:
    """Beyond what the exponential of this dtype can hold."""
    return float(np.log(float(format_of(dtype).overflow))) + 1 if dtype != "float64" else 710.0


def _whole(a: Array) -> Array:
    """The nearest integers: knots, borders, and where functions with steps take their steps."""
    return np.asarray(np.round(a.astype(np.float64)), a.dtype)


def _first_zero(count: int) -> Callable[[Array], Array]:
    """So many zeros, and the other numbers as they are: products and quotients see them."""

    def change(array: Array) -> Array:
        found = array.copy()
        found.ravel()[:count] = 0
        return found.reshape(array.shape)

    return change


def _sized(array: Array, size: float) -> Array:
    """Numbers of one size with the signs of an array; the first is positive if no other is."""
    above = array >= 0
    if not above.any():
        above.ravel()[0] = True
    return np.asarray(np.where(above, 1, -1) * size, array.dtype)


# Each makes another array of the shape and dtype of one.
VALUES: dict[str, Callable[[Array], Array]] = {
    "zeros": lambda a: np.zeros_like(a),
    "negative zeros": lambda a: np.full_like(a, -0.0),
    "distinct": lambda a: np.asarray(np.arange(1, a.size + 1).reshape(a.shape) / a.size, a.dtype),
    "ties": lambda a: np.full_like(a, a.dtype.type(a.ravel()[0])),
    "saturated": lambda a: _sized(a, _saturation(a.dtype.name)),
    "one zero": _first_zero(1),
    "two zeros": _first_zero(2),
    "integers": _whole,
    "8": lambda a: _sized(a, 8.0),
    "20": lambda a: _sized(a, 20.0),
    "40": lambda a: _sized(a, 40.0),
    "2^x overflows": lambda a: _sized(a, _exponents(a)),
    "x^2 overflows": lambda a: _sized(a, 2.0 ** (_exponents(a) // 2 + 1)),
    "subnormal": lambda a: _sized(a, _subnormal(a.dtype.name)),
    "1e-300": lambda a: _sized(a, 1e-300),
    "1e10": lambda a: _sized(a, _huge(a.dtype.name)),
}
# Each lays the same numbers, or some of them, out otherwise.
LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "not contiguous": lambda a: np.repeat(a[..., None], 2, -1)[..., 0],
    "stride 0": lambda a: np.broadcast_to(a.ravel()[:1].reshape((1,) * a.ndim), a.shape),
    "one element": lambda a: a[(slice(0, 1),) * a.ndim],
    "empty": lambda a: a[:0],
}


def points(
    problem: Problem, boundary: bool, samples: int, seed: int
) -> Iterator[tuple[str, tuple[Array, ...]]]:
    """Other points, each with its name: the corpus for each array in turn, and draws.

    Arrays that are not differentiated are among them: an exponent of 0 or a repeated index decides too.
    """
    if boundary:
        yield from _corpus(problem)
    rng = np.random.default_rng([seed, 1])
    for number in range(samples):
        yield f"draw {number}", _with(problem, {k: _drawn(problem.arrays[k], rng) for k in problem.moving})


def _corpus(problem: Problem) -> Iterator[tuple[str, tuple[Array, ...]]]:
    several = len(problem.arrays) > 1
    for k, array in enumerate(problem.arrays):
        of = f"{problem.names[k]} " if several else ""
        if array.size and is_floating(array):
            for name, change in VALUES.items():
                with np.errstate(all="ignore"):
                    yield f"{of}{name}", _with(problem, {k: change(array)})
        elif array.size > 1 and array.dtype.kind in "iu":
            yield f"{of}repeated", _with(problem, {k: VALUES["ties"](array)})
    floating = [k for k, array in enumerate(problem.arrays) if is_floating(array)]
    if len(floating) > 1:
        yield "all zeros", _with(problem, {k: np.zeros_like(problem.arrays[k]) for k in floating})
    for name, change in LAYOUTS.items():
        # A shape that changes changes everywhere, or the function would not take it.
        arrays = {k: change(a) for k in problem.moving if (a := problem.arrays[k]).ndim and a.size}
        if arrays:
            yield name, _with(problem, arrays)


def _with(problem: Problem, changed: dict[int, Array]) -> tuple[Array, ...]:
    return tuple(changed.get(k, a) for k, a in enumerate(problem.arrays))


def _drawn(array: Array, rng: np.random.Generator) -> Array:
    size = float(np.max(np.abs(array.astype(np.float64)), initial=0.0)) or 1.0
    moved = array.astype(np.float64) + SPREAD * size * signed(rng, np.dtype(np.float64), array.shape)
    return np.asarray(moved, array.dtype)


def _subnormal(dtype: str) -> float:
    return format_of(dtype).normal / 4


def _huge(dtype: str) -> float:
    return min(1e10, float(format_of(dtype).overflow) / 16) if dtype != "float64" else 1e10
