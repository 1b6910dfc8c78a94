"""How tables and rows reach the user: on the screen, in files, and with a progress bar while they come."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from harness.report.files import WRITERS, write_tables
from harness.report.screen import Screen
from harness.report.table import Table
from harness.report.text import print_table

Row = TypeVar("Row")


@contextmanager
def whatever_the_reader_does() -> Iterator[None]:
    """Write to a reader that may go away (head, less): what it wanted it has, and the exit code is ours."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def deliver(
    shown: Sequence[Table], summary: str = "", formats: Sequence[str] = ("text",), output: Path | None = None
) -> None:
    """Show and write tables in every format asked for; the empty ones are left out."""
    console = Screen()
    shown = [table for table in shown if not table.frame.empty]
    files = [name for name in formats if name in WRITERS]
    if "text" in formats:
        for table in shown:
            print_table(console, table)
        if summary:
            console.print(summary)
    if output is None:
        for name in files:
            sys.stdout.write("\n".join(WRITERS[name](table) for table in shown))
    elif files:
        written = write_tables(shown, files, output)
        if "text" in formats:
            console.print(f"{len(written)} files in {output}")


def with_progress(rows: Iterable[Row], total: int | None) -> Iterator[Row]:
    """Pass the rows on; on a terminal, a bar on stderr with the time left. Piped: silence."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield from progress.track(rows, total=total, description="running")
