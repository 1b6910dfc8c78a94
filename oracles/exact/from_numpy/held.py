"""Plain arrays that the recorded code holds, or makes of such: their methods take recorded operands.

`X @ w` asks w what it is, and `X.dot(w)` does not: a method of ndarray takes what it is given for numbers. So
the code sees its own arrays as a kind whose methods hand recorded operands over to NumPy's functions. They
lie in the same memory, and what NumPy makes of them is of this kind too.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import MAKE_INSIDE, METHODS, first_tape, holds_traced
from oracles.exact.from_numpy.tape import unsupported


class Held(np.ndarray[Any, Any]):
    """A plain array of the recorded code.

    Attributes:
        stands_for: The array that a variable of the code holds, where this one is in its place.
    """

    stands_for: Any

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return array[()] if return_scalar else array.view(Held)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        found = super().__array_function__(function, types, args, kwargs)
        return list(map(held, found)) if type(found) is list else held(found)


def _taking(name: str) -> Callable[..., Any]:
    """A method that takes recorded operands: then it is that of the recorded array of the same numbers."""
    plain = getattr(np.ndarray, name)

    def method(self: Held, *args: Any, **kwargs: Any) -> Any:
        if not holds_traced((args, kwargs)):
            return plain(self, *args, **kwargs)
        tape = first_tape((args, kwargs))
        return getattr(tape.answers.array(tape, self), name)(*args, **kwargs)

    return method


def _writing(name: str) -> Callable[..., Any]:
    """A method that writes, and takes plain numbers alone."""
    plain = getattr(np.ndarray, name)

    def method(self: Held, *args: Any, **kwargs: Any) -> Any:
        if holds_traced((args, kwargs)):
            raise unsupported(f"traced elements would be written into a plain array; {MAKE_INSIDE}")
        return plain(self, *args, **kwargs)

    return method


WRITING = frozenset({"fill", "put"})
for _name in (METHODS - WRITING) | {"clip", "__matmul__"}:
    setattr(Held, _name, _taking(_name))
for _name in WRITING:
    setattr(Held, _name, _writing(_name))


def held(value: Any) -> Any:
    """The value with plain arrays of numbers as held ones; of a tuple with such, a new one."""
    if type(value) is np.ndarray:
        if value.dtype.kind not in "biufc":
            return value
        found = value.view(Held)
        found.stands_for = value
        return found
    if not isinstance(value, tuple):
        return value
    parts = [held(part) for part in value]
    if all(map(operator.is_, parts, value)):
        return value
    return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
