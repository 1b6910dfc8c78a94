"""How tables reach the user: on a screen, in files (CSV, Markdown).

A screen shows as many columns as fit, none of them cut, with a colour and a mark for every outcome.
"""

from __future__ import annotations

import html
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from rich.table import Table as RichTable
from rich.text import Text

from harness.files import replace_file
from harness.report.columns import Column, column
from harness.report.screen import Screen
from harness.report.tables import NAMES, Table
from harness.runs.failure import argument_of, group_text
from harness.runs.record import Record
from harness.runs.writing import writing
from harness.verdicts import Outcome, Verdict
from oracles.exact.program.words import many

NOT_RUN = frozenset({Outcome.UNAVAILABLE, Outcome.SKIPPED})  # one reason for all cases, and no numbers
WRITERS: dict[str, Callable[[Table], str]] = {
    "csv": lambda table: _plain(table.frame).to_csv(index=False),
    "md": lambda table: markdown(table),
}

ONE_TABLE = frozenset({"csv"})


@contextmanager
def whatever_the_reader_does() -> Iterator[None]:
    """Write to a reader that may go away (head, less): what it wanted it has, and the exit code is ours.

    Raises:
        Unwritten: Something cannot be written.
    """
    try:
        with writing():
            yield
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def deliver(
    shown: Sequence[Table], summary: str = "", formats: Sequence[str] = ("text",), output: Path | None = None
) -> None:
    """Show and write tables in every format asked for; the empty ones are left out.

    A stream of CSV is the first table alone: a reader of CSV takes two for one.
    """
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
            alone = shown[:1] if name in ONE_TABLE else shown
            sys.stdout.write("\n".join(WRITERS[name](table) for table in alone))
    elif files:
        written = write_tables(shown, files, output)
        if "text" in formats:
            console.print(f"{many(len(written), 'file')} in {output}")


# -- a screen ------------------------------------------------------------------------------------------


def print_table(console: Screen, table: Table) -> None:
    """One table with its title and caption; where a column does not fit, the caption says where it is."""
    if table.name == "problems":
        print_problems(console, table)
        return
    every = [column(name) for name in table.columns]
    cells = {one: [_cell(one, value, console) for value in table.frame[one.name]] for one in every}
    cells = {one: texts for one, texts in cells.items() if any(text.plain for text in texts)}
    shown = _fitting(cells, console.width)
    drawn = RichTable(box=None, padding=(0, 1, 0, 0))
    for one in shown:
        counts = table.frame[one.name].dtype.kind == "i"
        drawn.add_column(
            one.title,
            justify="right" if counts or one.format.right else "left",
            no_wrap=not one.format.least,
            overflow="fold",
        )
    for row in zip(*(cells[one] for one in shown), strict=True):
        drawn.add_row(*row)
    console.print(Text(table.title, style="bold"))
    console.print(drawn)
    hidden = [one.title for one in cells if one not in shown]
    caption = table.caption
    if hidden:
        caption = f"{caption}{'; ' if caption else ''}a wider screen also shows: {', '.join(hidden)}"
    if caption:
        console.print(Text(caption, style="dim"))
    console.print()


def print_problems(console: Screen, table: Table) -> None:
    """The rows that are not simply right, each in full: text, since nothing of it may be cut."""
    console.print(Text(table.title, style="bold"))
    for outcome, text in problem_texts(table.frame):
        title, *rest = text.splitlines()
        console.print(_marked(outcome, title, console))
        console.below(line.strip() for line in rest)
    console.print(Text(table.caption, style="dim"))
    console.print()


def _marked(outcome: Outcome, text: str, console: Screen) -> Text:
    """A mark that needs no colour, and the text in the outcome's colour."""
    return Text(f"{console.mark(*outcome.marks)} {text}", style=outcome.style)


def _cell(one: Column, value: object, console: Screen) -> Text:
    if isinstance(value, Outcome):
        return _marked(value, value, console)
    if isinstance(value, Verdict):
        return Text(value, style=value.style)
    if one.format.yes_no:
        return Text("yes", style="green") if value else Text(*one.format.no)
    if value is None:
        return Text("")
    if isinstance(value, float):
        return Text(format(value, one.format.number))
    return Text(str(value))


def _fitting(cells: dict[Column, list[Text]], width: int) -> list[Column]:
    """The first columns that fit side by side; a column of words needs little, since it folds."""
    shown: list[Column] = []
    used = 0
    for one, texts in cells.items():
        widest = max([len(one.title), *(len(text.plain) for text in texts)])
        least = min(widest, one.format.least or widest)
        needed = max(least, min(widest, width - used - 1)) if one.format.wide else least
        if shown and used + needed + 1 > width:
            continue
        shown.append(one)
        used += needed + 1
    return shown


def problem_texts(frame: pd.DataFrame) -> list[tuple[Outcome, str]]:
    """The texts of the rows of a frame of records, in its order, each with its outcome."""
    groups: dict[tuple[object, ...], list[Record]] = {}
    for record in records_of(frame):
        groups.setdefault(_key(record), []).append(record)
    return [(records[0].outcome, _text(records)) for records in groups.values()]


def records_of(frame: pd.DataFrame) -> Iterable[Record]:
    """The records of a frame, in its order."""
    names = Record.__struct_fields__
    return (
        Record(**dict(zip(names, row, strict=True))) for row in zip(*(frame[n] for n in names), strict=True)
    )


def _key(record: Record) -> tuple[object, ...]:
    same = (record.outcome, record.oracle, record.diagnosis, record.blame)
    if record.outcome in NOT_RUN:
        return same
    return (*same, record.verdict, record.case, argument_of(record), record.dtype, record.seed)


def _text(records: list[Record]) -> str:
    first = records[0]
    if first.outcome not in NOT_RUN:
        return group_text(records)
    rows = f"{len(records)} row{'s' if len(records) > 1 else ''}"
    return f"{first.oracle}: {first.outcome.value}, {rows}\n  {first.diagnosis}"


# -- files -----------------------------------------------------------------------------------------------


def markdown(table: Table) -> str:
    """The shown columns as a Markdown table under a heading, numbers with six digits."""
    shown = _plain(table.frame[list(table.columns)]).map(lambda v: unmarked(v) if isinstance(v, str) else v)
    # Twenty digits that are text stay twenty digits.
    # (What writes it takes no column of a table without rows.)
    columns = table.columns if len(shown) else ()
    words = [k for k, name in enumerate(columns) if all(isinstance(v, str) for v in shown[name])]
    body = shown.to_markdown(index=False, floatfmt=".6g", disable_numparse=words)
    parts = (f"## {unmarked(table.title)}", body, unmarked(table.caption))
    return "\n\n".join(part for part in parts if part) + "\n"


def unmarked(text: str) -> str:
    """Text that Markdown and HTML leave as it is, in a cell of a table too."""
    plain = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"[\\|`]", r"\\\g<0>", plain)


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
            replace_file(path, WRITERS[kind](table))
            written.append(path)
    return written
