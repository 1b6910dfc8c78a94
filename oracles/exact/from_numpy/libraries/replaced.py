"""What replaces the functions of Python's and SciPy's libraries in the recorded code."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from oracles.exact.from_numpy.held import recording
from oracles.exact.from_numpy.libraries import LIBRARIES, loaded
from oracles.exact.from_numpy.libraries.distributions import distribution
from oracles.exact.from_numpy.nested import holds_traced
from oracles.exact.from_numpy.stand_ins import Function
from oracles.exact.program.registered import definition_of, registered_functions


class Library:
    """A module of Python's or SciPy's libraries, which may load its parts when they are asked for."""

    def __init__(self, module: ModuleType) -> None:
        self.__module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__module, name)
        return (of_library(found) or found) if recording.get() else found


def of_library(value: Any) -> Any:
    """What replaces a module, a function or a distribution of a library, None if nothing does."""
    if isinstance(value, ModuleType):
        known = value.__name__ in LIBRARIES or value.__name__.partition(".")[0] == "scipy"
        return Library(value) if known else None
    return of_libraries(loaded(), registered_functions()).get(id(value)) or distribution(value)


@functools.cache
def of_libraries(modules: tuple[str, ...], operations: tuple[Any, ...]) -> dict[int, Function]:
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


def _where_traced(function: Callable[..., Any], definition: Callable[..., Any]) -> Function:
    """A library's function: of recorded numbers what it is said to be, of others itself."""

    def new(*args: Any, **kwargs: Any) -> Any:
        return (definition if holds_traced((args, kwargs)) else function)(*args, **kwargs)

    return Function(function, new)
