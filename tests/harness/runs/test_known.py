"""The known-defects file: how it is read, and that what ships names real rows."""

import re

import numpy as np
import pytest

from harness.cases import catalogue
from harness.runs.known import KnownDefect, known_defects, parse
from harness.runs.record import Cell, Row
from harness.runs.row import examine
from harness.runs.runner import DTYPES, oracles
from harness.verdicts import Outcome, Verdict

ENTRY = """
[[defect]]
case = "sigmoid"
oracle = "jax"
dtype = "float64"
inputs = ["a", "b"]
reason = "because"
link = "https://example.org/1"
"""


def test_an_entry_stands_for_each_of_its_inputs():
    found = parse(ENTRY)
    assert set(found) == {Row("sigmoid", "jax", "float64", "a"), Row("sigmoid", "jax", "float64", "b")}
    assert all(entry.reason == "because" for entry in found.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[defect", "known-defects file: "),
        ("", "missing required field `defect`"),
        (ENTRY.replace('reason = "because"\n', ""), "missing required field `reason`"),
        (ENTRY.replace("reason", "raison"), "unknown field `raison`"),
        ("other = 1\n" + ENTRY, "unknown field `other`"),
        (ENTRY.replace('["a", "b"]', '"a"'), r"Expected `array`, got `str` - at `\$.defect\[0\].inputs`"),
        (ENTRY + ENTRY, "sigmoid/jax/float64/a is listed twice; keep one entry"),
        (ENTRY.replace('"b"', '"a"'), "sigmoid/jax/float64/a is listed twice; keep one entry"),
    ],
)
def test_a_bad_file_says_what_is_wrong(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_the_same_row_of_two_dtypes_is_two_rows():
    assert len(parse(ENTRY + ENTRY.replace("float64", "float32"))) == 4


@pytest.mark.parametrize("row", known_defects(), ids=["-".join(row) for row in known_defects()])
def test_the_shipped_file_names_rows_that_exist_and_are_judged(row):
    """A row that does not exist, or that never decides, could never go stale."""
    assert row.dtype in DTYPES
    assert oracles()[row.oracle].decides
    assert row.oracle not in {"exact", "numpy"}, "the hand-derived gradient has no excuse"
    assert catalogue()[row.case].input(row.input).boundary, "an ordinary input varies with the seed"


@pytest.mark.parametrize("entry", sorted(set(known_defects().values()), key=str), ids=lambda e: e.case)
def test_the_shipped_file_gives_a_reason_and_a_link(entry):
    assert entry.reason.strip()
    assert re.fullmatch(r"https://[\w.-]+/\S+", entry.link)


CELL = Cell("sigmoid", "saturated-40", "float64", "torch", 0)
DEFECT = KnownDefect(
    "sigmoid", "torch", "float64", ("saturated-40", "ordinary"), "cancels", "https://x.org/1"
)


def outcome(cell, known):
    return examine(catalogue()[cell.case], oracles()[cell.oracle], cell, known)


def test_a_failing_row_that_is_listed_is_known_and_one_that_is_not_fails():
    listed = {Row("sigmoid", "torch", "float64", "saturated-40"): DEFECT}
    found = outcome(CELL, listed)
    assert (found.outcome, found.verdict) == (Outcome.KNOWN, Verdict.IMPRECISE)
    assert found.diagnosis.startswith("cancels (https://x.org/1). ")
    assert found.bits_lost > 26
    assert outcome(CELL, {}).outcome is Outcome.FAIL


@pytest.mark.parametrize("change", ["case", "oracle", "dtype", "input"])
def test_an_entry_covers_no_other_row(change):
    row = Row("sigmoid", "torch", "float64", "saturated-40")._replace(**{change: "other"})
    assert outcome(CELL, {row: DEFECT}).outcome is Outcome.FAIL


def test_an_entry_that_no_longer_holds_is_stale_and_keeps_its_numbers():
    cell = Cell("sigmoid", "ordinary", "float64", "torch", 0)
    found = outcome(cell, {Row("sigmoid", "torch", "float64", "ordinary"): DEFECT})
    assert found.outcome is Outcome.STALE
    assert found.outcome.failing
    assert found.diagnosis.endswith("it does not fail any more: remove the entry")
    assert found.scaled_error <= 4 * np.finfo(float).eps


def test_an_entry_for_a_framework_that_is_missing_waits(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    row = Row("sigmoid", "torch", "float64", "saturated-40")
    assert outcome(CELL, {row: DEFECT}).outcome is Outcome.UNAVAILABLE


def test_rows_that_only_inform_are_not_judged_by_the_file():
    fd = Cell("sigmoid", "ordinary", "float64", "fd", 0)
    assert outcome(fd, {Row("sigmoid", "fd", "float64", "ordinary"): DEFECT}).outcome is Outcome.INFO
