"""The neighbours of an input: one change of its numbers, ties, shapes, layouts or cotangent at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.inputs.axes import Group
from harness.search.numbers import drawn, stepped
from harness.search.point import LAYOUTS, Point, floating, laid_out
from harness.subject.derivative import Array, signed
from oracles.exact.program.formats import format_of
from oracles.exact.program.trees import is_floating

Random = np.random.Generator
LENGTHS = (1, 2, 3, 4, 5, 8)
# How often an axis doubles, at the most: of few digits up to more elements than the format can count.
DOUBLINGS, DOUBLINGS_OF_FEW_DIGITS = 11, 17
MOST = 2**18  # numbers of an input


@dataclass(frozen=True)
class Space:
    """What of an input may be changed.

    Attributes:
        pinned: The arrays whose shapes stay: parameters.
        groups: The axes that may have other lengths, those that go together in one group.
        cotangents: Whether other cotangents are tried.
        layouts: Whether the framework's arrays have other layouts.
    """

    pinned: frozenset[int] = frozenset()
    groups: tuple[Group, ...] = ()
    cotangents: bool = True
    layouts: bool = True

    def has(self, of: Point, least: int = 0) -> bool:
        """Whether every axis of an input may have other lengths, but for those shorter than `least`."""
        free = {axis for group in self.groups for axis in group}
        lengths = (((k, axis), n) for k, a in enumerate(of.arrays) for axis, n in enumerate(a.shape))
        return not self.pinned and all(axis in free or n < least for axis, n in lengths)


def neighbour(rng: Random, of: Point, space: Space, along: tuple[Array, ...]) -> Point:
    """An input with a few changes; mostly one.

    Args:
        rng: Draws.
        of: An input.
        space: What may be changed.
        along: What its derivative was contracted with.
    """
    found = of
    for _ in range(rng.geometric(0.6)):
        found = _changed(rng, found, space, along if found.cotangent is None else found.cotangent)
    return found


def _changed(rng: Random, of: Point, space: Space, along: tuple[Array, ...]) -> Point:
    kind = rng.random()
    if kind < 0.10 and space.groups:
        return _resized(rng, of, space)
    if kind < 0.18 and space.layouts:
        return _laid_out(rng, of)
    if kind < 0.26 and space.cotangents and along:
        return _along(rng, of, along)
    k = int(rng.integers(len(of.arrays)))
    array = of.arrays[k]
    if not array.size:
        return of
    if not is_floating(array):
        return of.having(k, _integers(rng, array), "other integers")
    story, change = NUMBERS[int(rng.integers(len(NUMBERS)))]
    return of.having(k, change(rng, array.copy("K")), story)


# -- numbers ----------------------------------------------------------------------------------------------


def _some(rng: Random, array: Array) -> Array:
    """A mask of at least one element, mostly few."""
    share = rng.choice([0.0, 0.3, 0.6])
    mask = np.asarray(rng.random(array.shape) < share)
    mask.reshape(-1)[int(rng.integers(array.size))] = True
    return mask


def _put(array: Array, mask: Array, values: Array) -> Array:
    return np.where(mask, values, array).astype(array.dtype)


def _elements(rng: Random, array: Array) -> Array:
    mask = _some(rng, array)
    return _put(array, mask, drawn(rng, array.dtype, array.size).reshape(array.shape))


def _one_for_some(rng: Random, array: Array) -> Array:
    return _put(array, _some(rng, array), drawn(rng, array.dtype, 1)[0])


def _steps(rng: Random, array: Array) -> Array:
    return _put(array, _some(rng, array), stepped(rng, np.ascontiguousarray(array)).reshape(array.shape))


def _constant(rng: Random, array: Array) -> Array:
    value = drawn(rng, array.dtype, 1)[0] if rng.random() < 0.5 else array.reshape(-1)[0]
    return np.full(array.shape, value, array.dtype)


def _size(rng: Random, array: Array) -> Array:
    """All of one size, the signs as they are."""
    return np.copysign(np.abs(np.float64(drawn(rng, array.dtype, 1)[0])), array).astype(array.dtype)


def _scaled(rng: Random, array: Array) -> Array:
    factor = 2.0 ** rng.integers(-60, 60) if rng.random() < 0.3 else 2.0 ** rng.integers(-6, 7)
    with np.errstate(all="ignore"):
        found = (array.astype(np.float64) * factor).astype(array.dtype)
    return np.where(np.isfinite(found.astype(np.float64)), found, array).astype(array.dtype)


def _ties(rng: Random, array: Array) -> Array:
    """Some elements equal to another one, or to the largest."""
    flat = array.reshape(-1)
    other = flat[int(rng.integers(array.size))] if rng.random() < 0.5 else flat.max()
    return _put(array, _some(rng, array), other)


def _rounded(rng: Random, array: Array) -> Array:
    return np.round(array.astype(np.float64)).astype(array.dtype)


def _signs(rng: Random, array: Array) -> Array:
    return _put(array, _some(rng, array), -array)


def _fresh(rng: Random, array: Array) -> Array:
    return signed(rng, array.dtype, array.shape)


NUMBERS: tuple[tuple[str, Callable[[Random, Array], Array]], ...] = (
    ("other elements", _elements),
    ("other elements", _elements),
    ("some elements of one number", _one_for_some),
    ("elements some steps on", _steps),
    ("elements some steps on", _steps),
    ("one number everywhere", _constant),
    ("numbers of one size", _size),
    ("all numbers times a power of two", _scaled),
    ("ties", _ties),
    ("integers", _rounded),
    ("other signs", _signs),
    ("ordinary numbers", _fresh),
)


def _integers(rng: Random, array: Array) -> Array:
    """Permuted, one repeated, or drawn between the least and the largest."""
    flat = array.reshape(-1)
    found = [
        rng.permutation(flat),
        np.full(flat.shape, flat[int(rng.integers(flat.size))]),
        rng.integers(int(flat.min()), int(flat.max()) + 1, flat.shape),
    ][int(rng.integers(3))]
    return np.asarray(found.reshape(array.shape), array.dtype)


# -- shapes, layouts, cotangents ---------------------------------------------------------------------------


def _resized(rng: Random, of: Point, space: Space) -> Point:
    """The axes that go together in another length, which may be large."""
    if not floating(of.arrays):
        return of
    axes = space.groups[int(rng.integers(len(space.groups)))]
    few = min(format_of(of.arrays[k].dtype.name).digits for k in floating(of.arrays)) <= 11
    most = DOUBLINGS_OF_FEW_DIGITS if few else DOUBLINGS
    wanted, kind = int(rng.choice(LENGTHS)), rng.random()
    if kind < 0.1:
        wanted = int(rng.choice([0, 2 ** int(rng.integers(4, most + 1))]))
    elif kind < 0.3:
        wanted = min(4 * of.arrays[axes[0][0]].shape[axes[0][1]], 2**most)
    found = of.resized(axes, wanted)
    return found if found.size <= MOST else of


def _laid_out(rng: Random, of: Point) -> Point:
    layout = list(LAYOUTS)[int(rng.integers(len(LAYOUTS)))]
    chosen = floating(of.arrays)
    if not chosen:
        return of
    if rng.random() < 0.5:
        chosen = [chosen[int(rng.integers(len(chosen)))]]
    found = tuple(laid_out(a, layout) if k in chosen else a for k, a in enumerate(of.arrays))
    return Point(found, of.cotangent, f"a layout: {layout}")


def _along(rng: Random, of: Point, along: tuple[Array, ...]) -> Point:
    """One element of the cotangent alone, one number everywhere, another size, or other numbers."""

    def changed(array: Array) -> Array:
        kind = int(rng.integers(4))
        if not array.size or not is_floating(array):
            return array
        if kind == 0:
            found = np.zeros_like(array, order="C")
            found.reshape(-1)[int(rng.integers(array.size))] = 1
            return found
        if kind == 1:
            return np.ones_like(array, order="C")
        return _scaled(rng, array) if kind == 2 else signed(rng, array.dtype, array.shape)

    return of.along(tuple(map(changed, along)), "another cotangent")
