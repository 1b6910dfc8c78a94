"""The runner: which cells a selection has, and that each becomes one record, once, however many jobs."""

import math
from itertools import pairwise

import msgspec
import pytest
from msgspec.structs import replace

from harness.cases import catalogue
from harness.runs import runner
from harness.runs.record import Cell
from harness.runs.runner import DTYPES, oracles, plan, run, run_cell, with_times
from harness.runs.workers import Workers
from harness.verdicts import Outcome
from tests.sampling import sample

TIMES = [name for name in runner.Record.__struct_fields__ if "time" in name]


def without_times(record):
    return repr({k: v for k, v in msgspec.structs.asdict(record).items() if k not in TIMES})


def test_the_oracles_are_named_by_themselves_and_the_truth_comes_first():
    assert list(oracles()) == ["exact", "numpy", "jax", "jax-jit", "torch", "torch-compile", "fd"]
    assert all(oracle.name == name for name, oracle in oracles().items())


def test_a_plan_is_every_combination_once():
    cells = plan(["relu", "softmax"], ["torch", "fd"], seed=3)
    inputs = [(name, maker.name) for name in ("relu", "softmax") for maker in catalogue()[name].inputs]
    wanted = {Cell(c, i, d, o, 3) for c, i in inputs for d in DTYPES for o in ("torch", "fd")}
    assert len(cells) == len(wanted) == len(inputs) * 4
    assert set(cells) == wanted


def test_a_plan_without_boundary_inputs_has_the_ordinary_ones():
    names = {cell.input for cell in plan(["softmax"], ["torch"], ["float64"], boundary=False)}
    assert names == {"ordinary", "vector", "large"}


def test_a_plan_has_the_inputs_that_are_asked_for_by_name():
    cells = plan(["relu", "softmax"], ["numpy"], ["float64"], inputs=("z*", "ordinary"))
    assert {(c.case, c.input) for c in cells} == {
        (case, name) for case in ("relu", "softmax") for name in ("zeros", "ordinary")
    }


def test_a_slow_oracle_has_one_cell_a_case_unless_everything_is_asked_for(slow):
    cells = plan(["relu", "softmax"], ["numpy", "torch"])
    assert [(c.case, c.input, c.dtype) for c in cells if c.oracle == "torch"] == [
        (case, catalogue()[case].inputs[0].name, DTYPES[0]) for case in ("relu", "softmax")
    ]
    everything = plan(["relu", "softmax"], ["numpy", "torch"], full=True)
    assert len([c for c in everything if c.oracle == "torch"]) == len(everything) / 2


def test_a_sparse_oracle_is_asked_at_the_most_usual_shape_unless_everything_is_asked_for():
    assert oracles()["jax"].sparse
    makers = {maker.name: maker for maker in catalogue()["softmax"].inputs}
    cells = plan(["softmax"], ["jax"])
    assert {makers[c.input].shape for c in cells} == {makers["ordinary"].shape}
    assert {c.dtype for c in cells} == {DTYPES[0]}
    assert len(plan(["softmax"], ["jax"], full=True)) == len(makers) * len(DTYPES) > len(cells) * len(DTYPES)


def test_a_heavy_input_is_asked_in_the_first_dtype_unless_everything_is_asked_for():
    for full, dtypes in ((False, DTYPES[:1]), (True, DTYPES)):
        cells = plan(["two_layer_net"], ["numpy"], full=full, inputs=["document"])
        assert tuple(c.dtype for c in cells) == dtypes


def test_a_slow_oracle_is_skipped_with_its_reason_unless_everything_is_asked_for(slow):
    cell = Cell("relu", "ordinary", "float64", "torch", 0)
    record = run_cell(cell)
    assert (record.outcome, record.verdict, record.diagnosis) == (Outcome.SKIPPED, "", "takes an hour")
    assert not record.outcome.failing
    assert run_cell(cell, full=True).outcome is Outcome.PASS


@pytest.fixture
def slow(monkeypatch):
    """One oracle that is slow."""
    monkeypatch.setattr(oracles()["torch"], "slow", "takes an hour")


def test_a_string_is_one_name_of_a_plan():
    assert plan("relu", "numpy", "float64", inputs="ordinary") == plan(
        ["relu"], ["numpy"], ["float64"], inputs=["ordinary"]
    )


def test_a_cell_that_the_catalogue_cannot_have_is_refused():
    cell = Cell("relu", "ordinary", "float64", "numpy", 0)
    for other, said in (
        (3, "cells must be a list of Cell, as plan gives them, got 3"),
        ([3], "cells must be a list of Cell, as plan gives them, got 3"),
        ([replace(cell, case="rleu")], "a cell's case must be a known name, got 'rleu'; near matches: relu"),
        ([replace(cell, oracle="nunpy")], "a cell's oracle must be a known name, got 'nunpy'; near matches"),
        ([replace(cell, dtype="f")], "a cell's dtype must be a known name, got 'f'; allowed are float64"),
    ):
        with pytest.raises(ValueError, match=said):
            list(run(other, timed=()))
    with pytest.raises(ValueError, match="cells must be a list of Cell"):
        run(3)
    with pytest.raises(ValueError, match="each of timed must be a known name, got 'float99'"):
        run([cell], timed=["float99"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"cases": ["nosuch"]}, "each of cases must be a known name, got 'nosuch'; allowed are "),
        ({"cases": None}, "cases must be a list of names, got None"),
        ({"cases": [3]}, "cases must be a list of names, got 3"),
        ({"oracle_names": ["nunpy"]}, "each of oracle_names must be a known name, got 'nunpy'; near matches"),
        ({"dtypes": ["float99"]}, "each of dtypes must be a known name, got 'float99'; near matches: float"),
        ({"inputs": ["ordinray"]}, "no input matches 'ordinray'; near matches: ordinary"),
        ({"inputs": 3}, "inputs must be a list of names, got 3"),
        ({"inputs": ["zeros"], "boundary": False}, "no input matches 'zeros'"),
        ({"seed": -1}, "seed must be an integer >= 0, got -1"),
    ],
)  # fmt: skip
def test_a_plan_of_what_there_is_not_is_refused(asked, said):
    with pytest.raises(ValueError, match=said):
        plan(**{"cases": ["relu"], "oracle_names": ["numpy"], **asked})


def test_a_cell_is_plain_data_that_another_process_can_read():
    cell = plan(["relu"], ["fd"])[0]
    assert msgspec.json.decode(msgspec.json.encode(cell), type=Cell) == cell


# Without a framework: a process that is started would load it.
CELLS = plan(["function_2", "step_function"], ["exact", "numpy", "fd"], ["float64"])


def timed(record):
    """Where the report shows times, at each case's first input."""
    return record.input == catalogue()[record.case].inputs[0].name


@pytest.fixture(scope="module")
def alone():
    return list(run(CELLS, timed=()))


@pytest.fixture(scope="module")
def spread():
    return list(run(CELLS, Workers(2)))


def test_one_job_gives_one_record_a_cell_in_order(alone):
    assert [record.cell for record in alone] == CELLS


def by_cell(records):
    found = {record.cell: record for record in records}
    assert len(found) == len(records)
    return found


def test_two_jobs_find_the_same_and_lose_nothing(alone, spread):
    first = by_cell(spread[: len(CELLS)])
    assert first.keys() == set(CELLS)
    assert {c: without_times(r) for c, r in first.items()} == {
        c: without_times(r) for c, r in by_cell(alone).items()
    }


def test_two_jobs_keep_the_cells_of_one_case_together(spread):
    """They share what is proven and compiled."""
    cases = [record.case for record in spread[: len(CELLS)]]
    assert sum(a != b for a, b in pairwise(cases)) == 1


def test_with_two_jobs_timing_comes_after_all_comparisons(spread):
    first, second = spread[: len(CELLS)], spread[len(CELLS) :]
    assert all(record.gradient_time_s is None for record in first)
    assert all(record.gradient_time_s > 0 for record in second)


def test_with_two_jobs_each_row_that_can_be_timed_is_timed_once(spread):
    first, second = by_cell(spread[: len(CELLS)]), by_cell(spread[len(CELLS) :])
    assert second.keys() == {c for c, r in first.items() if r.verdict != "unsupported" and timed(r)}
    assert all(without_times(r) == without_times(first[c]) for c, r in second.items())


def test_two_jobs_without_timing_stop_after_the_comparisons(monkeypatch):
    monkeypatch.setattr(
        runner, "spread", lambda job, groups, *_, **__: (r for group in groups for r in job.do(group))
    )
    assert [r.cell for r in run(CELLS[:3], Workers(2), timed=())] == CELLS[:3]


def test_records_come_as_they_are_done(monkeypatch):
    done = []
    monkeypatch.setattr(runner, "run_cell", lambda cell, full: done.append(cell) or cell)
    rows = run(CELLS, timed=())
    next(rows)
    assert done == CELLS[:1]


def test_without_timing_nothing_is_timed_but_the_first_call(alone):
    timed = {name for r in alone for name in TIMES if getattr(r, name) is not None}
    assert timed == {"first_call_time_s"}


def test_with_timing_every_time_is_there():
    record = with_times(run_cell(Cell("relu", "ordinary", "float64", "fd", 0)))
    assert all(getattr(record, name) > 0 for name in TIMES)
    assert record.gradient_time_ratio_low <= record.gradient_time_ratio <= record.gradient_time_ratio_high


def test_the_exact_row_is_marked_and_not_judged():
    record = run_cell(Cell("relu", "ordinary", "float64", "exact", 0))
    assert (record.verdict, record.outcome, record.where) == ("truth", "info", "")
    assert (record.computed, record.true, record.max_abs_error, record.bits_lost) == (None,) * 4
    assert record.diagnosis == f"{record.proven_digits:.0f} digits proven"
    assert not record.outcome.compared


def test_the_hand_derived_gradient_is_judged_like_a_framework():
    record = run_cell(Cell("sigmoid", "ordinary", "float64", "numpy", 0))
    assert (record.verdict, record.outcome, record.diagnosis) == ("accurate", "pass", "")
    assert 0 < record.scaled_error < 1e-15
    assert 0 < record.error_ulp <= record.bound_ulp
    assert record.outcome.compared


WITH_GRADIENT = [name for name, case in catalogue().items() if case.vjp]
ORDINARY = [
    (name, maker.name) for name in WITH_GRADIENT for maker in catalogue()[name].inputs if not maker.boundary
]


THIRTY = [
    (name, input_name, dtype)
    for name, input_name in ORDINARY
    for dtype in (DTYPES[:1] if catalogue()[name].input(input_name).heavy else DTYPES)
]


@pytest.mark.parametrize(("name", "input_name", "dtype"), sample(THIRTY, 2))
def test_at_ordinary_inputs_thirty_digits_of_the_truth_are_proven(name, input_name, dtype):
    record = run_cell(Cell(name, input_name, dtype, "exact", 0))
    assert (record.outcome, record.verdict) == (Outcome.INFO, "truth")
    assert 0 <= record.scaled_error < 1e-30
    assert record.proven_digits >= 30


def test_every_row_says_how_many_digits_of_its_truth_are_proven():
    asked = [name for name, oracle in oracles().items() if not oracle.slow and not oracle.unavailable()]
    rows = [run_cell(Cell("sigmoid", "ordinary", "float64", name, 0)) for name in asked]
    assert len({record.proven_digits for record in rows}) == 1
    assert rows[0].proven_digits == pytest.approx(-math.log10(rows[0].scaled_error), rel=1e-12)


def test_where_there_is_no_gradient_nothing_is_proven():
    record = run_cell(Cell("step_function", "ordinary", "float64", "exact", 0))
    assert (record.outcome, record.verdict) == (Outcome.INFO, "truth")
    assert (record.scaled_error, record.proven_digits) == (None, None)


@pytest.mark.parametrize("full", [False, True])
def test_a_row_that_is_not_timed_is_returned_as_it_is(full):
    record = run_cell(Cell("relu", "zeros", "float64", "numpy", 0))
    assert (with_times(record, full) is record) != full
    assert record.first_call_time_s > 0


def test_a_row_that_did_not_run_is_not_timed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    record = run_cell(Cell("relu", "ordinary", "float64", "torch", 0))
    assert record.outcome is Outcome.UNAVAILABLE
    assert with_times(record) is record


def test_a_record_says_the_shapes_of_all_arguments():
    record = run_cell(Cell("softmax_loss", "labels", "float64", "numpy", 0))
    assert record.shapes == "(3,4) (3,)"


def test_cells_are_read_as_they_are_needed_and_records_come_as_they_are_done():
    """However many there are, none waits in memory: neither the cells to come nor the records that came."""
    read = []

    def cells():
        for seed in range(10**9):
            read.append(seed)
            yield Cell("step_function", "zeros", "float64", "numpy", seed)

    records = run(cells(), timed=())
    for done in range(5):
        assert next(records).seed == done
        assert len(read) == done + 1
    records.close()
    assert len(read) == 5
