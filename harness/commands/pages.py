"""The page of a report, and its charts as pictures, written into the folder of its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.book.learning import Learned
from harness.commands.options import ReportOptions
from harness.commands.phrasing import as_command
from harness.files import replace_file
from harness.page.document import Document, Section, page
from harness.page.library import MissingLibrary, confirm
from harness.page.pictures import over_inputs, write
from harness.report.delivery import records_of
from harness.report.page import document
from harness.report.progress import with_progress
from harness.report.sections import learning_section, power_section, section, times_section
from harness.report.tables import Table
from harness.runs.workers import Workers
from harness.selection import UsageError

POWER = Path("reports/power.csv")


def confirmed(option: str) -> None:
    """Refuse an option at once where a library is missing.

    Raises:
        UsageError: One is; the message says what to install.
    """
    try:
        confirm()
    except MissingLibrary as problem:
        raise UsageError(f"{option}: {problem}") from None


def write_pages(
    options: ReportOptions,
    frame: pd.DataFrame,
    shown: Sequence[Table],
    learned: Sequence[Learned],
    formats: Sequence[str],
    workers: Workers,
) -> None:
    """Write `report.html`, and into `charts` every chart in the other formats."""
    assert options.output is not None
    command = as_command(["report"], options, frozenset({"format", "output", "jobs", "scheduler", "table"}))
    whole = document(list(records_of(frame)), _sections(shown, learned, options.output), command, workers)
    options.output.mkdir(parents=True, exist_ok=True)
    if "html" in formats:
        replace_file(options.output / "report.html", page(whole))
    kinds = [kind for kind in formats if kind != "html"]
    charts = list(_charts(whole)) if kinds else []
    for name, spec in with_progress(charts, len(charts), [name for name, _ in charts]):
        for kind in kinds:
            write(spec, options.output / "charts" / f"{name}.{kind}")


def _sections(shown: Sequence[Table], learned: Sequence[Learned], output: Path) -> list[Section]:
    found = {table.name: table for table in shown if not table.frame.empty}
    made = []
    if "timings" in found:
        made.append(times_section(found["timings"]))
    if "learning" in found:
        made.append(learning_section(found["learning"], learned))
    own = output / POWER.name
    if (power := power_section(own if own.is_file() else POWER)) is not None:
        made.append(power)
    return [*made, *(section(found[name]) for name in ("documents", "verdicts") if name in found)]


def _charts(whole: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each chart with its name."""
    for one in whole.sections:
        if one.chart:
            yield (
                one.title.split(":")[0].split(" (")[0].lower().replace(" ", "-"),
                {**one.chart, "datasets": one.data},
            )
    yield from over_inputs(whole.leaves)
