"""What is found of one row: its record against what the baseline expects of it."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Self

import msgspec

from harness.gate.baseline import Expected
from harness.runs.record import Record, Row
from harness.runs.timing import Ratio
from harness.verdicts import JUDGED, RIGHT, Entry, Outcome, Verdict

MAX_GROWTH_BITS = 1.0
MAX_FEWER_DIGITS = 1.0
FAULTY = JUDGED - RIGHT - {Verdict.UNSUPPORTED}  # the verdict alone says that the row fails
# Nothing that a baseline can agree to: there is no result, or the list of known defects must be mended.
NO_RESULT = frozenset({Outcome.ERROR, Outcome.UNAVAILABLE, Outcome.SKIPPED, Outcome.STALE})


class Kind(StrEnum):
    """What is found of a row, the worst first; `entry` explains it."""

    entry: Entry

    def __new__(cls, word: str, *entry: str) -> Self:
        """A member with its explanation; its value is the word alone."""
        made = str.__new__(cls, word)
        made._value_ = word
        made.entry = Entry(*entry)
        return made

    # fmt: off
    ERROR = ("error", "There is no result: the oracle raised, took too long, or its process died.",
        "The outcome is error.", "took longer than 300 s and was stopped",
        "Paste the `reproduce:` line; --timeout allows more.")
    WORSE = ("worse", "The verdict got worse, or what passed fails: fails the gate on every machine.",
        "The baseline has a better verdict.", "softmax was accurate, and is wrong",
        "Mend the gradient; or paste the `accept:` line, with your reason.")
    UNAVAILABLE = ("unavailable", "The baseline has an oracle that is not installed here: fails.",
        "Every oracle of the baseline is required.", "jax is not installed: pip install 'gradproof[jax]'",
        "Install it, or choose others with --oracle.")
    CONFLICT = ("conflict", "One run has two different results for one row: fails.",
        "Its file was merged, or a computation is not deterministic.", "two runs, written into one file",
        "Run the gate again.")
    MISSING = ("missing", "The baseline has the row, so does the catalogue, and the run does not: fails.",
        "Rows of the baseline that were asked for, less those that came.", "a saved run of other options",
        "Run it whole, or ask for less with --case, --oracle, --dtype.")
    STALE = ("stale",
        "The baseline names a row that no longer exists (fails), or known_defects.toml a defect (warns "
        "elsewhere).",
        "The catalogue has no such row; or a known defect is gone.", "a case was renamed",
        "Paste the `accept:` line; remove the entry of known_defects.toml.")
    BITS = ("less accurate",
        "The same verdict, and less accurate: fails on the machine of the baseline, and warns elsewhere.",
        "More than one bit more is lost, an error became infinite, or fewer digits are proven.",
        "0.2 bits lost, now 1.9",
        "Look at what changed in the order of the operations; or paste the `accept:` line.")
    SLOWER = ("slower", "A gradient takes longer than the baseline says, beyond the noise.",
        "Two measurements have the ratio above 1.5 times the old one, with its 99 % interval above 1 time.",
        "1.02 (0.99 to 1.05) → 2.1 (2.0 to 2.2)",
        "Profile it; --timing warn or off on a machine that is never quiet.")
    UNTIMED = ("not timed", "The baseline has a time for the row, and the run does not.",
        "The run was saved by `gate --timing off`, or ended before it measured times.", "2.1 → not timed",
        "Run it again with times, or gate it with --timing off.")
    NEW = ("new", "The baseline does not have the row: warns; fails if the row does, or with --strict.",
        "A case, an input or an oracle was added.", "accurate", "Paste the `accept:` line.")
    BETTER = ("better", "The row is better than the baseline says, and may become as bad again unseen.",
        "A better verdict, or more than one bit less is lost.", "imprecise → accurate",
        "Paste the `accept:` line, and it is held.")
    # fmt: on


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


def compare(before: Expected, record: Record, same_machine: bool) -> Finding | None:
    """What is worse or better in a row, its times aside; None where nothing is.

    On another machine another BLAS rounds otherwise: there lost bits warn, and only the verdict fails.
    """
    row, outcome = before.row, record.outcome
    accuracy = Level.FAIL if same_machine else Level.WARN
    was, now = in_words(before.verdict, before.outcome), in_words(record.verdict, outcome)
    bits = _numbers("bits lost", before.bits_lost, record.bits_lost)
    if outcome is Outcome.ERROR:
        return Finding(Level.FAIL, Kind.ERROR, row, was, record.diagnosis, record)
    if outcome in {Outcome.UNAVAILABLE, Outcome.SKIPPED}:
        return Finding(Level.FAIL, Kind.UNAVAILABLE, row, was, record.diagnosis, record)
    if is_worse(before, record):
        return Finding(Level.FAIL, Kind.WORSE, row, was, now, record)
    if outcome is Outcome.STALE:
        return Finding(accuracy, Kind.STALE, row, was, record.diagnosis, record)
    if grew(before.bits_lost, record.bits_lost, MAX_GROWTH_BITS):
        return Finding(accuracy, Kind.BITS, row, *bits, record)
    if became_infinite(before.error_ulp, record.error_ulp):
        ulps = _numbers("ulps of error", before.error_ulp, record.error_ulp)
        return Finding(accuracy, Kind.BITS, row, *ulps, record)
    if _digits(before.proven_digits) > _digits(record.proven_digits) + MAX_FEWER_DIGITS:
        digits = _numbers("digits proven", before.proven_digits, record.proven_digits)
        return Finding(accuracy, Kind.BITS, row, *digits, record)
    if is_worse(record, before):
        return Finding(Level.NOTE, Kind.BETTER, row, was, now, record)
    if _is_measured(before.bits_lost) and grew(record.bits_lost, before.bits_lost, MAX_GROWTH_BITS):
        return Finding(Level.NOTE, Kind.BETTER, row, *bits, record)
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


def _is_measured(measure: float | None) -> bool:
    """Whether there is a number: that one is there now, and was not, makes no row better."""
    return measure is not None and not math.isnan(measure)


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
