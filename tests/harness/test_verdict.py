"""The judgement: where it passes, where it fails, and in which words."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.errors import Errors
from harness.report.text import MARKS
from harness.verdict import SEVERITY, Outcome, Verdict, allowed, judge, same_function

RIGHT = Errors(where="x[0]", scaled=0.0)
ANOTHER = "value differs from the reference's by 1.0e+00, where its largest is 2.0e+00"
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


def gap(scaled, **more):
    return Errors(where="x[1]", computed=2.0, true=1.0, scaled=scaled, **more)


@pytest.mark.parametrize(("dtype", "digits"), [("float64", 52), ("float32", 23)])
def test_half_of_the_digits_are_allowed(dtype, digits):
    assert allowed(dtype) == pytest.approx(2 ** (-digits / 2), rel=1e-15, abs=0)


@each_dtype
def test_the_tolerance_is_a_sharp_edge_for_the_gradient(dtype):
    edge = allowed(dtype)
    for scaled, outcome in ((edge, Outcome.PASS), (math.nextafter(edge, 1), Outcome.FAIL)):
        assert judge("", gap(scaled), dtype)[1] is outcome


@each_dtype
@pytest.mark.parametrize("sign", [1, -1])
def test_the_tolerance_is_a_sharp_edge_for_the_value(dtype, sign):
    """Around 1 the error of a value is exact, so the edge is one step of nextafter wide."""
    reference = np.array([0.0, 1.0])
    inside = sign * allowed(dtype) * (1 - 2.0**-40)
    outside = sign * allowed(dtype) * (1 + 2.0**-40)
    assert same_function(reference, np.array([inside, 1.0]), dtype) == ""
    assert same_function(reference, np.array([outside, 1.0]), dtype) != ""


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_nan_and_an_infinite_error_fail(bad):
    verdict, outcome, reason = judge("", gap(bad), "float64")
    assert (verdict, outcome) == (Verdict.DIFFERS, Outcome.FAIL)
    assert reason.startswith("x[1]: computed 2.0, true 1.0")


@given(scaled=st.floats(min_value=0) | st.just(math.nan))
def test_passing_is_exactly_being_within_the_tolerance(scaled):
    assert (judge("", gap(scaled), "float64")[1] is Outcome.PASS) == (scaled <= allowed("float64"))


def test_a_fault_fails_in_its_own_words():
    fault = Errors(fault="x: shape (2,) instead of (3,)")
    assert judge("", fault, "float64") == (
        Verdict.DIFFERS,
        Outcome.FAIL,
        "x: shape (2,) instead of (3,)",
    )


def test_another_functions_value_fails_in_its_own_words_whatever_the_gradient():
    for gradient in (RIGHT, gap(0.5), gap(0.0, at_kink=3), Errors()):
        assert judge(ANOTHER, gradient, "float64") == (Verdict.DIFFERS, Outcome.FAIL, ANOTHER)


def test_the_reason_gives_got_true_and_allowed():
    reason = judge("", gap(0.25), "float64")[2]
    assert reason == "x[1]: computed 2.0, true 1.0 (2.5e-01 of the largest element; 1.5e-08 allowed)"


def test_a_legal_value_on_a_kink_is_a_convention_and_passes():
    verdict, outcome, reason = judge("", gap(0.0, at_kink=3), "float64")
    assert (verdict, outcome) == (Verdict.CONVENTION, Outcome.PASS)
    assert reason == "3 elements on a kink hold a legal value"


def test_a_convention_excuses_no_other_element():
    assert judge("", gap(0.5, at_kink=3), "float64")[1] is Outcome.FAIL


def test_no_gradient_on_both_sides_agrees_unless_the_value_differs():
    assert judge("", Errors(), "float64")[:2] == (Verdict.AGREES, Outcome.PASS)
    assert judge(ANOTHER, Errors(), "float64")[1] is Outcome.FAIL


FINITE = st.floats(-1e6, 1e6)


@given(reference=hnp.arrays(np.float64, hnp.array_shapes(), elements=st.floats(allow_nan=False)))
def test_the_references_own_value_is_the_same_functions_also_where_infinite(reference):
    assert same_function(reference, reference.copy(), "float64") == ""


SMALL = st.integers(-1000, 1000)


@given(reference=hnp.arrays(np.int64, hnp.array_shapes(), elements=SMALL), data=st.data())
def test_an_integer_value_is_equal_or_another_functions(reference, data):
    wrong = reference.copy()
    wrong.reshape(-1)[data.draw(st.integers(0, reference.size - 1))] += data.draw(st.sampled_from([-1, 1]))
    assert same_function(reference, reference.copy(), "float64") == ""
    assert same_function(reference, wrong, "float64") != ""


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_large_integer_that_is_off_by_one_is_another_functions(dtype):
    large = np.array([2**55])
    assert same_function(large, large + 1, dtype) != ""


def test_the_width_of_an_integer_is_the_frameworks_setting():
    assert same_function(np.array([0, 1]), np.array([0, 1], np.int32), "float64") == ""


@each_dtype
@given(data=st.data(), reference=hnp.arrays(np.float64, hnp.array_shapes(max_side=4), elements=FINITE))
def test_a_value_off_by_more_than_the_tolerance_of_the_largest_is_another_functions(dtype, data, reference):
    place = data.draw(st.integers(0, reference.size - 1))
    largest = float(np.max(np.abs(reference)))
    value = reference.copy()
    value.reshape(-1)[place] += max(4 * allowed(dtype) * largest, 1e-300)
    assert same_function(reference, value, dtype).startswith("value differs from the reference's by ")


def test_the_difference_of_values_is_given_with_the_largest():
    assert same_function(np.array([2.0, 1.0]), np.array([2.0, 2.0]), "float64") == ANOTHER


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.ones((3, 2)), "value: float64(3, 2) instead of float64(2, 3)"),
        (np.ones(()), "value: float64() instead of float64(2, 3)"),
        (np.ones((2, 3), int), "value: int64(2, 3) instead of float64(2, 3)"),
        (np.ones((2, 3), bool), "value: bool(2, 3) instead of float64(2, 3)"),
        (np.ones((2, 3), complex), "value: complex128(2, 3) instead of float64(2, 3)"),
    ],
)
def test_a_value_of_another_form_is_another_functions(value, reason):
    assert same_function(np.ones((2, 3)), value, "float64") == reason


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("reference", [0.0, 1.0])
def test_nan_and_infinity_are_another_functions_where_the_reference_is_finite(reference, wrong):
    assert same_function(np.array([1.0, reference]), np.array([1.0, wrong]), "float64") != ""


def test_nan_is_the_same_as_nothing():
    assert same_function(np.array([math.nan]), np.array([math.nan]), "float64") != ""
    assert same_function(np.array([math.nan]), np.array([1.0]), "float64") != ""


@pytest.mark.parametrize("wrong", [[-math.inf, 1.0], [5.0, 1.0], [5.0, -7.0]])
def test_a_wrong_value_where_the_reference_is_infinite_is_another_functions(wrong):
    assert same_function(np.array([math.inf, 1.0]), np.array(wrong), "float64") != ""


def test_rounding_beside_an_infinite_element_is_no_difference():
    reference = np.array([math.inf, 1.0])
    assert same_function(reference, np.array([math.inf, 1.0 + 2.0**-50]), "float64") == ""


def test_every_outcome_has_a_rank_and_a_mark():
    assert sorted(SEVERITY) == sorted(Outcome)
    assert {outcome.value for outcome in Outcome} | {"convention"} == set(MARKS)


def test_whatever_fails_was_compared_and_ranks_first():
    failing = [o for o in SEVERITY if o.failing]
    assert all(o.compared for o in failing)
    assert list(SEVERITY[: len(failing)]) == failing


def test_verdicts_and_outcomes_are_plain_words_in_a_file():
    assert np.array([*Verdict, *Outcome]).dtype.kind == "U"
