"""Where a backward in NumPy writes into what its forward saved: seen line by line, and tried."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import numpy as np

from oracles.exact.program.program import Line, Origin
from oracles.exact.program.reach import Reach
from oracles.exact.program.user_modules import OURS

MOST_STEPS = 2000  # lines that are looked at; a loop may have more
_LIBRARY = os.path.dirname(np.__file__) + os.sep


def writing(forward: Callable[[], Any], backward: Callable[[Any], Any]) -> Origin | None:
    """The function of a backward that writes into what its forward saved, and where; None where none is seen.

    Not everything that is written so matters: it is that without which a second backward gives what the first
    one gave.

    Args:
        forward: Gives what the backward gets; each time the same, and new.
        backward: The backward.
    """
    graph = forward()
    places = _Steps(_saved(graph)).of(lambda: backward(graph))
    for k, place in places.items():
        again = forward()
        array = _saved(again)[k]
        before = array.copy()
        first = _numbers(backward(again))
        array[...] = before
        if all(map(_is, first, _numbers(backward(again)))):
            return place
    return None


def _saved(graph: Any) -> list[Any]:
    """The floating arrays that are reached."""
    items = (item for item in Reach().items([graph]) if type(item) is np.ndarray)
    return [item for item in items if item.dtype.kind == "f" and item.flags.writeable]


def _numbers(found: Any) -> list[Any]:
    parts: Sequence[Any] = found if isinstance(found, tuple | list) else (found,)
    return [np.array(part) for part in parts]


def _is(one: Any, other: Any) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


class _Steps:
    """The lines of a run, and which of them first writes into each of some arrays."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        self._before = {k: (array, array.copy()) for k, array in enumerate(arrays)}
        self._places: dict[int, Origin] = {}
        self._at: Origin | None = None
        self._count = 0

    def of(self, run: Callable[[], Any]) -> dict[int, Origin]:
        """Run it; the numbers of the arrays that are written into, in order, with the line that does it."""
        other = sys.gettrace()
        sys.settrace(self._step)
        try:
            run()
        finally:
            sys.settrace(other)
        return self._places

    def _step(self, frame: FrameType, event: str, value: Any) -> Any:
        if frame.f_code.co_filename.startswith((_LIBRARY, *OURS)) or self._count > MOST_STEPS:
            return None
        self._count += 1
        if self._at is not None:
            self._look(self._at)
        here = frame.f_back if event == "return" else frame  # whose line goes on
        self._at = here and Origin(here.f_code.co_name, Line(here.f_code.co_filename, here.f_lineno))
        return self._step

    def _look(self, place: Origin) -> None:
        written = [k for k, (array, before) in self._before.items() if not _is(array, before)]
        for k in written:
            self._places[k] = place
            del self._before[k]
