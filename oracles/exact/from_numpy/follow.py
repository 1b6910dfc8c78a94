"""NumPy's functions that are written in Python and have no rule: they are what their code says.

The code runs with the substitutes in place of NumPy's functions that allocate and convert. NumPy's modules
stay as they are: a function is run as a copy, with other globals.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from oracles.exact.from_numpy.array import METHODS
from oracles.exact.from_numpy.stand_ins import Module
from oracles.exact.from_numpy.substitutes import Substitutes
from oracles.exact.from_numpy.tape import Tape
from oracles.exact.program.code_names import names_in


def followed(tape: Tape, function: Any) -> Callable[..., Any] | None:
    """What runs the code of one of NumPy's functions, None if that is in C."""
    inner = getattr(function, "__wrapped__", function)
    if not isinstance(inner, FunctionType) or not inner.__module__.startswith("numpy."):
        return None
    if inner.__name__ in METHODS:  # its code calls the method, which calls the function
        return None
    return _copy(inner, Substitutes(tape))


def _copy(function: FunctionType, substitutes: Substitutes) -> FunctionType:
    known = function.__globals__
    named = {name: _inside(known[name], substitutes) for name in names_in(function.__code__) if name in known}
    kept = {name: known[name] for name in ("__builtins__", "__name__") if name in known}
    made = FunctionType(
        function.__code__, kept | named, function.__name__, function.__defaults__, function.__closure__
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def _inside(value: Any, substitutes: Substitutes) -> Any:
    """What the code sees in place of a global."""
    new = substitutes.of(value)
    if new is not None:
        return new
    if isinstance(value, ModuleType) and value.__name__.startswith("numpy."):
        return Module(value, substitutes.of)
    if isinstance(value, FunctionType) and value.__module__.startswith("numpy."):
        return lambda *args, **kwargs: _copy(value, substitutes)(*args, **kwargs)
    return value
