"""NumPy as the recorded code sees it: `np` in the globals of the user's modules, for the time of one call.

Allocating functions make arrays that can take traced elements (see `memory`). Random numbers are refused:
they have no exact value; but where the seed is reset they are the same every time. Everything else is NumPy's
own, which hands traced arrays over by itself. All this holds in the user's code that the function may run, in
the recording thread: other threads that run the same code see NumPy as it is.
"""

from __future__ import annotations

import functools
import random
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import stride_tricks

from oracles.exact.from_numpy.array import holds_traced
from oracles.exact.from_numpy.indexing import as_strided, ndenumerate, nditer
from oracles.exact.from_numpy.libraries import loaded
from oracles.exact.from_numpy.memory import ALLOCATORS
from oracles.exact.from_numpy.tape import Tape, unsupported
from oracles.exact.program.reach import LARGE, Reach
from oracles.exact.program.registered import definition_of, registered_functions

_here = ContextVar("here", default=False)  # whether this thread is the one that records
_one_at_a_time = threading.RLock()  # two recordings would put their substitutes over each other's


class Module:
    """A module with some of its attributes replaced."""

    def __init__(self, module: Any, attributes: dict[str, Any]) -> None:
        self.__module, self.__attributes = module, attributes

    def __getattr__(self, name: str) -> Any:
        replaced = name in self.__attributes and _here.get()
        return self.__attributes[name] if replaced else getattr(self.__module, name)


class Function:
    """A function that is replaced."""

    def __init__(self, function: Callable[..., Any], new: Callable[..., Any]) -> None:
        self.__function, self.__new = function, new

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The substitute's answer."""
        return (self.__new if _here.get() else self.__function)(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__function, name)


def _where_traced(function: Callable[..., Any], definition: Callable[..., Any]) -> Function:
    """A library's function: of recorded numbers what it is said to be, of others itself."""

    def new(*args: Any, **kwargs: Any) -> Any:
        return (definition if holds_traced((args, kwargs)) else function)(*args, **kwargs)

    return Function(function, new)


@functools.cache
def _of_libraries(with_scipy: bool, operations: tuple[Any, ...]) -> dict[int, Any]:
    """Modules and functions of Python's and SciPy's libraries, by identity, and what replaces them.

    `operations` are those of SciPy's functions that a user has said something of.
    """
    found: dict[int, Any] = {}
    parts: dict[str, Module] = {}
    for module, table in loaded().items():
        said = {
            f.__name__: definition_of("numpy", f) for f in operations if vars(module).get(f.__name__) is f
        }
        pairs = {name: getattr(module, name, None) for name in {**table, **said}}
        own = {
            name: _where_traced(function, said.get(name) or table[name])
            for name, function in pairs.items()
            if function is not None
        }
        found |= {id(pairs[name]): new for name, new in own.items()}
        found[id(module)] = parts[module.__name__.rpartition(".")[2]] = Module(module, own)
    if with_scipy:
        found[id(sys.modules["scipy"])] = Module(sys.modules["scipy"], parts)
    return found


class Substitutes:
    """What is put in place of NumPy's modules and functions, by the identity of the original."""

    def __init__(self, tape: Tape, further: Mapping[int, Any] = MappingProxyType({})) -> None:
        made: dict[str, Any] = {name: functools.partial(make, tape) for name, make in ALLOCATORS.items()}
        made |= {"nditer": nditer, "ndenumerate": ndenumerate}
        own = {name: Function(getattr(np, name), new) for name, new in made.items()}
        by_strides = Function(stride_tricks.as_strided, as_strided)
        strides = Module(stride_tricks, {"as_strided": by_strides})
        self._by_id: dict[int, Any] = {**_of_libraries("scipy" in sys.modules, registered_functions())}
        self._by_id |= further
        self._by_id |= {id(getattr(np, name)): new for name, new in own.items()}
        self._by_id[id(stride_tricks.as_strided)] = by_strides
        chance = np.random if is_seeded() else Refused(np.random, "np.random")
        attributes = {**own, "random": chance, "lib": Module(np.lib, {"stride_tricks": strides})}
        for module, new in (
            (np, Module(np, attributes)),
            (np.lib, attributes["lib"]),
            (stride_tricks, strides),
            (np.random, chance),
            (random, random if is_seeded() else Refused(random, "random")),
        ):
            self._by_id[id(module)] = new

    def of(self, value: Any) -> Any:
        """What replaces the value, None if nothing does."""
        if isinstance(value, ModuleType):
            return self._by_id.get(id(value))
        if value is not (refused := without_chance(value)):
            return refused
        module = getattr(value, "__module__", None)
        if isinstance(module, str) and module.startswith("numpy.random") and not is_seeded():
            return getattr(Refused(np.random, "np.random"), value.__name__, None)
        return self._by_id.get(id(value))


@contextmanager
def substituted(
    tape: Tape, function: Any, *others: Any, further: Mapping[int, Any] = MappingProxyType({})
) -> Iterator[None]:
    """Inside the block the code that is reachable from the function sees the substitutes.

    Afterwards what held them holds the originals again, and what the code stored of the recording (a layer's
    running mean, say) is what it was before.
    """
    substitutes, saved = Substitutes(tape, further), list[tuple[Place, Any, Any]]()
    search = Search()
    _one_at_a_time.acquire()
    token = _here.set(True)
    try:
        for place in search.places([function, *others]):
            old = place.read()
            new = substitutes.of(old)
            if new is not None:
                saved.append((place, old, new))
                place.write(new)
        yield
    finally:
        for place, old, new in reversed(saved):
            if place.read() is new:
                place.write(old)
        search.forget(holds_traced)
        _here.reset(token)
        _one_at_a_time.release()


class Place(NamedTuple):
    """A variable: an entry of a namespace, or the cell of a closure."""

    where: Any
    name: str

    def read(self) -> Any:
        """What it holds."""
        return self.where.get(self.name) if isinstance(self.where, dict) else self.where.cell_contents

    def write(self, value: Any) -> None:
        """Let it hold something else."""
        if isinstance(self.where, dict):
            self.where[self.name] = value
        else:
            self.where.cell_contents = value


class Search(Reach):
    """Each variable that the code reaches, and what was in it."""

    # Written in Python over NumPy: its code is followed as the user's.
    FOLLOWED = "numpy.polynomial"

    def is_user(self, module: str | None) -> bool:
        """Whether a module's code is followed."""
        return super().is_user(module) or (module or "").startswith(self.FOLLOWED)

    def __init__(self) -> None:
        self._before: list[tuple[Any, Any]] = []  # namespaces, lists and dictionaries, and copies of them

    def places(self, roots: list[Any]) -> Iterator[Place]:
        """Each global of a module and cell of a closure that the code reaches, and attributes of objects."""
        seen: set[int] = set()
        for item in self.items(roots):
            if isinstance(item, list | dict) and len(item) <= LARGE:
                self._before.append((item, item.copy()))
            for namespace in self.namespaces(item):
                if isinstance(namespace, types.CellType):
                    yield Place(namespace, "")
                elif id(namespace) not in seen:
                    seen.add(id(namespace))
                    self._before.append((namespace, namespace.copy()))
                    yield from (Place(namespace, name) for name in list(namespace))

    def forget(self, traced: Callable[[Any], bool]) -> None:
        """Put back, in what was found, each entry that has come to hold something traced."""
        for found, before in self._before:
            if isinstance(found, list):
                if traced(found):
                    found[:] = before
                continue
            for name in [n for n, held in found.items() if held is not before.get(n) and traced(held)]:
                if name in before:
                    found[name] = before[name]
                else:
                    del found[name]


# -- chance -----------------------------------------------------------------------------------------------

SOURCES = (np.random.Generator, np.random.RandomState, random.Random)
_seeded = ContextVar("seeded", default=False)


@contextmanager
def seeded_chance() -> Iterator[None]:
    """Inside, random numbers are drawn: the recorded function resets the seed, so they are constants."""
    token = _seeded.set(True)
    try:
        yield
    finally:
        _seeded.reset(token)


def is_seeded() -> bool:
    """Whether random numbers are constants here."""
    return _seeded.get()


class Refused:
    """Stands for a source of random numbers: its types may be asked for, its numbers may not."""

    def __init__(self, source: Any, name: str) -> None:
        self.__source, self.__name = source, name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__source, name)
        if not _here.get():
            return found
        full = f"{self.__name}.{name}"
        if isinstance(found, type):
            return RefusedType(name, (), {"original": found, "full": full})
        return functools.partial(refuse, full, found) if callable(found) else found


class RefusedType(type):
    """A type that answers isinstance, and makes nothing.

    Attributes:
        original: The type it stands for.
        full: What messages call it.
    """

    original: type
    full: str

    def __instancecheck__(cls, item: Any) -> bool:
        return isinstance(item, (cls.original, Refused))

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Refuse."""
        return refuse(cls.full, cls.original, *args, **kwargs)


def refuse(name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Say that random numbers have no exact value; to the recording thread alone."""
    if not _here.get():
        return function(*args, **kwargs)
    raise unsupported(
        f"{name}: random numbers have no exact value; draw them first and pass them as arguments"
    )


def without_chance(value: Any) -> Any:
    """The value, refused where it draws random numbers."""
    if is_seeded():
        return value
    if isinstance(value, SOURCES):
        return Refused(value, type(value).__name__)
    if isinstance(getattr(value, "__self__", None), SOURCES):  # from numpy.random import normal
        return functools.partial(refuse, f"{type(value.__self__).__name__}.{value.__name__}", value)
    return value
