"""What a long command says while it works, on stderr: a bar on a terminal, else a line every ten seconds."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from oracles.exact.core.telling import telling

Row = TypeVar("Row")
EVERY_S = 10.0
WIDEST = 30  # characters of a name, so that the bar stays where it is


@dataclass
class _State:
    """How far it is: so many are done, and what is at work now."""

    names: Sequence[str]
    total: int | None
    done: int = 0

    @property
    def name(self) -> str:
        """Once all have come, what comes again is timed."""
        if self.done < len(self.names):
            return self.names[self.done]
        return "timing" if self.names else ""

    def line(self, seconds: float) -> str:
        of = f" of {self.total}" if self.total and self.done <= self.total else ""
        now = f", now {self.name}" if self.name else ""
        return f"gradproof: {self.done}{of} done in {seconds:.0f} s{now}"


def with_progress(rows: Iterable[Row], total: int | None, names: Sequence[str] = ()) -> Iterator[Row]:
    """Pass the rows on.

    Args:
        rows: They are computed as they are asked for.
        total: How many there are, if that is known.
        names: What each is of, in the order in which they are computed.
    """
    console = Console(stderr=True)
    state = _State(names, total)
    with _bar(console, state) if console.is_terminal else _lines(state) as show:
        for row in rows:
            state.done += 1
            show()
            yield row


def announced(work: Callable[[], Row], name: str) -> Row:
    """The result of one long step, which is named while it works."""
    (found,) = with_progress((run() for run in [work]), 1, [name])
    return found


@contextmanager
def _bar(console: Console, state: _State) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(_fitted(state.name), total=state.total)

        def told(what: str, done: int, of: int) -> None:
            if state.total == 1:  # one long step, of which the steps inside are shown
                progress.update(task, completed=done, total=of, description=_fitted(what))

        with telling(told):
            yield lambda: progress.update(
                task, completed=state.done, total=state.total, description=_fitted(state.name)
            )


def _fitted(name: str) -> str:
    return (name or "running")[:WIDEST]


@contextmanager
def _lines(state: _State) -> Iterator[Callable[[], None]]:
    ended, start = threading.Event(), time.monotonic()

    def speak() -> None:
        while not ended.wait(EVERY_S):
            print(state.line(time.monotonic() - start), file=sys.stderr, flush=True)

    speaker = threading.Thread(target=speak, name="gradproof-progress", daemon=True)
    speaker.start()
    try:
        yield lambda: None
    finally:
        ended.set()
        speaker.join()
