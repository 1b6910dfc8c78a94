"""What replaces the functions of Python's and SciPy's libraries in the recorded code."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from oracles.exact.from_numpy.held import recording
from oracles.exact.from_numpy.libraries import LIBRARIES, loaded
from oracles.exact.from_numpy.libraries.blas import others
from oracles.exact.from_numpy.libraries.distributions import distribution
from oracles.exact.from_numpy.making import as_array
from oracles.exact.from_numpy.nested import first_tape, holds_traced, swap, traced, values
from oracles.exact.from_numpy.refusals import instead, opaque
from oracles.exact.from_numpy.stand_ins import Function
from oracles.exact.from_numpy.unknown import without_rule
from oracles.exact.program.registered import definition_of, registered_functions

CHOOSING = ("get_blas_funcs", "get_lapack_funcs")  # they give functions of a library, by the arrays' dtypes
# Functions of scipy.linalg without a rule, whose results have shapes and dtypes that the arguments' tell.
UNKNOWN = str.split(
    "expm_frechet coshm sinhm tanhm cosm sinm solve_continuous_are solve_discrete_are polar cholesky_banded "
    "cho_solve_banded"
)


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
                of_arrays = _of_lists(definition) if name.startswith("scipy") else definition
                found[id(original)] = _where_traced(original, of_arrays)
    for original, refused in others(modules):
        found.setdefault(id(original), _where_traced(original, refused))
    for name in UNKNOWN if "scipy.linalg" in modules else ():
        if (original := getattr(sys.modules["scipy.linalg"], name, None)) is not None:
            found[id(original)] = _where_traced(original, _unknown(f"scipy.linalg.{name}", original))
    for giver in CHOOSING if "scipy.linalg" in modules else ():
        original = getattr(sys.modules["scipy.linalg"], giver)
        found[id(original)] = Function(original, _choosing(original))
    for operation in operations:
        said = definition_of("numpy", operation)
        assert said is not None, "it is registered"
        found[id(operation)] = _where_traced(operation, said)
    return found


def _choosing(function: Callable[..., Any]) -> Callable[..., Any]:
    """What gives functions: it gives what replaces them."""

    def new(*args: Any, **kwargs: Any) -> Any:
        found = function(*values(args), **values(kwargs))
        several = isinstance(found, list | tuple)
        parts = [of_library(one) or one for one in (found if several else (found,))]
        return type(found)(parts) if several else parts[0]

    return new


def _unknown(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function without a rule: of numbers in the code it is itself."""

    def new(*args: Any, **kwargs: Any) -> Any:
        tape = first_tape((args, kwargs))
        if not any(tape.depends(x.recorded) for x in traced((args, kwargs))):
            given = swap((args, kwargs), lambda x: x.exact_value(name))
            return function(*given[0], **given[1])
        said = f"{name} has no rule for values that depend on the inputs: {instead(name)}"
        return without_rule(lambda: opaque(said), function, args, kwargs)

    return new


def _of_lists(definition: Callable[..., Any]) -> Callable[..., Any]:
    """The same, of lists too, of which SciPy makes arrays."""

    def new(*args: Any, **kwargs: Any) -> Any:
        return definition(*map(_array_of, args), **{name: _array_of(v) for name, v in kwargs.items()})

    return new


def _array_of(x: Any) -> Any:
    """A list of recorded numbers, or of rows that are as long as each other, as an array."""
    is_array = type(x) is list and holds_traced(x) and len({np.shape(row) for row in values(x)}) == 1
    return as_array(x) if is_array else x


def _where_traced(function: Callable[..., Any], definition: Callable[..., Any]) -> Function:
    """A library's function: of recorded numbers what it is said to be, of others itself.

    What gives one number after the other (`math.fsum(w * w for w in x)`) is run first.
    """

    def new(*given: Any, **kwargs: Any) -> Any:
        args = tuple(list(one) if isinstance(one, Iterator) else one for one in given)
        return (definition if holds_traced((args, kwargs)) else function)(*args, **kwargs)

    return Function(function, new)
