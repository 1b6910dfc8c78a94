"""Runs a selection: each (case, input, dtype, oracle) is one cell and becomes one record."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from functools import partial

from msgspec.structs import asdict, replace

from harness.cases import catalogue
from harness.runs.known import known_defects
from harness.runs.plan import DTYPES, oracles
from harness.runs.record import Cell, Record
from harness.runs.row import examine, first_line, is_timed, times
from harness.runs.workers import spread
from harness.selection import TIMEOUT_S
from harness.verdicts import Outcome


def run(
    cells: Iterable[Cell],
    jobs: int = 0,
    timed: Collection[str] = DTYPES,
    full: bool = False,
    timeout_s: float = TIMEOUT_S,
    compared: Iterable[Record] = (),
) -> Iterator[Record]:
    """The record of every cell, as they are done; each case's first input is timed.

    With `jobs` the comparisons are spread over so many processes first, the cells of one case and dtype
    together, since they share what is proven and compiled; then each row is timed, alone, and its record
    comes a second time, complete. A process that dies or outlasts `timeout_s` seconds gives an error row.

    Args:
        cells: As `plan` orders them. They are read as they are needed, and no record is kept but those of
            the rows that are timed.
        jobs: Processes; 0 is this one, where nothing is stopped and a crash ends the run.
        timed: The dtypes in which rows are timed.
        full: Whether slow oracles run, and all inputs are timed.
        timeout_s: The most that the cells of one case and dtype, or one that failed alone, may take.
        compared: Records of an earlier run that lack only their times.
    """
    untimed = [record for record in compared if to_be_timed(record, full)]
    if jobs == 0:
        for record in itertools.chain(untimed, (run_cell(cell, full) for cell in cells)):
            yield with_times(record, full) if record.dtype in timed else record
        return
    groups = (list(group) for _, group in itertools.groupby(cells, key=_together))
    for record in spread(partial(_run_cells, full=full), groups, jobs, _lost, timeout_s):
        if record.dtype in timed and to_be_timed(record, full):
            untimed.append(record)
        yield record
    kept = (list(group) for _, group in itertools.groupby(untimed, key=_together))
    yield from spread(partial(_with_times, full=full), kept, 1, _lost, timeout_s)


def run_cell(cell: Cell, full: bool = False) -> Record:
    """The record of one cell of the catalogue, from its name alone: any process can do it."""
    oracle = oracles()[cell.oracle]
    if oracle.slow and not full:
        return Record(**asdict(cell), outcome=Outcome.SKIPPED, diagnosis=oracle.slow)
    return examine(catalogue()[cell.case], oracle, cell, known_defects())


def _together(cell: Cell | Record) -> tuple[str, str, int]:
    return cell.case, cell.dtype, cell.seed


def _run_cells(cells: list[Cell], full: bool) -> list[Record]:
    return [run_cell(cell, full) for cell in cells]


def _with_times(records: list[Record], full: bool) -> list[Record]:
    return [with_times(record, full) for record in records]


def _lost(row: Cell | Record, why: str) -> Record:
    """The record of a row whose process did not live to give one."""
    cell = row.cell if isinstance(row, Record) else row
    return Record(**asdict(cell), outcome=Outcome.ERROR, diagnosis=why)


def to_be_timed(record: Record, full: bool = False) -> bool:
    """Whether a row ran and is one of those that are timed."""
    ran = record.first_call_time_s is not None and record.outcome is not Outcome.ERROR
    return ran and is_timed(catalogue()[record.case], record.cell, full)


def with_times(record: Record, full: bool = False) -> Record:
    """The record with the times of its row; itself where the row did not run or is not timed."""
    if not to_be_timed(record, full):
        return record
    case = catalogue()[record.case]
    try:
        return replace(record, **times(case, oracles()[record.oracle], record.cell))
    except Exception as problem:  # what raises only now is news, and the run goes on
        return replace(record, outcome=Outcome.ERROR, diagnosis=first_line(problem))
