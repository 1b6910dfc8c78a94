"""A session of pytest against its baseline: which checks came, which should have, and what follows.

Only the pytest plugin imports this, where `--gradproof-baseline` is given; so it may import pytest.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from harness import answers
from harness.dropin.made import Made
from harness.gate import baseline as baselines
from harness.gate.agreeing import commit, reason_of
from harness.gate.baseline import Baseline, Update
from harness.gate.changes import Changes, changes
from harness.gate.clock import Clock
from harness.gate.delivery import (
    SUMMARY,
    add_to_summary,
    print_changes,
    print_findings,
    print_groups,
    workflow_commands,
)
from harness.gate.finding import Finding, Kind, Level
from harness.gate.findings import Told
from harness.gate.gate import Gate, Policy
from harness.gate.machines import Machines
from harness.gate.sarif import sarif
from harness.gate.suite import SKIPPED, SuiteWords, records_of, rows_of, spread
from harness.report.screen import Screen
from harness.runs.fingerprint import fingerprint
from harness.runs.record import Record, Row
from harness.runs.writing import Unwritten, refuse_unwritable, writing
from harness.selection import Untrusted, UsageError
from harness.verdicts import ExitCode

TEST = pytest.StashKey[str]()  # its id as it was collected: workers of xdist may append a group's name
ROWS = "gradproof_rows"  # of a test's report
ENDED: dict[int, str] = {  # what such a session has done is not what its tests do
    pytest.ExitCode.INTERRUPTED: "the session was interrupted",
    pytest.ExitCode.INTERNAL_ERROR: "pytest failed",
    pytest.ExitCode.USAGE_ERROR: "pytest could not begin",
}
UPDATE = '--gradproof-update-baseline="'


class Session:
    """Compares the checks of a session with a baseline, or makes the baseline agree with them."""

    def __init__(self, config: pytest.Config, named: str, reason: str | None) -> None:
        """Read the baseline; `named` is its file as it was given.

        Raises:
            UsageError: It cannot be read, or must not be updated.
        """
        self._config, self._path = config, Path(config.option.gradproof_baseline)
        self._option, self._seed = f"--gradproof-baseline={named}", int(config.option.gradproof_seed)
        self._root = config.invocation_params.dir  # tests may go elsewhere
        self._is_worker = hasattr(config, "workerinput")
        alone = not self._is_worker and getattr(config.option, "dist", "no") == "no"  # else times are noise
        self._is_timed = alone and not config.option.gradproof_no_times
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._fates: dict[str, tuple[Kind, str]] = {}  # of tests that have ended: what an absent row is
        self._collected: set[str] = set()
        self._files: set[str] = set()  # collected whole
        self._skipped: dict[str, str] = {}  # files, with the reason
        self._told: Told | None = None
        self._changed: Changes | None = None
        self._left: Told | None = None  # by an update
        self._elsewhere = 0
        self._ended = ""  # why the session ended before its time
        try:
            self._reason = None if reason is None else reason_of(reason, "--gradproof-update-baseline")
            if self._reason is not None:
                refuse_unwritable(self._option, self._path.parent, made=True)
            self._old = self._read()
        except (UsageError, Untrusted) as problem:
            raise pytest.UsageError(str(problem)) from None
        except OSError as problem:
            raise pytest.UsageError(f"{self._option}: {problem}") from None

    def _read(self) -> Baseline:
        if self._reason is not None and not self._path.exists():
            return Baseline(self._seed, (), {})
        create = f'pytest {self._option} {UPDATE}the first baseline"'
        renew = f'delete it, then run: pytest {self._option} {UPDATE}why"'
        found = baselines.read(self._path, create, renew)
        if found.rows and not any("::" in row.case for row in found.rows):
            raise UsageError(
                f"{self._option} is the baseline of `gradproof gate`, not of tests; create another: {create}"
            )
        if found.seed != self._seed:
            raise UsageError(
                f"{self._option} is of --gradproof-seed={found.seed}, and this session's is {self._seed}; "
                "numbers of two seeds do not compare"
            )
        return found

    # -- what comes ------------------------------------------------------------------------------------

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Every test that there is, those that are deselected later too."""
        item.stash[TEST] = item.nodeid
        self._collected.add(item.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Which files were collected, and which skip themselves."""
        if "::" in report.nodeid:
            return
        if report.passed:
            self._files.add(report.nodeid)
        elif report.skipped:
            self._skipped[report.nodeid] = _reason(report)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Time the checks of the test."""
        test = item.stash.get(TEST, item.nodeid)
        before = answers.timer
        expected = (row for row in self._old.rows.values() if row.case == test)
        answers.timer = Clock(expected) if self._is_timed else None
        try:
            return (yield)
        finally:
            answers.timer = before

    def hand_over(self, item: pytest.Item, report: pytest.TestReport, made: Iterable[Made]) -> None:
        """Put what a test has checked on its report, which xdist carries to the session."""
        test = item.stash.get(TEST, item.nodeid)
        setattr(report, ROWS, (test, rows_of(made, test, self._seed, self._root)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep them, and how the test ended."""
        test, rows = getattr(report, ROWS, (report.nodeid, []))
        if report.when == "setup":  # it may run again, after it failed
            self._rows[test] = []
            self._fates.pop(test, None)
        elif report.when == "call":  # it came to its end: what was interrupted is not known
            self._fates[test] = (Kind.MISSING, "the test does not make this check any more")
        self._rows.setdefault(test, []).extend(rows)
        if report.failed:
            self._fates[test] = (Kind.ERROR, "the test failed before this check")
        elif report.skipped:
            self._fates[test] = (Kind.UNAVAILABLE, f"{SKIPPED}: {_reason(report)}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of xdist has ended; each has collected everything."""
        collected, files, skipped = getattr(node, "workeroutput", {}).get(ROWS, ((), (), {}))
        self._collected.update(collected)
        self._files.update(files)
        self._skipped.update(skipped)

    # -- what follows ----------------------------------------------------------------------------------

    def pytest_keyboard_interrupt(self) -> None:
        """The session was interrupted, or `pytest.exit` was called, whatever code it asks for."""
        self._ended = "the session was interrupted"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Compare, or update, if the session came to its end; what is worse or missing fails it."""
        if self._is_worker:
            output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
            output[ROWS] = (sorted(self._collected), sorted(self._files), self._skipped)
            return
        if self._config.option.collectonly:
            return
        self._ended = self._ended or ENDED.get(session.exitstatus, "")
        began = session.exitstatus not in {pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR}
        if self._ended and not (began and self._reason is None):
            return
        self._ended = self._ended or str(session.shouldfail or session.shouldstop or "")
        came = spread(records_of(row for rows in self._rows.values() for row in rows), self._old.rows)
        try:
            failed = self._compare(came) if self._reason is None else self._update(came)
        except (UsageError, Untrusted, OSError) as problem:
            print(f"\ngradproof: {self._option}: {problem}")
            failed = True
        except Unwritten as problem:
            print(f"\ngradproof: {problem}")
            failed = True
        if failed and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _absent(self) -> dict[Row, tuple[Kind, str]]:
        """What an absent row is, for the rows of the baseline that this session is about."""
        fates = {row: self._fate(row.case) for row in self._old.rows}
        return {row: fate for row, fate in fates.items() if fate}

    def _fate(self, test: str) -> tuple[Kind, str] | None:
        file = test.partition("::")[0]
        if test in self._fates:
            return self._fates[test]
        if file in self._skipped and self._is_asked(test):
            return Kind.UNAVAILABLE, f"{file} was skipped: {self._skipped[file]}"
        gone = file in self._files or not (self._config.rootpath / file).exists()
        options = self._config.option
        part = options.keyword or options.markexpr or getattr(options, "lf", False)
        if gone and test not in self._collected and self._is_asked(test) and not part:
            return Kind.STALE, "there is no such test any more"
        return None

    def _is_asked(self, test: str) -> bool:
        """Whether the session's arguments cover a test, whether or not it is there."""
        path = self._config.rootpath / test.partition("::")[0]
        folders = (self._config.invocation_params.dir / a for a in self._config.args if "::" not in a)
        return self._is_named(test) or any(path.is_relative_to(os.path.normpath(own)) for own in folders)

    def _is_named(self, test: str) -> bool:
        """Whether an argument names the test itself, or its function or class."""
        file, _, name = test.partition("::")
        for argument in self._config.args:
            place, colons, inside = argument.partition("::")
            is_it = name == inside or name.startswith((f"{inside}::", f"{inside}["))
            if (
                colons
                and is_it
                and self._config.invocation_params.dir / place == self._config.rootpath / file
            ):
                return True
        return False

    def _is_agreed(self, row: Row, kind: Kind) -> bool:
        """Whether an update drops a row that did not come: one of a skipped test, if that is named itself."""
        return kind in {Kind.MISSING, Kind.STALE} or (kind is Kind.UNAVAILABLE and self._is_named(row.case))

    def _compare(self, came: list[Record]) -> bool:
        self._told = self._against(came)
        self._write_sarif(self._told)
        return self._code is ExitCode.FAILED

    def _against(self, came: list[Record]) -> Told:
        """What is found of what came, against the baseline as it is now."""
        last = self._old.updates[-1]
        machines = Machines(fingerprint(), [update.fingerprint for update in self._old.updates])
        policy = Policy(timing="" if self._is_timed else "off")
        gate = Gate(self._old.rows, machines.is_this, policy, self._seed)
        for record in came:
            gate.take(record)
        gate.confirm()  # each had its looks while the test ran
        absent = self._absent()
        gate.close(absent, absent.__getitem__)
        self._elsewhere = len(self._old.rows) - len({*absent, *map(_row, came)} & self._old.rows.keys())
        return Told(
            gate.findings, gate.rows, self._name(), f"{last.commit}: {last.reason}",
            gate.elsewhere, machines.other, SuiteWords(said=self._option),
        )  # fmt: skip

    def _write_sarif(self, told: Told) -> None:
        if self._config.option.gradproof_sarif:
            file = Path(self._config.option.gradproof_sarif)
            with writing(f"--gradproof-sarif={file}"):
                file.write_text(sarif(told), encoding="utf-8")

    @property
    def _code(self) -> ExitCode:
        found = self._told.findings if self._told else ()
        if self._told and not found and not self._told.rows:
            return ExitCode.NOTHING_COMPARED
        return ExitCode.FAILED if any(one.level is Level.FAIL for one in found) else ExitCode.OK

    def _update(self, came: list[Record]) -> bool:
        with baselines.locked(self._path):
            self._old = old = self._read()  # again, under the lock
            there = set(map(_row, came))
            absent = self._absent().items()
            gone = [row for row, (kind, _) in absent if row not in there and self._is_agreed(row, kind)]
            self._changed = changes(old, came, gone, fingerprint())
            if self._changed.said:
                update = Update(self._reason or "", commit(), fingerprint())
                self._old = Baseline(self._seed, (*old.updates, update), self._changed.rows)
                baselines.write(self._path, self._old)
        if self._old.updates:
            self._left = self._against(came)  # what nobody can agree to: a test that failed
            self._write_sarif(self._left)
        return False

    def _of_others(self) -> str:
        rows, are = ("row", "is") if self._elsewhere == 1 else ("rows", "are")
        why = f"did not run ({self._ended})" if self._ended else "were not asked for"
        return f"{self._elsewhere} {rows} of the baseline {are} of tests that {why}"

    def _name(self) -> str:
        return os.path.relpath(self._path) if self._path.is_relative_to(Path.cwd()) else str(self._path)

    # -- what is said ----------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The findings, worst first; or the changes. GitHub gets annotations and a summary of the step."""
        if self._told is None and self._changed is None and not self._ended:
            return
        writer = self._config.get_terminal_writer()
        text = io.StringIO()
        screen = Screen(file=text, width=writer.fullwidth, force_terminal=writer.hasmarkup)
        if self._told is None and self._changed is None:
            done = "compared" if self._reason is None else "updated"
            screen.folded(f"{self._ended}: nothing was {done}", style="bold red")
        if self._changed:
            print_changes(screen, self._changed, f"changed in {self._name()}")
        if self._left and any(one.level is Level.FAIL for one in self._left.findings):
            screen.folded("left as they are:")
            print_groups(screen, self._left, Level.FAIL)
        if self._told:
            if self._elsewhere:
                screen.folded(self._of_others())
            if moved := _moved(self._told.findings):
                why = f"has a file moved, or pytest's rootdir, {self._config.rootpath}?"
                screen.folded(f"{moved} of the stale rows are new under another path: {why}")
            print_findings(screen, self._told, self._code)
        terminalreporter.section("gradients against the baseline", "-")
        terminalreporter.write(text.getvalue())
        if self._told and os.environ.get(SUMMARY):
            terminalreporter.write("".join(f"{line}\n" for line in workflow_commands(self._told)))
            try:
                add_to_summary(self._told, self._code)
            except OSError as problem:
                print(f"gradproof: {SUMMARY}: {problem}", file=sys.stderr)


def _row(record: Record) -> Row:
    return Row.of(record.cell)


def _moved(found: Iterable[Finding]) -> int:
    """How many rows that went away came back in another folder, or file."""
    tails = {kind: [_tail(one.row) for one in found if one.kind is kind] for kind in (Kind.STALE, Kind.NEW)}
    return sum(tail in tails[Kind.NEW] for tail in tails[Kind.STALE])


def _tail(row: Row) -> tuple[str, ...]:
    return row.case.partition("::")[2], *row[1:]


def _reason(report: Any) -> str:
    """Why a test or a file was skipped."""
    long = report.longrepr
    if isinstance(long, tuple):
        return str(long[2]).removeprefix("Skipped: ")
    return getattr(report, "wasxfail", "") or "it is expected to fail"
