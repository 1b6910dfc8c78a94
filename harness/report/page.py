"""The page of a report: its rows, with the pictures of each function, system and dtype, and its tables."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.cases import catalogue
from harness.page.document import Document, Section
from harness.page.elements import rounded
from harness.page.leaf import Leaves, grow, pictures
from harness.page.sweep import WORK
from harness.proof.evidence import budget
from harness.proof.judge import worst_argument
from harness.report import tables
from harness.report.progress import with_progress
from harness.runs.failure import reproducer
from harness.runs.jobs import Job
from harness.runs.record import Cell, Record
from harness.runs.row import answer_of
from harness.runs.runner import oracles
from harness.runs.workers import Workers, spread
from harness.verdicts import JUDGED
from oracles.exact.program.errors import ExactError
from oracles.exact.program.formats import format_of

SHARE = 3  # of the work of a sweep that one of many gets
NUMBERS = ("bits_lost", "error_ulp", "attainable_ulp", "bound_ulp")


@dataclass(frozen=True)
class Wanted:
    """A row whose pictures are drawn; `whole` with its error over the input."""

    cell: Cell
    whole: bool


def document(
    records: Sequence[Record], sections: Sequence[Section], command: str, workers: Workers
) -> Document:
    """What the page of a report shows.

    Args:
        records: The rows, worst first.
        sections: What stands below them.
        command: What runs the report again.
        workers: Where pictures are drawn.
    """
    asked = list(wanted(records))
    names = [f"pictures of {one.cell.case}" for one in asked]
    drawn = dict(with_progress(_drawn(asked, workers), len(asked), names))
    leaves = Leaves()
    for record in records:
        grow(leaves, row(record), drawn.get(record.cell, {}))
    counts = tables.summary(tables.records_frame(records)).splitlines()
    return Document("Gradients of the book's functions", leaves, tuple(counts), command, tuple(sections))


def wanted(records: Sequence[Record]) -> Iterator[Wanted]:
    """Of each function, system and dtype the worst row, and the usual input with its error over the input.

    Heavy inputs, which take seconds each, have none.
    """
    seen = set[tuple[str, str, str]]()
    for record in records:
        group = record.case, record.oracle, record.dtype
        if record.verdict not in JUDGED or record.computed is None:
            continue
        case = catalogue()[record.case]
        if case.input(record.input).heavy:
            continue
        usual = record.input == case.inputs[0].name
        if usual or group not in seen:
            yield Wanted(record.cell, usual)
        seen.add(group)


def row(record: Record) -> dict[str, Any]:
    """A record as a page has it."""
    told = {
        "function": record.case, "system": record.oracle, "dtype": record.dtype, "input": record.input,
        "verdict": record.verdict.value, "outcome": record.outcome.value, "diagnosis": record.diagnosis,
        "blame": record.blame, "where": record.where, "argument": "", "true": record.true_digits.strip("?"),
        "command": reproducer([record]), "shape": record.shapes, "budget": budget(record.dtype),
        "digits": format_of(record.dtype).digits, "kind": "gradient",
        **{name: None if (v := getattr(record, name)) is None else rounded(v) for name in NUMBERS},
    }  # fmt: skip
    if record.computed is not None:
        told["computed"] = format_of(record.dtype).shortest(record.computed)
    times = [(record.value_time_s, "value"), (record.gradient_time_s, "gradient")]
    facts = [[f"time of one {of}", f"{s * 1e6:.3g} µs"] for s, of in times if s is not None]
    if record.gradient_time_ratio is not None:
        low, high = record.gradient_time_ratio_low or 0.0, record.gradient_time_ratio_high or 0.0
        told_ratio = f"{record.gradient_time_ratio:.3g} (99 %: {low:.3g} to {high:.3g})"
        facts.append(["gradient against NumPy", told_ratio])
    return {**told, "facts": facts}


def _drawn(wanted: Sequence[Wanted], workers: Workers) -> Iterator[tuple[Cell, dict[str, Any]]]:
    if not workers.are_others:
        yield from ((one.cell, _pictures(one)) for one in wanted)
        return
    together: dict[tuple[str, str], list[Wanted]] = {}
    for one in wanted:
        together.setdefault((one.cell.case, one.cell.dtype), []).append(one)
    yield from spread(DRAWING, together.values(), workers)


def _draw(wanted: list[Wanted]) -> list[tuple[Cell, dict[str, Any]]]:
    return [(one.cell, _pictures(one)) for one in wanted]


DRAWING = Job(
    _draw, tuple[Cell, dict[str, Any]], lambda one, _: (one.cell, {}), lambda one, drawn: drawn[0] == one.cell
)


def _pictures(one: Wanted) -> dict[str, Any]:
    """Those of the row's worst part; none where it cannot be asked again."""
    cell = one.cell
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = answer_of(catalogue()[cell.case], oracles()[cell.oracle], cell)
    except ExactError:
        return {}
    judged = {p.judgement.argument: p for p in found.parts if p.judgement and not p.of_value}
    if not judged:
        return {}
    worst = judged[worst_argument([p.judgement for p in judged.values() if p.judgement]).argument]
    drawn = pictures(worst, found.sight, one.whole, work=WORK / SHARE)
    if "sweep" in drawn:
        drawn["sweep"]["system"] = cell.oracle
    return drawn
