"""The judgement: where it passes, where it fails, and in which words."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.difference import Difference
from harness.report.text import MARKS
from harness.verdict import SEVERITY, Outcome, Verdict, allowed, judge

EXACT = Difference(where="x[0]", scaled=0.0)


def gap(scaled, **more):
    return Difference(where="x[1]", computed=2.0, expected=1.0, scaled=scaled, **more)


@pytest.mark.parametrize(("dtype", "digits"), [("float64", 52), ("float32", 23)])
def test_half_of_the_digits_are_allowed(dtype, digits):
    assert allowed(dtype) == pytest.approx(2 ** (-digits / 2), rel=1e-15)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("position", ["value", "gradient"])
def test_the_tolerance_is_a_sharp_edge_for_value_and_gradient(dtype, position):
    edge = allowed(dtype)
    for scaled, outcome in ((edge, Outcome.PASS), (math.nextafter(edge, 1), Outcome.FAIL)):
        pair = (gap(scaled), EXACT) if position == "value" else (EXACT, gap(scaled))
        assert judge(*pair, dtype)[1] is outcome


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("position", ["value", "gradient"])
def test_nan_and_infinity_fail(bad, position):
    pair = (gap(bad), EXACT) if position == "value" else (EXACT, gap(bad))
    verdict, outcome, reason = judge(*pair, "float64")
    assert (verdict, outcome) == (Verdict.DIFFERS, Outcome.FAIL)
    assert reason.startswith(f"{position} x[1]: computed 2.0, expected 1.0")


@given(scaled=st.floats(min_value=0) | st.just(math.nan))
def test_passing_is_exactly_being_within_the_tolerance(scaled):
    assert (judge(EXACT, gap(scaled), "float64")[1] is Outcome.PASS) == (scaled <= allowed("float64"))


@pytest.mark.parametrize("position", ["value", "gradient"])
def test_a_fault_fails_in_its_own_words(position):
    fault = Difference(fault="x: shape (2,) instead of (3,)")
    pair = (fault, EXACT) if position == "value" else (EXACT, fault)
    assert judge(*pair, "float64") == (
        Verdict.DIFFERS,
        Outcome.FAIL,
        f"{position}: x: shape (2,) instead of (3,)",
    )


def test_the_reason_gives_got_expected_and_allowed():
    reason = judge(EXACT, gap(0.25), "float64")[2]
    assert (
        reason
        == "gradient x[1]: computed 2.0, expected 1.0 (2.5e-01 of the largest element; 1.5e-08 allowed)"
    )


def test_a_legal_choice_at_a_kink_is_a_convention_and_passes():
    verdict, outcome, reason = judge(EXACT, gap(0.0, at_kink=3), "float64")
    assert (verdict, outcome) == (Verdict.CONVENTION, Outcome.PASS)
    assert reason == "3 elements at a kink differ by a legal choice"


def test_a_convention_excuses_no_other_element():
    assert judge(EXACT, gap(0.5, at_kink=3), "float64")[1] is Outcome.FAIL


def test_no_gradient_on_both_sides_agrees_unless_the_value_differs():
    assert judge(EXACT, Difference(), "float64")[:2] == (Verdict.AGREES, Outcome.PASS)
    assert judge(gap(1.0), Difference(), "float64")[1] is Outcome.FAIL


def test_every_outcome_has_a_rank_and_a_mark():
    assert sorted(SEVERITY) == sorted(Outcome)
    assert {outcome.value for outcome in Outcome} | {"convention"} == set(MARKS)


def test_whatever_fails_was_compared_and_ranks_first():
    failing = [o for o in SEVERITY if o.failing]
    assert all(o.compared for o in failing)
    assert list(SEVERITY[: len(failing)]) == failing


def test_verdicts_and_outcomes_are_plain_words_in_a_file():
    assert np.array([*Verdict, *Outcome]).dtype.kind == "U"
