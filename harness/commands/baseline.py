"""What `baseline diff` and `baseline update` do: show what a run would change in the baseline; change it."""

from __future__ import annotations

import os
import subprocess
from fnmatch import fnmatchcase

from rich.text import Text

from harness.commands.options import BaselineOptions
from harness.gate import baseline as baselines
from harness.gate.baseline import Baseline, Update
from harness.gate.changes import Change, Changes, changes
from harness.report.delivery import whatever_the_reader_does, with_progress
from harness.report.screen import Screen
from harness.runs.fingerprint import Fingerprint, fingerprint
from harness.runs.journal import read_header, read_records, refuse_other_code
from harness.runs.record import Cell, Record, Row
from harness.runs.runner import cells_of, gated_cells, run
from harness.selection import NothingSelected, Scope, UsageError, near_matches, refuse_wrong_numbers
from harness.verdicts import ExitCode

Globs = tuple[str, ...]  # patterns of case/oracle/dtype/input
SEED = 0
MOST_SHOWN = 20
STYLES = {Change.WORSE: "bold red", Change.FIXED: "green"}


def run_diff(globs: Globs, options: BaselineOptions) -> ExitCode:
    """Show what an update would change."""
    found = _changes(globs, options, _measured(globs, options))
    with whatever_the_reader_does():
        _show(found, f"would change in {options.baseline}")
    return ExitCode.OK


def run_update(globs: Globs, reason: str, options: BaselineOptions) -> ExitCode:
    """Change the baseline to what a run says, and show what changed, by kind.

    Raises:
        UsageError: In CI, without a reason, or where a row has no result.
    """
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        raise UsageError(
            f"CI is {os.environ['CI']!r}, and a baseline that CI updates agrees with everything: update it "
            "where a person looks at the diff, and commit it"
        )
    reason = " ".join(reason.split())
    if not reason:
        raise UsageError('--reason is empty; say why the rows change, for the next reader: --reason "…"')
    measured = _measured(globs, options)
    with baselines.locked(options.baseline):
        # Read again under the lock: another update may have written since.
        found = _changes(globs, options, measured)
        if found.said:
            old = _old(globs, options)
            update = Update(reason, _commit(), _machine(options))
            baselines.write(options.baseline, Baseline(old.seed, (*old.updates, update), found.rows))
    with whatever_the_reader_does():
        _show(found, f"changed in {options.baseline}")
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
    refuse_wrong_numbers(options.jobs, timeout=options.timeout)
    old = _old(globs, options)
    cells = _planned(globs, old)
    gone = any(is_chosen(row, globs) for row in old.rows)
    if not cells and not gone:
        names = [*{"/".join(Row.of(cell)) for cell in cells_of(Scope(), old.seed)}]
        raise NothingSelected(f"no row matches {' '.join(globs)}; {near_matches(globs[0], sorted(names))}")
    if options.from_:
        if not options.from_.is_file():
            raise UsageError(f"there is no saved run at {options.from_}; `gate` saves one")
        refuse_other_code(options.from_)
        return [r for r in read_records(options.from_) if is_chosen(Row.of(r.cell), globs)]
    rows = run(cells, options.jobs, timeout_s=options.timeout)
    return list({record.cell: record for record in with_progress(rows, len(cells))}.values())


def _changes(globs: Globs, options: BaselineOptions, measured: list[Record]) -> Changes:
    old = _old(globs, options)
    planned = {Row.of(cell) for cell in _planned(globs, old)}
    gone = [row for row in old.rows if is_chosen(row, globs) and row not in planned]
    return changes(old, measured, gone, _machine(options))


def _machine(options: BaselineOptions) -> Fingerprint:
    """Of which machine the run is."""
    header = read_header(options.from_) if options.from_ else None
    return header.fingerprint if header else fingerprint()


def _commit() -> str:
    """The commit that is checked out, with a + where files differ from it."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "no git"
    return found.stdout.strip()


def _show(found: Changes, doing: str) -> None:
    """The rows by kind: those that differ in their inputs only together, and the first groups of each."""
    console = Screen()
    counts = []
    for change in Change:
        rows = [(row, words) for row, (kind, words) in sorted(found.said.items()) if kind is change]
        if not rows:
            continue
        counts.append(f"{len(rows)} {change.value}")
        console.print(Text(change.value, style=STYLES.get(change, "bold")))
        groups: dict[tuple[str, str], list[str]] = {}
        for row, words in rows:
            groups.setdefault(("/".join(row[:3]), words), []).append(row.input)
        for (name, words), inputs in list(groups.items())[:MOST_SHOWN]:
            rest = f"/{inputs[0]}" if len(inputs) == 1 else f", {len(inputs)} inputs"
            console.print(Text(f"  {name}{rest}: {words}"))
        if len(groups) > MOST_SHOWN:
            hidden = sum(map(len, list(groups.values())[MOST_SHOWN:]))
            console.print(Text(f"  and {hidden} more rows", style="dim"))
    console.print(Text(f"{len(found.said)} of {len(found.rows)} rows {doing}: {', '.join(counts) or 'none'}"))
