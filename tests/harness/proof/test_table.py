"""The table row by row: the smallest evidence at which each decides, and a neighbour at which it does not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.proof.evidence import TABLE, budget, decide, facts
from harness.proof.judge import judge
from harness.verdicts import RIGHT, Verdict
from tests.harness.proof.test_judge import UNKNOWN, around, evidence, hull

KINK = {"true": hull(0, 1), "kinks": ("here",)}
# By reason: what is known of one element and what was computed; then the same with one thing changed, and the
# reason of the row that decides then.
ROWS = {
    "the formula is another function's": ({"right": False}, 1.0, {"right": True}, "right"),
    "not finite, where the truth is": ({}, math.inf, {"true": "1e400"}, "right"),
    "the formula is not known": ({"right": None}, 1.0, {"right": True}, "right"),
    "not a number": ({"true": "1e400"}, math.nan, {"true": 1.0}, "not finite"),
    "infinite, with the wrong sign": ({"true": "1e400"}, -math.inf, {"true": "-1e400"}, "right"),
    "outside what the rounding of its program allows": (
        {"bound": around([1.0], 1e-12)}, 1 + 1e-11, {"bound": around([1.0], 1e-10)}, "right",
    ),
    "more bits lost than the budget allows": ({}, 1.5, {"a": 0.5}, "right"),
    "more than 2 ulps further off than the inputs allow": (
        {"examined": False, "dtype": "bfloat16", "a": 0.004, "budget": 4}, 1.023, {"examined": True}, "right",
    ),
    "0, where the truth is not: a total loss": ({"a": 0.06, "budget": 60}, 0.0, {"a": 0.07}, "right"),
    "outside what its rounding allows, unless it keeps its narrower format, in which nothing bounds it": (
        {"bound": around([1.0], 1e-12), "kept": True}, 1 + 1e-11, {"kept": False}, "outside what the",
    ),
    "further off than the truth's own program rounds, which is not what ran": (
        {"bound": around([1.0], 1e-12), "lent": 1e-16}, 1 + 1e-11, {"lent": None}, "outside what the",
    ),
    "the truth jumps close by": ({"a": math.inf}, 1.5, {"a": 0.5}, "right"),
    "the truth is 0, and the program has no finite bound": (
        {"true": 0.0, "zero": True}, 1e-10, {"bound": around([0.0], 1e-9)}, "right",
    ),
    "the slope of its sides, where the function itself jumps": (
        {"leaps": True}, 1.0, {"leaps": False}, "right",
    ),
    "a legal slope at a kink": (KINK, 0.5, {"kinks": ()}, "right"),
    "right, and it keeps the digits": ({}, 1.0, {"right": None}, "the formula is not known"),
}  # fmt: skip


def row_of(fields, got):
    fields = dict(fields)
    allowed = fields.pop("budget", 26)
    known = evidence([fields.pop("true", 1.0)], **fields)
    (number,) = decide(facts(known, np.array([got]), allowed))
    return TABLE[number]


def test_every_row_has_its_example():
    assert list(ROWS) == [row.reason for row in TABLE]


@pytest.mark.parametrize("reason", ROWS)
def test_each_row_decides_where_its_condition_holds_and_not_beside_it(reason):
    fields, got, changed, then = ROWS[reason]
    assert row_of(fields, got).reason == reason
    assert row_of(fields | changed, got).reason.startswith(then)


@pytest.mark.parametrize("reason", ROWS)
def test_the_smallest_evidence_holds_in_no_other_row_but_the_last(reason):
    """But what is not finite has lost all bits too."""
    fields, got, _, _ = ROWS[reason]
    fields = dict(fields)
    allowed = fields.pop("budget", 26)
    of = facts(evidence([fields.pop("true", 1.0)], **fields), np.array([got]), allowed)
    holding = {row.reason for row in TABLE[:-1] if row.holds(of).any()} | {TABLE[-1].reason}
    also = set() if math.isfinite(got) else {"more bits lost than the budget allows"}
    assert holding == {reason, TABLE[-1].reason} | also


def test_the_rows_stand_from_the_worst_to_the_best_and_one_is_before_what_depends_on_it():
    severities = [row.verdict.severity for row in TABLE if row.reason != "the formula is not known"]
    assert severities == sorted(severities)


def test_the_reason_is_that_of_the_worst_element():
    known = evidence([1.0, 1.0], bound=around([1.0, 1.0], 1e-12))
    found = judge([known], [np.array([1.0, 1.1])], budget)
    assert (found.verdict, found.reason) == (
        Verdict.MISCOMPUTED, "outside what the rounding of its program allows",
    )  # fmt: skip


TRUE = [0.0, 1.0, -1.0, 1e-320, 3e38, "1e39", "-1e400", UNKNOWN, hull(0, 1), hull(-1, 1)]
BOUNDS = [None, around([1.0], 1e-9), around([1.0], 0.0), around([0.0], 1e300)]
NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 0.5, 2.0, 5e-324, 3e38, 1e308, math.inf, -math.inf, math.nan]),
    st.floats(),
)


@given(
    true=st.integers(0, len(TRUE) - 1).map(TRUE.__getitem__),
    got=NUMBERS,
    a=st.sampled_from([0.0, 1e-17, 0.5, math.inf]),
    zero=st.booleans(),
    right=st.sampled_from([True, False, None]),
    bound=st.integers(0, len(BOUNDS) - 1).map(BOUNDS.__getitem__),
    kinks=st.sampled_from([(), ("here",)]),
    dtype=st.sampled_from(["float64", "float32", "bfloat16"]),
)
def test_some_row_decides_always_and_nan_is_never_right(true, got, a, zero, right, bound, kinks, dtype):
    known = evidence([true], a=a, zero=zero, right=right, bound=bound, kinks=kinks, dtype=dtype)
    of = facts(known, np.array([got]), 26)
    (number,) = decide(of)
    assert TABLE[number].holds(of).all()
    assert not any(row.holds(of).any() for row in TABLE[:number])
    if math.isnan(got):
        assert TABLE[number].verdict not in RIGHT
