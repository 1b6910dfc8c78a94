"""Axes that go together: which arguments share a batch, and whether a function takes other lengths there.

Only the function knows which of its arguments share an axis: a bias may be as long as a batch by accident. So
it is run at longer axes, where nothing is broadcast. What it takes there may be cut; what it refuses is not.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations, islice

import numpy as np

from harness.subject.complex_pairs import shape_of
from harness.subject.derivative import Array, Arrays
from harness.subject.names import PARAMETERS
from harness.subject.target import Target
from oracles.exact.program.trees import is_floating
from oracles.frameworks.framework import without_errors

Axis = tuple[int, int]  # of which array, and which
Group = tuple[Axis, ...]
TRIES = 16  # sets of arguments of one length that may share a batch


def resized(arrays: Sequence[Array], lengths: Mapping[Axis, int], last: bool = False) -> Arrays:
    """Arrays in other lengths: the first elements, or the last; repeated where there are too few.

    Integers that may be places along such an axis, indices or labels, stay places of it.
    """
    found = list(arrays)
    for (k, axis), wanted in lengths.items():
        if n := found[k].shape[axis]:
            where = np.arange(n - wanted, n) if last else np.arange(wanted) % n
            found[k] = np.take(found[k], where, axis)
    for n, wanted in {(arrays[k].shape[axis], wanted) for (k, axis), wanted in lengths.items()}:
        if 0 < wanted < n:
            found = [_within(a, n, wanted) if a.dtype.kind in "iu" else a for a in found]
    return tuple(found)


def _within(integers: Array, n: int, wanted: int) -> Array:
    """The same, those that are places among n made places among fewer."""
    outside = ((integers >= wanted) & (integers < n)) | ((integers < -wanted) & (integers >= -n))
    if not outside.any():
        return integers
    return np.where(outside, integers.astype(np.int64) % wanted, integers).astype(integers.dtype)


def fixed(target: Target) -> frozenset[int]:
    """The arrays whose shapes stay: parameters of a module, and the values of sparse tensors.

    A torch parameter that is an argument is one of them where it stands beside other arrays.
    """
    own = {
        k for k, name in enumerate(target.names) if name.startswith(PARAMETERS) or name.endswith(".values()")
    }
    given = {k for k, native in enumerate(target.natives) if type(native).__name__ == "Parameter"} - own
    others = [k for k, array in enumerate(target.arrays) if array.ndim and k not in own | given]
    return frozenset(own | given if others else own)


@dataclass(frozen=True)
class Axes:
    """The axes of a function's arguments, without those of parameters.

    Attributes:
        target: The function at its arguments.
        pinned: More arrays whose shapes stay.
    """

    target: Target
    pinned: frozenset[int] = frozenset()

    @cached_property
    def all(self) -> Group:
        """Each of them; complex numbers have none for their pairs."""
        stay = self.pinned | fixed(self.target)
        named = enumerate(zip(self.target.names, self.target.arrays, strict=True))
        return tuple(
            (k, axis)
            for k, (name, array) in named
            if array.size and k not in stay
            for axis in range(len(shape_of(name, array)))
        )

    def cut(self, axes: Group, wanted: int) -> Arrays:
        """The arguments with so many elements along these axes."""
        return resized(self.target.arrays, dict.fromkeys(axes, wanted))

    @cached_property
    def sets(self) -> tuple[Group, ...]:
        """The sets of first axes that may be a batch, the likeliest first."""
        return tuple(dict.fromkeys(self._sets()))

    @cached_property
    def everywhere(self) -> tuple[Group, ...]:
        """The one set of all axes of more than one element; none where no argument has an axis."""
        return (tuple(axis for axis in self.all if self._length(axis) > 1),) if self.all else ()

    @cached_property
    def batch(self) -> Group:
        """The first axes that share a batch, as the function takes it; none where it takes none."""
        return self.first(self.sets) or ()

    def first(self, sets: Sequence[Group]) -> Group | None:
        """The first set that the function takes; None where it takes none."""
        return next((axes for axes in sets if self.takes(axes)), None)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The axes that may have other lengths, those that go together in one group; the longest first."""
        rest = [axis for axis in self.all if axis not in self.batch and self._length(axis) >= self._least]
        found = [*([self.batch] if self.batch else []), *filter(self.takes, self._of_one_length(rest))]
        return tuple(sorted(found, key=lambda axes: self._length(axes[0]), reverse=True))

    def takes(self, axes: Group) -> bool:
        """Whether the function takes other lengths along these axes, where nothing is broadcast."""
        return all(
            any(self._heeds(alike, longer) for longer in self._grown(alike))
            for alike in self._of_one_length(axes)
        )

    def refused(self, sets: Sequence[Group]) -> Arrays | None:
        """The first arguments of other lengths along one of these sets at which the function raises."""
        alike = (some for axes in sets for some in self._of_one_length(axes))
        tried = (longer for some in alike for longer in self._grown(some))
        return next((longer for longer in tried if self._values(longer) is None), None)

    def _of_one_length(self, axes: Iterable[Axis]) -> list[Group]:
        found: dict[int, list[Axis]] = {}
        for axis in axes:
            found.setdefault(self._length(axis), []).append(axis)
        return [tuple(alike) for alike in found.values()]

    def _grown(self, alike: Group) -> Iterator[Arrays]:
        """The arguments with these axes longer: of a length that no other axis has, and twice as long."""
        n, known = self._length(alike[0]), {n for a in self.target.arrays for n in a.shape}
        new = next(m for m in range(n + 1, n + 2 + len(known)) if m not in known)
        yield self.cut(alike, new)
        yield self.cut(alike, 2 * n)

    def _heeds(self, axes: Group, longer: Arrays) -> bool:
        """Whether the function takes these, and looks at what is longer there.

        One that reads fixed places along an axis does not, and has nothing to read where the axis is shorter.
        """
        found = self._values(longer)
        if found is None:
            return False
        return self._differ(found) or any(self._differ(self._values(a)) for a in self._moved(axes, longer))

    def _moved(self, axes: Group, longer: Arrays) -> Iterator[Arrays]:
        """The same with other numbers where they are longer: larger ones, and smaller ones."""
        for factor in (1.5, 0.5):
            arrays = [a.copy() for a in longer]
            for k, axis in axes:
                if is_floating(arrays[k]):
                    arrays[k][(slice(None),) * axis + (slice(self._length((k, axis)), None),)] *= factor
            yield tuple(arrays)

    def _differ(self, values: list[Array] | None) -> bool:
        """Whether values differ from those at the given arguments."""
        given = self._given
        if values is None or given is None:
            return values is not given
        pairs = zip(values, given, strict=False)
        return len(values) != len(given) or not all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)

    @cached_property
    def _given(self) -> list[Array] | None:
        return self._values(self.target.arrays)

    def _values(self, arrays: Arrays) -> list[Array] | None:
        """What the function returns; None where it raises, but not for the numbers of a matrix alone."""
        own = self.target.subject(self.target.flat, self.target.flat)
        try:
            with without_errors(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = own.fetch_value(own.value(*(own.load(a.copy("K")) for a in arrays)))
            return [np.asarray(v, np.float64) for v in found]
        except Exception as refusal:  # whatever a function raises
            return [] if re.search("singular|positive.definite", str(refusal), re.IGNORECASE) else None

    def _length(self, axis: Axis) -> int:
        n: int = self.target.arrays[axis[0]].shape[axis[1]]
        return n

    @cached_property
    def _least(self) -> int:
        """The least length that may change: beside other arrays an axis of one element may be broadcast."""
        return 2 if len({k for k, _ in self.all}) > 1 else 1

    def _sets(self) -> Iterator[Group]:
        first = [axis for axis in self.all if axis[1] == 0 and self._length(axis) >= self._least]
        tables = [axis for axis in first if (axis[0], 1) in self.all]
        often = Counter(map(self._length, first)).most_common()
        for n in dict.fromkeys([*map(self._length, tables[:1]), *(n for n, _ in often)]):
            sharing = [axis for axis in first if self._length(axis) == n]
            labels = [axis for axis in sharing if self.target.arrays[axis[0]].dtype.kind in "iub"]
            alone = [[axis] for axis in sharing if axis in tables] or [[axis] for axis in sharing]
            labelled = [[*one, *labels] for one in alone if labels and one[0] not in labels]
            fewer = (some for size in range(len(sharing) - 1, 1, -1) for some in combinations(sharing, size))
            for some in chain([sharing], labelled, islice(fewer, TRIES), alone):
                yield tuple(sorted(some))
