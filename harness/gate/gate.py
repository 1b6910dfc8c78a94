"""The gate: the records of a run against the baseline, row by row as they come."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping

import msgspec

from harness.gate.baseline import Expected
from harness.gate.finding import NO_RESULT, Finding, Kind, Level, compare, in_words, ratio_in_words, ratio_of
from harness.runs.journal import result_of
from harness.runs.record import Record, Row
from harness.runs.timing import LOOKS, Ratio, is_slower
from harness.selection import Untrusted
from harness.verdicts import Outcome


class Policy(msgspec.Struct, frozen=True):
    """How much a gate insists on: `timing` gate, warn or off, "" for what the machine allows."""

    timing: str = ""
    strict: bool = False

    def level_of_time(self, same_machine: bool) -> Level:
        """What a slower row does to the run."""
        return Level.FAIL if (self.timing or ("gate" if same_machine else "warn")) == "gate" else Level.WARN


class Gate:
    """Takes the records of a run as they come, and keeps what is found, not the records.

    Attributes:
        findings: What is found so far.
        suspects: Rows that look slower, with the last record that says so; more looks decide.
        rows: How many rows came.
        compared: How many of them were judged, and expected.
        elsewhere: How many were expected by another machine.
    """

    def __init__(
        self,
        expected: Mapping[Row, Expected],
        is_same_machine: Callable[[Expected], bool],
        policy: Policy,
        seed: int,
    ) -> None:
        self.findings: list[Finding] = []
        self.suspects: dict[Row, Record] = {}
        self.compared = self.elsewhere = 0
        self._expected, self._same, self._policy, self._seed = expected, is_same_machine, policy, seed
        self._seen: dict[Row, int] = {}
        self._untimed: set[Row] = set()

    @property
    def rows(self) -> int:
        """How many rows came."""
        return len(self._seen)

    def take(self, record: Record) -> None:
        """Compare one record, which may come a second time with its times.

        Raises:
            Untrusted: The record is of another seed than the baseline's.
        """
        row = Row.of(record.cell)
        if record.seed != self._seed:
            raise Untrusted(f"{'/'.join(row)} is of seed {record.seed}; the baseline's is {self._seed}")
        before, result = self._expected.get(row), hash(result_of(record))
        if row not in self._seen:
            self._seen[row] = result
            self._take_first(row, before, record)
        elif self._seen[row] != result:
            self._seen[row] = result
            self.findings.append(_second_result(row, before, record))
        now = ratio_of(record)
        if before is not None and now is not None:
            self._untimed.discard(row)
            if self._is_slower(before, now):
                self.suspects[row] = record

    def _take_first(self, row: Row, before: Expected | None, record: Record) -> None:
        if before is None:
            if record.outcome in {Outcome.UNAVAILABLE, Outcome.SKIPPED}:
                return  # nothing is expected of it, and nothing was run
            if record.outcome is Outcome.ERROR:  # which is nothing that a baseline could have
                self.findings.append(Finding(Level.FAIL, Kind.ERROR, row, "", record.diagnosis, record))
                return
            level = Level.FAIL if record.outcome.failing or self._policy.strict else Level.WARN
            now = in_words(record.verdict, record.outcome)
            self.findings.append(Finding(level, Kind.NEW, row, "", now, record))
            return
        self.compared += record.outcome.compared
        self.elsewhere += not self._same(before)
        found = compare(before, record, self._same(before))
        if found:
            self.findings.append(found)
        if before.time_ratio is not None and record.outcome not in NO_RESULT:
            self._untimed.add(row)

    def _is_slower(self, before: Expected, now: Ratio) -> bool:
        expected = ratio_of(before)
        return self._policy.timing != "off" and expected is not None and is_slower(now, expected)

    def doubtful(self, looks: int) -> list[Record]:
        """The suspects that need one more look after so many: what would only warn needs two in all."""
        return [
            record
            for row, record in self.suspects.items()
            if looks < (LOOKS if self._level_of_time(row) is Level.FAIL else 2)
        ]

    def look_again(self, again: Iterable[Record]) -> None:
        """Take another look at suspects: a row that is not slower in one of them is not slower."""
        for record in again:
            row, now = Row.of(record.cell), ratio_of(record)
            if now is None or self._is_slower(self._expected[row], now):
                self.suspects[row] = record
            else:
                del self.suspects[row]

    def confirm(self) -> None:
        """No look is to come: the suspects are slower."""
        for row, record in self.suspects.items():
            self._slower(row, record, self._level_of_time(row), "")

    def leave_unconfirmed(self) -> None:
        """The suspects of a saved run, which cannot be measured again: they warn."""
        for row, record in self.suspects.items():
            self._slower(row, record, Level.WARN, ", measured once")

    def _level_of_time(self, row: Row) -> Level:
        return self._policy.level_of_time(self._same(self._expected[row]))

    def _slower(self, row: Row, record: Record, level: Level, remark: str) -> None:
        was, now = ratio_in_words(ratio_of(self._expected[row])), ratio_in_words(ratio_of(record))
        self.findings.append(Finding(level, Kind.SLOWER, row, was, f"{now}{remark}", record))

    def close(self, wanted: Iterable[Row], absent: Callable[[Row], tuple[Kind, str]]) -> None:
        """Find what did not come.

        Args:
            wanted: The rows of the baseline that this run is about.
            absent: What it is that such a row did not come, and the words for it.
        """
        for row in wanted:
            before = self._expected[row]
            was = in_words(before.verdict, before.outcome)
            if row in self._untimed and self._policy.timing != "off":
                level = self._level_of_time(row)
                self.findings.append(
                    Finding(level, Kind.UNTIMED, row, f"{before.time_ratio:.3g}", "not timed")
                )
            if row not in self._seen:
                kind, now = absent(row)
                self.findings.append(Finding(Level.FAIL, kind, row, was, now))


def not_in(planned: Container[Row]) -> Callable[[Row], tuple[Kind, str]]:
    """Absent rows of the catalogue: one that it still has is missing, another stale."""

    def absent(row: Row) -> tuple[Kind, str]:
        if row in planned:
            return Kind.MISSING, "the run has no such row"
        return Kind.STALE, "the catalogue has no such row any more"

    return absent


def _second_result(row: Row, before: Expected | None, record: Record) -> Finding:
    """What is found of a row that came before in the same run, with another result."""
    if record.outcome is Outcome.ERROR:  # it was compared, and raised while it was timed
        words = before or record
        was = in_words(words.verdict, words.outcome)
        return Finding(Level.FAIL, Kind.ERROR, row, was, record.diagnosis, record)
    return Finding(Level.FAIL, Kind.CONFLICT, row, "one result", "another in the same run", record)
