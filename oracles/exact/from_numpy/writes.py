"""Where recorded numbers are written into the code's own arrays: a layer's running mean, a work array.

A plain array cannot take them. One that is written into is a recorded array for the code from the beginning,
and the code's stays as it was. Runs show most of these: they leave other numbers there. Where a run leaves
the very numbers that were there before, recording shows the write itself: it is refused there, and begun
again with a recorded array (`begun_again`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.refusals import MAKE_INSIDE, unsupported
from oracles.exact.from_numpy.tape import Tape
from oracles.exact.program.errors import ExactError, Unsupported
from oracles.exact.program.recording import Recording

MOST = 100  # times that a recording is begun again: code may make a new array each time


class Writes:
    """The memories of the code's arrays that are written into, in one check.

    Attributes:
        refused: By identity those in which recording met a write.
    """

    def __init__(self, seen: Callable[[], Iterable[Any]]) -> None:
        """`seen` gives the arrays that runs left other numbers in."""
        self._seen = seen
        self.refused: dict[int, Any] = {}

    def memories(self) -> dict[int, Any]:
        """All so far, by identity."""
        return self.refused | {id(memory): memory for memory in map(_memory, self._seen())}


written: ContextVar[Writes | None] = ContextVar("written", default=None)  # in the check of this thread


def begun_again(record: Callable[[], Recording]) -> Recording:
    """What recording gives, once it knows all that is written into: each refusal shows one more.

    Raises:
        Unsupported, Undecided: As `record` does, for another reason.
    """
    writes = written.get()
    met = {} if writes is None else writes.refused
    for _ in range(MOST):
        known = len(met)
        try:
            return record()
        except ExactError:
            if len(met) == known:
                raise
    return record()


def _memory(array: Any) -> Any:
    """The array that has the memory in which an array lies."""
    while type(array.base) is np.ndarray:
        array = array.base
    return array


class Writable:
    """The code's arrays that are written into, as recorded arrays: what shares memory does so here too.

    Attributes:
        is_refused: Whether a write into another of them was: then the recording is begun again.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape, self._writes = tape, written.get()
        self._written = {} if self._writes is None else self._writes.memories()
        self._plain: dict[int, Any] = {}  # memories of arrays that are none
        self.is_refused = False
        self._memories: dict[int, tuple[Any, Any]] = {}  # the code's, and in a row what is recorded for it

    def of(self, array: Any) -> Any:
        """What stands for an array, None where nothing was seen to write into it."""
        memory = _memory(array)
        is_part = memory.flags.forc and memory.dtype == array.dtype and array.dtype.kind in "fcb"
        if not is_part:
            return None
        if id(memory) not in self._written:
            self._plain[id(memory)] = memory
            return None
        if id(memory) not in self._memories:
            self._memories[id(memory)] = memory, self._now(memory)
        own = self._memories[id(memory)][1]
        value, tokens = (_window(part, memory, array) for part in (own.in_numpy, own.tokens))
        return TracedArray(self._tape, value, tokens)

    def note(self, array: Any) -> None:
        """A write into it was refused: if it is the code's own, it is a recorded one next time."""
        if self._writes is not None and isinstance(array, np.ndarray):
            met = {key: own for key, own in self._plain.items() if np.may_share_memory(own, array)}
            self._writes.refused.update(met)
            self.is_refused |= bool(met)

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


def refused(
    array: Any, said: str = "values that depend on the inputs would be written into a plain array"
) -> Unsupported:
    """What is raised where recorded numbers would be written into a plain array."""
    if (own := writable.get()) is not None:
        own.note(array)
    return unsupported(f"{said}; {MAKE_INSIDE}")
