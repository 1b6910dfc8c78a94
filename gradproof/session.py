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
from harness.gate.delivery import SUMMARY, add_to_summary, print_changes, print_findings, workflow_commands
from harness.gate.finding import Kind, Level
from harness.gate.findings import Told
from harness.gate.gate import Gate, Policy
from harness.gate.machines import Machines
from harness.gate.sarif import sarif
from harness.gate.suite import SuiteWords, records_of, rows_of, spread
from harness.report.screen import Screen
from harness.runs.fingerprint import fingerprint
from harness.runs.record import Record, Row
from harness.runs.writing import refuse_unwritable
from harness.selection import Untrusted, UsageError
from harness.verdicts import ExitCode

TEST = pytest.StashKey[str]()  # its id as it was collected: workers of xdist may append a group's name
ROWS = "gradproof_rows"  # of a test's report
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
        self._elsewhere = 0
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
            self._fates[test] = (Kind.MISSING, "the test does not make this check any more")
        self._rows.setdefault(test, []).extend(rows)
        if report.failed:
            self._fates[test] = (Kind.ERROR, "the test failed before this check")
        elif report.skipped:
            self._fates[test] = (Kind.UNAVAILABLE, f"the test was skipped: {_reason(report)}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of xdist has ended; each has collected everything."""
        collected, files, skipped = getattr(node, "workeroutput", {}).get(ROWS, ((), (), {}))
        self._collected.update(collected)
        self._files.update(files)
        self._skipped.update(skipped)

    # -- what follows ----------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Compare, or update; what is worse or missing fails the session."""
        if self._is_worker:
            output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
            output[ROWS] = (sorted(self._collected), sorted(self._files), self._skipped)
            return
        if self._config.option.collectonly:
            return
        came = spread(records_of(row for rows in self._rows.values() for row in rows), self._old.rows)
        try:
            failed = self._compare(came) if self._reason is None else self._update(came)
        except (UsageError, Untrusted, OSError) as problem:
            print(f"\ngradproof: {self._option}: {problem}")
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
        file, _, name = test.partition("::")
        path = self._config.rootpath / file
        for argument in self._config.args:
            place, colons, inside = argument.partition("::")
            given = self._config.invocation_params.dir / place
            if (
                colons
                and given == path
                and (name == inside or name.startswith((f"{inside}::", f"{inside}[")))
            ):
                return True
            if not colons and path.is_relative_to(os.path.normpath(given)):
                return True
        return False

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
        gate.confirm(list(gate.suspects.values()))  # each had its second look while the test ran
        absent = self._absent()
        gate.close(absent, absent.__getitem__)
        self._elsewhere = len(self._old.rows) - len({*absent, *map(_row, came)} & self._old.rows.keys())
        return Told(
            gate.findings, gate.rows, self._name(), f"{last.commit}: {last.reason}",
            gate.elsewhere, machines.other, SuiteWords(said=self._option),
        )  # fmt: skip

    def _write_sarif(self, told: Told) -> None:
        if self._config.option.gradproof_sarif:
            Path(self._config.option.gradproof_sarif).write_text(sarif(told), encoding="utf-8")

    @property
    def _code(self) -> ExitCode:
        found = self._told.findings if self._told else ()
        return ExitCode.FAILED if any(one.level is Level.FAIL for one in found) else ExitCode.OK

    def _update(self, came: list[Record]) -> bool:
        with baselines.locked(self._path):
            self._old = old = self._read()  # again, under the lock
            agreed = {Kind.MISSING, Kind.STALE}
            there = set(map(_row, came))
            gone = [row for row, (kind, _) in self._absent().items() if kind in agreed and row not in there]
            self._changed = changes(old, came, gone, fingerprint())
            if self._changed.said:
                update = Update(self._reason or "", commit(), fingerprint())
                self._old = Baseline(self._seed, (*old.updates, update), self._changed.rows)
                baselines.write(self._path, self._old)
        if self._old.updates:
            self._write_sarif(self._against(came))  # what nobody can agree to is left: a test that failed
        return False

    def _name(self) -> str:
        return os.path.relpath(self._path) if self._path.is_relative_to(Path.cwd()) else str(self._path)

    # -- what is said ----------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The findings, worst first; or the changes. GitHub gets annotations and a summary of the step."""
        if self._told is None and self._changed is None:
            return
        writer = self._config.get_terminal_writer()
        text = io.StringIO()
        screen = Screen(file=text, width=writer.fullwidth, force_terminal=writer.hasmarkup)
        if self._changed:
            print_changes(screen, self._changed, f"changed in {self._name()}")
        if self._told:
            if self._elsewhere:
                screen.folded(f"{self._elsewhere} rows of the baseline are of tests that were not asked for")
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


def _reason(report: Any) -> str:
    """Why a test or a file was skipped."""
    long = report.longrepr
    if isinstance(long, tuple):
        return str(long[2]).removeprefix("Skipped: ")
    return getattr(report, "wasxfail", "") or "it is expected to fail"
