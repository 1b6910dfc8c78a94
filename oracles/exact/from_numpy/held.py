"""Plain arrays that the recorded code holds, or makes of such: their methods take recorded operands.

`X @ w` asks w what it is, and `X.dot(w)` does not: a method of ndarray takes what it is given for numbers. So
the code sees its own arrays as a kind whose methods hand recorded operands over to NumPy's functions. They
lie in the same memory, and what NumPy makes of them is of this kind too. A copy is a recorded array, if it is
not large: recorded numbers may be written into it.
Recorded numbers cannot be written into them (see `writes`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import METHODS, is_traced
from oracles.exact.from_numpy.flat import FlatIterator
from oracles.exact.from_numpy.nested import as_it_says, first_tape, holds_traced
from oracles.exact.from_numpy.tape import Tape
from oracles.exact.from_numpy.writes import refused
from oracles.exact.program.reach import LARGE

recording: ContextVar[Tape | None] = ContextVar("recording", default=None)  # that of this thread
# By the identity of what is put in place: that, and what the code has there.
standing: dict[int, tuple[Any, Any]] = {}


class Held(np.ndarray[Any, Any]):
    """A plain array of the recorded code.

    Attributes:
        stands_for: The array that a variable of the code holds, where this one is in its place.
    """

    stands_for: Any

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        outs = kwargs.get("out") or (None,) * ufunc.nout
        if any(is_traced(x) for x in (*inputs, *outs)):
            return NotImplemented  # it answers
        inputs = tuple(map(as_it_says, inputs))
        if holds_traced(inputs):
            return first_tape(inputs).answers.ufunc(ufunc, method, inputs, kwargs)
        found = getattr(ufunc, method)(*_plain(inputs), **_plain(kwargs))
        if not isinstance(found, tuple):
            return held(found) if outs[0] is None else outs[0]
        return tuple(held(own) if out is None else out for own, out in zip(found, outs, strict=True))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        found = super().__array_function__(function, types, _plain(args), _plain(kwargs))
        return list(map(held, found)) if type(found) is list else held(found)

    def __setitem__(self, key: Any, new: Any) -> None:
        if holds_traced(as_it_says(new)):
            raise refused(self)
        super().__setitem__(key, new)

    def copy(self, order: Any = "C") -> Any:
        """A recorded array of the same numbers."""
        return recorded(super().copy(order))

    def astype(self, *args: Any, **kwargs: Any) -> Any:
        """Likewise, but for the array itself where it need not be copied."""
        found = super().astype(*args, **kwargs)
        if found is self:
            return found
        # A narrower one is rounded data as it stands: it is not known to half an ulp of the new dtype.
        return held(found) if found.dtype.itemsize < self.dtype.itemsize else recorded(found)

    @property
    def flat(self) -> Any:
        """Its elements in a row: NumPy's own would not say that recorded numbers are written into it."""
        return FlatIterator(self)

    @flat.setter
    def flat(self, new: Any) -> None:
        if holds_traced(as_it_says(new)):
            raise refused(self)
        self.view(np.ndarray).flat[:] = new

    def flatten(self, order: Any = "C") -> Any:
        """Likewise."""
        return self.ravel(order).copy()

    def __array_namespace__(self, *, api_version: Any = None) -> Any:
        tape = recording.get()
        return np if tape is None else tape.numpy

    def __copy__(self) -> Any:
        return self.copy("K")

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy("K")


def recorded(copied: Any) -> Any:
    """A new array of floats as a recorded one; a large one is rather computed with than written into."""
    tape = recording.get()
    if tape is None or copied.dtype.kind not in "fc" or copied.size > LARGE:
        return held(copied)
    return tape.answers.array(tape, copied)


def _plain(tree: Any) -> Any:
    """The tree with NumPy's arrays for held ones: its own code computes with those."""
    if type(tree) is Held:
        return tree.view(np.ndarray)
    if isinstance(tree, dict):
        return {name: _plain(part) for name, part in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(map(_plain, tree))
    return tree


def _taking(name: str) -> Callable[..., Any]:
    """A method that takes recorded operands: then it is that of the recorded array of the same numbers."""
    plain = getattr(np.ndarray, name)

    def method(self: Held, *args: Any, **kwargs: Any) -> Any:
        args = tuple(map(as_it_says, args))
        if not holds_traced((args, kwargs)):
            return plain(self, *args, **kwargs)
        tape = first_tape((args, kwargs))
        return getattr(tape.answers.array(tape, self), name)(*args, **kwargs)

    return method


def _writing(name: str) -> Callable[..., Any]:
    """A method that writes, and takes plain numbers alone."""
    plain = getattr(np.ndarray, name)

    def method(self: Held, *args: Any, **kwargs: Any) -> Any:
        if holds_traced((tuple(map(as_it_says, args)), kwargs)):
            raise refused(self)
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
