"""The variables that the recorded code reaches: where substitutes are put, and what is put back."""

from __future__ import annotations

import builtins
import functools
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, cast

import numpy as np

from oracles.exact.from_numpy.libraries.distributions import distribution
from oracles.exact.from_numpy.numbers import PYTHONS, TYPES, tells_types_apart
from oracles.exact.from_numpy.stand_ins import CACHE
from oracles.exact.program.code_names import names_in
from oracles.exact.program.containers import built_in_kind, items_of
from oracles.exact.program.reach import (
    LARGE,
    Reach,
    Successors,
    attribute,
    attributes,
    cells,
)
from oracles.exact.program.trees import Derived

Replacer = Callable[[Any], Any]
PLACELESS = frozenset(map(id, (tuple, set, frozenset, np.ndarray)))  # the hash of a type may be anything
NUMBERS = {kind.__name__ for kind in PYTHONS}
NUMPYS = {kind.__name__ for kind in (*TYPES, np.ndarray) if kind not in PYTHONS}
BUILTINS = (
    "complex",
    "float",
    "max",
    "min",
    "type",
)  # of Python's, those that mean something else while code is recorded


class Place(NamedTuple):
    """A variable: an entry of a namespace or container, the cell of a closure, or an attribute."""

    where: Any
    name: Any

    def read(self) -> Any:
        """What it holds, None if it is gone."""
        if isinstance(self.where, dict):
            return dict.get(self.where, self.name)
        if isinstance(self.where, list | deque):
            base = built_in_kind(type(self.where))
            return base.__getitem__(self.where, self.name) if self.name < base.__len__(self.where) else None
        if isinstance(self.where, type):
            return vars(self.where).get(self.name)
        return attribute(self.where, self.name)

    def write(self, value: Any) -> None:
        """Let it hold something else."""
        if isinstance(self.where, dict | list | deque):
            self.where[self.name] = value
        elif isinstance(self.where, functools.partial):  # they have no other way in
            own = {"func": self.where.func, "args": self.where.args} | {self.name: value}
            state = own["func"], own["args"], self.where.keywords, vars(self.where) or None
            cast("Any", self.where).__setstate__(state)
        elif isinstance(self.where, type):
            setattr(self.where, self.name, value)
        else:  # also where it is frozen
            object.__setattr__(self.where, self.name, value)


class Builtin(NamedTuple):
    """A name of Python's in a module that does not give it another meaning."""

    where: dict[str, Any]
    name: str

    def read(self) -> Any:
        """What it means there."""
        return self.where.get(self.name, getattr(builtins, self.name))

    def write(self, value: Any) -> None:
        """Let it mean something else there, or what it means to Python."""
        if value is getattr(builtins, self.name):
            del self.where[self.name]
        else:
            self.where[self.name] = value


class Search(Reach):
    """Each variable that the code reaches, and what was in it."""

    # Written in Python over NumPy: its code is followed as the user's.
    FOLLOWED = (
        "numpy.polynomial",
        "scipy.optimize._optimize",
        "scipy._lib._array_api",
        "scipy._lib.array_api_compat",
    )

    def __init__(self) -> None:
        super().__init__()
        # By identity namespaces, lists, deques and dictionaries, and copies of them.
        self._before: dict[int, tuple[Any, Any]] = {}
        self.tells_types_apart = False  # whether code may ask if a type *is* one of NumPy's

    def places(
        self, roots: list[Any], replacer_for: Callable[[type], Replacer | None]
    ) -> Iterator[Place | Builtin]:
        """Each global of a module and cell of a closure that the code reaches, and what its objects hold.

        `replacer_for` a type gives what finds the replacement of a value of it, None if nothing ever replaces
        one: such entries are left out.
        """
        seen, naming = set[int](), {name: list[types.FunctionType]() for name in BUILTINS}
        for item in self.items(roots):
            kind = type(item)  # isinstance asks the object, which may have no answer
            if id(kind) in PLACELESS:
                continue
            if issubclass(kind, list | dict | deque) and id(item) not in seen:
                base = built_in_kind(kind)
                if base.__len__(item) <= LARGE:
                    seen.add(id(item))
                    self._keep(item, base)
                    yield from _entries(item, items_of(base, item), replacer_for)
            if kind is list or kind is dict or kind is deque:
                continue
            if kind is types.FunctionType:
                if self.is_user(item.__globals__.get("__name__")):
                    yield from self._in_function(item, naming)
            elif issubclass(kind, type):
                if self.is_user(item.__module__):
                    yield from (Place(item, name) for name, own in vars(item).copy().items() if _is_held(own))
            elif issubclass(kind, functools.partial):
                yield from (Place(item, name) for name in ("func", "args"))
            elif issubclass(kind, Derived):
                yield from (Place(vars(item), name) for name in attributes(item) or ())
            yield from (Place(item, name) for name in self.slots(item))
            for namespace in self.namespaces(item):
                if isinstance(namespace, types.CellType):
                    yield Place(namespace, "cell_contents")
                elif id(namespace) not in seen:
                    seen.add(id(namespace))
                    self._keep(namespace, dict)
                    yield from _entries(namespace, namespace.items(), replacer_for)
        exactly = {id(f.__globals__) for n in NUMBERS for f in naming[n] if tells_types_apart(f.__code__)}
        for name, functions in naming.items():
            modules = {id(f.__globals__): f.__globals__ for f in functions if name not in f.__globals__}
            some = (own for key, own in modules.items() if name not in NUMBERS or key not in exactly)
            yield from (Builtin(own, name) for own in some)

    def _in_function(
        self, function: types.FunctionType, naming: dict[str, list[types.FunctionType]]
    ) -> Iterator[Place]:
        """Its defaults. Those of Python's names that its code has are noted."""
        named = names_in(function.__code__)
        for name in naming.keys() & named:
            naming[name].append(function)
        held = [cell.cell_contents for cell in cells(function)]
        has_types = not NUMPYS.isdisjoint(named) or any(one is kind for one in held for kind in TYPES)
        if has_types and tells_types_apart(function.__code__):
            self.tells_types_apart = True
        if function.__defaults__:
            yield Place(function, "__defaults__")
        yield from (Place(function.__kwdefaults__, name) for name in function.__kwdefaults__ or ())

    def _successors_for(self, kind: type) -> Successors | None:
        return (lambda item: [item.pyfunc]) if kind is np.vectorize else super()._successors_for(kind)

    def _keep(self, container: Any, base: Any) -> None:
        if id(container) not in self._before:
            content = dict.copy(container) if base is dict else list(base.__iter__(container))
            self._before[id(container)] = container, content

    def forget(self, traced: Callable[[Any], bool]) -> None:
        """Put back, in what was found, each entry that has come to hold something traced."""
        for found, before in self._before.values():
            if isinstance(found, list | deque):
                base = built_in_kind(type(found))
                if not _is_same(base.__iter__(found), before) and traced(found):
                    base.clear(found)
                    base.extend(found, before)
                continue
            if _is_same(dict.values(found), before.values()):
                continue
            for name in [n for n, now in dict.items(found) if now is not before.get(n) and traced(now)]:
                if name in before:
                    found[name] = before[name]
                else:
                    del found[name]


def _is_same(now: Iterable[Any], before: Iterable[Any]) -> bool:
    """Whether the objects are the same."""
    return list(map(id, now)) == list(map(id, before))


def _entries(
    container: Any, pairs: Iterable[tuple[Any, Any]], replacer_for: Callable[[type], Replacer | None]
) -> list[Place]:
    """The places in a namespace or container whose values are replaced."""
    return [
        Place(container, name) for name, value in pairs
        if (new := replacer_for(type(value))) is not None and new(value) is not None
    ]  # fmt: skip


def _is_held(value: Any) -> bool:
    """Whether a class holds it as it is: a function may be a method there."""
    kinds = (np.ndarray, tuple, types.ModuleType, np.ufunc, type(np.r_), type(np.c_), CACHE)
    return type(value) in kinds or distribution(value) is not None
