"""Runs a selection: each (case, input, dtype, oracle) is one cell and becomes one record."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import joblib

from harness.cases import catalogue
from harness.examination import EXACT, REFERENCE, examine, is_timed
from harness.known import known_defects
from harness.record import Cell, Record
from harness.verdict import Outcome
from oracles import FiniteDifferenceOracle, JaxOracle, Oracle, TorchOracle

DTYPES = ("float64", "float32")


@cache
def oracles() -> dict[str, Oracle]:
    """All oracles by name, the truth first."""
    found = (EXACT, REFERENCE, JaxOracle(), TorchOracle(), FiniteDifferenceOracle())
    return {oracle.name: oracle for oracle in found}


def plan(
    cases: Iterable[str],
    oracle_names: Sequence[str],
    dtypes: Sequence[str] = DTYPES,
    seed: int = 0,
    boundary: bool = True,
) -> list[Cell]:
    """The cells of a selection, case by case; `boundary=False` leaves the boundary inputs out.

    Raises:
        KeyError: A case of that name does not exist.
    """
    return [
        Cell(name, maker.name, dtype, oracle, seed)
        for name in cases
        for maker in catalogue()[name].inputs
        if boundary or not maker.boundary
        for dtype, oracle in itertools.product(dtypes, oracle_names)
    ]


def run(cells: Sequence[Cell], jobs: int = 1, timing: bool = True) -> Iterator[Record]:
    """The record of every cell, as they are done.

    With several jobs the comparisons are spread over processes first; then each row is timed, alone, and
    its record comes a second time, complete.
    """
    if jobs == 1:
        for cell in cells:
            yield run_cell(cell, timing)
        return
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator")
    timeable = []
    for record in parallel(joblib.delayed(run_cell)(cell, False) for cell in cells):
        yield record
        raised = record.outcome in {Outcome.UNAVAILABLE, Outcome.UNSUPPORTED, Outcome.ERROR}
        if not raised and is_timed(catalogue()[record.case], record.cell):
            timeable.append(record.cell)
    if timing:
        for cell in timeable:
            yield run_cell(cell, True)


def run_cell(cell: Cell, timing: bool) -> Record:
    """The record of one cell of the catalogue, from its name alone: any process can do it."""
    return examine(catalogue()[cell.case], oracles()[cell.oracle], cell, known_defects(), timing)
