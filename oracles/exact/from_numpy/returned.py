"""Python floats that the recorded function returns at once.

`float(x)` must give a Python float, and nobody sees what becomes of one. But in `return float(loss), grad`
the float goes from the call straight into the result, where it is known by its identity. Whether it does so
is read from the code: what follows the running call must leave the float where it is and return it. That is
asked of the recorded function itself: what a helper returns, its caller or a cache between may use. A float
that is not found in the result is refused after all.
"""

from __future__ import annotations

import dis
import functools
import inspect
from bisect import bisect_right
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any, TypeVar

import numpy as np

from oracles.exact.from_numpy.tape import line, place, words
from oracles.exact.program.errors import Opaque
from oracles.exact.program.program import Line
from oracles.exact.program.trees import Flat

LEAVES = (
    "{what} would take a number of dtype {dtype} out of the exact arithmetic; use NumPy's own functions and "
    "keep it an array; a method of a plain array takes plain numbers alone: write X @ w for X.dot(w), "
    "np.f(X, w) for X.f(w), or pass X as an argument; an array that it is written into must be a recorded "
    "one: write r = np.array(r) before"
)
# Ours, between record and the function: these hand on what it returns.
PASSES_ON = {Flat.__call__.__code__, Flat.result.__code__}
GENERATORS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
# What may follow the call: what takes nothing from the stack, what takes what lies above the float and puts
# one there, and what puts the float into a container.
PUSHES = frozenset(
    words(
        "LOAD_CONST LOAD_FAST LOAD_FAST_CHECK LOAD_FAST_LOAD_FAST LOAD_GLOBAL LOAD_NAME LOAD_DEREF PUSH_NULL "
        "KW_NAMES NOP EXTENDED_ARG"
    )
)
COMPUTES = frozenset(
    words(
        "CALL CALL_KW CALL_FUNCTION_EX LOAD_ATTR LOAD_METHOD PRECALL BINARY_OP BINARY_SUBSCR "
        "UNARY_NEGATIVE BUILD_MAP BUILD_CONST_KEY_MAP"
    )
)
CONTAINERS = frozenset(words("BUILD_TUPLE BUILD_LIST"))


F = TypeVar("F", bound=Callable[..., Any])


def hands_on(function: F) -> F:
    """Mark a function of ours that calls the user's and returns what that returns."""
    PASSES_ON.add(function.__code__)
    return function


class Returned:
    """The floats that one recorded call has given to its code."""

    def __init__(self, top: FrameType) -> None:
        """`top` is the frame that calls the function and reads its result."""
        self._top: FrameType | None = top
        self._given: dict[int, tuple[float, Any, str, Line]] = {}  # by identity, and where they were given
        self._calls = set[tuple[FrameType, int]]()

    def give(self, x: Any, frame: FrameType | None) -> float | None:
        """The float for a recorded number, if it is returned at once; None otherwise.

        `frame` is the one that has called float().
        """
        if frame is None or not _is_returned(frame.f_code, frame.f_lasti):
            return None
        outer = frame.f_back
        while outer is not self._top:
            if outer is None or outer.f_code not in PASSES_ON:
                return None
            outer = outer.f_back
        call = frame, frame.f_lasti
        if call in self._calls:  # what calls float() twice is another function: a sort, or map
            return None
        self._calls.add(call)
        number: float = np.asarray(x.value).item()  # a new object
        self._given[id(number)] = number, x, place(), line()
        return number

    def read(self, leaves: list[Any]) -> list[Any]:
        """What a function returned, with the recorded numbers in place of their floats.

        Raises:
            Opaque: A float went elsewhere.
        """
        missing = self._given.keys() - set(map(id, leaves))
        for _, _, where, at in (self._given[key] for key in missing):
            raise Opaque(f"{LEAVES.format(what='float()', dtype='float64')}; at {where}", line=at)
        found = [self._given[id(leaf)][1].item() if id(leaf) in self._given else leaf for leaf in leaves]
        self._given, self._calls, self._top = {}, set(), None
        return found


@functools.cache
def _is_returned(code: CodeType, place: int) -> bool:
    """Whether what the running call of float() gives is returned, alone or in a tuple or list."""
    steps = list(dis.get_instructions(code))
    offsets = [step.offset for step in steps]
    k = bisect_right(offsets, place) - 1  # it may point behind the call, at its caches
    k += steps[k].opname == "PRECALL"  # code that has run often does both at once
    if code.co_flags & GENERATORS or (steps[k].opname, steps[k].arg) != ("CALL", 1):
        return False
    above = 0  # how many things lie on the stack above the float
    for step in _following(steps, offsets, k + 1):
        name, effect = step.opname, dis.stack_effect(step.opcode, step.arg)
        if name == "RETURN_VALUE":
            return above == 0
        if name == "JUMP_FORWARD":
            continue
        if name in CONTAINERS and (step.arg or 0) > above:
            above = 0
        elif name in PUSHES or (name in COMPUTES | CONTAINERS and above >= max(1, 1 - effect)):
            above += effect
        else:
            return False
    return False


def _following(steps: list[dis.Instruction], offsets: list[int], k: int) -> Iterator[dis.Instruction]:
    """The instructions from the k-th on, in the order in which they run: up to a branch they are in a row."""
    while k < len(steps):
        yield steps[k]
        k = offsets.index(steps[k].argval) if steps[k].opname == "JUMP_FORWARD" else k + 1
