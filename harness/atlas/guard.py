"""Ends this process where native code never ends: torch's polygamma far below 0, JAX's exp1 near 0."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

MOST_S = 20.0  # of computing, for a row; those that end take a few seconds
ENDLESS = "SIGPROF"  # in the reason of a process that ended so
RUN_S = 5.0  # for one run at an array of numbers, where JAX compiles first; those that end take one


@contextmanager
def ending_after(seconds: float) -> Iterator[None]:
    """Let the process die by SIGPROF if what is inside computes for longer than so many seconds.

    They are seconds of its own work, not of the clock: a busy machine gives as many. No signal handler of
    Python's runs inside a loop of native code. Windows has no such signal: there the clock's limit holds.
    Inside of another limit, the one that is reached first holds.
    """
    if not seconds or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGPROF, signal.SIG_DFL)
    left, _ = signal.setitimer(signal.ITIMER_PROF, seconds)
    start = time.process_time()
    if 0 < left < seconds:
        signal.setitimer(signal.ITIMER_PROF, left)
    try:
        yield
    finally:
        rest = max(left - (time.process_time() - start), 1e-3) if left else 0.0
        signal.setitimer(signal.ITIMER_PROF, rest)
        signal.signal(signal.SIGPROF, before)
