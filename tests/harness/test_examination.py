"""The truth of a cell: what it holds, what is proven of it, and that it is computed once."""

import dataclasses
import math

import numpy as np
import pytest
from flint import arb

from harness import examination
from harness.cases import catalogue
from harness.examination import Truth, truth
from harness.record import Cell
from harness.runner import oracles, plan, run, run_cell
from oracles.exact.balls import exact, filled, precision
from oracles.exact.enclosure import Enclosure


def balls(*found, kinks=()):
    return Enclosure(filled([arb(b) for b in found], (len(found),)), 128, kinks)


def hull(low, high):
    with precision(128):
        return arb(low).union(arb(high))


VALUE = Enclosure(exact(np.ones(())), 128)


@pytest.fixture
def counted(monkeypatch):
    """Every computation of a gradient's enclosure; the kept truths are forgotten."""
    calls = []
    honest = examination.enclosed_gradient
    monkeypatch.setattr(examination, "enclosed_gradient", lambda *a: calls.append(a[0].name) or honest(*a))
    truth.cache_clear()
    yield calls
    truth.cache_clear()


def test_one_truth_serves_every_oracle_at_an_input(counted):
    cells = [Cell("sigmoid", "ordinary", "float64", name, 0) for name in ("numpy", "torch", "fd")]
    records = [run_cell(cell, timing=False) for cell in cells]
    assert counted == ["sigmoid"]
    assert len({record.proven_digits for record in records}) == 1


def test_a_run_computes_each_truth_once(counted):
    cells = plan(["function_2", "sigmoid"], ["numpy", "torch", "fd"])
    list(run(cells, timing=False))
    assert len(counted) == len({(c.case, c.input, c.dtype) for c in cells}) == len(cells) / 3


def test_timing_computes_no_truth_anew(counted):
    run_cell(Cell("sigmoid", "ordinary", "float64", "numpy", 0), timing=True)
    assert counted == ["sigmoid"]


@pytest.mark.parametrize("other", [{"input": "zeros"}, {"dtype": "float32"}, {"seed": 1}, {"case": "relu"}])
def test_another_input_has_another_truth(counted, other):
    cell = {"case": "sigmoid", "input": "ordinary", "dtype": "float64", "oracle": "numpy", "seed": 0}
    for fields in (cell, {**cell, **other}, cell):
        run_cell(Cell(**fields), timing=False)
    assert len(counted) == 2


def test_few_truths_are_kept():
    """They are large: an enclosure of the flagship's gradient holds 79,510 balls."""
    assert truth.cache_info().maxsize <= 4


def test_a_changed_case_of_the_same_name_has_its_own_truth():
    case = catalogue()["sigmoid"]
    honest = case.function
    longer = dataclasses.replace(case, function=lambda x: 2 * honest(x))
    (once,), (twice,) = (truth(c, "ordinary", "float64", 0).gradients for c in (case, longer))
    np.testing.assert_allclose(twice.mid, 2 * once.mid, rtol=1e-15)


def test_the_truth_is_taken_at_the_point_drawn_and_along_the_cotangent_drawn():
    x, cotangent = catalogue()["function_2"].draw("ordinary", "float64", 3)
    (gradient,) = truth(catalogue()["function_2"], "ordinary", "float64", 3).gradients
    np.testing.assert_allclose(gradient.mid, 2 * x[0] * cotangent, rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_truth_of_an_integer_function_is_its_value_and_none(dtype):
    found = truth(catalogue()["step_function"], "ordinary", dtype, 0)
    assert found.gradients == (None,)
    assert found.value.dtype.kind == "i"
    assert (found.proven_error, found.proven_digits) == (None, None)


@pytest.mark.parametrize("name", ["exact", "numpy", "jax", "torch"])
def test_no_oracle_gives_the_step_function_a_gradient(name):
    record = run_cell(Cell("step_function", "zeros", "float64", name, 0), timing=False)
    assert record.outcome == ("info" if name == "exact" else "pass")
    assert (record.where, record.scaled_error, record.computed, record.true) == ("", None, None, None)


def test_the_proven_error_is_the_largest_radius_relative_to_the_largest_element():
    found = Truth(VALUE, (balls(arb(4, 1e-20), arb(-8, 1e-21)),))
    assert found.proven_error == pytest.approx(1e-20 / 8, rel=1e-6, abs=0)
    assert found.proven_digits == pytest.approx(-math.log10(1e-20 / 8), rel=1e-6, abs=0)


@pytest.mark.parametrize("order", [1, -1])
def test_the_proven_error_is_the_worst_of_all_arguments(order):
    arguments = (balls(arb(1, 1e-20)), None, balls(arb(1000, 1e-18)))[::order]
    assert Truth(VALUE, arguments).proven_error == pytest.approx(1e-20, rel=1e-6, abs=0)


def test_a_kink_is_no_lack_of_proof():
    found = Truth(VALUE, (balls(hull(0, 1), arb(2, 1e-30), kinks=("here",)),))
    assert found.proven_error == pytest.approx(0.5e-30, rel=1e-6, abs=0)


def test_exact_balls_prove_as_many_digits_as_float64_can_say():
    found = Truth(VALUE, (balls(1.0, 0.0),))
    assert (found.proven_error, found.proven_digits) == (0.0, 300)


def test_a_small_element_with_no_digit_counts_with_its_radius():
    assert Truth(VALUE, (balls(1.0, arb(0, 1e-20)),)).proven_error == pytest.approx(1e-20, rel=1e-6, abs=0)


BOUNDARY = [
    pytest.param(name, maker.name, id=f"{name}-{maker.name}")
    for name, case in catalogue().items()
    if case.vjp
    for maker in case.inputs
    if maker.boundary
]


@pytest.mark.parametrize(("name", "input_name"), BOUNDARY)
def test_at_boundary_inputs_thirty_digits_are_proven_too(name, input_name):
    assert truth(catalogue()[name], input_name, "float64", 0).proven_digits >= 30


def test_a_function_without_proof_is_an_error_of_every_row(monkeypatch):
    case = catalogue()["sigmoid"]
    honest = case.function
    leaving = dataclasses.replace(case, function=lambda x: honest(np.array(x.tolist(), x.dtype)))
    for name, oracle in oracles().items():
        cell = Cell("sigmoid", "ordinary", "float64", name, 0)
        record = examination.examine(leaving, oracle, cell, {}, timing=False)
        assert record.outcome == "error"
        assert record.reason.startswith("Unsupported: ")


@pytest.mark.parametrize("error", [1e-12, 1e-10])
def test_the_error_of_a_value_is_against_the_truth(error):
    from tests.meta.liars import claims, judged

    record = judged(claims(value=lambda v: v * (1 + error)), "softmax_loss")
    assert record.outcome == "pass"
    assert record.value_error == pytest.approx(error, rel=1e-2, abs=0)
