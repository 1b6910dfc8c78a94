"""Ctrl-C and SIGTERM wait while a lock is held that another thread needs: raised there, it stays held.

Python runs a signal's handler in the main thread between any two steps, also those in which `threading` has
a lock and is about to say so. The other thread would wait for that lock for ever, and the end for the thread.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any

_SIGNALS = tuple(signal.Signals)  # those with names


@contextmanager
def held_back() -> Iterator[None]:
    """What handlers of signals do, they do at the end; who asks twice does not wait.

    Raises:
        BaseException: What a handler raised, such as KeyboardInterrupt.
    """
    if current_thread() is not main_thread():  # handlers do not run here
        yield
        return
    came: list[tuple[int, Any]] = []
    own: dict[int, Any] = {}

    def note(number: int, frame: Any) -> None:
        if any(number == earlier for earlier, _ in came):
            own[number](number, frame)
        came.append((number, frame))

    try:
        for one in _SIGNALS:
            if callable(handler := signal.getsignal(one)):
                own[one] = handler
                signal.signal(one, note)
        yield
    finally:
        for number, handler in own.items():
            signal.signal(number, handler)
        for number, frame in came:
            own[number](number, frame)
