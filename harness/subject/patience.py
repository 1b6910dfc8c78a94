"""Stops code of a user's that does not end: a solver that waits for what rounding never lets it reach."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread, get_ident
from time import monotonic
from typing import TypeVar

R = TypeVar("R")
LOOKS_S = 1.0  # how often the watching thread looks, and stops again what is stopped and goes on


class Endless(BaseException):
    """Raised in the code that did not end; no Exception, which such code may catch."""


class _Run:
    """Code that runs in this thread, and is to end until then."""

    def __init__(self, until: float) -> None:
        self.until, self.thread = until, ctypes.c_ulong(get_ident())
        self.over = self.aimed_at = self.stopped = False

    def stop(self) -> None:
        """Raise Endless in it, if it is not over; again where a destructor swallowed the last one."""
        self.aimed_at = True
        if not self.over:
            self.stopped = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(self.thread, ctypes.py_object(Endless))
        self.aimed_at, self.until = False, monotonic() + LOOKS_S


class _Watch:
    """One thread for all runs, which costs less than one for each; it ends when there is none.

    Endless comes between any two steps of the thread that it stops. So that thread must hold no lock while
    it may come: it would keep it, and nothing would be stopped any more.
    """

    def __init__(self) -> None:
        self.starting, self.news, self.runs = Lock(), SimpleQueue[None](), set[_Run]()
        self.thread: Thread | None = None

    def add(self, run: _Run) -> None:
        self.runs.add(run)
        if self.thread is None:  # so none of this thread's runs is watched: Endless does not come here
            with self.starting:
                if self.thread is None:
                    self.thread = Thread(target=self._look, name="stops what does not end", daemon=True)
                    self.thread.start()
        elif run.until < monotonic() + LOOKS_S:
            self.news.put(None)

    def _look(self) -> None:
        while self._goes_on():
            watched = list(self.runs)
            for run in watched:
                if run.over:
                    self.runs.discard(run)
                elif run.until <= monotonic():
                    run.stop()
            next_s = min((run.until - monotonic() for run in watched if not run.over), default=LOOKS_S)
            with suppress(Empty):
                self.news.get(timeout=min(LOOKS_S, max(0.0, next_s)))

    def _goes_on(self) -> bool:
        """Whether there is a run; one that is added meanwhile finds no thread, or is found here."""
        if self.runs:
            return True
        with self.starting:
            own, self.thread = self.thread, None
            if self.runs:
                self.thread = own
        return self.thread is own


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
    own = _Run(monotonic() + seconds)
    try:
        _watch.add(own)
        return run()
    finally:
        own.over = True
        while own.aimed_at:
            pass
        for _ in range(1000 if own.stopped else 0):
            pass  # it may have been stopped just as it ended: it is raised here at the latest
