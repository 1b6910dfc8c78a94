"""The truth of a cell: what it holds, what is proven of it, and that it is computed once."""

import dataclasses
from array import array

import numpy as np
import pytest

from harness.cases import catalogue
from harness.proof import truth as proving
from harness.runs import row
from harness.runs.record import Cell
from harness.runs.row import examined, is_timed, posed
from harness.runs.runner import oracles, plan, run, run_cell, with_times
from oracles import NumpyOracle


@pytest.fixture
def counted(monkeypatch):
    """The arguments of every true gradient that is computed; the kept truths are forgotten."""
    calls = []
    honest = proving.true_gradient
    monkeypatch.setattr(proving, "true_gradient", lambda *a: calls.append(a[3]) or honest(*a))
    posed.cache_clear()
    yield calls
    posed.cache_clear()


def test_one_truth_serves_every_oracle_at_an_input(counted):
    cells = [Cell("sigmoid", "ordinary", "float64", name, 0) for name in ("numpy", "torch", "fd")]
    records = [run_cell(cell) for cell in cells]
    assert counted == [["x"]]
    assert len({record.proven_digits for record in records}) == 1


def test_a_run_computes_each_truth_once(counted):
    cells = plan(["function_2", "relu"], ["numpy", "torch", "fd"])
    list(run(cells))
    assert len(counted) == len(cells) / 3


def test_timing_computes_no_truth_anew(counted):
    with_times(run_cell(Cell("sigmoid", "ordinary", "float64", "numpy", 0)))
    assert counted == [["x"]]


@pytest.mark.parametrize("other", [{"input": "zeros"}, {"dtype": "float32"}, {"seed": 1}, {"case": "relu"}])
def test_another_input_has_another_truth(counted, other):
    cell = {"case": "sigmoid", "input": "ordinary", "dtype": "float64", "oracle": "numpy", "seed": 0}
    for fields in (cell, {**cell, **other}, cell):
        run_cell(Cell(**fields))
    assert len(counted) == 2


def test_few_truths_are_kept():
    """They are large: an enclosure of the flagship's gradient holds 79,510 balls."""
    assert posed.cache_info().maxsize <= 4


def test_a_changed_case_of_the_same_name_has_its_own_truth():
    case = catalogue()["sigmoid"]
    honest = case.function
    longer = dataclasses.replace(case, function=lambda x: 2 * honest(x))
    (once,), (twice,) = (posed(c, "ordinary", "float64", 0).true.enclosures for c in (case, longer))
    np.testing.assert_allclose(twice.mid, 2 * once.mid, rtol=1e-15)


def test_the_truth_is_taken_at_the_point_drawn_and_along_the_cotangent_drawn():
    (x,), cotangent = catalogue()["function_2"].draw("ordinary", "float64", 3)
    at = posed(catalogue()["function_2"], "ordinary", "float64", 3)
    true, (value,) = at.true, at.values
    np.testing.assert_allclose(true.enclosures[0].mid, 2 * x * cotangent, rtol=1e-15)
    np.testing.assert_allclose(value.mid, (x * x).sum(axis=0), rtol=1e-15)
    assert (true.names, true.dtypes) == (("x",), ("float64",))


def test_the_truth_is_along_each_differentiated_argument_in_its_order():
    case = catalogue()["two_layer_net"]
    true = posed(case, "ordinary", "float32", 0).true
    args, _ = case.draw("ordinary", "float32", 0)
    assert true.names == case.differentiated
    assert [e.shape for e in true.enclosures] == [args[k].shape for k in case.argnums]
    assert set(true.dtypes) == {"float32"}


@pytest.mark.parametrize("name", ["exact", "numpy", "jax", "torch"])
def test_no_oracle_gives_the_step_function_a_gradient(name):
    record = run_cell(Cell("step_function", "zeros", "float64", name, 0))
    assert record.outcome == ("info" if name == "exact" else "pass")
    assert (record.where, record.scaled_error, record.computed, record.true) == ("", None, None, None)


def test_one_program_is_examined_once_for_each_oracle_that_is_kept():
    case, oracle = catalogue()["sigmoid"], NumpyOracle()
    first, again = (examined(case, "ordinary", "float64", 0, oracle) for _ in range(2))
    assert first is again
    assert first is not examined(case, "ordinary", "float64", 1, oracle)
    assert first.formula.agrees[0].all()
    assert first.opaque == ""


def test_a_programs_bound_holds_what_it_computes_and_the_truth():
    case = catalogue()["softmax"]
    args, cotangent = case.draw("ordinary", "float64", 0)
    (balls,) = examined(case, "ordinary", "float64", 0, NumpyOracle()).bound.balls
    (true,) = posed(case, "ordinary", "float64", 0).true.enclosures
    computed = case.vjp(cotangent, *args)
    for ball, number, t in zip(balls.flat, computed.flat, true.balls.flat, strict=True):
        assert float(number) in ball
        assert ball.overlaps(t)


@pytest.mark.parametrize("full", [False, True])
def test_a_cell_is_timed_where_the_report_shows_it(full):
    case = catalogue()["relu"]
    first = case.inputs[0].name
    for cell in plan(["relu"], ["exact", "numpy"], full=True):
        assert is_timed(case, cell, full) == (cell.input == first or (full and cell.oracle == "numpy"))


BOUNDARY = [
    pytest.param(name, maker.name, id=f"{name}-{maker.name}")
    for name, case in catalogue().items()
    if case.vjp
    for maker in case.inputs
    if maker.boundary
]


@pytest.mark.parametrize(("name", "input_name"), BOUNDARY)
def test_at_boundary_inputs_thirty_digits_are_proven_too(name, input_name):
    assert posed(catalogue()[name], input_name, "float64", 0).true.proven_digits >= 30


def test_a_function_without_proof_is_unsupported_in_every_row():
    case = catalogue()["sigmoid"]
    honest = case.function
    leaving = dataclasses.replace(
        case,
        function=lambda x: honest(np.array(array("d", x.ravel()), x.dtype).reshape(x.shape)),
    )
    for name in ("exact", "numpy", "torch", "fd"):
        cell = Cell("sigmoid", "ordinary", "float64", name, 0)
        record = row.examine(leaving, oracles()[name], cell, {})
        assert (record.outcome, record.verdict) == ("fail", "unsupported")
        assert "out of the exact arithmetic" in record.diagnosis


def test_a_cell_of_no_dtype_is_refused_and_accuses_no_gradient():
    cell = Cell("sigmoid", "ordinary", "f", "numpy", 0)
    with pytest.raises(
        ValueError, match=r"cell.dtype must be a known name, got 'f'; allowed are bfloat16, fl"
    ):
        row.examine(catalogue()["sigmoid"], oracles()["numpy"], cell)


def test_an_oracle_that_is_not_installed_gives_a_row_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    record = run_cell(Cell("sigmoid", "ordinary", "float64", "torch", 0))
    assert (record.outcome, record.verdict) == ("unavailable", "")
    assert record.diagnosis.startswith("torch is not installed: pip install ")


def test_finite_differences_are_measured_and_not_judged():
    record = run_cell(Cell("sigmoid", "ordinary", "float64", "fd", 0))
    assert (record.outcome, record.verdict) == ("info", "estimate")
    assert (record.bits_lost, record.bound_ulp) == (None, None)
    assert 0 < record.scaled_error < 1e-6
