"""One check at a time in a process.

What a check replaces while it runs is the whole process's: NumPy in the user's modules, methods of torch's,
Arb's precision. So checks of several threads come one after the other.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from oracles.exact.program.errors import Unsupported
from oracles.exact.program.user_modules import OURS

LOOK_S, LOOKS = 1.0, 5  # how often a waiting check looks at the one that runs, and how often it sees it wait
_STANDARD = os.path.dirname(threading.__file__)
_lock = threading.RLock()
_running: list[int] = []  # the thread whose check runs


@contextmanager
def alone() -> Iterator[None]:
    """Within, no other thread's check runs.

    Raises:
        Unsupported: The one that runs waits for another thread, perhaps for this one.
    """
    waited = 0
    while not _lock.acquire(timeout=LOOK_S):
        waited = waited + 1 if _waits() else 0
        if waited == LOOKS:
            raise Unsupported(
                "a check in another thread waits for a thread, perhaps for this one: take the check out of "
                "the function that is checked, and call it by itself"
            )
    _running.append(threading.get_ident())
    try:
        yield
    finally:
        _running.pop()
        _lock.release()


def _waits() -> bool:
    """Whether the user's code in the check that runs waits for another thread just now."""
    frame = sys._current_frames().get(_running[-1]) if _running else None
    if frame is None or frame.f_code.co_filename != threading.__file__:
        return False
    while frame and not (name := frame.f_code.co_filename).startswith(OURS):  # installed, we lie under it
        if not name.startswith(_STANDARD):
            return True
        frame = frame.f_back
    return False
