"""Stops code of a user's that does not end: a solver that waits for what rounding never lets it reach."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from threading import Condition, Thread, get_ident
from time import monotonic
from typing import TypeVar

R = TypeVar("R")
LOOKS_S = 1.0  # how often the watching thread looks, and how long it outlives what it watched


class Endless(BaseException):
    """Raised in the code that did not end; no Exception, which such code may catch."""


class _Run:
    """Code that runs in this thread, and is to end until then."""

    def __init__(self, until: float) -> None:
        self.until, self.thread, self.stopped = until, ctypes.c_ulong(get_ident()), False


class _Watch:
    """One thread for all runs, which costs less than one for each; it ends when there is none."""

    def __init__(self) -> None:
        self.changed, self.runs = Condition(), set[_Run]()
        self.thread: Thread | None = None

    def add(self, run: _Run) -> None:
        with self.changed:
            self.runs.add(run)
            if self.thread is None:
                self.thread = Thread(target=self._look, name="stops what does not end", daemon=True)
                self.thread.start()
            elif run.until < monotonic() + LOOKS_S:
                self.changed.notify()

    def remove(self, run: _Run) -> None:
        with self.changed:
            self.runs.discard(run)  # from here on it is not stopped

    def _look(self) -> None:
        with self.changed:
            while self.runs:
                for run in [r for r in self.runs if r.until <= monotonic()]:
                    self.runs.discard(run)
                    run.stopped = True
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(run.thread, ctypes.py_object(Endless))
                next_s = min((r.until - monotonic() for r in self.runs), default=LOOKS_S)
                self.changed.wait(min(LOOKS_S, max(0.0, next_s)))
            self.thread = None


_watch = _Watch()


def _anew() -> None:
    """A process that was forked has none of the threads."""
    global _watch
    _watch = _Watch()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_anew)


def ending(run: Callable[[], R], seconds: float) -> R:
    """What it returns, if it ends within so many seconds. Compiled code is not stopped before it returns.

    Raises:
        Endless: It was stopped.
    """
    watch, own = _watch, _Run(monotonic() + seconds)
    watch.add(own)
    try:
        return run()
    finally:
        watch.remove(own)
        for _ in range(1000 if own.stopped else 0):
            pass  # it may have been stopped just as it ended: it is raised here at the latest
