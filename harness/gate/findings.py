"""What a gate has found, in words: worst first, what is the same said once, with the command to accept it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from harness.gate.finding import Finding, Kind, Level
from harness.gate.words import Words
from harness.report.tables import Table, frame_of
from harness.runs.failure import argument_of
from harness.runs.record import Record
from harness.verdicts import Verdict, badness_key

KINDS = list(Kind)
LEVELS = list(Level)
TOGETHER = frozenset({Kind.UNAVAILABLE, Kind.MISSING, Kind.STALE, Kind.NEW, Kind.UNTIMED})


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One finding as a line of JSON or a row of a table: who and what, before and now, how to go on.

    `before` and `now` are words: verdicts, numbers with their unit, ratios of times with their intervals. The
    worst element is `where`; `computed`, `true_digits`, `error_ulp` and `bits_lost` are its numbers now.
    """

    level: Level
    kind: Kind
    case: str
    oracle: str
    dtype: str
    input: str
    before: str
    now: str
    where: str = ""
    computed: str = ""
    true_digits: str = ""
    error_ulp: str = ""
    bits_lost: str = ""
    diagnosis: str = ""
    reproduce: str = ""
    accept: str = ""


@dataclass(frozen=True)
class Told:
    """What a gate says: the findings, how many rows came, and what they were compared with.

    `past` names the baseline or the other run and `said` why it was last updated; `elsewhere` of
    the rows are compared with another machine's, and `differences` says in words how that is another; `words`
    are those for the rows.
    """

    findings: Sequence[Finding]
    rows: int
    past: str
    said: str
    elsewhere: int = 0
    differences: Sequence[str] = ()
    words: Words = field(default_factory=Words)


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """By level, kind, verdict, and bits lost, where NaN is the worst."""
    return sorted(findings, key=_badness)


def _badness(finding: Finding) -> tuple[int, int, int, float]:
    record = finding.record
    verdict, lost = (record.verdict, record.bits_lost) if record else (Verdict.NONE, None)
    return LEVELS.index(finding.level), KINDS.index(finding.kind), *badness_key(verdict, lost)


def line_of(finding: Finding, words: Words) -> Line:
    """A finding as flat words."""
    record = finding.record
    numbers = {}
    if record:
        numbers = {
            n: "" if (v := getattr(record, n)) is None else f"{v!r}"
            for n in ("computed", "error_ulp", "bits_lost")
        }
        numbers |= {"where": record.where, "true_digits": record.true_digits, "diagnosis": record.diagnosis}
        numbers["reproduce"] = words.reproduce([record])
    row = finding.row._asdict()
    return Line(
        level=finding.level, kind=finding.kind, **row, before=finding.before, now=finding.now, **numbers,
        accept=words.accept([finding]),
    )  # fmt: skip


def table_of(told: Told) -> Table:
    """The findings as a table, for files."""
    lines = [line_of(finding, told.words) for finding in worst_first(told.findings)]
    names = Line.__struct_fields__
    frame = frame_of(map(msgspec.structs.asdict, lines)).reindex(columns=list(names))
    return Table("gate", "What the gate found", frame, names, summary(told))


def summary(told: Told) -> str:
    """How many rows came, and how many findings of each kind there are, in one line."""
    counts = [
        f"{n} {kind.value} ({level.value})"
        for level in LEVELS
        for kind in KINDS
        if (n := sum(f.level is level and f.kind is kind for f in told.findings))
    ]
    against = f"{told.past} ({told.said})" if told.said else told.past
    rows = f"{told.rows} row{'' if told.rows == 1 else 's'}"
    return f"{rows} against {against}: {', '.join(counts) or 'nothing is worse'}"


def grouped(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings that differ in their inputs and numbers only, together, in the order of their first."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault(_key(finding), []).append(finding)
    return list(groups.values())


def _key(finding: Finding) -> tuple[object, ...]:
    level, kind, row, record = finding.level, finding.kind, finding.row, finding.record
    if kind is Kind.UNAVAILABLE:
        return level, kind, row.oracle, finding.now
    if kind in TOGETHER:
        return level, kind, row[:3], finding.now if kind is not Kind.UNTIMED else ""
    if kind is Kind.WORSE and record:
        return level, kind, row[:3], finding.before, finding.now, argument_of(record)
    return level, kind, row


def texts(group: Sequence[Finding], words: Words) -> list[str]:
    """A group in words: its title, the reason, and the commands to see it again and to accept it."""
    accept = words.accept(group)
    return [*_reasons(group, words), *([f"accept: {accept}"] if accept else [])]


def _reasons(group: Sequence[Finding], words: Words) -> list[str]:
    first, rows = group[0], [f.row for f in group]
    records: list[Record] = [f.record for f in group if f.record]
    if first.kind in {Kind.WORSE, Kind.BITS} and records:
        title, *rest = words.failure(records[0])
        was = first.before if first.kind is Kind.WORSE else f"{first.before}, now {first.now}"
        also = ", ".join(f"{r.input} {r.where.removeprefix(argument_of(r))}".strip() for r in records[1:])
        others = [f"the same at {_rows(len(records) - 1)} more: {also}"] if also else []
        command = f"reproduce: {words.reproduce(records)}"
        return [f"{first.kind.value}: {title}", f"was: {was}", *rest, *others, command]
    if first.kind is Kind.UNAVAILABLE:
        return [f"{first.kind.value}: {words.source(rows)}, {_rows(len(group))} of the baseline", first.now]
    if first.kind in TOGETHER:
        inputs = ", ".join(row.input for row in rows)
        return [f"{first.kind.value}: {words.name(first.row)}, {_rows(len(group))}: {first.now}", inputs]
    again = [f"reproduce: {words.reproduce(records)}"] if first.kind is Kind.ERROR and records else []
    arrow = f"{first.before} → {first.now}" if first.before else first.now
    return [f"{first.kind.value}: {words.name(first.row, first.row.input)}: {arrow}", *again]


def _rows(count: int) -> str:
    return f"{count} row{'s' if count > 1 else ''}"
