"""What a report's page has below its rows: tables, times, learning curves, detection power."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from harness.page import measured
from harness.page.document import Section
from harness.page.elements import rounded
from harness.report.tables import Table
from harness.runs.row import REFERENCE

ASKED = {"ordinary": "ordinary numbers", "boundary": "the boundary inputs", "trigger": "the report's trigger"}


class Learned(Protocol):
    """What is taken of how one source learned (`harness.book.learning`, which this room does not know)."""

    @property
    def source(self) -> str:
        """Whose gradients."""

    @property
    def losses(self) -> Sequence[float]:
        """The loss at each step."""

    @property
    def apart(self) -> Sequence[float]:
        """How far it is from the first source's."""


def section(table: Table, chart: Any = None, **data: Any) -> Section:
    """A table as a page has it, with its chart if there is one."""
    shown = [name for name in table.columns if any(v not in ("", None) for v in table.frame[name])]
    rows = tuple(tuple(_cell(v) for v in values) for values in table.frame[shown].itertuples(index=False))
    spec = chart.to_dict() if chart else None
    return Section(table.name, table.title, table.caption, tuple(shown), rows, spec, data)


def _cell(value: Any) -> Any:
    """As a page shows it: numbers with four digits, words as they are."""
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else value if isinstance(value, int) else str(value)


def times_section(table: Table) -> Section:
    """Times, with their intervals."""
    rows = [
        {
            "function": one["case"], "system": one["oracle"], "ratio": rounded(one["gradient_time_ratio"]),
            "low": rounded(one["gradient_time_ratio_low"]), "high": rounded(one["gradient_time_ratio_high"]),
            "seconds": rounded(one["gradient_time_s"]),
        }
        for one in table.frame.to_dict("records")
        if one["gradient_time_ratio"] is not None and one["oracle"] != REFERENCE.name
    ]  # fmt: skip
    return section(table, measured.times() if rows else None, rows=rows)


def learning_section(table: Table, learned: Sequence[Learned]) -> Section:
    """The learning curves of the sources, and how far they are from the first one's."""
    rows = [
        {"source": one.source, "step": step, "loss": rounded(loss), "apart": rounded(apart)}
        for one in learned
        for step, (loss, apart) in enumerate(zip(one.losses, one.apart, strict=True))
    ]
    return section(table, measured.learning() if rows else None, rows=rows)


def power_section(file: Path) -> Section | None:
    """What each checker finds of re-created bugs, as `make power` wrote it; None where it has not run."""
    if not file.is_file():
        return None
    with file.open(encoding="utf-8", newline="") as lines:
        faults = list(csv.DictReader(lines))
    if not faults or not {"checker", *ASKED} <= faults[0].keys():
        return None
    rows = []
    for checker in dict.fromkeys(one["checker"] for one in faults):
        for column, asked in ASKED.items():
            said = [one[column] for one in faults if one["checker"] == checker and one[column]]
            found = said.count("found")
            of = sum(word in {"found", "missed"} for word in said)
            if of:
                rows.append(
                    {"checker": checker, "asked": asked, "found": found, "of": of, "share": found / of}
                )
    columns = ("checker", "asked at", "found", "of")
    told = tuple((one["checker"], one["asked"], one["found"], one["of"]) for one in rows)
    note = f"Of the re-created public bugs in {file.name}, which `make power` writes."
    return Section(
        "power", "Detection power", note, columns, told, measured.power().to_dict(), {"rows": rows}
    )
