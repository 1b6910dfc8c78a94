"""What is found of one row: its record against what the baseline expects of it."""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

from harness.gate.baseline import Expected
from harness.gate.slowdown import Ratio
from harness.runs.known import Row
from harness.runs.record import Record
from harness.verdicts.outcome import Outcome
from harness.verdicts.verdict import JUDGED, RIGHT, Verdict

MAX_GROWTH_BITS = 1.0
MAX_FEWER_DIGITS = 1.0
FAULTY = JUDGED - RIGHT - {Verdict.UNSUPPORTED}  # the verdict alone says that the row fails
# Nothing that a baseline can agree to: there is no result, or the list of known defects must be mended.
NO_RESULT = frozenset({Outcome.ERROR, Outcome.UNAVAILABLE, Outcome.SKIPPED, Outcome.STALE})


class Kind(StrEnum):
    """What is found of a row, the worst first."""

    ERROR = "error"  # the oracle raised, hung, or its process died
    WORSE = "worse"  # the verdict got worse, or what passed fails
    UNAVAILABLE = "unavailable"  # the oracle is not installed, or was not run
    CONFLICT = "conflict"  # two results for one row in one run
    MISSING = "missing"  # expected, and the run has no such row
    STALE = "stale"  # a list names what is no more: a row, or a known defect
    BITS = "less accurate"  # the same verdict, and more bits lost
    SLOWER = "slower"
    UNTIMED = "not timed"  # timed in the baseline, and not in the run
    NEW = "new"  # not in the baseline
    BETTER = "better"  # hold it: update the baseline


class Level(StrEnum):
    """What a finding does to the run, the worst first."""

    FAIL = "fail"
    WARN = "warn"
    NOTE = "note"


class Finding(msgspec.Struct, frozen=True):
    """One thing found of one row: what was and what is, in words; the record, where there is one."""

    level: Level
    kind: Kind
    row: Row
    before: str
    now: str
    record: Record | None = None


def compare_results(before: Expected, record: Record, same_machine: bool) -> Finding | None:
    """What is worse or better in a row, its times aside; None where nothing is.

    On another machine another BLAS rounds otherwise: there lost bits warn, and only the verdict fails.
    """
    row, outcome = before.row, record.outcome
    accuracy = Level.FAIL if same_machine else Level.WARN
    was, now = in_words(before.verdict, before.outcome), in_words(record.verdict, outcome)
    if outcome is Outcome.ERROR:
        return Finding(Level.FAIL, Kind.ERROR, row, was, record.diagnosis, record)
    if outcome in {Outcome.UNAVAILABLE, Outcome.SKIPPED}:
        return Finding(Level.FAIL, Kind.UNAVAILABLE, row, was, record.diagnosis, record)
    if is_worse(before, record):
        return Finding(Level.FAIL, Kind.WORSE, row, was, now, record)
    if outcome is Outcome.STALE:
        return Finding(accuracy, Kind.STALE, row, was, record.diagnosis, record)
    if grew(before.bits_lost, record.bits_lost, MAX_GROWTH_BITS):
        words = _numbers("bits lost", before.bits_lost, record.bits_lost)
        return Finding(accuracy, Kind.BITS, row, *words, record)
    if became_infinite(before.error_ulp, record.error_ulp):
        words = _numbers("ulps of error", before.error_ulp, record.error_ulp)
        return Finding(accuracy, Kind.BITS, row, *words, record)
    if _digits(before.proven_digits) > _digits(record.proven_digits) + MAX_FEWER_DIGITS:
        words = _numbers("digits proven", before.proven_digits, record.proven_digits)
        return Finding(accuracy, Kind.BITS, row, *words, record)
    if is_worse(record, before):
        return Finding(Level.NOTE, Kind.BETTER, row, was, now, record)
    if grew(record.bits_lost, before.bits_lost, MAX_GROWTH_BITS):
        words = _numbers("bits lost", before.bits_lost, record.bits_lost)
        return Finding(Level.NOTE, Kind.BETTER, row, *words, record)
    return None


def is_worse(before: Expected | Record, now: Expected | Record) -> bool:
    """Whether the verdict got worse, or what was let through is not any more."""
    if not _fails(before.outcome) and _fails(now.outcome):
        return True
    if before.verdict is now.verdict:
        return False
    if before.verdict in JUDGED and now.verdict in JUDGED:
        return now.verdict.severity < before.verdict.severity
    return now.verdict not in JUDGED  # what was judged, proven or estimated is no more


def _fails(outcome: Outcome) -> bool:
    return outcome is Outcome.FAIL or outcome in NO_RESULT - {Outcome.STALE}


def grew(before: float | None, now: float | None, most: float) -> bool:
    """Whether a measure grew by more than `most`. NaN and "not measured" are more than any number."""
    return _size(now) > _size(before) + most


def _size(measure: float | None) -> float:
    return math.inf if measure is None or math.isnan(measure) else measure


def _digits(proven: float | None) -> float:
    return 0.0 if proven is None or math.isnan(proven) else proven


def became_infinite(before: float | None, now: float | None) -> bool:
    """Whether a finite measure is infinite, NaN, or not there any more."""
    return math.isfinite(_size(before)) and not math.isfinite(_size(now))


def ratio_of(row: Expected | Record) -> Ratio | None:
    """The ratio of times of a row, with its interval; None where it was not timed."""
    if isinstance(row, Record):
        return Ratio.of(row.gradient_time_ratio, row.gradient_time_ratio_low, row.gradient_time_ratio_high)
    return Ratio.of(row.time_ratio, row.time_ratio_low, row.time_ratio_high)


def ratio_in_words(ratio: Ratio | None) -> str:
    """A ratio of times with its interval."""
    return f"{ratio.median:.3g} ({ratio.low:.3g} to {ratio.high:.3g})" if ratio else "no ratio of times"


def in_words(verdict: Verdict, outcome: Outcome) -> str:
    """A verdict, with the outcome where that says more."""
    told = {Outcome.PASS, Outcome.INFO} | ({Outcome.FAIL} if verdict in FAULTY else set())
    return verdict.value if outcome in told and verdict else f"{verdict.value} ({outcome.value})".strip()


def _numbers(what: str, before: float | None, now: float | None) -> tuple[str, str]:
    words = [f"{what} not measured" if n is None else f"{n:.3g} {what}" for n in (before, now)]
    return words[0], words[1]
