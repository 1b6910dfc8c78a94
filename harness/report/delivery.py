"""How tables and rows reach the user: on the screen, in files (CSV, Markdown), with a progress bar."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from harness.report.screen import Screen
from harness.report.tables import NAMES, Table
from harness.report.text import print_table

Row = TypeVar("Row")
WRITERS: dict[str, Callable[[Table], str]] = {
    "csv": lambda table: _plain(table.frame).to_csv(index=False),
    "md": lambda table: markdown(table),
}


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


def markdown(table: Table) -> str:
    """The shown columns as a Markdown table under a heading, numbers with six digits."""
    shown = _plain(table.frame[list(table.columns)])
    # Twenty digits that are text stay twenty digits.
    words = [k for k, name in enumerate(table.columns) if all(isinstance(v, str) for v in shown[name])]
    body = shown.to_markdown(index=False, floatfmt=".6g", disable_numparse=words)
    return "\n\n".join(part for part in (f"## {table.title}", body, table.caption) if part) + "\n"


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """NaN as the word, None as a blank: what was not a number is not what was not measured."""
    return frame.map(lambda v: "" if v is None else "nan" if isinstance(v, float) and math.isnan(v) else v)


def write_tables(tables: Sequence[Table], formats: Sequence[str], directory: Path) -> list[Path]:
    """Write every table in every file format; returns the files, in order.

    Each file appears whole or not at all, so a full disk or a killed run leaves the old one. Where these are
    tables of a report, those that this run does not have are removed, so that the folder shows one run; a
    table of another kind leaves them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    given = {table.name for table in tables}
    for name in NAMES - given if given & NAMES else ():
        for kind in formats:
            (directory / f"{name}.{kind}").unlink(missing_ok=True)
    written = []
    for table in tables:
        for kind in formats:
            path = directory / f"{table.name}.{kind}"
            _replace(path, WRITERS[kind](table))
            written.append(path)
    return written


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
