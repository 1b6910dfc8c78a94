"""The rows that are not simply right, as text: what is the same is said once, and every number is there."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from harness.runs.failure import argument_of, group_text
from harness.runs.record import Record
from harness.verdicts.outcome import Outcome

NOT_RUN = frozenset({Outcome.UNAVAILABLE, Outcome.SKIPPED})  # one reason for all cases, and no numbers


def problem_texts(frame: pd.DataFrame) -> list[tuple[Outcome, str]]:
    """The texts of the rows of a frame of records, in its order, each with its outcome."""
    groups: dict[tuple[object, ...], list[Record]] = {}
    for record in _records(frame):
        groups.setdefault(_key(record), []).append(record)
    return [(records[0].outcome, _text(records)) for records in groups.values()]


def _records(frame: pd.DataFrame) -> Iterable[Record]:
    names = Record.__struct_fields__
    return (
        Record(**dict(zip(names, row, strict=True))) for row in zip(*(frame[n] for n in names), strict=True)
    )


def _key(record: Record) -> tuple[object, ...]:
    same = (record.outcome, record.oracle, record.diagnosis)
    if record.outcome in NOT_RUN:
        return same
    return (*same, record.verdict, record.case, argument_of(record), record.dtype, record.seed)


def _text(records: list[Record]) -> str:
    first = records[0]
    if first.outcome not in NOT_RUN:
        return group_text(records)
    rows = f"{len(records)} row{'s' if len(records) > 1 else ''}"
    return f"{first.oracle}: {first.outcome.value}, {rows}\n  {first.diagnosis}"
