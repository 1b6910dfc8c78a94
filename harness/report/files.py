"""Tables as files: CSV and Markdown, written by pandas, each put in place whole."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from harness.report.table import NAMES, Table

WRITERS: dict[str, Callable[[Table], str]] = {
    "csv": lambda table: _plain(table.frame).to_csv(index=False),
    "md": lambda table: markdown(table),
}


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
