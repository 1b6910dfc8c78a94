"""Stops code of a user's that does not end: a solver that waits for what rounding never lets it reach."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from threading import Lock, Timer, get_ident
from typing import TypeVar

R = TypeVar("R")


class Endless(BaseException):
    """Raised in the code that did not end; no Exception, which such code may catch."""


def ending(run: Callable[[], R], seconds: float) -> R:
    """What it returns, if it ends within so many seconds. Compiled code is not stopped before it returns.

    Raises:
        Endless: It was stopped.
    """
    thread, lock, ended, stopped = ctypes.c_ulong(get_ident()), Lock(), False, False

    def stop() -> None:
        nonlocal stopped
        with lock:
            if not ended:
                stopped = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(Endless))

    timer = Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        return run()
    finally:
        with lock:
            ended = True  # from here on it is not stopped
        timer.cancel()
        for _ in range(1000 if stopped else 0):
            pass  # it may have been stopped just as it ended: it is raised here at the latest
