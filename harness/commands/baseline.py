"""What `baseline diff` and `baseline update` do: show what a run would change in the baseline; change it."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from harness.commands.options import BaselineOptions
from harness.gate import baseline as baselines
from harness.gate.agreeing import commit, reason_of
from harness.gate.baseline import Baseline, Update
from harness.gate.changes import Changes, changes
from harness.gate.delivery import print_changes
from harness.report.delivery import whatever_the_reader_does
from harness.report.progress import with_progress
from harness.report.screen import Screen
from harness.runs.fingerprint import Fingerprint, fingerprint
from harness.runs.journal import read_header, read_records, refuse_other_code
from harness.runs.record import Cell, Record, Row
from harness.runs.runner import cells_of, gated_cells, run
from harness.runs.workers import Workers
from harness.runs.writing import refuse_unwritable, writing
from harness.selection import NothingSelected, Scope, UsageError, near_matches, refuse_wrong_numbers
from harness.verdicts import ExitCode

Globs = tuple[str, ...]  # patterns of case/oracle/dtype/input
SEED = 0


def run_diff(globs: Globs, options: BaselineOptions) -> ExitCode:
    """Show what an update would change."""
    found = _changes(globs, options, _measured(globs, options))
    with whatever_the_reader_does():
        print_changes(Screen(), found, f"would change in {options.baseline}")
    return ExitCode.OK


def run_update(globs: Globs, reason: str, options: BaselineOptions) -> ExitCode:
    """Change the baseline to what a run says, and show what changed, by kind.

    Raises:
        UsageError: In CI, without a reason, or where a row has no result.
    """
    reason = reason_of(reason, "--reason")
    refuse_unwritable(f"--baseline {options.baseline}", options.baseline.parent, made=True)
    measured = _measured(globs, options)
    with baselines.locked(options.baseline):
        # Read again under the lock: another update may have written since.
        found = _changes(globs, options, measured)
        if found.said:
            old = _old(globs, options)
            update = Update(reason, commit(), _machine(options))
            with writing(options.baseline):
                baselines.write(options.baseline, Baseline(old.seed, (*old.updates, update), found.rows))
    with whatever_the_reader_does():
        print_changes(Screen(), found, f"changed in {options.baseline}")
    return ExitCode.OK


def _old(globs: Globs, options: BaselineOptions) -> Baseline:
    if options.anew and globs:
        raise UsageError(f"--anew writes every row; leave out {' '.join(globs)}")
    new = options.anew or not options.baseline.exists()
    return Baseline(SEED, (), {}) if new else baselines.read(options.baseline)


def _planned(globs: Globs, old: Baseline) -> list[Cell]:
    """The cells whose rows the patterns choose."""
    cells = gated_cells(Scope(), old.seed, old.rows)
    return [cell for cell in cells if is_chosen(Row.of(cell), globs)]


def is_chosen(row: Row, globs: Globs) -> bool:
    """Whether a pattern matches `case/oracle/dtype/input`; one without a slash is a case."""
    name = "/".join(row)
    return not globs or any(fnmatchcase(name, g if "/" in g else f"{g}/*") for g in globs)


def _measured(globs: Globs, options: BaselineOptions) -> list[Record]:
    """A record for each chosen row, from a saved run or a fresh one."""
    refuse_wrong_numbers(timeout=options.timeout)
    workers = Workers(options.jobs)
    old = _old(globs, options)
    cells = _planned(globs, old)
    gone = any(is_chosen(row, globs) for row in old.rows)
    if not cells and not gone:
        names = [*{"/".join(Row.of(cell)) for cell in cells_of(Scope(), old.seed)}]
        raise NothingSelected(f"no row matches {' '.join(globs)}; {_near(globs[0], names)}")
    if options.from_:
        if not options.from_.is_file():
            raise UsageError(f"there is no saved run at {options.from_}; `gate` saves one")
        refuse_other_code(options.from_)
        return [r for r in read_records(options.from_) if is_chosen(Row.of(r.cell), globs)]
    rows = with_progress(
        run(cells, workers, timeout_s=options.timeout), len(cells), [cell.case for cell in cells]
    )
    return list({record.cell: record for record in rows}.values())


def _changes(globs: Globs, options: BaselineOptions, measured: list[Record]) -> Changes:
    old = _old(globs, options)
    planned = {Row.of(cell) for cell in _planned(globs, old)}
    gone = [row for row in old.rows if is_chosen(row, globs) and row not in planned]
    return changes(old, measured, gone, _machine(options))


def _machine(options: BaselineOptions) -> Fingerprint:
    """Of which machine the run is."""
    header = read_header(options.from_) if options.from_ else None
    return header.fingerprint if header else fingerprint()


def _near(glob: str, names: Iterable[str]) -> str:
    """What a pattern may have meant: its first part that matches nothing, among those that are there."""
    rows, parts = [name.split("/") for name in names], glob.split("/")[:4]
    for k, part in enumerate(parts):
        found = [row for row in rows if fnmatchcase(row[k], part)]
        if not found:
            return near_matches(part, sorted({row[k] for row in rows}))
        rows = found
    return near_matches(glob, sorted(names))
