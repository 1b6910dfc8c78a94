"""What a signal's handler raises while a check runs leaves the check: the code that it meets has no fault.

It waits where a check puts back what was replaced: half of that would stay.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import current_thread, main_thread
from typing import Any

from oracles.exact.program.whole import whole

_SIGNALS = tuple(signal.Signals)  # those with names


class _Left(BaseException):
    """Passes all that catches exceptions: ours, the frameworks' and the user's."""


@contextmanager
def leaving() -> Iterator[None]:
    """Within, what a handler raises is caught by nobody; it comes out as it is, at the end at the latest.

    Handlers run in the main thread. That of the interrupt raises no Exception.
    """
    if current_thread() is not main_thread():
        yield
        return
    raised: list[Exception] = []
    put: list[tuple[int, Any, Any]] = []
    try:
        try:
            for number, own in _handlers():
                new = _past_all(own, raised)
                put.append((number, own, new))
                signal.signal(number, new)
            yield
        finally:
            for number, own, new in put:
                if signal.getsignal(number) is new:
                    signal.signal(number, own)
    except _Left:
        pass
    if raised:  # also where Python dropped it, as in a destructor
        raise raised[0]


def _handlers() -> list[tuple[int, Any]]:
    """The signals that have a handler in Python, with it; but asyncio's, which raises nothing."""
    found = ((number, signal.getsignal(number)) for number in _SIGNALS)
    return [
        (number, own) for number, own in found
        if callable(own)
        and not str(getattr(own, "__module__", "")).startswith(("asyncio", "signal"))
    ]  # fmt: skip


def _past_all(handler: Any, raised: list[Exception]) -> Callable[[int, Any], Any]:
    def handle(number: int, frame: Any) -> Any:
        try:
            return handler(number, frame)
        except Exception as problem:
            raised.append(problem)
            raise _Left from problem

    return lambda number, frame: whole.after(partial(handle, number, frame))
