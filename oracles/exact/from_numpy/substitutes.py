"""What the recorded code sees in place of NumPy, of the libraries, and of what its variables hold."""

from __future__ import annotations

import builtins
import functools
import random
from collections.abc import Callable, Mapping
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

import numpy as np
from numpy.lib import stride_tricks

from oracles.exact.from_numpy import extremes, numbers
from oracles.exact.from_numpy.applied import Vectorized, apply_along_axis
from oracles.exact.from_numpy.chance import SOURCES, Refused, is_seeded, without_chance
from oracles.exact.from_numpy.held import held
from oracles.exact.from_numpy.indexing import as_strided, ndenumerate, nditer
from oracles.exact.from_numpy.libraries import loaded
from oracles.exact.from_numpy.libraries.distributions import distribution
from oracles.exact.from_numpy.libraries.replaced import of_libraries, of_library
from oracles.exact.from_numpy.memory import ALLOCATORS, joined, of_lists
from oracles.exact.from_numpy.stand_ins import (
    CACHE,
    Constructor,
    Function,
    Module,
    Subscripted,
    Ufunc,
    with_own_cache,
)
from oracles.exact.from_numpy.tape import Tape
from oracles.exact.from_numpy.writes import Writable
from oracles.exact.program.containers import CONTAINERS
from oracles.exact.program.identity import by_identity
from oracles.exact.program.program import Array
from oracles.exact.program.reach import PLAIN, attribute
from oracles.exact.program.registered import registered_functions

MODULES = (np, np.lib, stride_tricks, np.linalg, np.fft, np.emath)
DISPATCHED = type(np.sum)  # NumPy's functions that ask their arguments who answers
SAYING = ("types", "typing")  # where what Python says about types has its own: called, it computes nothing
_NOT_YET = object()


class Substitutes:
    """What is put in place of NumPy's modules and functions, for one recording.

    Attributes:
        tape: What is recorded.
        writable: What the code's own arrays are once it writes recorded numbers into them.
    """

    def __init__(self, tape: Tape, further: Mapping[int, Any] = MappingProxyType({})) -> None:
        self.tape, self.writable = tape, Writable(tape)
        # By the identity of a type, how to find what replaces its objects. Its hash may be anything.
        self._kinds: dict[int, tuple[type, Callable[[Any], Any] | None]] = {}
        self._held: dict[int, tuple[Any, Any]] = {}
        self._listed: dict[int, tuple[Any, Function]] = {}
        self._caches: dict[int, tuple[Any, Any]] = {}
        self._libraries = of_libraries(loaded(), registered_functions())
        self._made: dict[int, Any] = dict(further)
        tape.numpy = self.of(np)

    def of(self, value: Any) -> Any:
        """What replaces the value, None if nothing does."""
        replacer = self.replacer_for(type(value))  # isinstance asks the object, which may have no answer
        return None if replacer is None else replacer(value)

    def replacer_for(self, kind: type) -> Callable[[Any], Any] | None:
        """How to find what replaces an object of this type, None if nothing ever does."""
        known = self._kinds.get(id(kind))
        if known is None:
            find = _finder_for(kind)
            known = self._kinds[id(kind)] = kind, None if find is None else functools.partial(find, self)
        return known[1]

    def _known(self, value: Any) -> Any:
        own = self._made.get(id(value), _NOT_YET)
        if own is _NOT_YET and (make := MAKERS.get(id(value))):
            own = self._made[id(value)] = make(self)
        return self._libraries.get(id(value)) if own is _NOT_YET or own is None else own

    def _of_module(self, value: ModuleType) -> Any:
        return self._known(value) or of_library(value)

    def _of_array(self, value: Array) -> Any:
        return self._once(value, self._array)

    def _of_tuple(self, value: tuple[Any, ...]) -> Any:
        return self._once(value, self._parts)

    def _of_vectorized(self, value: Any) -> Any:
        return Vectorized(self.tape, value)

    def _of_cache(self, value: Any) -> Any:
        return self._caches.setdefault(id(value), (value, with_own_cache(value)))[1]

    def _of_function(self, value: FunctionType) -> Any:
        """What replaces a function that is written in Python; most are the user's, so it is asked little."""
        if str(value.__module__).startswith("numpy.random") and not is_seeded():
            return getattr(Refused(np.random, "np.random"), value.__name__, None)
        return self._known(value)

    def _once(self, value: Any, make: Callable[[Any], Any]) -> Any:
        """What is the same stays the same."""
        if id(value) not in self._held:
            self._held[id(value)] = value, make(value)
        new = self._held[id(value)][1]
        return None if new is value else new

    def _of_code(self, value: Any) -> Any:
        """What replaces a function, a type, a distribution or a source of random numbers."""
        if value is not (refused := without_chance(value)):
            return refused
        module, name = attribute(value, "__module__"), attribute(value, "__name__")
        if isinstance(module, str) and module.startswith("numpy.random") and name and not is_seeded():
            return getattr(Refused(np.random, "np.random"), name, None)
        known = self._known(value) or distribution(value)
        return known or (self._of_lists(value) if type(value) in (np.ufunc, DISPATCHED) else None)

    def _array(self, value: Array) -> Any:
        """What the code sees in place of its own array."""
        recorded = self.writable.of(value)
        return held(value) if recorded is None else recorded

    def look_again(self) -> None:
        """See what is loaded of the libraries."""
        self._libraries = of_libraries(loaded(), registered_functions())

    def leave_types(self) -> None:
        """Let NumPy's types be what they are."""
        for kind in (*numbers.TYPES, np.ndarray):
            if kind not in numbers.PYTHONS:
                self._made[id(kind)] = None
        self._held.clear()

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


@by_identity
def _finder_for(kind: type) -> Callable[[Substitutes, Any], Any] | None:
    """What finds what replaces an object of this type, None if nothing ever does."""
    if issubclass(kind, PLAIN) or any(kind is own for own in CONTAINERS if own is not tuple):
        return None
    if issubclass(kind, ModuleType):
        return Substitutes._of_module
    if kind is np.ndarray:
        return Substitutes._of_array
    if kind is tuple or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
        return Substitutes._of_tuple
    if kind is np.vectorize:
        return Substitutes._of_vectorized
    if kind is CACHE:
        return Substitutes._of_cache
    if kind is FunctionType:
        return Substitutes._of_function
    home = kind.__module__ if isinstance(kind.__module__, str) else ""
    is_code = home not in SAYING and any("__call__" in vars(base) for base in kind.__mro__)
    of_chance = home.startswith(("numpy.random", "scipy.stats")) or issubclass(kind, SOURCES)
    return Substitutes._of_code if is_code or of_chance else Substitutes._known


Maker = Callable[[Substitutes], Any]


def _function(original: Any, new: Callable[..., Any]) -> Maker:
    """A function of the tape in place of a function."""
    return lambda own: Function(original, functools.partial(new, own.tape))


def _subscripted(original: Any) -> Maker:
    return lambda own: Subscripted(original, functools.partial(joined, own.tape))


def _number(kind: type) -> Maker:
    return lambda own: numbers.substitute(own.tape, kind)


def _extreme(name: str) -> Maker:
    return lambda own: extremes.substitute(name)


def _module(module: ModuleType) -> Maker:
    return lambda own: Module(module, own.of)


def _chance(source: Any, name: str) -> Maker:
    return lambda own: source if is_seeded() else Refused(source, name)


# What is put in place of NumPy's own and Python's, by the identity of the original: made where it is met.
MAKERS: dict[int, Maker] = {
    **{id(getattr(np, name)): _function(getattr(np, name), make) for name, make in ALLOCATORS.items()},
    id(np.nditer): lambda own: Function(np.nditer, nditer),
    id(np.ndenumerate): lambda own: Function(np.ndenumerate, ndenumerate),
    id(np.apply_along_axis): _function(np.apply_along_axis, apply_along_axis),
    id(np.vectorize): _function(
        np.vectorize, lambda tape, *args, **kwargs: Vectorized(tape, np.vectorize(*args, **kwargs))
    ),
    id(np.r_): _subscripted(np.r_),
    id(np.c_): _subscripted(np.c_),
    id(stride_tricks.as_strided): lambda own: Function(stride_tricks.as_strided, as_strided),
    **{id(kind): _number(kind) for kind in (*numbers.TYPES, type)},
    **{id(getattr(builtins, name)): _extreme(name) for name in extremes.UFUNCS},
    id(np.ndarray): lambda own: Constructor(
        "ndarray", (np.ndarray,), {"make": functools.partial(ALLOCATORS["empty"], own.tape)}
    ),
    **{id(module): _module(module) for module in MODULES},
    id(np.random): _chance(np.random, "np.random"),
    id(random): _chance(random, "random"),
}
