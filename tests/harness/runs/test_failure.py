"""A row in words: the design's own example, no number lost, and a reproducer that runs exactly these rows."""

import re
import shlex
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.commands import cli
from harness.runs import failure
from harness.runs.failure import failure_text, group_text, reproducer
from harness.runs.record import Record, from_json
from harness.verdicts import Outcome, Verdict
from oracles.exact.program.formats import format_of

PLAIN = Record(
    case="softmax_loss", input="saturated-20", dtype="float32", oracle="jax", seed=3, shapes="(32,10)",
    verdict=Verdict.IMPRECISE, outcome=Outcome.FAIL, bits_lost=14.23, error_ulp=3.1, attainable_ulp=0.6,
    bound_ulp=8.2, where="logits[4, 7]", diagnosis="subtract at losses.py:55: 22 of 24 bits cancel",
    computed=float(np.float32(-0.1250001)), true=-0.12500003712, true_digits="-0.12500003712345678901",
)  # fmt: skip


def but(**fields):
    return msgspec.structs.replace(PLAIN, **fields)


def unmeasured(**fields):
    nothing = dict.fromkeys(("bits_lost", "error_ulp", "attainable_ulp", "bound_ulp", "computed", "true"))
    return but(**nothing, where="", true_digits="", **fields)


def test_a_failure_reads_as_in_the_design():
    assert failure_text(PLAIN) == (
        "softmax_loss/logits vs jax [float32, (32, 10), seed 3]: imprecise\n"
        "  subtract at losses.py:55: 22 of 24 bits cancel\n"
        "  worst element [4, 7]: computed -0.1250001, true -0.12500003712345678901\n"
        "    3.1 ulp off; attainable 0.6, program bound 8.2; 14.2 of 24 bits lost (budget 12)\n"
        "  reproduce: python -m gradproof report --case softmax_loss --oracle jax --dtype float32 --seed 3 "
        "--input saturated-20"
    )


def test_a_row_without_numbers_has_its_reason_alone():
    text = failure_text(unmeasured(verdict=Verdict.NONE, outcome=Outcome.ERROR, diagnosis="ValueError: no"))
    lines = text.splitlines()
    assert lines[0] == "softmax_loss vs jax [float32, (32, 10), seed 3]: error"
    assert lines[1] == "  ValueError: no"
    assert len(lines) == 3


def test_a_row_in_a_dtype_without_a_rounding_model_has_a_text():
    assert "float80" in failure_text(unmeasured(dtype="float80", outcome=Outcome.ERROR))


@pytest.mark.parametrize(
    ("verdict", "outcome", "words"),
    [
        (Verdict.WRONG, Outcome.FAIL, "wrong"),
        (Verdict.IMPRECISE, Outcome.KNOWN, "imprecise (known)"),
        (Verdict.UNDECIDED, Outcome.ALLOWED, "undecided (allowed)"),
        (Verdict.ACCURATE, Outcome.STALE, "accurate (stale)"),
        (Verdict.ACCURATE, Outcome.FAIL, "accurate (fail)"),  # a fault apart from the size
        (Verdict.NONE, Outcome.UNAVAILABLE, "unavailable"),
    ],
)
def test_the_outcome_is_said_where_the_verdict_does_not_say_it(verdict, outcome, words):
    assert failure_text(but(verdict=verdict, outcome=outcome)).splitlines()[0].endswith(f"]: {words}")


def test_a_group_has_the_numbers_of_every_row_and_the_rest_once():
    other = but(
        input="saturated-40", shapes="(3,)", error_ulp=7.25, bound_ulp=float("inf"), where="logits[1]"
    )
    text = group_text([PLAIN, other])
    for words in ("saturated-20 (32, 10): worst element [4, 7]", "saturated-40 (3,): worst element [1]"):
        assert words in text
    for words in ("3.1 ulp", "7.25 ulp", "program bound 8.2", "program bound inf"):
        assert text.count(words) == 1
    assert text.count(PLAIN.diagnosis) == 1
    assert text.endswith("--seed 3 --input saturated-20 --input saturated-40")


def test_a_scalar_has_no_index_and_a_kink_no_proven_digits():
    text = failure_text(but(where="x", true_digits="?", true=0.5))
    assert "worst element: computed" in text
    assert "true about 0.5" in text


def test_the_reproducer_runs_exactly_its_rows(capsys):
    rows = [unmeasured(oracle="numpy", input=name) for name in ("zeros", "saturated-20")]
    python, *tokens = shlex.split(reproducer(rows))
    assert (python, *tokens[:2]) == ("python", "-m", "gradproof")
    assert cli.run([*tokens[2:], "--format", "jsonl"]) == 0
    found = [from_json(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(map(str, (r.cell for r in found))) == sorted(map(str, (r.cell for r in rows)))


def test_a_name_that_looks_like_a_pattern_is_itself_in_the_reproducer():
    assert "--case '[*]x y'" in reproducer([but(case="*x y")])


@pytest.mark.parametrize(("slow", "ends"), [("compiles for minutes", True), ("", False)])
def test_only_what_runs_with_full_alone_asks_for_it(slow, ends, monkeypatch):
    monkeypatch.setattr(failure, "oracles", lambda: {"jax": SimpleNamespace(slow=slow)})
    assert reproducer([PLAIN]).endswith(" --full") == ends


def test_an_oracle_of_the_users_own_has_a_reproducer():
    assert "--oracle mine" in reproducer([but(oracle="mine")])


@given(number=st.floats(width=32, allow_nan=False))
def test_the_shortest_digits_are_the_number_in_its_dtype(number):
    assert np.float32(format_of("float32").shortest(number)) == np.float32(number)
    assert float(format_of("float64").shortest(number)) == number


def test_the_shortest_digits_are_short():
    assert format_of("float32").shortest(float(np.float32(0.1))) == "0.1"
    assert format_of("float64").shortest(float(np.float32(0.1))) == "0.10000000149011612"
    assert re.fullmatch(r"0\.1", format_of("bfloat16").shortest(0.10009765625))
    assert [format_of("float32").shortest(v) for v in (np.inf, -np.inf, np.nan)] == ["inf", "-inf", "nan"]
