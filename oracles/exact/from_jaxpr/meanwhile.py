"""What is other in JAX while something here runs: in every thread, and put back after the last one."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

_counting = Lock()


class Meanwhile:
    """A context in which JAX is changed. Each call of JAX enters one, so it is no generator.

    Args:
        change, undo: Called when the first one begins, and when the last one ends.
    """

    def __init__(self, change: Callable[[], object], undo: Callable[[], object]) -> None:
        self._change, self._undo, self._running = change, undo, 0

    def __enter__(self) -> None:
        """Change it, or leave it changed."""
        with _counting:
            if not self._running:
                self._change()
            self._running += 1

    def __exit__(self, *raised: object) -> None:
        """Undo it, or leave it to those that still run."""
        with _counting:
            self._running -= 1
            if not self._running:
                self._undo()
