"""Points beside the given one: its arrays at boundary values, and draws around it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from harness.inputs.axes import Axes, Group
from harness.inputs.corpus import CORPUS, Boundary, chosen
from harness.subject.derivative import Array, Arrays, Floating, signed
from harness.subject.target import Target
from oracles.exact.program.trees import is_floating

LENGTHS = {"one-element": 1, "batch-of-one": 1, "empty": 0}  # of the entries that cut axes
SPREAD = 0.1  # how far draws are from the given numbers, of the largest of them
AWAY = (SPREAD, 1.0, 8.0)  # and where a derivative is 0 all around, as where relu is


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
    target: Target,
    boundary: bool | Iterable[str],
    samples: int,
    seed: int,
    pinned: Collection[int] = (),
) -> Iterator[tuple[str, Arrays]]:
    """Other points, each with its name: boundary values of each array in turn, and draws.

    Arrays that are not differentiated are among them: an exponent of 0 or a repeated index decides too.

    Args:
        target: A function at its arguments.
        boundary: The boundary values: all, or those of these names.
        samples, seed: How many draws, and what seeds them.
        pinned: Arrays whose shapes stay, beside the parameters of a module.

    Raises:
        ValueError: The corpus has no boundary value of a name.
    """
    asked, axes = chosen(boundary), Axes(target, frozenset(pinned))
    return chain(_at_boundary(target, asked), _shaped(axes, asked), _draws(target, samples, seed))


def away(target: Target, seed: int) -> Iterator[Arrays]:
    """Points further and further from the given one."""
    for spread in AWAY:
        rng = np.random.default_rng([seed, 1])
        yield _with(target, {k: _drawn(target.arrays[k], rng, spread) for k in target.active})


def near(target: Target, alike: Collection[int], others: Collection[int], seed: int) -> Arrays:
    """A point at which some arrays are others.

    Those that are all 0 or 1 (`alike`) are drawn around that, a square one symmetric. The `others` are
    turned around: so they keep their sum, their size, their signs and their symmetry, and are what they have
    to be: probabilities, a direction, a rotation.
    """
    rng = np.random.default_rng([seed, 1])
    drawn = {k: _drawn(target.arrays[k], rng) for k in alike}
    drawn = {k: _symmetric(a) if _is_square(a) else a for k, a in drawn.items()}
    pairs = target.flat.complex
    return _with(target, drawn | {k: _turned(target.arrays[k], k in pairs) for k in others})


def _turned(array: Array, is_pairs: bool) -> Array:
    """The same numbers the other way round; where that changes nothing, nine tenths of them."""
    turned = np.flip(array, tuple(range(array.ndim - is_pairs)))
    return turned if not np.array_equal(turned, array) else np.asarray(array * 0.9, array.dtype)


def masked(target: Target, which: Collection[int], by: int) -> Arrays:
    """A point at which some arrays of ones end with another number, in half of each row."""
    changed = {k: np.ones_like(target.arrays[k]) for k in which}
    for array in changed.values():
        array[..., max(array.shape[-1] // 2, 1) :] = by  # no row without its first
    return _with(target, changed)


def instead(target: Target, which: Collection[int], number: float) -> Arrays:
    """A point at which some arrays have another number."""
    return _with(target, {k: np.full_like(target.arrays[k], number) for k in which})


def _is_square(array: Array) -> bool:
    return array.ndim > 1 and array.shape[-1] == array.shape[-2]


def _symmetric(array: Array) -> Array:
    return np.asarray((array + np.swapaxes(array, -1, -2)) / 2, array.dtype)


def _draws(target: Target, samples: int, seed: int) -> Iterator[tuple[str, Arrays]]:
    rng = np.random.default_rng([seed, 1])
    for number in range(samples):
        yield f"draw {number}", _with(target, {k: _drawn(target.arrays[k], rng) for k in target.active})


def _at_boundary(target: Target, asked: list[Boundary]) -> Iterator[tuple[str, Arrays]]:
    several = len(target.arrays) > 1
    values = [one for one in asked if not one.is_layout]
    for k, array in enumerate(target.arrays):
        of = f"{target.names[k]} " if several else ""
        if array.size and is_floating(array):
            for one in values:
                yield f"{of}{one.name}", _with(target, {k: at(one, array)})
        elif array.size > 1 and array.dtype.kind in "iu" and CORPUS["constant"] in values:
            yield f"{of}constant", _with(target, {k: at(CORPUS["constant"], array)})
    floating = [k for k, array in enumerate(target.arrays) if is_floating(array)]
    if len(floating) > 1 and CORPUS["zeros"] in values:
        yield "all zeros", _with(target, {k: np.zeros_like(target.arrays[k]) for k in floating})


def _shaped(axes: Axes, asked: list[Boundary]) -> Iterator[tuple[str, Arrays]]:
    """The entries about shape and memory: arrays in another layout, and a batch in another length."""
    target = axes.target
    for one in asked:
        if one.is_layout and one.name not in LENGTHS:
            arrays = {k: at(one, a) for k in target.active if (a := target.arrays[k]).ndim and a.size}
            if arrays:
                yield one.name, _with(target, arrays)
        elif one.is_layout:
            sets = axes.everywhere if one.name == "one-element" else axes.sets
            if (made := _cut(axes, sets, LENGTHS[one.name])) is not None:
                yield one.name, made


def _cut(axes: Axes, sets: Sequence[Group], wanted: int) -> Arrays | None:
    """The arguments cut along the first set that the function takes; else some that it refuses, if there are.

    Those tell why it is not compared there: it raises.
    """
    taken = axes.first(sets)
    return axes.refused(sets) if taken is None else axes.cut(taken, wanted)


def _with(target: Target, changed: dict[int, Array]) -> Arrays:
    return tuple(changed.get(k, a) for k, a in enumerate(target.arrays))


def _drawn(array: Array, rng: np.random.Generator, spread: float = SPREAD) -> Array:
    size = float(np.max(np.abs(array.astype(np.float64)), initial=0.0)) or 1.0
    moved = array.astype(np.float64) + spread * size * signed(rng, np.dtype(np.float64), array.shape)
    return np.asarray(moved, array.dtype)
