"""What is broken in the reference turns rows to `wrong` and the command's exit code to 1.

A broken hand-derived gradient fails its own rows and no framework's: the truth does not come from it.
A broken function is another truth, which the frameworks do not compute.
"""

import dataclasses
import re
from array import array

import numpy as np
import pytest

from harness import cases
from harness.book import learning
from harness.commands.cli import run
from harness.runs import runner
from harness.runs.record import from_json
from harness.runs.runner import DTYPES
from harness.verdicts import Outcome, Verdict
from tests.sampling import long, sample

WITH_GRADIENT = [name for name, case in cases.catalogue().items() if case.vjp]


def broken(case, factor=1.01):
    """The hand-derived gradient, one percent too long."""
    honest = case.vjp

    def vjp(cotangent, *args):
        found = honest(cotangent, *args)
        return tuple(factor * g for g in found) if isinstance(found, tuple) else factor * found

    return dataclasses.replace(case, vjp=vjp)


def longer(case):
    """The function and its gradient two percent longer: consistent, and another function."""

    honest, pull = case.function, case.vjp

    def function(*args):
        found = honest(*args)
        return found + 1 if pull is None else found * 1.02

    def vjp(cotangent, *args):
        return pull(1.02 * cotangent, *args)

    return dataclasses.replace(case, function=function, vjp=vjp if pull else None)


@pytest.fixture
def with_broken(installed):
    return lambda *names: installed(*(broken(cases.catalogue()[name]) for name in names))


def rows(capsys):
    return [from_json(line) for line in capsys.readouterr().out.splitlines()]


def report(*cases, oracle, inputs="ordinary", dtype="float64"):
    tokens = ["report", "--oracle", oracle, "--input", inputs, "--dtype", dtype, "--format", "jsonl"]
    return [*tokens, *(token for case in cases for token in ("--case", case))]


@pytest.mark.parametrize("name", sample(WITH_GRADIENT, 2))
def test_a_broken_gradient_is_wrong_and_fails_the_command(name, with_broken, capsys):
    tokens = report(name, oracle="numpy,torch")
    assert run(tokens) == 0
    assert {r.outcome for r in rows(capsys)} == {Outcome.PASS}
    with_broken(name)
    assert run(tokens) == 1
    found = {r.oracle: r for r in rows(capsys)}
    assert (found["numpy"].outcome, found["numpy"].verdict) == (Outcome.FAIL, Verdict.WRONG)
    assert found["numpy"].scaled_error == pytest.approx(0.01, rel=1e-6, abs=0)
    assert found["numpy"].diagnosis.startswith("the formula gives ")
    # torch hands the cotangent itself on as the gradient of the identity, which is a note
    notes = {"identity_function": "the result is the memory of the cotangent"}
    assert (found["torch"].outcome, found["torch"].diagnosis) == (Outcome.PASS, notes.get(name, ""))


# A later digit is below what the dtype resolves, or within the last one of the factor as it is written.
LATE = [(1.001, d) for d in DTYPES] + [(1 + 1e-6, d) for d in DTYPES] + [(1 + 1e-11, "float64")]


@long
@pytest.mark.parametrize(("factor", "dtype"), sample(LATE, 2))
def test_however_late_the_digit_that_is_broken_its_rows_are_wrong(factor, dtype, installed, capsys):
    tokens = report("softmax", oracle="numpy", inputs="*", dtype=dtype)
    installed(broken(cases.catalogue()["softmax"], factor))
    assert run(tokens) == 1
    found = rows(capsys)
    assert len(found) == len(cases.catalogue()["softmax"].inputs)
    # The softmax of one element is 1, and any multiple of 0 is right; at 1e10 the truth is below 1e-1000.
    zero = [r for r in found if r.input == "one-element" or (r.input == "1e10" and factor < 1 + 1e-10)]
    assert {(r.verdict, r.true) for r in zero} == {(Verdict.ACCURATE, 0)}
    wrong = [r for r in found if r not in zero]
    assert {r.verdict for r in wrong} == {Verdict.WRONG}
    assert all(f"(relative error {factor - 1:.2g})" in r.diagnosis for r in wrong)


def test_only_the_broken_case_fails(with_broken, capsys):
    with_broken("softmax")
    assert run(report("so*", oracle="numpy,fd")) == 1
    assert {(r.case, r.oracle): r.outcome for r in rows(capsys)} == {
        ("softmax", "numpy"): Outcome.FAIL,
        ("softmax", "fd"): Outcome.INFO,
        ("softmax_loss", "numpy"): Outcome.PASS,
        ("softmax_loss", "fd"): Outcome.INFO,
    }


def test_a_broken_gradient_accuses_no_framework_and_changes_no_truth(with_broken, capsys):
    tokens = report("sigmoid", oracle="exact,numpy,jax,torch,fd")
    assert run(tokens) == 0
    before = rows(capsys)
    with_broken("sigmoid")
    assert run(tokens) == 1
    after = rows(capsys)
    outcomes = {r.oracle: r.outcome for r in after}
    assert outcomes == {"exact": "info", "numpy": "fail", "jax": "pass", "torch": "pass", "fd": "info"}
    assert [(r.true, r.scaled_error, r.bits_lost) for r in after if r.oracle != "numpy"] == [
        (r.true, r.scaled_error, r.bits_lost) for r in before if r.oracle != "numpy"
    ]


@pytest.mark.parametrize("name", sample(cases.catalogue(), 2))
def test_a_broken_function_is_one_that_no_framework_computes(name, installed, capsys):
    """The value differs already, so a wrong specification is seen whatever the gradients are."""
    installed(longer(cases.catalogue()[name]))
    # The blame of a whole network's gradient takes JAX ten seconds, all of it to compile.
    frameworks = ("torch",) if name.endswith("net") else ("jax", "torch")
    assert run(report(name, oracle=",".join(("numpy", *frameworks)))) == 1
    found = {r.oracle: r for r in rows(capsys)}
    assert found["numpy"].outcome is Outcome.PASS
    for framework in frameworks:
        assert (found[framework].outcome, found[framework].verdict) == (Outcome.FAIL, Verdict.WRONG)
        assert found[framework].diagnosis.startswith("value: ")


@pytest.mark.parametrize("name", ["sigmoid", "softmax", "mean_squared_error"])
def test_a_function_with_the_same_value_and_another_slope_fails_every_other_gradient(name, installed, capsys):
    """At the point drawn its value is the right one, to the last bit: only the truth tells it."""
    case = cases.catalogue()[name]
    honest, point = case.function, case.draw("ordinary", "float64", 0)[0][0]

    def tilted(x, *rest):
        return honest(x, *rest) + 0.5 * np.sum(x - point)

    installed(dataclasses.replace(case, function=tilted))
    assert run(report(name, oracle="exact,numpy,jax,torch,fd")) == 1
    found = {r.oracle: r for r in rows(capsys)}
    verdicts = {oracle: r.verdict for oracle, r in found.items()}
    assert verdicts == {
        "exact": "truth", "numpy": "wrong", "jax": "wrong", "torch": "wrong", "fd": "estimate",
    }  # fmt: skip
    assert all(found[o].diagnosis.startswith("the formula gives ") for o in ("numpy", "jax", "torch"))
    assert found["fd"].scaled_error < 1e-6  # finite differences see the function itself, as the truth does


def test_a_function_that_cannot_be_proven_is_unsupported_and_never_a_guess(installed, capsys):
    case = cases.catalogue()["sigmoid"]
    honest = case.function
    installed(
        dataclasses.replace(
            case,
            function=lambda x: honest(np.array(array("d", x.ravel()), x.dtype).reshape(x.shape)),
        )
    )
    assert run(report("sigmoid", oracle="exact,numpy,torch,fd")) == 1
    found = rows(capsys)
    assert {(r.outcome, r.verdict) for r in found} == {(Outcome.FAIL, Verdict.UNSUPPORTED)}
    assert all("out of the exact arithmetic" in r.diagnosis and r.scaled_error is None for r in found)


def test_a_failing_row_is_shown_first_with_its_reason(with_broken, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    with_broken("softmax")
    assert run(["report", "--case", "relu", "--case", "softmax", "--oracle", "numpy,torch", "--quick"]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[2].split()[:5] == ["wrong", "✗", "fail", "softmax", "numpy"]
    text = " ".join(out.split())
    assert "softmax/x vs numpy [float64, " in text
    assert re.search(
        r"the formula gives \S+ at x\[\d, \d\], the derivative is \S+ \(relative error 0\.01\); ", text
    )
    assert "reproduce: python -m gradproof report --case softmax --oracle numpy" in text


def test_a_stale_entry_fails_the_command(monkeypatch, capsys):
    entry = runner.known_defects()[next(iter(runner.known_defects()))]
    row = ("relu", "torch", "float64", "ordinary")
    monkeypatch.setattr(runner, "known_defects", lambda: {row: entry})
    assert run(["report", "--case", "relu", "--oracle", "torch", "--quick", "--format", "jsonl"]) == 1
    assert {r.input: r.outcome for r in rows(capsys)} == {"ordinary": "stale", "large": "pass"}


def test_without_the_known_list_its_rows_fail(monkeypatch, capsys):
    tokens = report("sigmoid", oracle="torch", inputs="*")
    assert run(tokens) == 0
    listed = {r.input for r in rows(capsys) if r.outcome is Outcome.KNOWN}
    known = [k for k in runner.known_defects() if k[:3] == ("sigmoid", "torch", "float64")]
    assert listed == {row.input for row in known} != set()
    monkeypatch.setattr(runner, "known_defects", dict)
    assert run(tokens) == 1
    assert {r.input for r in rows(capsys) if r.outcome is Outcome.FAIL} == listed


def test_a_broken_network_gradient_is_seen_in_its_learning_too(monkeypatch):
    network = cases.catalogue()["two_layer_net"]
    honest = learning.learn([runner.oracles()["numpy"]], 5)[0]
    monkeypatch.setattr(learning, "catalogue", lambda: {"two_layer_net": broken(network)})
    first, second = learning.learn([runner.oracles()["numpy"], runner.oracles()["torch"]], 5)
    assert second.max_parameter_difference > 1e-5
    assert second.last_loss == pytest.approx(honest.last_loss, rel=1e-12)
    assert first.last_loss != pytest.approx(honest.last_loss, rel=1e-9)
