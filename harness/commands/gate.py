"""What the command `gate` does, from the options to the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep

import msgspec

from harness.commands.options import GateOptions
from harness.commands.phrasing import as_command
from harness.gate import baseline as baselines
from harness.gate.baseline import Expected
from harness.gate.delivery import deliver_findings, format_of
from harness.gate.finding import NO_RESULT, Level, ratio_of
from harness.gate.findings import Told
from harness.gate.gate import Gate, Policy, not_in
from harness.gate.machines import Machines
from harness.gate.words import Words
from harness.report.delivery import whatever_the_reader_does
from harness.report.progress import with_progress
from harness.runs.fingerprint import Fingerprint, fingerprint
from harness.runs.journal import Header, Journal, read_header, read_lines, read_records, refuse_other_code
from harness.runs.record import Cell, Record, Row
from harness.runs.runner import DTYPES, covers, gated_cells, run
from harness.runs.timing import LOOKS
from harness.runs.workers import Workers
from harness.selection import BASELINE, SAVED, Scope, UsageError, listed, refuse_wrong_numbers
from harness.verdicts import ExitCode

TIMINGS = ("gate", "warn", "off")
PAUSE_S = 2.0  # before a look, longer each time: what disturbs for a while is over in one of them


@dataclass(frozen=True)
class Past:
    """What a run is compared with: rows by name, each with the machine that it is of."""

    name: str
    seed: int
    rows: Mapping[Row, Expected]
    machines: Sequence[Fingerprint | None]
    said: str = ""

    @classmethod
    def of(cls, path: Path) -> Past:
        """A baseline."""
        found = baselines.read(path)
        last = found.updates[-1]
        machines = [update.fingerprint for update in found.updates]
        return cls(str(path), found.seed, found.rows, machines, f"{last.commit}: {last.reason}")

    @classmethod
    def of_run(cls, path: Path) -> Past:
        """Another saved run."""
        header, rows, seeds = read_header(path), {}, set()
        for record in read_lines(path):
            rows[Row.of(record.cell)] = Expected.of(record)
            seeds.add(record.seed)
        if len(seeds) != 1:
            raise UsageError(f"--against {path} has the seeds {sorted(seeds)}; a run to compare with has one")
        return cls(str(path), seeds.pop(), rows, [header.fingerprint if header else None])


def run_gate(options: GateOptions) -> ExitCode:
    """Run, or read a saved run; compare with the baseline; show what is found, worst first."""
    _check(options)
    kind, workers = format_of(options.format), Workers(options.jobs, options.scheduler)
    past = Past.of_run(options.against) if options.against else Past.of(options.baseline)
    machines = Machines(_machine_of(options), past.machines)
    gate = Gate(past.rows, machines.is_this, Policy(options.timing, options.strict), past.seed)
    cells = gated_cells(options.scope, past.seed, past.rows)
    if options.from_:
        for record in read_lines(options.from_):
            gate.take(record)
        gate.leave_unconfirmed()
    else:
        for record in _fresh(options, cells, workers):
            gate.take(record)
        # What looks slower is timed again in processes of its own, now that everything else is done.
        for looks in range(1, LOOKS):
            if suspects := gate.doubtful(looks):
                sleep(PAUSE_S * (looks - 1))
                gate.look_again(run([], workers, DTYPES, timeout_s=options.timeout, compared=suspects))
        gate.confirm()
    planned = {Row.of(cell) for cell in cells}
    gate.close((row for row in past.rows if covers(options.scope, row)), not_in(planned))
    words = Words(options.baseline if options.baseline != BASELINE else None)
    told = Told(gate.findings, gate.rows, past.name, past.said, gate.elsewhere, machines.other, words)
    code = _exit_code(gate)
    with whatever_the_reader_does():
        deliver_findings(told, kind, code)
    return code


def _check(options: GateOptions) -> None:
    if options.timing:
        listed("--timing", options.timing, TIMINGS)
    refuse_wrong_numbers(timeout=options.timeout)
    if options.against and not options.from_:
        raise UsageError(
            "--against compares with --from; name the run to compare: --from RUN --against OTHER"
        )
    if options.resume and options.from_:
        raise UsageError("--resume continues a run, and --from runs nothing: leave one out")
    if options.save.is_dir():
        raise UsageError(
            f"--save must be a file, such as {options.save / SAVED.name}, got the folder {options.save}"
        )
    for path in (options.from_, options.against):
        if path and not path.is_file():
            raise UsageError(f"there is no saved run at {path}; `gate` saves one, --save says where")


def _refuse_part(options: GateOptions, path: Path) -> None:
    """Refuse a saved run of some rows as one of all: every other row of the baseline would be missing."""
    header = read_header(path)
    scope = header.scope if header else None
    if scope not in {None, Scope()} and options.scope == Scope():
        command = as_command(["gate"], replace(options, scope=scope), frozenset())
        raise UsageError(f"--from {path} is a run of some rows; compare these alone: {command}")


def _machine_of(options: GateOptions) -> Fingerprint | None:
    """Of which machine the run is.

    Raises:
        UsageError: The saved run is of other code, so that it says nothing of this, or of some rows.
    """
    if options.from_ is None:
        return fingerprint()
    if not options.against:
        refuse_other_code(options.from_)
    _refuse_part(options, options.from_)
    header = read_header(options.from_)
    return header.fingerprint if header else None


def _fresh(options: GateOptions, cells: Sequence[Cell], workers: Workers) -> Iterator[Record]:
    """The records of a run, saved as they come; those that a killed run has saved come first."""
    done: dict[Cell, Record] = {}
    if options.resume:
        _can_go_on(options.save, options.scope)
        done = {r.cell: r for r in read_records(options.save) if r.outcome not in NO_RESULT}
        yield from done.values()
    left = [cell for cell in cells if cell not in done]
    untimed = [r for r in done.values() if ratio_of(r) is None] if options.timing != "off" else []
    timed = () if options.timing == "off" else DTYPES
    with Journal(options.save, options.resume, options.scope) as journal:
        rows = run(left, workers, timed, timeout_s=options.timeout, compared=untimed)
        for record in with_progress(rows, len(left), [cell.case for cell in left]):
            journal.write(record)
            yield record


def _can_go_on(path: Path, scope: Scope) -> None:
    if not path.is_file():
        raise UsageError(f"--resume: there is no saved run at {path}; run without --resume")
    header = read_header(path)
    if header and header.scope not in {None, scope}:
        raise UsageError(
            f"--resume: the run at {path} was asked for other rows: give its options, or run without --resume"
        )
    if header is None or msgspec.structs.replace(header, scope=None) != Header.of_this_run():
        raise UsageError(
            f"--resume: the run at {path} is of other code or of another machine, so its rows cannot be "
            "used here: run without --resume"
        )


def _exit_code(gate: Gate) -> ExitCode:
    if any(finding.level is Level.FAIL for finding in gate.findings):
        return ExitCode.FAILED
    return ExitCode.OK if gate.compared else ExitCode.NOTHING_COMPARED
