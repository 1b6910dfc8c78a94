"""Runs a selection: each (case, input, dtype, oracle) is one cell and becomes one record."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache

import joblib
from msgspec.structs import asdict, replace

from harness.case import InputMaker
from harness.cases import catalogue
from harness.examination import EXACT, REFERENCE, examine, first_line, is_timed, times
from harness.known import known_defects
from harness.record import Cell, Record
from harness.verdict import Outcome
from oracles import FiniteDifferenceOracle, JaxOracle, Oracle, TorchOracle

DTYPES = ("float64", "float32")


@cache
def oracles() -> dict[str, Oracle]:
    """All oracles by name, the truth first."""
    jit, inductor = JaxOracle(compiled=True), TorchOracle(compiled=True)
    found = (EXACT, REFERENCE, jit.eager, jit, inductor.eager, inductor, FiniteDifferenceOracle())
    return {oracle.name: oracle for oracle in found}


def plan(
    cases: Iterable[str],
    oracle_names: Sequence[str],
    dtypes: Sequence[str] = DTYPES,
    seed: int = 0,
    boundary: bool = True,
    full: bool = False,
    inputs: Sequence[str] = ("*",),
) -> list[Cell]:
    """The cells of a selection, case by case; `boundary=False` leaves the boundary inputs out.

    Without `full` an oracle that is slow has one cell per case, which says so, a sparse one is asked in the
    first dtype at the case's most usual shape, and a heavy input in the first dtype.
    """
    cells = []
    for name in cases:
        makers = _asked(catalogue()[name].inputs, boundary, inputs)
        usual = Counter(m.shape for m in catalogue()[name].inputs).most_common(1)[0][0]
        for k, maker in enumerate(makers):
            for dtype, oracle in itertools.product(dtypes, oracle_names):
                asked = oracles()[oracle]
                first = dtype == dtypes[0]
                covered = (
                    (not asked.slow or (k == 0 and first))
                    and (not asked.sparse or (first and maker.shape == usual))
                    and (not maker.heavy or first)
                )
                if full or covered:
                    cells.append(Cell(name, maker.name, dtype, oracle, seed))
    return cells


def _asked(makers: Sequence[InputMaker], boundary: bool, inputs: Sequence[str]) -> list[InputMaker]:
    """The inputs that are asked for, by kind and by name."""
    return [
        maker
        for maker in makers
        if (boundary or not maker.boundary) and any(fnmatchcase(maker.name, p) for p in inputs)
    ]


def run(cells: Sequence[Cell], jobs: int = 1, timing: bool = True, full: bool = False) -> Iterator[Record]:
    """The record of every cell, as they are done; without `full` the first dtype is timed.

    With several jobs the comparisons are spread over processes first, the cells of one case and dtype
    together, since they share what is proven and compiled; then each row is timed, alone, and its record
    comes a second time, complete.
    """
    if jobs == 1:
        for cell in cells:
            record = run_cell(cell, full)
            yield with_times(record, full) if timing and (full or cell.dtype == cells[0].dtype) else record
        return
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.case, cell.dtype), []).append(cell)
    longest_first = sorted(groups.values(), key=_is_heavy, reverse=True)
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    found: list[Record] = []
    for records in parallel(joblib.delayed(_run_cells)(group, full) for group in longest_first):
        found += records
        yield from records
    if timing:
        for record in (r for r in found if full or r.dtype == cells[0].dtype):
            complete = with_times(record, full)
            if complete is not record:
                yield complete


def run_cell(cell: Cell, full: bool = False) -> Record:
    """The record of one cell of the catalogue, from its name alone: any process can do it."""
    oracle = oracles()[cell.oracle]
    if oracle.slow and not full:
        return Record(**asdict(cell), outcome=Outcome.SKIPPED, diagnosis=oracle.slow)
    return examine(catalogue()[cell.case], oracle, cell, known_defects())


def _is_heavy(cells: Sequence[Cell]) -> bool:
    return any(catalogue()[cell.case].input(cell.input).heavy for cell in cells)


def _run_cells(cells: Sequence[Cell], full: bool) -> list[Record]:
    return [run_cell(cell, full) for cell in cells]


def with_times(record: Record, full: bool = False) -> Record:
    """The record with the times of its row; itself where the row did not run or is not timed."""
    case = catalogue()[record.case]
    if record.first_call_time_s is None or not is_timed(case, record.cell, full):
        return record
    try:
        return replace(record, **times(case, oracles()[record.oracle], record.cell))
    except Exception as problem:  # what raises only now is news, and the run goes on
        return replace(record, outcome=Outcome.ERROR, diagnosis=first_line(problem))
