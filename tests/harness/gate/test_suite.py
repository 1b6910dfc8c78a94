"""A test suite's checks as rows: the worst of each, as plain values, whatever was computed or not."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import Known, UpstreamWarning, check_gradient
from harness.dropin.made import Made
from harness.gate.finding import Finding, Kind, Level, ratio_of
from harness.gate.suite import SuiteWords, records_of, rows_of, spread
from harness.runs.record import Row
from harness.verdicts import Outcome, Verdict
from tests.harness.rows import record

X = np.array([0.5, -1.25])
TEST, HERE = "test_a.py::test_one", Path(__file__).parent


def product(x, y):
    return x * y


def right(g, x, y):
    return g * y, g * x


def wrong(g, x, y):
    return g * y, 2 * g * x


def made(vjp=right, x=X, unproven="", **options):
    found = check_gradient(product, (x, X), vjp=vjp, probes=False, **options)
    return Made("check_gradient", "", found.verdict, unproven, (found,))


def rows(*ones):
    return {(r.oracle, r.input): r for r in records_of(json.loads(json.dumps(rows_of(ones, TEST, 3, HERE))))}


def test_a_check_has_a_row_for_each_argument_which_crosses_processes():
    found = rows(made(wrong))
    assert [(r.case, r.dtype, r.seed) for r in found.values()] == [(TEST, "float64", 3)] * 2
    x, y = found["check_gradient(wrong)", "x"], found["check_gradient(wrong)", "y"]
    assert (x.verdict, x.outcome, y.verdict, y.outcome) == (
        Verdict.ACCURATE, Outcome.PASS, Verdict.WRONG, Outcome.FAIL,
    )  # fmt: skip
    assert (y.where, y.shapes, y.bound_ulp) == ("y[1]", "(2,)", None)
    assert y.diagnosis.startswith("the formula gives")
    assert (y.operation, y.file, y.line) == (
        "multiply",
        Path(__file__).name,
        wrong.__code__.co_firstlineno + 1,
    )
    assert (x.operation, x.file, x.line) == ("", "", 0)


def test_of_many_checks_of_one_function_the_worst_is_kept():
    def backward(g, x, y):
        return right(g, x, y) if x[0] < 1 else wrong(g, x, y)

    found = rows(made(backward), made(backward, x=4 * X), made(backward))
    assert found["check_gradient(backward)", "y"].verdict is Verdict.WRONG
    assert len(found) == 2


def test_the_time_of_a_check_stands_in_the_row_of_its_first_argument_whichever_check_is_the_worst():
    quick = made(right, x=np.array([1.5, 2.5]))
    (found,) = quick.results
    timed = replace(quick, results=(replace(found, time_ratio=(2.0, 1.5, 2.5)),))
    worse = replace(timed, results=(replace(found, faults=("it writes into x",)),))
    for ones in ((timed,), (timed, worse), (worse, timed), (timed, made(right)), (made(right), timed)):
        by_name = rows(*ones)
        assert ratio_of(by_name["check_gradient(right)", "x"]) == (2.0, 1.5, 2.5)
        assert ratio_of(by_name["check_gradient(right)", "y"]) is None


def test_what_passes_all_the_same_is_known_or_left_to_the_original():
    known = Known("wrong", "why", "https://example.org", argument="y")
    with pytest.warns(UpstreamWarning):
        assert rows(made(wrong, known=known))["check_gradient(wrong)", "y"].outcome is Outcome.KNOWN
    assert rows(made(wrong, unproven="no rule"))["check_gradient(wrong)", "y"].outcome is Outcome.ALLOWED
    raised = Made("gradcheck", "", Verdict.UNSUPPORTED, "no rule", ())
    assert rows(raised)["gradcheck", ""].diagnosis == "no rule"


def test_a_fault_of_the_whole_fails_every_argument():
    (found,) = made(right).results
    one = Made("check_layer", "", found.verdict, "", (replace(found, faults=("it keeps no gradient of W",)),))
    assert {(r.outcome, r.diagnosis) for r in rows(one).values()} == {
        (Outcome.FAIL, "it keeps no gradient of W")
    }


def test_a_boundary_value_is_a_row_of_its_own():
    found = rows(made(right, boundary=["zeros"]))
    assert {("check_gradient(right)", "x"), ("check_gradient(right)", "x at y zeros")} <= set(found)


def test_where_nothing_was_computed_each_argument_that_is_expected_is_worse():
    one = record(case=TEST, oracle="check_gradient(f)", dtype="", input="", verdict=Verdict.UNSUPPORTED)
    expected = [
        Row(TEST, "check_gradient(f)", d, i) for d, i in (("float32", "x"), ("float32", "x at zeros"))
    ]
    (found,) = spread([one], [*expected, Row(TEST, "check_gradient(g)", "float32", "x")])
    assert Row.of(found.cell) == expected[0]
    assert spread([one], []) == [one]


def test_bits_that_are_no_number_are_the_worst():
    ones = [record(verdict=Verdict.WRONG, outcome=Outcome.FAIL, bits_lost=b) for b in (3.0, math.nan, None)]
    (found,) = spread(ones, [])
    assert math.isnan(found.bits_lost)


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        (Kind.WORSE, "pytest 'test_a.py::test_one[x y]' --b=F --gradproof-update-baseline=\"why\""),
        (Kind.STALE, 'pytest test_a.py --b=F --gradproof-update-baseline="why"'),
        (Kind.ERROR, ""),
        (Kind.UNAVAILABLE, ""),
    ],
)
def test_a_finding_is_accepted_by_its_test_or_its_file(kind, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_a.py").touch()
    row = Row("test_a.py::test_one[x y]", "check_gradient(f)", "float32", "x")
    assert SuiteWords(said="--b=F").accept([Finding(Level.FAIL, kind, row, "", "")]) == command
