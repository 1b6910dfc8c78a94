"""An input: a function's arrays with their shapes and layouts, and what its derivative is taken along."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.inputs.axes import Axis, Group, resized
from harness.subject.derivative import Array, Arrays
from oracles.exact.program.trees import is_floating


@dataclass(frozen=True, eq=False)
class Point:
    """An input of a gradient.

    Attributes:
        arrays: The function's, on the host; layouts are theirs.
        cotangent: What the derivative is contracted with; None for what is drawn or given otherwise.
        story: How it came about, in words.
    """

    arrays: Arrays
    cotangent: Arrays | None = None
    story: str = ""

    def having(self, k: int, array: Array, story: str = "") -> Point:
        """The same with another array, laid out as the old one; a cotangent stays where the shape does."""
        own = array if array is self.arrays[k] else laid_out(array, layout_of(self.arrays[k]))
        found = tuple(own if k == i else a for i, a in enumerate(self.arrays))
        kept = self.cotangent if array.shape == self.arrays[k].shape else None
        return Point(found, kept, story or self.story)

    def resized(self, axes: Iterable[Axis], wanted: int, last: bool = False) -> Point:
        """These axes in another length: the first elements, or the last; repeated where there are too few."""
        found = resized(self.arrays, dict.fromkeys(axes, wanted), last)
        laid = (laid_out(own, layout_of(a)) for own, a in zip(found, self.arrays, strict=True))
        return Point(tuple(laid), None, f"{wanted} elements along axes")

    def is_resized(self, of: Point, groups: Collection[Group]) -> bool:
        """Whether its shapes are those of an input, but for the lengths of axes that go together."""
        if [a.ndim for a in self.arrays] != [a.ndim for a in of.arrays]:
            return False
        lengths = {(k, axis): n for k, a in enumerate(self.arrays) for axis, n in enumerate(a.shape)}
        one_each = all(len({lengths[axis] for axis in group}) == 1 for group in groups)
        free = {axis for group in groups for axis in group}
        return one_each and all(
            of.arrays[k].shape[i] == n for (k, i), n in lengths.items() if (k, i) not in free
        )

    def along(self, cotangent: Arrays | None, story: str) -> Point:
        """The same along another cotangent."""
        return replace(self, cotangent=cotangent, story=story)

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from others: numbers, shapes and layouts."""
        return tuple(
            (a.shape, a.strides if a.size > 1 else (), a.tobytes())
            for a in (*self.arrays, *(self.cotangent or ()))
        )

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return sum(a.size for a in self.arrays)


def floating(arrays: Sequence[Array]) -> list[int]:
    """Which arrays hold floating numbers, and some."""
    return [k for k, a in enumerate(arrays) if is_floating(a) and a.size]


def layout_of(array: Array) -> str:
    """How an array lies in memory: "" as it is read, or one of LAYOUTS."""
    if plain(array):
        return ""
    if array.shape[0] > 1 and array.strides[0] == 0:
        return "repeated"
    return "transposed" if array.flags.f_contiguous else "gaps"


def laid_out(array: Array, layout: str) -> Array:
    """The same numbers in a layout."""
    return LAYOUTS[layout](array) if layout else array


def plain(array: Array) -> bool:
    """Whether it lies in memory as it is read."""
    return bool(array.flags.c_contiguous)


def strided(array: Array) -> Array:
    """The same numbers with gaps in memory."""
    if not array.ndim:
        return array
    return np.repeat(array[..., None], 2, -1)[..., 0]


def transposed(array: Array) -> Array:
    """The same numbers in the other order of memory."""
    return np.asfortranarray(array)


def repeated(array: Array) -> Array:
    """Its first row, shown in place of each: a view of stride 0."""
    return np.broadcast_to(array[:1], array.shape) if array.ndim and array.shape[0] else array


LAYOUTS = {"gaps": strided, "transposed": transposed, "repeated": repeated}
