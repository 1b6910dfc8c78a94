"""What an object holds: its arrays, each with its place, and copies of it with other arrays in their place.

An array is told by its identity, so it is replaced in every layer, list and dictionary that holds it. Arrays
that lie in one memory do so in the copy too: what is written into one is seen in the others.
"""

from __future__ import annotations

import copy
import random
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Set
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.lib import stride_tricks

from harness.subject.derivative import Array
from harness.subject.state.keeper import has_our_type
from oracles.exact.program.containers import built_in_kind, items_of
from oracles.exact.program.program import FLOATS
from oracles.exact.program.reach import attribute, attributes
from oracles.exact.program.words import kind_of

WORDS: frozenset[type] = frozenset({str, bytes, bool, type(None)})
PLAIN: frozenset[type] = WORDS | {int, float, complex}
# Traced arrays pass for arrays.
LEAVES = (np.ndarray, np.generic, int, float, complex, type, ModuleType, FunctionType)


class Attribute(str):
    """A step from an object to its attribute of that name."""

    def of(self, holder: Any) -> Any:
        """The attribute."""
        return getattr(holder, self)

    def put(self, holder: Any, value: Any) -> None:
        """Set it."""
        setattr(holder, self, value)

    @property
    def said(self) -> str:
        """In code."""
        return f".{self}"


class Item(NamedTuple):
    """A step from a container to what it holds under a key or a number."""

    key: Any

    def of(self, holder: Any) -> Any:
        """The item."""
        return holder[self.key]

    def put(self, holder: Any, value: Any) -> None:
        """Set it."""
        holder[self.key] = value

    @property
    def said(self) -> str:
        """In code."""
        return f"[{self.key!r}]"


Place: TypeAlias = tuple[Attribute | Item, ...]


def said(place: Place) -> str:
    """A place in words: "layers[0].W"."""
    return "".join(step.said for step in place).removeprefix(".")


def is_within(place: Place, names: Container[str]) -> bool:
    """Whether a place, or what leads to it, is called one of these names."""
    return any(said(place[:k]) in names for k in range(1, len(place) + 1))


def is_bound(thing: Any, place: Place) -> bool:
    """Whether that is an argument which a partial gives its function."""
    return isinstance(read(thing, place[:-2]), partial) and said(place[-2:-1]) != "func"


def read(holder: Any, place: Place) -> Any:
    """What is held there; None if nothing is."""
    try:
        for step in place:
            holder = step.of(holder)
    except (AttributeError, LookupError, TypeError):
        return None
    return holder


def put(thing: Any, place: Place, value: Any) -> None:
    """Put a value there, and wherever else an object holds the array that is there."""
    there = read(thing, place)
    if isinstance(there, np.ndarray):
        for other in [other for other, part in parts(thing) if part is there]:
            other[-1].put(read(thing, other[:-1]), value)
    else:
        place[-1].put(read(thing, place[:-1]), value)


class Holder(NamedTuple):
    """An object or container inside another object.

    Attributes:
        place: The way to it, a shortest one.
        parts: What it holds, by the last step of the way, but for words and, if not asked for, Python's
            numbers.
    """

    place: Place
    parts: dict[Attribute | Item, Any]


def holders(thing: Any, numbers: bool = False) -> Iterator[Holder]:
    """An object and what it is made of: objects, containers, arrays of objects, the nearest first."""
    waiting: deque[tuple[Place, Any]] = deque([((), thing)])
    seen = {id(thing)}
    while waiting:
        place, item = waiting.popleft()
        parts = _parts(item, WORDS if numbers else PLAIN)
        yield Holder(place, parts)
        for step, part in parts.items():
            if id(part) not in seen and (is_of_objects(part) or not _is_leaf(part)):
                seen.add(id(part))
                waiting.append(((*place, step), part))


def _is_leaf(part: Any) -> bool:
    """Whether nothing of the object is inside: while code is recorded, what stands for NumPy's is of ours."""
    return isinstance(part, LEAVES) or has_our_type(part)


def _parts(item: Any, plain: Set[type]) -> dict[Attribute | Item, Any]:
    kind = type(item)
    if issubclass(kind, dict | list | tuple | deque):
        inside = items_of(built_in_kind(kind), item)
        return {Item(key): part for key, part in inside if type(part) not in plain}
    if is_of_objects(item):
        return {Item(place if place[1:] else place[0]): part for place, part in np.ndenumerate(item)}
    if issubclass(kind, MethodType | partial):  # a copy of it has a copy of what it is bound to
        bound = ["__self__"] if issubclass(kind, MethodType) else ["func", "args", "keywords"]
        return {Attribute(name): getattr(item, name) for name in bound}
    slots = [vars(base).get("__slots__", ()) for base in kind.__mro__]
    names = [name for own in slots for name in ([own] if isinstance(own, str) else own)]
    held = {name: part for name in names if (part := attribute(item, name)) is not None}
    held |= attributes(item) or {}
    return {Attribute(name): part for name, part in held.items() if type(part) not in plain}


def is_of_objects(value: Any) -> bool:
    """Whether it is an array of objects, such as arrays of several shapes."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "O" and value.ndim > 0


def is_inexact(value: Any) -> bool:
    """Whether it is an array, or a scalar of NumPy's, of floating numbers, complex ones among them."""
    own = isinstance(value, np.ndarray | np.generic)
    return own and (value.dtype.kind in "fc" or value.dtype.name in FLOATS)


def identity(array: Any) -> int:
    """Which array it is: also where the recorder has put another object in its place."""
    return id(getattr(array, "stands_for", array))


class Contents:
    """The floating arrays of an object, as they are now.

    Attributes:
        thing: The object.
        arrays: Each array once, at the nearest place.
    """

    def __init__(self, thing: Any) -> None:
        self.thing = thing
        found: dict[int, tuple[Place, Array]] = {}
        for place, array in _arrays(thing):
            found.setdefault(id(array), (place, array))
        self.arrays: dict[Place, Array] = dict(found.values())
        self._blocks = list(_blocks(self.arrays.values()))
        self._chance: list[tuple[Place, Any]] = [
            (place, part)
            for place, part in parts(thing)
            if isinstance(part, np.random.Generator | np.random.RandomState | random.Random)
        ]

    def floats(self, ran: Any) -> dict[Place, float]:
        """Python's floats in a copy that has run, where they are those of the object."""
        return {
            place: number
            for place, number in parts(ran, numbers=True)
            if type(number) is float and number == read(self.thing, place)
        }

    def rewind(self, ran: Any, seed: int) -> None:
        """Let what draws numbers draw the same again: by the seed, and what a copy that has run holds."""
        np.random.seed(seed)  # noqa: NPY002 - layers draw from it
        random.seed(seed)
        for place, own in self._chance:
            drawn = read(ran, place)
            if type(drawn) is not type(own):
                continue
            if isinstance(own, random.Random):
                drawn.setstate(own.getstate())
            elif isinstance(own, np.random.RandomState):
                drawn.set_state(own.get_state())
            else:
                drawn.bit_generator.state = own.bit_generator.state

    def numbers(self) -> dict[Place, Array]:
        """A copy of each array."""
        return {place: array.copy() for place, array in self.arrays.items()}

    def copied(self, new: Mapping[int, Callable[[Array], Any]]) -> Any:
        """A copy of the object.

        Args:
            new: By the identity of an array, what makes of it the one that stands in its place.

        Raises:
            ValueError: It holds what cannot be copied.
        """
        made: dict[int, Any] = {}
        for memory, views in self._blocks:
            known = {identity(view): view for view in views}
            own = memory.copy()
            if not known.keys().isdisjoint(new):
                own = np.zeros_like(memory)  # which can hold what is recorded
                own[...] = memory
            made |= {which: _window(own, memory, view) for which, view in known.items()}
            for which, make in new.items():  # of what overlaps the last one stays
                if which in known:
                    made[which][...] = make(known[which])
        for array in self.arrays.values():
            if (which := identity(array)) in new and which not in made:
                made[which] = new[which](array)
        memo = {
            id(array): made[which] for _, array in _arrays(self.thing) if (which := identity(array)) in made
        }
        try:
            return copy.deepcopy(self.thing, memo)
        except Exception as error:
            place = _without_copy(self.thing)
            if not place:
                raise
            name = said((Attribute(type(self.thing).__name__), *place))
            why = str(error) or type(error).__name__
            raise ValueError(
                f"{name} is {kind_of(read(self.thing, place))}, which cannot be copied ({why}), and every "
                "question is asked of a copy: keep it outside of the object, or write __deepcopy__, which "
                "shares it or leaves it out"
            ) from error

    def apart(self, arrays: Iterable[Array]) -> None:
        """Let these lie in memory of their own in copies, where they overlap each other."""
        own = list(arrays)
        overlap = {id(a) for a in own for b in own if a is not b and overlapping(a, b)}
        self._blocks = [
            (memory, kept)
            for memory, views in self._blocks
            if len(kept := [view for view in views if id(view) not in overlap]) > 1
        ]


def parts(thing: Any, numbers: bool = False) -> Iterator[tuple[Place, Any]]:
    """What an object is made of, each with its place; Python's `numbers` too if asked for."""
    for holder in holders(thing, numbers):
        for step, part in holder.parts.items():
            yield (*holder.place, step), part


def _arrays(thing: Any) -> Iterator[tuple[Place, Array]]:
    """The floating arrays that an object is made of."""
    return ((place, part) for place, part in parts(thing) if is_inexact(part))


def _without_copy(thing: Any) -> Place:
    """The innermost part of an object that cannot be copied; () if there is none."""
    found: Place = ()
    for holder in holders(thing):  # the nearest first
        try:
            copy.deepcopy(read(thing, holder.place))
        except Exception:
            found = holder.place
    return found


def changed(contents: Contents, before: Mapping[Place, Array]) -> set[Place]:
    """Where arrays have other numbers than before: they were written into."""
    return {
        place
        for place, array in contents.arrays.items()
        if not np.array_equal(array, before[place], equal_nan=True)
    }


def overlapping(one: Array, other: Array) -> bool:
    """Whether two arrays have an element in common; also where that is hard to tell."""
    if not np.may_share_memory(one, other):
        return False
    try:
        return bool(np.shares_memory(one, other, max_work=100_000))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def _blocks(arrays: Iterable[Array]) -> Iterator[tuple[Array, list[Array]]]:
    """Memory in which several of the arrays lie, in its order, and these."""
    roots: dict[int, tuple[Array, list[Array]]] = {}
    for array in arrays:
        root: Any = array
        while isinstance(getattr(root, "base", None), np.ndarray):
            root = root.base
        if isinstance(root, np.ndarray) and root.dtype == array.dtype and root.flags.forc:
            roots.setdefault(id(root), (root, []))[1].append(array)
    return ((root.ravel("K"), views) for root, views in roots.values() if len(views) > 1)


def _window(own: Any, memory: Array, view: Array) -> Any:
    """The part of a copy of a memory that corresponds to a view of it."""
    start = view.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    return stride_tricks.as_strided(own[start // memory.itemsize :], view.shape, view.strides)
