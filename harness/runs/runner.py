"""Which cells a run has, and how it runs them: each (case, input, dtype, oracle) becomes one record."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache, partial
from typing import Any

from msgspec.structs import asdict, replace

from harness.cases import catalogue, documents
from harness.cases.case import InputMaker
from harness.cases.plugins import ORACLES, plugins
from harness.runs.jobs import Job
from harness.runs.known import known_defects
from harness.runs.raised import raised_line
from harness.runs.record import Cell, Record, Row
from harness.runs.row import EXACT, REFERENCE, examine, first_call_s, is_timed, times
from harness.runs.workers import HERE, Workers, spread
from harness.selection import TIMEOUT_S, Scope, listed, matching
from harness.subject import given
from harness.verdicts import Outcome
from oracles import FiniteDifferenceOracle, JaxOracle, Oracle, TorchOracle
from oracles.exact.program.words import shown

DTYPES = ("float64", "float32")
FRAMEWORKS = ("jax", "jax-jit", "torch", "torch-compile")  # in which the document's cases are written


@cache
def oracles() -> dict[str, Oracle]:
    """All oracles by name, the truth first; then those of other packages (`harness.oracles`)."""
    jit, inductor = JaxOracle(compiled=True), TorchOracle(compiled=True)
    found = (EXACT, REFERENCE, jit.eager, jit, inductor.eager, inductor, FiniteDifferenceOracle())
    own: dict[str, Oracle] = {oracle.name: oracle for oracle in found}
    more: dict[str, Oracle] = plugins(ORACLES, Oracle, own)  # type: ignore[type-abstract]
    return own | more


def plan(
    cases: str | Iterable[str],
    oracle_names: str | Iterable[str],
    dtypes: str | Iterable[str] = DTYPES,
    seed: int = 0,
    boundary: bool = True,
    full: bool = False,
    inputs: str | Iterable[str] = ("*",),
) -> list[Cell]:
    """The cells of a selection; `boundary=False` leaves the boundary inputs out. A string is one name.

    Those of one case and dtype stand together, since they share what is proven and compiled, and the cases
    with a heavy input come first, so that many processes end together.
    Without `full` an oracle that is slow has one cell per case, which says so, a sparse one is asked in the
    first dtype at the case's most usual shape, and a heavy input in the first dtype. Somebody else's case has
    no cells in a framework in which it is not written.

    Args:
        cases: Names of `catalogue()`.
        oracle_names: exact, numpy, jax, jax-jit, torch, torch-compile, fd, or those of other packages.
        dtypes: float64 and float32, or one of them.
        seed: What ordinary inputs and the cotangent are drawn from.
        boundary: Whether boundary inputs are asked.
        full: Whether slow oracles are asked everywhere.
        inputs: Names of inputs, or patterns of them (`*`, `?`).

    Raises:
        ValueError: There is no such case, oracle or dtype, no input matches, or the seed is no integer >= 0.
    """
    cases = given.known_names("cases", cases, catalogue())
    oracle_names = given.known_names("oracle_names", oracle_names, oracles())
    dtypes, seed = given.known_names("dtypes", dtypes, DTYPES), given.integer("seed", seed)
    patterns = given.words("inputs", inputs)
    makers = [maker for name in cases for maker in catalogue()[name].inputs]
    if makers:
        there = dict.fromkeys(maker.name for maker in makers if boundary or not maker.boundary)
        patterns = matching(patterns, list(there), "input")
    cells = []
    for name in sorted(cases, key=lambda case: not any(maker.heavy for maker in catalogue()[case].inputs)):
        makers = _asked(catalogue()[name].inputs, boundary, patterns)
        usual = Counter(m.shape for m in catalogue()[name].inputs).most_common(1)[0][0]
        for dtype, maker, oracle in itertools.product(dtypes, makers, oracle_names):
            asked = oracles()[oracle]
            if name not in documents() and oracle in FRAMEWORKS and _is_unwritten(asked, name):
                continue
            first = dtype == dtypes[0]
            covered = (
                (not asked.slow or (maker is makers[0] and first))
                and (not asked.sparse or (first and maker.shape == usual))
                and (not maker.heavy or first)
            )
            if full or covered:
                cells.append(Cell(name, maker.name, dtype, oracle, seed))
    return cells


def _is_unwritten(oracle: Oracle, case: str) -> bool:
    """Whether nobody has written a case in a framework; nobody can where that is not installed."""
    return bool(oracle.unavailable() or oracle.unsupported(catalogue()[case]))


def _asked(makers: Sequence[InputMaker], boundary: bool, names: Collection[str]) -> list[InputMaker]:
    """The inputs that are asked for, by kind and by name."""
    return [maker for maker in makers if (boundary or not maker.boundary) and maker.name in names]


def chosen_oracles(scope: Scope) -> list[str]:
    """The oracles of a scope, in the order of the tables.

    Raises:
        UsageError: There is no such oracle.
    """
    return listed("--oracle", scope.oracle, list(oracles())) if scope.oracle else list(oracles())


def chosen_dtypes(scope: Scope) -> Sequence[str]:
    """The dtypes of a scope.

    Raises:
        UsageError: There is no such dtype.
    """
    if scope.dtype:
        return listed("--dtype", scope.dtype, DTYPES)
    return DTYPES[:1] if scope.quick else DTYPES


def cells_of(scope: Scope, seed: int, names: Sequence[str] | None = None, full: bool = False) -> list[Cell]:
    """The cells of a scope, with the oracles `names` or those that the scope chooses.

    Raises:
        UsageError: An oracle or dtype does not exist.
        NothingSelected: A pattern matches nothing.
    """
    cases = matching(scope.case, list(catalogue()))
    chosen = chosen_oracles(scope) if names is None else names
    return plan(cases, chosen, chosen_dtypes(scope), seed, not scope.quick, full, scope.input)


def gated_cells(scope: Scope, seed: int, rows: Iterable[Row]) -> list[Cell]:
    """The cells of a scope that a run of everything has too, and so the baseline.

    A slow oracle is asked where it was asked for, or where the baseline has it among its `rows`. What a run
    of everything does in one dtype only, as the heavy inputs, is not done in the other because that one is
    asked for alone.
    """
    expected = {row.oracle for row in rows}
    names = [n for n in chosen_oracles(scope) if scope.oracle or n in expected or not oracles()[n].slow]
    everything = set(cells_of(Scope(), seed, names))
    return [cell for cell in cells_of(scope, seed, names) if cell in everything]


def covers(scope: Scope, row: Row) -> bool:
    """Whether a scope chooses a row, whether or not the catalogue has it."""
    return (
        any(fnmatchcase(row.case, pattern) for pattern in scope.case)
        and any(fnmatchcase(row.input, pattern) for pattern in scope.input)
        and (not scope.oracle or row.oracle in chosen_oracles(scope))
        and (row.dtype in chosen_dtypes(scope) or row.dtype not in DTYPES)
        and not (scope.quick and _is_boundary(row))
    )


def _is_boundary(row: Row) -> bool:
    makers = catalogue()[row.case].inputs if row.case in catalogue() else ()
    return any(maker.boundary for maker in makers if maker.name == row.input)


def run(
    cells: Iterable[Cell],
    workers: Workers = HERE,
    timed: Collection[str] = DTYPES,
    full: bool = False,
    timeout_s: float = TIMEOUT_S,
    compared: Iterable[Record] = (),
) -> Iterator[Record]:
    """The record of every cell, as they are done; each case's first input is timed.

    With workers the comparisons are spread over them first, the cells of one case and dtype together, since
    they share what is proven and compiled; then each row is timed on this machine, alone, and its record
    comes a second time, complete. A cell that kills its process, or outlasts `timeout_s` seconds, gives an
    error row.

    Args:
        cells: As `plan` orders them. They are read as they are needed, and no record is kept but those of
            the rows that are timed.
        workers: Where; in this process nothing is stopped, and a crash ends the run.
        timed: The dtypes in which rows are timed.
        full: Whether slow oracles run, and all inputs are timed.
        timeout_s: The most that the cells of one case and dtype, or one that failed alone, may take.
        compared: Records of an earlier run that lack only their times.

    Raises:
        ValueError: What is given is no list of cells, or a cell or a dtype is not what it must be.
    """
    if not isinstance(cells, Iterable):
        raise ValueError(f"cells must be a list of Cell, as plan gives them, got {shown(cells)}")
    dtypes = given.known_names("timed", timed, DTYPES)
    return _records(map(_known, cells), workers, dtypes, full, timeout_s, compared)


def _known(cell: Any) -> Cell:
    """A cell of the catalogue.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(cell, Cell):
        raise ValueError(f"cells must be a list of Cell, as plan gives them, got {shown(cell)}")
    given.known_name("a cell's case", cell.case, catalogue())
    given.known_name("a cell's oracle", cell.oracle, oracles())
    given.known_name("a cell's dtype", cell.dtype, DTYPES)
    return cell


def _records(
    cells: Iterable[Cell],
    workers: Workers,
    timed: Collection[str],
    full: bool,
    timeout_s: float,
    compared: Iterable[Record],
) -> Iterator[Record]:
    untimed = [record for record in compared if to_be_timed(record, full)]
    if not workers.are_others:
        for record in itertools.chain(untimed, (run_cell(cell, full) for cell in cells)):
            yield with_times(record, full) if record.dtype in timed else record
        return
    groups = (list(group) for _, group in itertools.groupby(cells, key=_together))
    with workers.staying() as pooled:
        for record in spread(_job(partial(_run_cells, full=full)), groups, pooled, timeout_s):
            waits = to_be_timed(record, full)
            if waits and record.dtype in timed:
                untimed.append(record)
            # No time of another machine stays; that there was one says that the row ran, for who times it.
            later = waits and (record.dtype in timed or not timed)
            yield replace(record, first_call_time_s=None) if workers.scheduler and not later else record
        kept = (list(group) for _, group in itertools.groupby(untimed, key=_together))
        timing = partial(_with_times, full=full, first=bool(workers.scheduler))
        yield from spread(_job(timing), kept, pooled.of_this_machine, timeout_s, alone=True)


def _job(do: Callable[[list[Any]], list[Record]]) -> Job[Any, Record]:
    return Job(do, Record, _lost, lambda row, record: record.cell == _cell(row))


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


def _with_times(records: list[Record], full: bool, first: bool) -> list[Record]:
    return [with_times(record, full, first) for record in records]


def _lost(row: Cell | Record, why: str) -> Record:
    """The record of a row whose process did not live to give one."""
    return Record(**asdict(_cell(row)), outcome=Outcome.ERROR, diagnosis=why)


def _cell(row: Cell | Record) -> Cell:
    return row.cell if isinstance(row, Record) else row


def to_be_timed(record: Record, full: bool = False) -> bool:
    """Whether a row ran and is one of those that are timed."""
    ran = record.first_call_time_s is not None and record.outcome is not Outcome.ERROR
    return ran and is_timed(catalogue()[record.case], record, full)


def with_times(record: Record, full: bool = False, first: bool = False) -> Record:
    """The record with the times of its row, `first` with that of its first call here.

    It is the record itself where the row did not run or is not timed.
    """
    if not to_be_timed(record, full):
        return record
    case = catalogue()[record.case]
    oracle = oracles()[record.oracle]
    try:
        own = {"first_call_time_s": first_call_s(case, oracle, record)} if first else {}
        return replace(record, **own, **times(case, oracle, record))
    except KeyboardInterrupt:
        raise
    except BaseException as problem:  # what raises only now is news, and the run goes on
        return replace(record, outcome=Outcome.ERROR, diagnosis=raised_line(problem))
