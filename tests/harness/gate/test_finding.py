"""One row against what is expected of it: what is worse is never fine, and what is as it was is not news."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gate.baseline import Expected
from harness.gate.finding import (
    JUDGED,
    NO_RESULT,
    Kind,
    Level,
    became_infinite,
    compare,
    grew,
    in_words,
    is_worse,
    ratio_in_words,
    ratio_of,
)
from harness.runs.timing import Ratio
from harness.verdicts import RIGHT, SEVERITY, Outcome, Verdict
from tests.harness.rows import BITS, DIGITS, LIKELY, ULPS, WITHOUT_RESULT, record, records, timed

WRONG = {"verdict": Verdict.WRONG, "outcome": Outcome.FAIL}
IMPRECISE = {"verdict": Verdict.IMPRECISE, "outcome": Outcome.FAIL}
KNOWN = {"verdict": Verdict.IMPRECISE, "outcome": Outcome.KNOWN}
verdicts = st.sampled_from(sorted(JUDGED))


def compared(before, now, same_machine=True):
    return compare(Expected.of(before), now, same_machine)


def row(verdict, outcome=Outcome.FAIL):
    return record(verdict=verdict, outcome=outcome)


# -- every kind and level ----------------------------------------------------------------------------------

ERROR = {"verdict": Verdict.NONE, "outcome": Outcome.ERROR, "diagnosis": "it raised"}
MISSING = {"verdict": Verdict.NONE, "outcome": Outcome.UNAVAILABLE, "diagnosis": "pip install it"}
CASES = [
    ({}, ERROR, Kind.ERROR, "it raised"),
    ({}, MISSING, Kind.UNAVAILABLE, "pip install it"),
    ({}, {**MISSING, "outcome": Outcome.SKIPPED}, Kind.UNAVAILABLE, "pip install it"),
    ({}, WRONG, Kind.WORSE, "wrong"),
    (KNOWN, {"outcome": Outcome.STALE, "diagnosis": "remove it"}, Kind.STALE, "remove it"),
    ({"bits_lost": 1.0}, {"bits_lost": 2.5}, Kind.BITS, "2.5 bits lost"),
    ({"error_ulp": 3.0}, {"error_ulp": math.inf}, Kind.BITS, "inf ulps of error"),
    ({"proven_digits": 30.0}, {"proven_digits": 20.0}, Kind.BITS, "20 digits proven"),
    (WRONG, {}, Kind.BETTER, "accurate"),
    ({"bits_lost": 9.0}, {"bits_lost": 1.0}, Kind.BETTER, "1 bits lost"),
]


@pytest.mark.parametrize(("before", "now", "kind", "words"), CASES)
def test_each_kind_is_found_with_its_row_and_what_is_now(before, now, kind, words):
    one = record(**now)
    found = compared(record(**before), one)
    assert (found.kind, found.now, found.record) == (kind, words, one)
    assert found.row == ("relu", "jax", "float64", "zeros")


@pytest.mark.parametrize(("before", "now", "kind", "words"), CASES)
def test_on_another_machine_only_what_may_be_its_rounding_is_let_off(before, now, kind, words):
    levels = [compared(record(**before), record(**now), same).level for same in (True, False)]
    assert levels == {
        Kind.BITS: [Level.FAIL, Level.WARN],
        Kind.STALE: [Level.FAIL, Level.WARN],
        Kind.BETTER: [Level.NOTE, Level.NOTE],
    }.get(kind, [Level.FAIL, Level.FAIL])


def test_a_number_that_was_not_measured_before_makes_no_row_better():
    assert compared(record(**WRONG), record(**WRONG, bits_lost=22.8)) is None


@given(one=records(), same=st.booleans())
def test_a_row_that_is_as_it_was_is_no_news(one, same):
    assert compared(one, one, same) is None


@given(before=records(), now=records(kinds=WITHOUT_RESULT), same=st.booleans())
def test_no_result_is_never_as_good_as_a_result(before, now, same):
    found = compared(before, now, same)
    assert found is not None
    assert found.level is Level.FAIL or (now.outcome is Outcome.STALE and not same)
    assert found.kind is not Kind.BETTER


@given(before=records(), now=records(), same=st.booleans())
def test_what_was_let_through_and_fails_now_fails_the_gate(before, now, same):
    if before.outcome is not Outcome.FAIL and now.outcome is Outcome.FAIL:
        assert compared(before, now, same).level is Level.FAIL


@given(before=records(), now=records())
def test_a_note_is_never_of_a_row_that_fails_now_and_did_not(before, now):
    found = compared(before, now)
    if found is not None and found.level is Level.NOTE:
        assert found.kind is Kind.BETTER
        assert not (now.outcome is Outcome.FAIL and before.outcome is not Outcome.FAIL)


@given(before=records(), now=records(), more=st.floats(0, 40))
def test_more_bits_lost_never_turn_a_failure_into_something_else(before, now, more):
    found = compared(before, now)
    if found is not None and found.level is Level.FAIL and now.bits_lost is not None:
        worse = msgspec.structs.replace(now, bits_lost=now.bits_lost + more)
        assert compared(before, worse).level is Level.FAIL


@given(before=records(), now=records())
def test_the_machine_changes_only_how_much_a_finding_weighs(before, now):
    here, there = compared(before, now, True), compared(before, now, False)
    assert (here is None) == (there is None)
    if here is not None:
        assert (here.kind, here.before, here.now) == (there.kind, there.before, there.now)


# -- verdicts ----------------------------------------------------------------------------------------------


def test_what_is_judged_is_all_but_truth_estimate_and_nothing():
    assert sorted(JUDGED, key=SEVERITY.index) == [
        "wrong", "miscomputed", "imprecise", "undecided", "unsupported", "convention", "accurate",
    ]  # fmt: skip


@given(one=verdicts, other=verdicts, outcome=st.sampled_from([Outcome.FAIL, Outcome.KNOWN, Outcome.PASS]))
def test_of_two_verdicts_one_is_worse_and_not_both(one, other, outcome):
    worse = is_worse(row(one, outcome), row(other, outcome))
    better = is_worse(row(other, outcome), row(one, outcome))
    assert worse + better == (one != other)
    if one != other:
        assert worse == (SEVERITY.index(other) < SEVERITY.index(one))


@given(one=verdicts, two=verdicts, three=verdicts)
def test_worse_than_what_is_worse_is_worse(one, two, three):
    if is_worse(row(one), row(two)) and is_worse(row(two), row(three)):
        assert is_worse(row(one), row(three))


@pytest.mark.parametrize("before", LIKELY)
def test_a_verdict_that_changes_is_worse_or_better(before):
    for now in LIKELY:
        changed = is_worse(row(*before), row(*now)) or is_worse(row(*now), row(*before))
        assert changed or before[0] is now[0]


@pytest.mark.parametrize("before", [p for p in LIKELY if p[1] is not Outcome.FAIL])
def test_whatever_fails_now_and_did_not_is_worse(before):
    assert all(is_worse(row(*before), row(verdict, Outcome.FAIL)) for verdict in JUDGED)


@pytest.mark.parametrize("outcome", sorted(NO_RESULT - {Outcome.STALE}))
@pytest.mark.parametrize("before", [p for p in LIKELY if p[1] is not Outcome.FAIL])
def test_a_row_without_a_result_is_worse_than_one_that_was_let_through(before, outcome):
    assert is_worse(row(*before), row(Verdict.NONE, outcome))
    assert is_worse(row(*before), row(before[0], outcome))


@pytest.mark.parametrize("verdict", [Verdict.NONE, Verdict.ESTIMATE, Verdict.TRUTH])
def test_what_was_judged_and_is_not_any_more_is_worse(verdict):
    assert is_worse(row(Verdict.ACCURATE, Outcome.PASS), row(verdict, Outcome.INFO))
    assert is_worse(row(Verdict.WRONG), row(verdict, Outcome.INFO))


# -- numbers -----------------------------------------------------------------------------------------------


@given(before=BITS, ulps=ULPS, digits=DIGITS)
def test_nan_is_never_better(before, ulps, digits):
    for nothing in (math.nan, None):
        now = record(**WRONG, bits_lost=nothing, error_ulp=nothing, proven_digits=nothing)
        found = compared(record(**WRONG, bits_lost=before, error_ulp=ulps, proven_digits=digits), now)
        assert found is None or found.level is Level.FAIL
        assert not grew(nothing, before, 1.0)


@given(now=st.floats(0, 53))
def test_a_number_that_is_lost_has_grown(now):
    for nothing in (math.nan, None, math.inf):
        assert grew(now, nothing, 1.0)
        assert compared(record(**WRONG, bits_lost=now), record(**WRONG, bits_lost=nothing)).kind is Kind.BITS


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        (1.0, 2.0, None),
        (1.0, math.nextafter(2.0, 3.0), Kind.BITS),
        (0.0, 1.0, None),
        (0.0, math.nextafter(1.0, 2.0), Kind.BITS),
        (2.0, 1.0, None),
        (2.0, 0.999, Kind.BETTER),
    ],
)
def test_one_bit_is_let_off_and_no_more(before, now, kind):
    found = compared(record(bits_lost=before), record(bits_lost=now))
    assert kind is (found and found.kind)


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [(30.0, 29.0, None), (30.0, 28.99, Kind.BITS), (30.0, None, Kind.BITS), (30.0, math.nan, Kind.BITS),
     (math.inf, 300.0, Kind.BITS), (None, None, None), (None, 30.0, None), (30.0, 300.0, None)],
)  # fmt: skip
def test_a_truth_that_is_proven_to_fewer_digits_is_found(before, now, kind):
    found = compared(record(proven_digits=before), record(proven_digits=now))
    assert kind is (found and found.kind)


@pytest.mark.parametrize(
    ("before", "now", "infinite"),
    [(1.0, math.inf, True), (1.0, math.nan, True), (1.0, None, True), (1.0, 1e308, False),
     (math.inf, math.inf, False), (None, math.nan, False), (math.nan, 1.0, False)],
)  # fmt: skip
def test_a_finite_measure_that_is_finite_no_more_is_found(before, now, infinite):
    assert became_infinite(before, now) is infinite


def test_worse_in_one_number_and_better_in_another_is_worse():
    found = compared(record(bits_lost=9.0, proven_digits=30.0), record(bits_lost=0.0, proven_digits=3.0))
    assert (found.level, found.kind) == (Level.FAIL, Kind.BITS)


# -- in words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "outcome", "words"),
    [
        (Verdict.ACCURATE, Outcome.PASS, "accurate"),
        (Verdict.WRONG, Outcome.FAIL, "wrong"),
        (Verdict.WRONG, Outcome.KNOWN, "wrong (known)"),
        (Verdict.CONVENTION, Outcome.STALE, "convention (stale)"),
        (Verdict.TRUTH, Outcome.INFO, "truth"),
        (Verdict.NONE, Outcome.ERROR, "(error)"),
        (Verdict.NONE, Outcome.INFO, "(info)"),
    ],
)
def test_a_verdict_is_said_with_the_outcome_where_that_says_more(verdict, outcome, words):
    assert in_words(verdict, outcome) == words


@given(before=records(), now=records())
def test_what_is_found_of_numbers_names_both_of_them(before, now):
    found = compared(before, now)
    if found is not None and found.kind is Kind.BITS:
        measures = ("bits lost", "ulps of error", "digits proven")
        assert [m for m in measures if m in found.before] == [m for m in measures if m in found.now] != []


@pytest.mark.parametrize("verdict", sorted(RIGHT))
def test_a_right_gradient_that_fails_is_not_said_as_one_that_passes(verdict):
    found = compared(record(verdict=verdict), record(verdict=verdict, outcome=Outcome.FAIL))
    assert found.kind is Kind.WORSE
    assert found.before != found.now


@given(before=records(), now=records())
def test_a_row_that_got_worse_is_said_otherwise_than_before(before, now):
    found = compared(before, now)
    if found is not None and found.kind is Kind.WORSE:
        assert found.before != found.now


def test_bits_that_were_not_measured_are_not_said_as_none_lost():
    found = compared(record(**WRONG, bits_lost=2.0), record(**WRONG, bits_lost=None))
    assert (found.level, found.kind, found.before) == (Level.FAIL, Kind.BITS, "2 bits lost")
    assert found.now == "bits lost not measured"


# -- times -------------------------------------------------------------------------------------------------


def test_a_ratio_is_the_same_from_a_record_and_from_what_is_expected():
    one = timed(2.0, 1.25)
    assert ratio_of(one) == ratio_of(Expected.of(one)) == Ratio(2.0, 1.6, 2.5)


@pytest.mark.parametrize("name", ["", "_low", "_high"])
def test_a_ratio_without_its_whole_interval_is_none(name):
    assert ratio_of(msgspec.structs.replace(timed(2.0), **{f"gradient_time_ratio{name}": None})) is None


def test_a_ratio_is_said_with_its_interval():
    assert ratio_in_words(Ratio(2.0, 1.6, 2.5)) == "2 (1.6 to 2.5)"
    assert ratio_in_words(None) == "no ratio of times"


def test_times_say_nothing_of_a_result():
    assert compared(timed(1.0), timed(1000.0)) is None
    assert compared(timed(1.0), record()) is None
