"""NumPy as the recorded code sees it: `np` in the globals of the user's modules, for the time of one call.

Allocating functions make arrays that can take traced elements (see `memory`). Random numbers are refused:
they have no exact value; but where the seed is reset they are the same every time. Everything else is NumPy's
own, which hands traced arrays over by itself. All this holds in the user's code that the function may run, in
the recording thread: other threads that run the same code see NumPy as it is.
"""

from __future__ import annotations

import builtins
import functools
import random
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.lib import stride_tricks

from oracles.exact.from_numpy.applied import Vectorized, apply_along_axis
from oracles.exact.from_numpy.array import TracedArray, holds_traced
from oracles.exact.from_numpy.held import Held, Writable, held, recording, standing, writable
from oracles.exact.from_numpy.indexing import as_strided, ndenumerate, nditer
from oracles.exact.from_numpy.libraries import LIBRARIES, loaded
from oracles.exact.from_numpy.libraries.distributions import Distribution, Frozen, distribution
from oracles.exact.from_numpy.libraries.sparse import products
from oracles.exact.from_numpy.memory import ALLOCATORS, FOLDING, joined, of_lists
from oracles.exact.from_numpy.numbers import TYPES, Number, substitute, tells_types_apart
from oracles.exact.from_numpy.tape import Tape, unsupported
from oracles.exact.program.program import Array
from oracles.exact.program.reach import LARGE, OURS, Reach, attribute, attributes, built_in, names_in
from oracles.exact.program.registered import definition_of, registered_functions
from oracles.exact.program.trees import Derived

_here = recording  # whether this thread is the one that records
_one_at_a_time = threading.RLock()  # two recordings would put their substitutes over each other's


MODULES = (np, np.lib, stride_tricks, np.linalg, np.fft, np.emath)
NUMBERS = {kind.__name__ for kind in TYPES if kind is not float}
CACHE = type(functools.cache(len))
DISPATCHED = type(np.sum)  # NumPy's functions that ask their arguments who answers


class Module:
    """A module of NumPy's: what is in it is replaced where it is asked for."""

    def __init__(self, module: ModuleType, of: Callable[[Any], Any]) -> None:
        """`of` gives what replaces something, None if nothing does."""
        self.__module, self.__of = module, of

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__module, name)
        new = self.__of(found) if _here.get() else None
        return found if new is None else new


class Function:
    """A function that is replaced. It passes for the original: as a key of a table, say."""

    def __init__(self, function: Callable[..., Any], new: Callable[..., Any]) -> None:
        self.__function, self.__new = function, new

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self.__function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The substitute's answer."""
        return (self.__new if _here.get() else self.__function)(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__function, name)

    def __eq__(self, other: object) -> bool:
        return self is other or self.__function is other

    def __hash__(self) -> int:
        return hash(self.__function)

    def __copy__(self) -> Function:
        return self

    def __deepcopy__(self, memo: Any) -> Function:
        return self


class Subscripted(Function):
    """What is subscripted and replaced.

    Attributes:
        stands_for: The original.
    """

    def __init__(self, original: Any, new: Callable[..., Any]) -> None:
        super().__init__(original.__getitem__, functools.partial(new, original.__getitem__))
        self.stands_for = original

    def __getitem__(self, key: Any) -> Any:
        """The substitute's answer."""
        return self(key)


class Ufunc(Function):
    """A ufunc that takes lists of recorded numbers, as its methods do."""

    def __init__(self, ufunc: np.ufunc) -> None:
        super().__init__(ufunc, functools.partial(of_lists, ufunc))
        for name in FOLDING:
            method = getattr(ufunc, name)
            setattr(self, name, Function(method, functools.partial(of_lists, method)))


class Constructor(type):
    """np.ndarray: called, it makes an array that takes recorded numbers; otherwise it is NumPy's type."""

    make: Callable[..., Any]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """A new array; one over other memory is NumPy's."""
        own = _here.get() and len(args) <= 2 and not kwargs.keys() - {"shape", "dtype"}
        return (cls.make if own else np.ndarray)(*args, **kwargs)

    def __instancecheck__(cls, item: Any) -> bool:
        return isinstance(item, np.ndarray)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, np.ndarray)

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is np.ndarray

    def __hash__(cls) -> int:
        return hash(np.ndarray)


def _where_traced(function: Callable[..., Any], definition: Callable[..., Any]) -> Function:
    """A library's function: of recorded numbers what it is said to be, of others itself."""

    def new(*args: Any, **kwargs: Any) -> Any:
        return (definition if holds_traced((args, kwargs)) else function)(*args, **kwargs)

    return Function(function, new)


@functools.cache
def _of_libraries(modules: tuple[str, ...], operations: tuple[Any, ...]) -> dict[int, Function]:
    """Functions of Python's and SciPy's libraries, by identity, and what replaces them.

    `modules` are those that are loaded; `operations` those that a user has said something of.
    """
    found: dict[int, Function] = {}
    for name in modules:
        for function, definition in LIBRARIES[name].items():
            original = getattr(sys.modules[name], function, None)
            if original is not None:
                found[id(original)] = _where_traced(original, definition)
    for operation in operations:
        said = definition_of("numpy", operation)
        assert said is not None, "it is registered"
        found[id(operation)] = _where_traced(operation, said)
    return found


class Library:
    """A module of Python's or SciPy's libraries, which may load its parts when they are asked for."""

    def __init__(self, module: ModuleType) -> None:
        self.__module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__module, name)
        return (of_library(found) or found) if _here.get() else found


def of_library(value: Any) -> Any:
    """What replaces a module, a function or a distribution of a library, None if nothing does."""
    if isinstance(value, ModuleType):
        known = value.__name__ in LIBRARIES or value.__name__.partition(".")[0] == "scipy"
        return Library(value) if known else None
    return _of_libraries(loaded(), registered_functions()).get(id(value)) or distribution(value)


class Substitutes:
    """What is put in place of NumPy's modules and functions, by the identity of the original."""

    def __init__(self, tape: Tape, further: Mapping[int, Any] = MappingProxyType({})) -> None:
        made: dict[str, Any] = {name: functools.partial(make, tape) for name, make in ALLOCATORS.items()}
        made |= {"nditer": nditer, "ndenumerate": ndenumerate}
        made |= {"apply_along_axis": functools.partial(apply_along_axis, tape)}
        made |= {"vectorize": lambda *args, **kwargs: Vectorized(tape, np.vectorize(*args, **kwargs))}
        self._tape, self.writable = tape, Writable(tape)
        self._held: dict[int, tuple[Any, Any]] = {}  # arrays that are the same stay the same
        self._listed: dict[int, tuple[Any, Function]] = {}
        self._caches: dict[int, tuple[Any, Any]] = {}
        self._libraries = _of_libraries(loaded(), registered_functions())
        own = {name: Function(getattr(np, name), new) for name, new in made.items()}
        for name in ("r_", "c_"):
            own[name] = Subscripted(getattr(np, name), functools.partial(joined, tape))
        self._by_id: dict[int, Any] = dict(further)
        self._by_id |= {id(getattr(np, name)): new for name, new in own.items()}
        self._by_id[id(stride_tricks.as_strided)] = Function(stride_tricks.as_strided, as_strided)
        empty = functools.partial(ALLOCATORS["empty"], tape)
        self._by_id |= {id(kind): substitute(tape, kind) for kind in TYPES}
        self._by_id[id(np.ndarray)] = Constructor("ndarray", (np.ndarray,), {"make": empty})
        self._by_id |= {id(module): Module(module, self.of) for module in MODULES}
        for source, name in ((np.random, "np.random"), (random, "random")):
            self._by_id[id(source)] = source if is_seeded() else Refused(source, name)
        tape.numpy = self._by_id[id(np)]

    def of(self, value: Any) -> Any:
        """What replaces the value, None if nothing does."""
        kind = type(value)  # isinstance asks the object, which may have no answer
        if issubclass(kind, ModuleType):
            return self._by_id.get(id(value)) or of_library(value)
        if kind in (np.ndarray, tuple) or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
            if id(value) not in self._held:
                own = self._array(value) if kind is np.ndarray else self._parts(value)
                self._held[id(value)] = value, own
            new = self._held[id(value)][1]
            return None if new is value else new
        if kind is np.vectorize:
            return Vectorized(self._tape, value)
        if kind is CACHE:
            return self._caches.setdefault(id(value), (value, _empty(value)))[1]
        if value is not (refused := without_chance(value)):
            return refused
        module = attribute(value, "__module__")
        if isinstance(module, str) and module.startswith("numpy.random") and not is_seeded():
            return getattr(Refused(np.random, "np.random"), value.__name__, None)
        known = self._by_id.get(id(value)) or self._libraries.get(id(value)) or distribution(value)
        return known or (self._of_lists(value) if kind in (np.ufunc, DISPATCHED) else None)

    def _array(self, value: Array) -> Any:
        """What the code sees in place of its own array."""
        recorded = self.writable.of(value)
        return held(value) if recorded is None else recorded

    def leave_numbers(self) -> None:
        """Let NumPy's types of numbers be what they are."""
        for kind in TYPES:
            if kind is not float:
                del self._by_id[id(kind)]

    def _parts(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        """The tuple, or if something in it is replaced a new one."""
        new = [self.of(part) for part in value]
        if all(part is None for part in new):
            return value
        parts = [old if part is None else part for old, part in zip(value, new, strict=True)]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)

    def _of_lists(self, function: Any) -> Function:
        """A function that hands over what it is given, but for lists."""
        if id(function) not in self._listed:
            new = functools.partial(of_lists, function)
            made = Ufunc(function) if type(function) is np.ufunc else Function(function, new)
            self._listed[id(function)] = function, made
        return self._listed[id(function)][1]


def _empty(cached: Any) -> Any:
    """The same function with a cache of its own: its own one would keep what is recorded."""
    return functools.lru_cache(**cached.cache_parameters())(cached.__wrapped__)


@contextmanager
def substituted(
    tape: Tape, function: Any, *others: Any, further: Mapping[int, Any] = MappingProxyType({})
) -> Iterator[Any]:
    """Inside the block the code that is reachable from the function sees the substitutes.

    The function itself, or what replaces it, is given. Afterwards what held them holds the originals again,
    and what the code stored of the recording (a layer's running mean, say) is what it was before.
    """
    substitutes, saved = Substitutes(tape, further), list[tuple[Place | Builtin, Any, Any]]()
    search = Search()
    _one_at_a_time.acquire()
    token, drawn, written = _here.set(tape), _reset.set(()), writable.set(substitutes.writable)
    imported = builtins.__import__
    try:
        # All are found before the first is written to: what we put in place is not searched itself.
        places = list(search.places([function, *others]))
        if search.tells_numbers_apart:
            substitutes.leave_numbers()
        for place in places:
            old = place.read()
            new = substitutes.of(old)
            if new is not None:
                saved.append((place, old, new))
                standing[id(new)] = new, old
                place.write(new)
        builtins.__import__ = _importing(imported, substitutes, search)
        with products():
            yield substitutes.of(function) or function
    finally:
        builtins.__import__ = imported
        for place, old, new in reversed(saved):
            if place.read() is new:
                place.write(old)
            standing.pop(id(new), None)
        search.forget(_is_ours)
        writable.reset(written)
        _here.reset(token)
        _reset.reset(drawn)
        _one_at_a_time.release()


def _is_ours(tree: Any) -> bool:
    """Whether something in it is of the recording alone."""
    if issubclass(type(tree), list | tuple | dict):
        base = built_in(tree)
        return any(map(_is_ours, dict.values(tree) if base is dict else base.__iter__(tree)))
    return type(tree) in (TracedArray, Held, Module, Function, Ufunc, Number, Distribution, Frozen)


def _importing(
    imported: Callable[..., ModuleType], substitutes: Substitutes, search: Search
) -> Callable[..., Any]:
    """What `import` does inside the user's functions: they see the substitutes too."""

    def new(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        found = imported(name, globals, locals, fromlist, level)
        known = globals or {}
        if not _here.get() or str(known.get("__file__")).startswith(OURS):
            return found
        return (substitutes.of(found) or found) if search.is_user(known.get("__name__")) else found

    return new


class Place(NamedTuple):
    """A variable: an entry of a namespace, dictionary or list, the cell of a closure, or an attribute."""

    where: Any
    name: Any

    def read(self) -> Any:
        """What it holds, None if it is gone."""
        if isinstance(self.where, dict):
            return dict.get(self.where, self.name)
        if isinstance(self.where, list):
            return list.__getitem__(self.where, self.name) if self.name < list.__len__(self.where) else None
        if isinstance(self.where, type):
            return vars(self.where).get(self.name)
        return attribute(self.where, self.name)

    def write(self, value: Any) -> None:
        """Let it hold something else."""
        if isinstance(self.where, dict | list):
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

    def is_user(self, module: Any) -> bool:
        """Whether a module's code is followed."""
        return super().is_user(module) or str(module).startswith(self.FOLLOWED)

    def __init__(self) -> None:
        self._before: list[tuple[Any, Any]] = []  # namespaces, lists and dictionaries, and copies of them
        self.tells_numbers_apart = False  # whether code may ask if a type *is* one of NumPy's numbers

    def places(self, roots: list[Any]) -> Iterator[Place | Builtin]:
        """Each global of a module and cell of a closure that the code reaches, and what its objects hold."""
        seen, calling = set[int](), list[types.FunctionType]()
        for item in self.items(roots):
            kind = type(item)  # isinstance asks the object, which may have no answer
            if issubclass(kind, list | dict) and id(item) not in seen:
                base = built_in(item)
                if (count := base.__len__(item)) <= LARGE:
                    seen.add(id(item))
                    self._before.append((item, base.copy(item)))
                    names = dict.keys(item) if base is dict else range(count)
                    yield from (Place(item, name) for name in names)
            if issubclass(kind, type) and self.is_user(item.__module__):
                yield from (Place(item, name) for name, own in vars(item).copy().items() if _is_held(own))
            if kind is types.FunctionType and self.is_user(item.__globals__.get("__name__")):
                named = names_in(item.__code__)
                if "float" in named:
                    calling.append(item)
                if not NUMBERS.isdisjoint(named) and tells_types_apart(item.__code__):
                    self.tells_numbers_apart = True
                yield Place(item, "__defaults__")
                yield from (Place(item.__kwdefaults__, name) for name in item.__kwdefaults__ or ())
            if issubclass(kind, functools.partial):
                yield from (Place(item, name) for name in ("func", "args"))
            if issubclass(kind, Derived):
                yield from (Place(vars(item), name) for name in attributes(item) or ())
            yield from (Place(item, name) for name in self.slots(item))
            for namespace in self.namespaces(item):
                if isinstance(namespace, types.CellType):
                    yield Place(namespace, "cell_contents")
                elif id(namespace) not in seen:
                    seen.add(id(namespace))
                    self._before.append((namespace, namespace.copy()))
                    yield from (Place(namespace, name) for name in list(namespace))
        exactly = {id(f.__globals__) for f in calling if tells_types_apart(f.__code__)}
        modules = {id(f.__globals__): f.__globals__ for f in calling if "float" not in f.__globals__}
        yield from (Builtin(own, "float") for key, own in modules.items() if key not in exactly)

    def _inside(self, item: Any) -> list[Any]:
        """What an object leads to."""
        return [item.pyfunc] if type(item) is np.vectorize else super()._inside(item)

    def forget(self, traced: Callable[[Any], bool]) -> None:
        """Put back, in what was found, each entry that has come to hold something traced."""
        for found, before in self._before:
            if isinstance(found, list):
                if traced(found):
                    found[:] = before
                continue
            for name in [n for n, now in dict.items(found) if now is not before.get(n) and traced(now)]:
                if name in before:
                    found[name] = before[name]
                else:
                    del found[name]


def _is_held(value: Any) -> bool:
    """Whether a class holds it as it is: a function may be a method there."""
    kinds = (np.ndarray, tuple, ModuleType, np.ufunc, type(np.r_), type(np.c_), CACHE)
    return type(value) in kinds or distribution(value) is not None


# -- chance -----------------------------------------------------------------------------------------------

SOURCES = (np.random.Generator, np.random.RandomState, random.Random)
GLOBAL = (np.random.seed, np.random.sample, np.random.ranf)  # of NumPy's one source, by no method
SEEDS = (int, np.integer, str, bytes)
MADE_BY_SEED = (np.random.default_rng, np.random.RandomState, random.Random)
_seeded = ContextVar("seeded", default=False)
_reset: ContextVar[tuple[Any, ...]] = ContextVar("reset", default=())  # sources whose seed the code has set


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
    """Say that random numbers have no exact value; to the recording thread alone.

    A source whose seed the code has set gives the same numbers every time: they are constants.
    """
    if not _here.get():
        return function(*args, **kwargs)
    source, seed = _source(function), [*args, *kwargs.values()][:1]
    known = bool(seed) and isinstance(seed[0], SEEDS)
    if getattr(function, "__name__", "") == "seed":
        others = tuple(one for one in _reset.get() if one is not source)
        _reset.set((*others, source) if known else others)
        return function(*args, **kwargs)
    if any(source is one for one in _reset.get()) or (known and function in MADE_BY_SEED):
        return function(*args, **kwargs)
    raise unsupported(
        f"{name}: random numbers have no exact value; draw them first and pass them as arguments, or set the "
        "seed inside the function"
    )


def _source(function: Any) -> Any:
    """What a function draws from."""
    if function in GLOBAL:
        return np.random.get_state.__self__  # type: ignore[attr-defined]
    return getattr(function, "__self__", function)


def without_chance(value: Any) -> Any:
    """The value, refused where it draws random numbers."""
    if is_seeded():
        return value
    if issubclass(type(value), SOURCES):
        return Refused(value, type(value).__name__)
    source = type(attribute(value, "__self__"))
    if issubclass(source, SOURCES):  # from numpy.random import normal
        return functools.partial(refuse, f"{source.__name__}.{value.__name__}", value)
    return value
