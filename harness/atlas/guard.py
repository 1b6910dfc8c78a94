"""Ends this process where native code never ends: torch's polygamma far below 0, JAX's exp1 near 0."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

MOST_S = 20.0  # of computing, for a row; those that end take a few seconds


@contextmanager
def ending_after(seconds: float) -> Iterator[None]:
    """Let the process die by SIGPROF if what is inside computes for longer than so many seconds.

    They are seconds of its own work, not of the clock: a busy machine gives as many. No signal handler of
    Python's runs inside a loop of native code. Windows has no such signal: there the clock's limit holds.
    """
    if not seconds or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)
