"""Processes that begin empty: they do not run the script that started them again.

What multiprocessing spawns imports that script first, whatever it is to do. A script that starts processes as
it is read, and not below `if __name__ == "__main__":`, would do so in each of them, and each dies of that and
is replaced, for ever. What a job names is imported where it is needed, as on a cluster.
"""

from __future__ import annotations

import sys
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType


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


SPAWNED = EmptyContext()
