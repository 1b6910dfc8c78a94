"""Processes that begin empty: they do not run the script that started them again.

What multiprocessing spawns imports that script first, whatever it is to do. A script that starts processes as
it is read, and not below `if __name__ == "__main__":`, would do so in each of them, and each dies of that and
is replaced, for ever. What a job names is imported where it is needed, as on a cluster.
"""

from __future__ import annotations

import sys
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any


class Empty(SpawnProcess):
    """A process to which the script is not named."""

    def start(self) -> None:
        """Start it, as from a program without a script: so `runpy` stands in for one, too."""
        script, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = script


class EmptyContext(SpawnContext):
    """Starts such processes."""

    Process = Empty


class Remembering(EmptyContext):
    """Remembers the processes that it starts: pebble does not say how one ended where it gives up."""

    def __init__(self) -> None:
        super().__init__()
        self._started: list[Empty] = []

    def Process(self, *args: Any, **kwargs: Any) -> Empty:  # type: ignore[override]
        """A process that is to be started; what ended before it is forgotten, and its files are closed."""
        process = Empty(*args, **kwargs)
        self._started = [one for one in self._started if one.exitcode is None] + [process]
        return process

    def failure(self) -> int:
        """The exit code of the process that failed last; 1 where none is known to have failed."""
        return next((one.exitcode for one in reversed(self._started) if one.exitcode), 1)


SPAWNED = EmptyContext()
