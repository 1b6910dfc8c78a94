"""Which cells a run has: all (case, input, dtype, oracle) of the catalogue, or those that a scope chooses."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache

from harness.cases import catalogue
from harness.cases.case import InputMaker
from harness.cases.plugins import ORACLES, plugins
from harness.runs.record import Cell, Row
from harness.runs.row import EXACT, REFERENCE
from harness.selection import Scope, listed, matching
from oracles import FiniteDifferenceOracle, JaxOracle, Oracle, TorchOracle

DTYPES = ("float64", "float32")


@cache
def oracles() -> dict[str, Oracle]:
    """All oracles by name, the truth first; then those of other packages (`harness.oracles`)."""
    jit, inductor = JaxOracle(compiled=True), TorchOracle(compiled=True)
    found = (EXACT, REFERENCE, jit.eager, jit, inductor.eager, inductor, FiniteDifferenceOracle())
    own: dict[str, Oracle] = {oracle.name: oracle for oracle in found}
    more: dict[str, Oracle] = plugins(ORACLES, Oracle, own)  # type: ignore[type-abstract]
    return own | more


def plan(
    cases: Iterable[str],
    oracle_names: Sequence[str],
    dtypes: Sequence[str] = DTYPES,
    seed: int = 0,
    boundary: bool = True,
    full: bool = False,
    inputs: Sequence[str] = ("*",),
) -> list[Cell]:
    """The cells of a selection; `boundary=False` leaves the boundary inputs out.

    Those of one case and dtype stand together, since they share what is proven and compiled, and the cases
    with a heavy input come first, so that many processes end together.
    Without `full` an oracle that is slow has one cell per case, which says so, a sparse one is asked in the
    first dtype at the case's most usual shape, and a heavy input in the first dtype.
    """
    cells = []
    for name in sorted(cases, key=lambda case: not any(maker.heavy for maker in catalogue()[case].inputs)):
        makers = _asked(catalogue()[name].inputs, boundary, inputs)
        usual = Counter(m.shape for m in catalogue()[name].inputs).most_common(1)[0][0]
        for dtype, maker, oracle in itertools.product(dtypes, makers, oracle_names):
            asked = oracles()[oracle]
            first = dtype == dtypes[0]
            covered = (
                (not asked.slow or (maker is makers[0] and first))
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
    makers = [maker for name in cases for maker in catalogue()[name].inputs]
    there = dict.fromkeys(maker.name for maker in makers if not (scope.quick and maker.boundary))
    inputs = matching(scope.input, list(there), "input")
    chosen = chosen_oracles(scope) if names is None else names
    return plan(cases, chosen, chosen_dtypes(scope), seed, not scope.quick, full, inputs)


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
