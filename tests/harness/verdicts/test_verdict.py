"""The words: which outcomes fail, in which order they are shown, and the one policy."""

import numpy as np
import pytest

from harness.verdicts.verdict import ALLOWABLE, ORDER, SEVERITY, Outcome, Verdict, budget


@pytest.mark.parametrize(
    ("dtype", "digits"), [("float64", 53), ("float32", 24), ("float16", 11), ("bfloat16", 8)]
)
def test_half_of_the_significand_may_be_lost(dtype, digits):
    assert budget(dtype) == digits // 2


def test_a_dtype_without_a_rounding_model_has_no_budget_and_says_which_have():
    with pytest.raises(ValueError, match="no rounding model for dtype 'int32'; there is one for float64, "):
        budget("int32")


def test_a_wrong_formula_is_worse_than_its_execution_and_that_than_lost_digits():
    worst_first = ["wrong", "miscomputed", "imprecise", "undecided", "unsupported", "convention", "accurate"]
    assert list(SEVERITY[:7]) == worst_first
    assert sorted(SEVERITY) == sorted(Verdict)


def test_only_what_proves_nothing_can_be_allowed():
    assert set(ALLOWABLE) == {Verdict.UNDECIDED, Verdict.UNSUPPORTED}


@pytest.mark.parametrize("outcome", Outcome)
def test_a_failure_a_stale_entry_and_an_error_fail_the_run(outcome):
    assert outcome.failing == (outcome in {"fail", "stale", "error"})


@pytest.mark.parametrize("outcome", Outcome)
def test_what_was_not_run_or_only_informs_was_not_compared(outcome):
    assert outcome.compared == (outcome not in {"info", "skipped", "unavailable"})


def test_every_outcome_has_a_place_and_whatever_fails_comes_first():
    assert sorted(ORDER) == sorted(Outcome)
    failing = [o for o in Outcome if o.failing]
    assert set(ORDER[: len(failing)]) == set(failing)


def test_verdicts_and_outcomes_are_plain_words_in_a_file():
    assert np.array([*Verdict, *Outcome]).dtype.kind == "U"
