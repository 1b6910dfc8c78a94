"""Points beside the given one: its arrays at boundary values, and draws around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from harness.inputs.arrays import Array, Floating, signed
from harness.inputs.corpus import CORPUS, Boundary, chosen
from harness.subject.target import Problem
from oracles.exact.program.trees import is_floating

SPREAD = 0.1  # how far draws are from the given numbers, of the largest of them


@dataclass(frozen=True, slots=True)
class Given:
    """An array of the user's, of at least one axis, as the source of a boundary value."""

    array: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's."""
        return self.array.shape

    @property
    def dtype(self) -> Floating:
        """The array's."""
        return self.array.dtype

    def numbers(self, shape: tuple[int, ...]) -> Array:
        """The first numbers along each axis."""
        return self.array[tuple(slice(n) for n in shape)].copy()

    def signs(self) -> Array:
        """The array's; the first is positive if no other is."""
        above = self.array >= 0
        if not above.any():
            above.ravel()[0] = True
        return np.where(above, 1.0, -1.0)

    def strided(self) -> Array:
        """The array with gaps: not contiguous in either order."""
        return np.repeat(self.array[..., None], 2, -1)[..., 0]


def at(entry: Boundary, array: Array) -> Array:
    """An array of the user's at a boundary value."""
    with np.errstate(all="ignore"):
        made = entry.make(Given(np.atleast_1d(array)))
    return made if array.ndim else made.reshape(())


def points(
    problem: Problem, boundary: bool | Iterable[str], samples: int, seed: int
) -> Iterator[tuple[str, tuple[Array, ...]]]:
    """Other points, each with its name: boundary values of each array in turn, and draws.

    Arrays that are not differentiated are among them: an exponent of 0 or a repeated index decides too.

    Raises:
        ValueError: The corpus has no boundary value of a name.
    """
    yield from _at_boundary(problem, chosen(boundary))
    rng = np.random.default_rng([seed, 1])
    for number in range(samples):
        yield f"draw {number}", _with(problem, {k: _drawn(problem.arrays[k], rng) for k in problem.moving})


def _at_boundary(problem: Problem, asked: list[Boundary]) -> Iterator[tuple[str, tuple[Array, ...]]]:
    several = len(problem.arrays) > 1
    values = [one for one in asked if not one.is_layout]
    for k, array in enumerate(problem.arrays):
        of = f"{problem.names[k]} " if several else ""
        if array.size and is_floating(array):
            for one in values:
                yield f"{of}{one.name}", _with(problem, {k: at(one, array)})
        elif array.size > 1 and array.dtype.kind in "iu" and CORPUS["constant"] in values:
            yield f"{of}constant", _with(problem, {k: at(CORPUS["constant"], array)})
    floating = [k for k, array in enumerate(problem.arrays) if is_floating(array)]
    if len(floating) > 1 and CORPUS["zeros"] in values:
        yield "all zeros", _with(problem, {k: np.zeros_like(problem.arrays[k]) for k in floating})
    for one in asked:
        # A shape that changes changes everywhere, or the function would not take it.
        arrays = {k: at(one, a) for k in problem.moving if (a := problem.arrays[k]).ndim and a.size}
        if one.is_layout and arrays:
            yield one.name, _with(problem, arrays)


def _with(problem: Problem, changed: dict[int, Array]) -> tuple[Array, ...]:
    return tuple(changed.get(k, a) for k, a in enumerate(problem.arrays))


def _drawn(array: Array, rng: np.random.Generator) -> Array:
    size = float(np.max(np.abs(array.astype(np.float64)), initial=0.0)) or 1.0
    moved = array.astype(np.float64) + SPREAD * size * signed(rng, np.dtype(np.float64), array.shape)
    return np.asarray(moved, array.dtype)
