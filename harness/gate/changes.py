"""What an update does to a baseline, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.gate.baseline import Baseline, Expected
from harness.gate.finding import NO_RESULT, Kind, compare, in_words, ratio_in_words, ratio_of
from harness.runs.fingerprint import Fingerprint, differences
from harness.runs.record import Record, Row
from harness.runs.timing import is_slower
from harness.selection import UsageError
from harness.verdicts import Outcome

MOST_NAMED = 5


class Change(StrEnum):
    """What happens to a row, the one to look at first."""

    WORSE = "worse"
    CREATED = "created"
    TRIMMED = "trimmed"  # the catalogue has no such row any more
    FIXED = "fixed"
    RENEWED = "renewed"  # as it was, now measured on this machine


@dataclass(frozen=True)
class Changes:
    """The rows that change, each with words for it, and all the rows as they will be.

    The new ones refer to the update after the last of the old baseline.
    """

    said: Mapping[Row, tuple[Change, str]]
    rows: Mapping[Row, Expected]


def changes(old: Baseline, records: Iterable[Record], gone: Iterable[Row], machine: Fingerprint) -> Changes:
    """What follows from records for a baseline: a row in which nothing is worse or better stays as it is.

    Args:
        old: The baseline, which may be empty.
        records: What was measured, each row once.
        gone: Rows that the catalogue has no more.
        machine: Where it was measured.

    Raises:
        UsageError: A row has no result: nothing can be agreed to.
    """
    rows, said, number = dict(old.rows), {}, len(old.updates)
    elsewhere = [bool(differences(machine, update.fingerprint)) for update in old.updates]
    without = []
    for record in records:
        row = Row.of(record.cell)
        before = old.rows.get(row)
        if before is None and record.outcome in {Outcome.UNAVAILABLE, Outcome.SKIPPED}:
            continue
        if record.outcome in NO_RESULT:
            without.append(f"{'/'.join(row)}: {record.diagnosis}")
            continue
        found = _change(before, record, before is not None and elsewhere[before.update])
        if found:
            said[row], rows[row] = found, Expected.of(record, number)
    if without:
        more = f" and {len(without) - MOST_NAMED} more" if len(without) > MOST_NAMED else ""
        raise UsageError(
            f"{len(without)} of these rows have no result to agree to, so nothing was changed:\n  "
            + "\n  ".join(without[:MOST_NAMED])
            + more
        )
    for row in gone:
        said[row] = Change.TRIMMED, in_words(rows[row].verdict, rows[row].outcome)
        del rows[row]
    return Changes(said, rows)


def _change(before: Expected | None, record: Record, elsewhere: bool) -> tuple[Change, str] | None:
    now = in_words(record.verdict, record.outcome)
    if before is None:
        return Change.CREATED, now
    said = []
    found = compare(before, record, True)
    if found:
        change = Change.FIXED if found.kind is Kind.BETTER else Change.WORSE
        said.append((change, f"{found.before} → {found.now}"))
    was, ratio = ratio_of(before), ratio_of(record)
    if was and ratio and (is_slower(ratio, was) or is_slower(was, ratio)):
        change = Change.WORSE if is_slower(ratio, was) else Change.FIXED
        said.append((change, f"time {ratio_in_words(was)} → {ratio_in_words(ratio)}"))
    if not said and (elsewhere or (ratio and not was)):
        said.append((Change.RENEWED, now))
    if said and was and not ratio:
        said.append((Change.RENEWED, "its times go, since the run has none"))
    return (min(said, key=_first)[0], "; ".join(words for _, words in said)) if said else None


def _first(said: tuple[Change, str]) -> int:
    return list(Change).index(said[0])
