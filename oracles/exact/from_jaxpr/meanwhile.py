"""What is other in JAX while something here runs: in every thread, and put back after the last one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

_counting = Lock()


class Meanwhile:
    """A change of JAX, and what undoes it.

    Args:
        change, undo: Called when the first one begins, and when the last one ends.
    """

    def __init__(self, change: Callable[[], object], undo: Callable[[], object]) -> None:
        self._change, self._undo, self._running = change, undo, 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Change it, or leave it changed."""
        with _counting:
            if not self._running:
                self._change()
            self._running += 1
        try:
            yield
        finally:
            with _counting:
                self._running -= 1
                if not self._running:
                    self._undo()
