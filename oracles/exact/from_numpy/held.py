"""Plain arrays that the recorded code holds, or makes of such: their methods take recorded operands.

`X @ w` asks w what it is, and `X.dot(w)` does not: a method of ndarray takes what it is given for numbers. So
the code sees its own arrays as a kind whose methods hand recorded operands over to NumPy's functions. They
lie in the same memory, and what NumPy makes of them is of this kind too. A copy is a recorded array, if it is
not large: recorded numbers may be written into it.

Recorded numbers cannot be written into the code's own arrays. Those that a run of the code was seen to write
into, a layer's running mean, are recorded arrays for it from the beginning, and the code's stay as they were.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import METHODS, TracedArray, is_traced
from oracles.exact.from_numpy.nested import as_it_says, first_tape, holds_traced
from oracles.exact.from_numpy.refusals import MAKE_INSIDE, unsupported
from oracles.exact.from_numpy.tape import Tape
from oracles.exact.program.reach import LARGE

recording: ContextVar[Tape | None] = ContextVar("recording", default=None)  # that of this thread
# Gives the arrays of the code's that runs were seen to write into.
written: ContextVar[Callable[[], Iterable[Any]]] = ContextVar("written", default=tuple)
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
            raise unsupported(f"recorded numbers would be written into a plain array; {MAKE_INSIDE}")
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
            raise unsupported(f"recorded numbers would be written into a plain array; {MAKE_INSIDE}")
        return plain(self, *args, **kwargs)

    return method


WRITING = frozenset({"fill", "put"})
for _name in (METHODS - WRITING) | {"clip", "__matmul__"}:
    setattr(Held, _name, _taking(_name))
for _name in WRITING:
    setattr(Held, _name, _writing(_name))


def _memory(array: Any) -> Any:
    """The array that has the memory in which an array lies."""
    while type(array.base) is np.ndarray:
        array = array.base
    return array


class Writable:
    """The code's arrays that runs write into, as recorded arrays: what shares memory does so here too."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._written = {id(memory): memory for memory in map(_memory, written.get()())}
        self._memories: dict[int, tuple[Any, Any]] = {}  # the code's, and in a row what is recorded for it

    def of(self, array: Any) -> Any:
        """What stands for an array, None where nothing was seen to write into it."""
        memory = _memory(array)
        is_part = memory.flags.forc and memory.dtype == array.dtype and array.dtype.kind in "fcb"
        if not is_part or id(memory) not in self._written:
            return None
        if id(memory) not in self._memories:
            self._memories[id(memory)] = memory, self._now(memory)
        own = self._memories[id(memory)][1]
        value, tokens = (_window(part, memory, array) for part in (own.in_numpy, own.tokens))
        return TracedArray(self._tape, value, tokens)

    def rewind(self) -> None:
        """Let them hold what the code's arrays hold now."""
        for memory, own in self._memories.values():
            now = self._now(memory)
            own.in_numpy[...], own.tokens[...] = now.in_numpy, now.tokens

    def _now(self, memory: Any) -> Any:
        return self._tape.answers.array(self._tape, memory.ravel("K"))


# Those of the recording in this thread.
writable: ContextVar[Writable | None] = ContextVar("writable", default=None)


def _window(own: Any, memory: Any, view: Any) -> Any:
    """The part of a row that corresponds to a view of a memory."""
    start = view.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    strides = tuple(step // memory.itemsize * own.itemsize for step in view.strides)
    return np.lib.stride_tricks.as_strided(own[start // memory.itemsize :], view.shape, strides)


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
