"""Which rows a run is about: the cells that are run and the rows that are wanted are the same ones."""

import itertools
from functools import cache

import pytest

from harness.cases import catalogue
from harness.runs.record import Cell, Row
from harness.runs.runner import DTYPES, cells_of, chosen_dtypes, chosen_oracles, covers, gated_cells, oracles
from harness.selection import NothingSelected, Scope, UsageError

SCOPES = [
    Scope(),
    Scope(quick=True),
    Scope(case=("relu",)),
    Scope(case=("s*", "re?u")),
    Scope(input=("saturated-*",)),
    Scope(input=("vector", "ordinary"), quick=True),
    Scope(oracle="numpy"),
    Scope(oracle="torch,exact, fd"),
    Scope(dtype="float32"),
    Scope(dtype="float64"),
    Scope(dtype="float32", quick=True),
    Scope(dtype="float32,float64"),
    Scope(("softmax*",), ("t*", "zeros"), "jax-jit,numpy", "float32"),
    Scope(("*",), ("[ovl]*",), "fd", "", True),
]


@cache
def everything():
    """All cells that the catalogue can give, by no selection of anybody's."""
    return [
        Cell(case.name, maker.name, dtype, oracle, 0)
        for case in catalogue().values()
        for maker, dtype, oracle in itertools.product(case.inputs, DTYPES, oracles())
    ]


def everything_expected():
    """A baseline that has every oracle, the slow ones too."""
    return rows(everything())


def rows(cells):
    return {Row.of(cell) for cell in cells}


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_every_cell_of_a_scope_is_covered_by_it(scope):
    for full in (False, True):
        cells = cells_of(scope, 0, full=full)
        assert cells
        assert all(covers(scope, Row.of(cell)) for cell in cells)


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_what_is_covered_of_the_catalogue_is_what_a_full_run_of_the_scope_has(scope):
    assert {row for row in rows(everything()) if covers(scope, row)} == rows(cells_of(scope, 0, full=True))


def test_the_whole_scope_covers_everything():
    assert all(covers(Scope(), row) for row in rows(everything()))


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_a_scope_gives_each_cell_once_and_with_its_seed(scope):
    cells = cells_of(scope, 7)
    assert len(set(cells)) == len(cells)
    assert {cell.seed for cell in cells} == {7}


def narrower(scope):
    wanted = rows(cells_of(Scope(), 0))
    slow = {name for name, oracle in oracles().items() if oracle.slow}
    return {row for row in rows(cells_of(scope, 0)) if row.oracle not in slow} - wanted


@pytest.mark.parametrize("scope", [s for s in SCOPES if s.dtype != "float32"], ids=str)
def test_a_narrower_run_has_no_row_that_the_whole_run_has_not(scope):
    """Else the baseline of a whole run would find rows new in it."""
    assert narrower(scope) == set()


@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_what_is_gated_is_what_the_scope_covers_of_the_whole_run(scope):
    """A table of float32 alone shows the heavy inputs in float32; the gate would find them new."""
    whole = rows(gated_cells(Scope(), 0, everything_expected()))
    assert rows(gated_cells(scope, 0, everything_expected())) == {row for row in whole if covers(scope, row)}


RELU = Row("relu", "numpy", "float64", "zeros")


@pytest.mark.parametrize(
    ("scope", "row", "covered"),
    [
        (Scope(), Row("no such case", "no oracle", "float8", "nothing"), True),
        (Scope(quick=True), Row("no such case", "no oracle", "float64", "nothing"), True),
        (Scope(quick=True), RELU, False),
        (Scope(quick=True), RELU._replace(input="ordinary"), True),
        (Scope(quick=True), RELU._replace(input="ordinary", dtype="float32"), False),
        (Scope(quick=True), RELU._replace(input="an input that is no more"), True),
        (Scope(case=("relu",)), RELU._replace(case="relu2"), False),
        (Scope(case=("relu*",)), RELU._replace(case="relu2"), True),
        (Scope(case=("RELU",)), RELU, False),
        (Scope(case=("sum", "relu")), RELU, True),
        (Scope(input=("zero?",)), RELU, True),
        (Scope(input=("zero",)), RELU, False),
        (Scope(oracle="jax"), RELU, False),
        (Scope(oracle="jax,numpy"), RELU, True),
        (Scope(oracle="numpy"), RELU._replace(oracle="no such oracle"), False),
        (Scope(dtype="float32"), RELU, False),
        (Scope(dtype="float32"), RELU._replace(dtype="float32"), True),
        (Scope(dtype="float32"), RELU._replace(dtype="float16"), True),
    ],
)
def test_a_row_that_the_catalogue_does_not_have_is_covered_where_it_was_asked_for(scope, row, covered):
    assert covers(scope, row) is covered


def test_quick_is_ordinary_inputs_in_the_first_dtype():
    cells = cells_of(Scope(quick=True), 0)
    boundary = {(c.name, m.name) for c in catalogue().values() for m in c.inputs if m.boundary}
    assert {cell.dtype for cell in cells} == {DTYPES[0]}
    assert not {(cell.case, cell.input) for cell in cells} & boundary


def test_the_oracles_that_are_given_are_the_ones_that_run():
    assert {cell.oracle for cell in cells_of(Scope(), 0, ["numpy", "fd"])} == {"numpy", "fd"}
    assert {cell.oracle for cell in cells_of(Scope(oracle="exact"), 0)} == {"exact"}


def test_oracles_and_dtypes_come_in_the_order_of_the_tables():
    assert chosen_oracles(Scope()) == list(oracles())
    assert chosen_oracles(Scope(oracle="torch, numpy")) == ["numpy", "torch"]
    assert list(chosen_dtypes(Scope(dtype="float32,float64"))) == list(DTYPES)


@pytest.mark.parametrize(
    ("scope", "error", "message"),
    [
        (Scope(case=("sigmiod",)), NothingSelected, "no case matches 'sigmiod'; near matches: sigmoid"),
        (Scope(case=("relu", "none")), NothingSelected, "no case matches 'none'"),
        (Scope(input=("zeroes",)), NothingSelected, "no input matches 'zeroes'; near matches: zeros"),
        (Scope(input=("ties",), quick=True), NothingSelected, "no input matches 'ties'"),
        (Scope(case=("relu",), input=("labels",)), NothingSelected, "no input matches 'labels'"),
        (Scope(oracle="jaks"), UsageError, "--oracle: no 'jaks'; near matches: jax"),
        (Scope(oracle=","), UsageError, "--oracle is empty"),
        (Scope(dtype="float16"), UsageError, "--dtype: no 'float16'; near matches: float"),
    ],
)
def test_what_does_not_exist_is_refused_with_near_matches(scope, error, message):
    with pytest.raises(error, match=message):
        cells_of(scope, 0)
