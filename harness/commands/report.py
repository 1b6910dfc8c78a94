"""What the command `report` does, from the options to the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

import msgspec

from harness.book import documents, learning
from harness.commands.options import ReportOptions
from harness.commands.pages import confirmed, write_pages
from harness.report import tables
from harness.report.delivery import WRITERS, deliver, whatever_the_reader_does
from harness.report.progress import announced, with_progress
from harness.runs.journal import Journal
from harness.runs.record import Cell, Record, to_json
from harness.runs.runner import DTYPES, cells_of, chosen_oracles, oracles, run
from harness.runs.workers import Workers
from harness.runs.writing import refuse_unwritable
from harness.selection import ALL, NothingSelected, UsageError, listed, refuse_wrong_numbers
from harness.verdicts import ALLOWABLE, ExitCode, Outcome

FORMATS = ("text", *WRITERS, "jsonl")
PAGES = ("html", "svg", "png")  # where they are named
STEPS, QUICK_STEPS = 300, 50


def run_report(options: ReportOptions) -> ExitCode:
    """Run the selection, show and write its tables, and say by the exit code what came out."""
    formats = _formats(options)
    allowed = listed("--allow", options.allow, ALLOWABLE) if options.allow else []
    cells, right = _cells(options), True
    with Workers(options.jobs, options.scheduler).staying() as workers:
        records = _run(options, formats, allowed, cells, workers)
        frame = tables.records_frame(records)
        shown = [
            tables.gradients(frame, options.full),
            tables.problems(frame),
            tables.finite_differences(frame, options.full),
            tables.timings(frame, options.full),
        ]
        learned = list[learning.Learned]()
        if options.scope.case == options.scope.input == ALL:
            printed = announced(documents.reproduce, "the document's outputs")
            right = all(row.equal for row in printed)
            learned = announced(partial(_learn, options, workers), "learning")
            shown += [documents.table_of(printed), learning.table_of(learned)]
        shown.append(tables.verdicts(frame))
        if options.table:
            shown = [table for table in shown if table.name == options.table and not table.frame.empty]
            if not shown:
                raise NothingSelected(f"--table {options.table}: this run has no rows in that table")
        with whatever_the_reader_does():
            deliver(shown, tables.summary(frame), formats, options.output)
            if pages := [name for name in formats if name in PAGES]:
                write_pages(options, frame, shown, learned, pages, workers)
            if options.output and "text" not in formats:
                print(f"written to {options.output}: {', '.join(formats)}", file=sys.stderr)
    if any(r.outcome.failing for r in records) or not right:
        return ExitCode.FAILED
    if not any(r.outcome.compared for r in records):
        print("gradproof: nothing was compared: no row of this selection is judged", file=sys.stderr)
        return ExitCode.NOTHING_COMPARED
    return ExitCode.OK


def _run(
    options: ReportOptions,
    formats: Sequence[str],
    allowed: Sequence[str],
    cells: Sequence[Cell],
    workers: Workers,
) -> list[Record]:
    """The records of the cells, in the order in which they were planned; they are written as they come.

    Whoever was done first, of equally bad rows the first planned is shown first.
    """
    records = dict[Cell, Record]()
    timed = DTYPES if options.full else [cell.dtype for cell in cells[:1]]
    names = [cell.case for cell in cells]
    with ExitStack() as stack:
        sinks = _sinks(options, formats, stack)
        for found in with_progress(run(cells, workers, timed, options.full), len(cells), names):
            record = _allowed(found, allowed)
            records[record.cell] = record
            for write in sinks:
                write(record)
    planned = {cell: place for place, cell in enumerate(cells)}
    return sorted(records.values(), key=lambda record: planned.get(record.cell, len(cells)))


def _learn(options: ReportOptions, workers: Workers) -> list[learning.Learned]:
    """The four steps of learning with each oracle that decides and is quick, or that `--full` asks for."""
    chosen = [oracles()[name] for name in chosen_oracles(options.scope)]
    learners = [o.name for o in chosen if o.decides and (options.full or not (o.slow or o.sparse))]
    return learning.learn_with(workers, learners, QUICK_STEPS if options.scope.quick else STEPS)


def _cells(options: ReportOptions) -> list[Cell]:
    """The cells that the options choose.

    Raises:
        UsageError: An option has a value that it cannot have.
        NothingSelected: A pattern matches nothing.
    """
    if options.output and options.output.exists() and not options.output.is_dir():
        raise UsageError(f"--output must be a folder, which may be new, got the file {options.output}")
    if options.table:
        listed("--table", options.table, sorted(tables.NAMES))
        if options.output:
            raise UsageError("--table chooses for a screen, and --output DIR takes all tables: leave one out")
    refuse_wrong_numbers(options.seed)
    found = cells_of(options.scope, options.seed, full=options.full)
    if not found:
        raise NothingSelected(f"no case of this selection is written for --oracle {options.scope.oracle}")
    if options.output:
        refuse_unwritable(f"--output {options.output}", options.output, made=True)
    return found


def _allowed(record: Record, verdicts: Sequence[str]) -> Record:
    """The record, let through if it fails only by a verdict that the user allows."""
    if record.outcome is not Outcome.FAIL or record.verdict not in verdicts:
        return record
    return msgspec.structs.replace(record, outcome=Outcome.ALLOWED)


def _formats(options: ReportOptions) -> list[str]:
    default = ",".join(FORMATS) if options.output else "text"
    formats = listed("--format", options.format or default, (*FORMATS, *PAGES))
    if pages := [name for name in formats if name in PAGES]:
        confirmed(f"--format {pages[0]}")
        if options.output is None:
            raise UsageError(f"--format {pages[0]} needs --output DIR")
    if options.output is None and len(formats) > 1:
        raise UsageError(
            f"--format {options.format} needs --output DIR: several formats do not share a screen"
        )
    return formats


def _sinks(
    options: ReportOptions, formats: Sequence[str], stack: ExitStack
) -> list[Callable[[Record], None]]:
    """Where the rows go as they come."""
    if "jsonl" not in formats:
        return []
    if options.output is None:
        return [_print_line]
    return [stack.enter_context(Journal(options.output / "records.jsonl", scope=options.scope)).write]


def _print_line(record: Record) -> None:
    sys.stdout.buffer.write(to_json(record) + b"\n")
    sys.stdout.buffer.flush()
