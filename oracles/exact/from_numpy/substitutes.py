"""What the recorded code sees in place of NumPy, of the libraries, and of what its variables hold."""

from __future__ import annotations

import builtins
import functools
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
from numpy.lib import stride_tricks

from oracles.exact.from_numpy import extremes, numbers
from oracles.exact.from_numpy.applied import Vectorized, apply_along_axis
from oracles.exact.from_numpy.chance import SOURCES, Refused, is_seeded, without_chance
from oracles.exact.from_numpy.held import Writable, held
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
from oracles.exact.program.program import Array
from oracles.exact.program.reach import attribute
from oracles.exact.program.registered import registered_functions

MODULES = (np, np.lib, stride_tricks, np.linalg, np.fft, np.emath)
DISPATCHED = type(np.sum)  # NumPy's functions that ask their arguments who answers


class Substitutes:
    """What is put in place of NumPy's modules and functions, by the identity of the original."""

    def __init__(self, tape: Tape, further: Mapping[int, Any] = MappingProxyType({})) -> None:
        made: dict[str, Any] = {name: functools.partial(make, tape) for name, make in ALLOCATORS.items()}
        made |= {"nditer": nditer, "ndenumerate": ndenumerate}
        made |= {"apply_along_axis": functools.partial(apply_along_axis, tape)}
        made |= {"vectorize": lambda *args, **kwargs: Vectorized(tape, np.vectorize(*args, **kwargs))}
        self._tape, self.writable = tape, Writable(tape)
        # By the identity of a type, how to find what replaces its objects. Its hash may be anything.
        self._kinds: dict[int, tuple[type, Callable[[Any], Any]]] = {}
        self._held: dict[int, tuple[Any, Any]] = {}
        self._listed: dict[int, tuple[Any, Function]] = {}
        self._caches: dict[int, tuple[Any, Any]] = {}
        self._libraries = of_libraries(loaded(), registered_functions())
        own = {name: Function(getattr(np, name), new) for name, new in made.items()}
        for name in ("r_", "c_"):
            own[name] = Subscripted(getattr(np, name), functools.partial(joined, tape))
        self._by_id: dict[int, Any] = dict(further)
        self._by_id |= {id(getattr(np, name)): new for name, new in own.items()}
        self._by_id[id(stride_tricks.as_strided)] = Function(stride_tricks.as_strided, as_strided)
        empty = functools.partial(ALLOCATORS["empty"], tape)
        self._by_id |= {id(kind): numbers.substitute(tape, kind) for kind in (*numbers.TYPES, type)}
        self._by_id |= {id(getattr(builtins, name)): extremes.substitute(name) for name in extremes.UFUNCS}
        self._by_id[id(np.ndarray)] = Constructor("ndarray", (np.ndarray,), {"make": empty})
        self._by_id |= {id(module): Module(module, self.of) for module in MODULES}
        for source, name in ((np.random, "np.random"), (random, "random")):
            self._by_id[id(source)] = source if is_seeded() else Refused(source, name)
        tape.numpy = self._by_id[id(np)]

    def of(self, value: Any) -> Any:
        """What replaces the value, None if nothing does."""
        kind = type(value)  # isinstance asks the object, which may have no answer
        known = self._kinds.get(id(kind))
        if known is None:
            known = self._kinds[id(kind)] = kind, self._way(kind)
        return known[1](value)

    def _way(self, kind: type) -> Callable[[Any], Any]:
        """How to find what replaces an object of this type."""
        if issubclass(kind, ModuleType):
            return lambda value: self._by_id.get(id(value)) or of_library(value)
        if kind is np.ndarray:
            return lambda value: self._once(value, self._array)
        if kind is tuple or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
            return lambda value: self._once(value, self._parts)
        if kind is np.vectorize:
            return lambda value: Vectorized(self._tape, value)
        if kind is CACHE:
            return lambda value: self._caches.setdefault(id(value), (value, with_own_cache(value)))[1]
        home, is_called = kind.__module__, any("__call__" in vars(base) for base in kind.__mro__)
        of_chance = isinstance(home, str) and home.startswith(("numpy.random", "scipy.stats"))
        return self._of_code if is_called or of_chance or issubclass(kind, SOURCES) else self._known

    def _known(self, value: Any) -> Any:
        return self._by_id.get(id(value)) or self._libraries.get(id(value))

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
        module = attribute(value, "__module__")
        if isinstance(module, str) and module.startswith("numpy.random") and not is_seeded():
            return getattr(Refused(np.random, "np.random"), value.__name__, None)
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
            if kind is not float:
                self._by_id.pop(id(kind), None)
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
