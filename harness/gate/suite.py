"""The checks of a test suite as rows of a gate.

A row's case is the test, its oracle the check with its function, and its input the argument.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.dropin.made import Made
from harness.gate.finding import Finding, Kind, ratio_of
from harness.gate.words import CONCLUSIONS, Words
from harness.proof.question import Part
from harness.proof.sight import GIVEN
from harness.result import Result
from harness.runs.failure import label, numbers_of
from harness.runs.record import Record, Row, whereabouts
from harness.verdicts import ExitCode, Outcome, Verdict, badness_key

RATIO = ("gradient_time_ratio", "gradient_time_ratio_low", "gradient_time_ratio_high")
NUMBERS = ("bits_lost", "error_ulp", "attainable_ulp", "bound_ulp", "computed", "true")
SKIPPED = "the test was skipped"
AT = " at "  # between an argument and the point, where that is not the given one
NOT_HERE = frozenset({Kind.ERROR, Kind.CONFLICT})  # there is nothing to agree to


def rows_of(made: Iterable[Made], test: str, seed: int, root: Path) -> list[dict[str, Any]]:
    """What a test has checked, as plain values that cross processes: the worst of each row.

    Args:
        made: The checks.
        test: The test.
        seed: The session's.
        root: Where the session began: files are relative to it.
    """
    found = [record for one in made for record in _records(one, test, seed, root)]
    return [msgspec.to_builtins(record) for record in worst(found).values()]


def worst(records: Iterable[Record]) -> dict[Row, Record]:
    """The worst record of each row: a test may check one function at many points. It has the row's time."""
    found: dict[Row, Record] = {}
    for record in records:
        row = Row.of(record.cell)
        first = found.setdefault(row, record)
        kept = min(first, record, key=_badness)
        ratio = ratio_of(first) or ratio_of(record)
        found[row] = msgspec.structs.replace(kept, **_times(ratio)) if ratio else kept
    return found


def _times(ratio: Iterable[float]) -> dict[str, float]:
    return dict(zip(RATIO, ratio, strict=True))


def timed_part(result: Result) -> Part | None:
    """The part whose row has the time of a check: one call computes all, and its first argument has it."""
    own = (part for part in result.parts if not (part.of_value or part.probe) and part.input == GIVEN)
    return next(own, None)


def _badness(record: Record) -> tuple[bool, int, float]:
    return not record.outcome.failing, *badness_key(record.verdict, record.bits_lost)


def spread(records: Iterable[Record], expected: Iterable[Row]) -> list[Record]:
    """What says nothing of single arguments, since nothing was computed, says it of each that is expected."""
    rows, found = list(expected), list[Record]()
    for record in records:
        argument, _, point = record.input.partition(AT)
        whole = [] if argument else [row for row in rows if _is_of(row, record, point)]
        replace = msgspec.structs.replace
        found += [replace(record, input=row.input, dtype=row.dtype) for row in whole] or [record]
    return list(worst(found).values())


def _is_of(row: Row, record: Record, point: str) -> bool:
    same = (row.case, row.oracle) == (record.case, record.oracle)
    return same and row.input.partition(AT)[2] == point and record.dtype in {"", row.dtype}


def _records(made: Made, test: str, seed: int, root: Path) -> list[Record]:
    if not made.results:
        return [_record(test, made.checker, "", made.verdict, Outcome.ALLOWED, seed, diagnosis=made.unproven)]
    return [
        _of_part(test, f"{made.checker}({result.subject})", result, part, bool(made.unproven), seed, root)
        for result in made.results
        for part in result.parts
        if not part.of_value or not (part.remark or part.passes)
    ]


def _of_part(
    test: str, check: str, result: Result, part: Part, allowed: bool, seed: int, root: Path
) -> Record:
    outcome = Outcome.PASS
    if part.excuse:
        outcome = Outcome.KNOWN
    elif part.remark:
        outcome = Outcome.INFO
    elif not part.passes:
        outcome = Outcome.ALLOWED if allowed else Outcome.FAIL
    why = part.diagnosis
    if result.faults and not part.remark:  # they are of all arguments together
        outcome, why = Outcome.FAIL, "; ".join(filter(None, (*result.faults, why)))
    point = part.probe or ("" if part.input == GIVEN else part.input)
    fields: dict[str, Any] = {"dtype": part.dtype, "diagnosis": why, "blame": str(part.blame or "")}
    fields |= whereabouts(part.guilty, root)
    if (j := part.judgement) is not None:
        fields |= {name: float(getattr(j, name)) for name in NUMBERS}  # NumPy's floats are no plain values
        fields |= {"bound_ulp": None} if math.isnan(j.bound_ulp) else {}
        fields |= {"where": j.where, "true_digits": j.true_digits, "shapes": str(tuple(part.shape))}
    if result.time_ratio is not None and part is timed_part(result):
        fields |= _times(result.time_ratio)
    argument = f"{part.name}{AT}{point}" if point else part.name
    return _record(test, check, argument, part.verdict, outcome, seed, **fields)


def _record(
    test: str, check: str, argument: str, verdict: Verdict, outcome: Outcome, seed: int, **fields: Any
) -> Record:
    about = {"dtype": "", **fields}
    if verdict.right and about.get("bits_lost") is not None and not math.isfinite(about["bits_lost"]):
        about["bits_lost"] = None
    return Record(
        case=test, oracle=check, input=argument, verdict=verdict, outcome=outcome, seed=seed, **about
    )  # fmt: skip


@dataclass(frozen=True)
class SuiteWords(Words):
    """The words for rows of a test suite. `said` is the option that names its baseline."""

    said: str = ""

    def name(self, row: Row, *about: str) -> str:
        """The test, the check, and the dtype."""
        known = ", ".join(filter(None, (row.dtype, *about)))
        return f"{row.case}: {row.oracle}{f' [{known}]' if known else ''}"

    def source(self, rows: Sequence[Row]) -> str:
        """The tests."""
        return ", ".join(dict.fromkeys(row.case for row in rows))

    def failure(self, record: Record) -> list[str]:
        """As for the catalogue."""
        title = f"{self.name(Row.of(record.cell), record.input, record.shapes)}: {label(record)}"
        return [line for line in (title, record.diagnosis, numbers_of(record)) if line]

    def reproduce(self, records: Sequence[Record]) -> str:
        """The test alone."""
        return shlex.join(["pytest", records[0].case])

    def accept(self, group: Sequence[Finding]) -> str:
        """The test alone, or what is left of its file, with an update; skipped tests by their names."""
        first = group[0]
        if first.kind in NOT_HERE or (first.kind is Kind.UNAVAILABLE and not first.now.startswith(SKIPPED)):
            return ""
        file = first.row.case.partition("::")[0]
        what = dict.fromkeys(finding.row.case if first.kind is not Kind.STALE else file for finding in group)
        there = list(what) if Path(file).exists() else []
        return f'{shlex.join(["pytest", *there])} {self.said} --gradproof-update-baseline="why"'

    def home(self, row: Row) -> tuple[str, int] | None:
        """The test."""
        file, *names = row.case.split("::")
        path = Path(file)
        if not path.is_file():
            return None
        name = names[-1].partition("[")[0] if names else ""
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        starts = (
            k for k, line in enumerate(lines, 1) if re.match(rf"\s*(async )?def {re.escape(name)}\b", line)
        )
        return file, next(starts, 1)

    def conclusion(self, code: ExitCode) -> str:
        """Without an exit code: that is pytest's."""
        return f"gradients against the baseline: {CONCLUSIONS[code]}"


def records_of(rows: Iterable[Mapping[str, Any]]) -> list[Record]:
    """What `rows_of` gave, of all tests: the worst of each row."""
    return list(worst(msgspec.convert(row, Record) for row in rows).values())
