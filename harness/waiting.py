"""What a check says on a terminal while it takes longer than two seconds: what it does, and how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from oracles.exact.core.telling import is_told, telling

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE_S = 2.0
EVERY_S = 0.1  # no more often is a bar drawn


@contextmanager
def waited() -> Iterator[None]:
    """Inside, long work shows a bar on stderr, if that is a terminal; it is gone afterwards.

    A command that shows a bar of its own has one already.
    """
    if is_told() or sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    waiting = _Waiting()
    try:
        with telling(waiting.told):
            yield
    finally:
        waiting.end()


class _Waiting:
    def __init__(self) -> None:
        self._since = time.monotonic()
        self._next = self._since + PATIENCE_S
        self._bar: Progress | None = None

    def told(self, what: str, done: int, of: int) -> None:
        """Show it, if it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY_S
        if self._bar is None:
            self._bar = _begun()
        said, seconds = f"gradproof: {what}", f"{now - self._since:.0f} s"
        self._bar.update(
            self._bar.task_ids[0], description=said, completed=done, total=of, seconds=seconds,
            visible=True, refresh=True,
        )  # fmt: skip

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()


def _begun() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    seconds = TextColumn("{task.fields[seconds]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), seconds)
    bar = Progress(
        *columns, console=Console(stderr=True), transient=True, auto_refresh=False,
        redirect_stdout=False, redirect_stderr=False,  # the function under test may look at both
    )  # fmt: skip
    bar.add_task("", seconds="", visible=False)
    bar.start()
    return bar
