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
    thread, lock, ended = ctypes.c_ulong(get_ident()), Lock(), False

    def stop() -> None:
        with lock:
            if not ended:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(Endless))

    timer = Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        return run()
    finally:
        with lock:  # from here on it is not stopped; if it just was, that is taken back
            ended = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, None)
        timer.cancel()
