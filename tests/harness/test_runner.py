"""The runner: which cells a selection has, and that each becomes one record, once, however many jobs."""

import math

import msgspec
import pytest

from harness import runner
from harness.cases import catalogue
from harness.record import Cell
from harness.runner import DTYPES, oracles, plan, run, run_cell
from harness.verdict import Outcome

TIMES = [name for name in runner.Record.__struct_fields__ if "time" in name]


def without_times(record):
    return repr({k: v for k, v in msgspec.structs.asdict(record).items() if k not in TIMES})


def test_the_oracles_are_named_by_themselves_and_the_truth_comes_first():
    assert list(oracles()) == ["exact", "numpy", "jax", "torch", "fd"]
    assert all(oracle.name == name for name, oracle in oracles().items())


def test_a_plan_is_every_combination_once():
    cells = plan(["relu", "softmax"], ["jax", "fd"], seed=3)
    inputs = [(name, maker.name) for name in ("relu", "softmax") for maker in catalogue()[name].inputs]
    wanted = {Cell(c, i, d, o, 3) for c, i in inputs for d in DTYPES for o in ("jax", "fd")}
    assert len(cells) == len(wanted) == len(inputs) * 4
    assert set(cells) == wanted


def test_a_plan_without_boundary_inputs_has_the_ordinary_ones():
    names = {cell.input for cell in plan(["softmax"], ["jax"], ["float64"], boundary=False)}
    assert names == {"ordinary", "vector", "large"}


def test_a_plan_of_an_unknown_case_raises():
    with pytest.raises(KeyError, match="nosuch"):
        plan(["nosuch"], ["jax"])


def test_a_cell_is_plain_data_that_another_process_can_read():
    cell = plan(["relu"], ["fd"])[0]
    assert msgspec.json.decode(msgspec.json.encode(cell), type=Cell) == cell


CELLS = plan(["function_2", "step_function"], ["exact", "numpy", "torch", "fd"], ["float64"])


def timed(record):
    """The exact oracle is timed at each case's first input alone."""
    return record.oracle != "exact" or record.input == catalogue()[record.case].inputs[0].name


@pytest.fixture(scope="module")
def alone():
    return list(run(CELLS, timing=False))


@pytest.fixture(scope="module")
def spread():
    return list(run(CELLS, jobs=2, timing=True))


def test_one_job_gives_one_record_a_cell_in_order(alone):
    assert [record.cell for record in alone] == CELLS


def test_two_jobs_find_the_same_and_lose_nothing(alone, spread):
    first = spread[: len(CELLS)]
    assert [record.cell for record in first] == CELLS
    assert [without_times(r) for r in first] == [without_times(r) for r in alone]


def test_with_two_jobs_timing_comes_after_all_comparisons(spread):
    first, second = spread[: len(CELLS)], spread[len(CELLS) :]
    assert all(record.gradient_time_s is None for record in first)
    assert all(record.gradient_time_s > 0 for record in second)
    assert not all(timed(record) for record in first)  # the exact oracle, beyond each case's first input


def test_with_two_jobs_each_row_that_can_be_timed_is_timed_once(spread):
    first, second = spread[: len(CELLS)], spread[len(CELLS) :]
    assert [r.cell for r in second] == [
        r.cell for r in first if r.outcome is not Outcome.UNSUPPORTED and timed(r)
    ]
    assert len(second) < len(first)  # finite differences cannot do the step function
    by_cell = {r.cell: r for r in first}
    assert all(without_times(r) == without_times(by_cell[r.cell]) for r in second)


def test_two_jobs_without_timing_stop_after_the_comparisons(monkeypatch):
    monkeypatch.setattr(runner.joblib, "Parallel", lambda **_: lambda calls: (f(*a) for f, a, _ in calls))
    assert [r.cell for r in run(CELLS[:3], jobs=2, timing=False)] == CELLS[:3]


def test_records_come_as_they_are_done(monkeypatch):
    done = []
    monkeypatch.setattr(runner, "run_cell", lambda cell, timing: done.append(cell) or cell)
    rows = run(CELLS)
    next(rows)
    assert done == CELLS[:1]


def test_without_timing_nothing_is_timed_but_the_first_call(alone):
    timed = {name for r in alone for name in TIMES if getattr(r, name) is not None}
    assert timed == {"first_call_time_s"}


def test_with_timing_every_time_is_there():
    record = run_cell(Cell("relu", "ordinary", "float64", "fd", 0), timing=True)
    assert all(getattr(record, name) > 0 for name in TIMES)
    assert record.gradient_time_ratio_low <= record.gradient_time_ratio <= record.gradient_time_ratio_high


def test_the_exact_row_is_marked_and_not_judged():
    record = run_cell(Cell("relu", "ordinary", "float64", "exact", 0), timing=False)
    assert (record.verdict, record.outcome, record.where) == ("truth", "info", "")
    assert (record.computed, record.true, record.max_abs_error, record.value_error) == (None,) * 4
    assert not record.outcome.compared


def test_the_hand_derived_gradient_is_judged_like_a_framework():
    record = run_cell(Cell("sigmoid", "ordinary", "float64", "numpy", 0), timing=False)
    assert (record.verdict, record.outcome) == ("agrees", "pass")
    assert 0 < record.scaled_error < 1e-15
    assert record.outcome.compared


WITH_GRADIENT = [name for name, case in catalogue().items() if case.vjp]
ORDINARY = [
    (name, maker.name) for name in WITH_GRADIENT for maker in catalogue()[name].inputs if not maker.boundary
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "input_name"), ORDINARY, ids=["-".join(p) for p in ORDINARY])
def test_at_ordinary_inputs_thirty_digits_of_the_truth_are_proven(name, input_name, dtype):
    record = run_cell(Cell(name, input_name, dtype, "exact", 0), timing=False)
    assert (record.outcome, record.verdict, record.reason) == (Outcome.INFO, "truth", "")
    assert 0 <= record.scaled_error < 1e-30
    assert record.proven_digits >= 30


def test_every_row_says_how_many_digits_of_its_truth_are_proven():
    rows = [run_cell(Cell("sigmoid", "ordinary", "float64", name, 0), timing=False) for name in oracles()]
    assert len({record.proven_digits for record in rows}) == 1
    assert rows[0].proven_digits == pytest.approx(-math.log10(rows[0].scaled_error), rel=1e-12)


def test_where_there_is_no_gradient_nothing_is_proven():
    record = run_cell(Cell("step_function", "ordinary", "float64", "exact", 0), timing=False)
    assert (record.outcome, record.verdict) == (Outcome.INFO, "truth")
    assert (record.scaled_error, record.proven_digits) == (None, None)


@pytest.mark.parametrize(("input_name", "found"), [("ordinary", True), ("zeros", False), ("large", False)])
def test_the_exact_oracle_is_timed_at_the_first_input_alone(input_name, found):
    record = run_cell(Cell("relu", input_name, "float64", "exact", 0), timing=True)
    times = [getattr(record, name) for name in TIMES if name != "first_call_time_s"]
    assert all((time is not None) == found for time in times)
    assert record.first_call_time_s > 0


def test_a_record_says_the_shapes_of_all_arguments():
    record = run_cell(Cell("softmax_loss", "labels", "float64", "numpy", 0), timing=False)
    assert record.shapes == "(3,4) (3,)"
