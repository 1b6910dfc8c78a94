"""A verdict carries its own facts, and whoever matches over verdicts names each."""

import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.style import Style

from harness import verdicts
from harness.dropin.decide import Answer, answer_to
from harness.proof.evidence import BUDGET, budget
from harness.verdicts import (
    ALLOWABLE,
    JUDGED,
    ORDER,
    RIGHT,
    SEVERITY,
    ExitCode,
    Outcome,
    Standing,
    Verdict,
    css,
)

ROOT = Path(__file__).parents[3]
SIGNIFICANDS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}


@pytest.mark.parametrize("dtype", SIGNIFICANDS)
def test_half_of_the_significand_may_be_lost(dtype):
    assert budget(dtype) == SIGNIFICANDS[dtype] // 2


def test_a_dtype_without_a_rounding_model_has_no_budget_and_says_which_have():
    with pytest.raises(ValueError, match="no rounding model for dtype 'int32'; there is one for float64, "):
        budget("int32")


def test_the_budget_is_said_once_and_the_docs_have_its_number():
    """Docstrings and messages say "the budget"; what it is stands beside the function."""
    assert BUDGET.example == "26 of float64's 53, 12 of float32's 24, 5 of float16's 11, 4 of bfloat16's 8"
    page = (ROOT / "docs/verdicts.md").read_text(encoding="utf-8")
    assert f"half of the significand ({budget('float64')} of float64's 53 bits)" in page
    told = [p.name for p in (ROOT / "harness").rglob("*.py") if "half of the significand" in p.read_text()]
    assert told == ["evidence.py"]


def test_a_wrong_formula_is_worse_than_its_execution_and_that_than_lost_digits():
    worst_first = ["wrong", "miscomputed", "imprecise", "undecided", "unsupported", "convention", "accurate"]
    assert list(SEVERITY[:7]) == worst_first
    assert [v.severity for v in SEVERITY] == list(range(len(Verdict)))


def test_the_sets_of_verdicts():
    assert set(RIGHT) == {"convention", "accurate"}
    assert set(ALLOWABLE) == {"undecided", "unsupported"}, "only what proves nothing can be allowed"
    assert set(JUDGED) == set(SEVERITY[:7])
    assert {v for v in Verdict if v.standing is Standing.FAULTY} == {"wrong", "miscomputed", "imprecise"}


@pytest.mark.parametrize("outcome", Outcome)
def test_a_failure_a_stale_entry_and_an_error_fail_the_run(outcome):
    assert outcome.failing == (outcome in {"fail", "stale", "error"})


@pytest.mark.parametrize("outcome", Outcome)
def test_what_was_not_run_or_only_informs_was_not_compared(outcome):
    assert outcome.compared == (outcome not in {"info", "skipped", "unavailable"})


def test_whatever_fails_comes_first():
    failing = [o for o in Outcome if o.failing]
    assert set(ORDER[: len(failing)]) == set(failing)


@pytest.mark.parametrize("word", [*Verdict, *Outcome], ids=repr)
def test_a_word_is_plain_in_a_file_and_has_a_colour_on_the_screen_and_in_a_page(word):
    assert pickle.loads(pickle.dumps(word)) is word
    assert type(word)(word.value) is word
    assert np.array([word]).dtype.kind == "U"
    assert Style.parse(word.style)
    assert css(word.style)


@pytest.mark.parametrize("word", [*Verdict, *Outcome, *ExitCode], ids=repr)
def test_every_word_is_explained_with_an_example(word):
    assert all((word.entry.meaning, word.entry.how, word.entry.example))


# -- a verdict that nobody knows ----------------------------------------------------------------------------

SLOPPY = '    SLOPPY = ("sloppy", Standing.FAULTY, "red", "It is sloppy.", "Trial.", "none")\n    NONE = ('


def test_a_new_verdict_passes_through_no_drop_in():
    """At run time: what is no verdict of today is an error, and never a pass or the original's turn."""
    with pytest.raises(AssertionError, match="sloppy"):
        answer_to("sloppy", False, True)
    known = {v: answer_to(v, False, True) for v in Verdict}
    assert {v for v, answer in known.items() if answer is Answer.PASS} == RIGHT
    assert {v for v, answer in known.items() if answer is Answer.UNPROVEN} == {
        *ALLOWABLE,
        *(set(Verdict) - JUDGED),
    }
    assert all(answer_to(v, True, True) is not Answer.PASS for v in Verdict)


def test_what_nobody_could_examine_is_the_originals_turn_unless_it_is_right():
    known = {v: answer_to(v, False, False) for v in Verdict}
    assert {v for v, answer in known.items() if answer is Answer.PASS} == RIGHT
    assert {answer for v, answer in known.items() if v not in RIGHT} == {Answer.UNPROVEN}


def test_a_verdict_that_a_drop_in_does_not_know_does_not_type_check(tmp_path):
    source = inspect.getsource(verdicts)
    assert re.search(r"    NONE = \(", source)
    for name, text in (("before", source), ("after", re.sub(r"    NONE = \(", SLOPPY, source))):
        (tmp_path / f"verdict_{name}.py").write_text(text)
        match = "\n\n".join(inspect.getsource(one) for one in (Answer, answer_to))
        head = "from enum import Enum, auto\nfrom typing import assert_never\n"
        (tmp_path / f"{name}.py").write_text(f"{head}from verdict_{name} import Verdict\n\n\n{match}")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir=.cache", "before.py", "after.py"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert 'incompatible type "Literal[Verdict.SLOPPY]"' in said
    assert "Found 1 error in 1 file" in said
    assert "before.py" not in said
