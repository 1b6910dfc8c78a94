"""What is broken in the reference turns rows to `fail` and the command's exit code to 1.

A broken hand-derived gradient fails its own rows and no framework's: the truth does not come from it.
A broken function is another truth, which the frameworks do not compute.
"""

import dataclasses
import re

import numpy as np
import pytest

from harness import cases, learning, runner
from harness.cli import run
from harness.record import from_json
from harness.report import command
from harness.verdict import Outcome

WITH_GRADIENT = [name for name, case in cases.catalogue().items() if case.vjp]


def broken(case):
    """The hand-derived gradient, one percent too long."""

    def vjp(cotangent, *args):
        found = case.vjp(cotangent, *args)
        return tuple(1.01 * g for g in found) if isinstance(found, tuple) else 1.01 * found

    return dataclasses.replace(case, vjp=vjp)


def longer(case):
    """The function and its gradient two percent longer: consistent, and another function."""

    honest = case.function

    def function(*args):
        found = honest(*args)
        return found + 1 if case.vjp is None else found * 1.02

    def vjp(cotangent, *args):
        return case.vjp(1.02 * cotangent, *args)

    return dataclasses.replace(case, function=function, vjp=vjp if case.vjp else None)


@pytest.fixture
def installed(monkeypatch):
    """Put cases in the place of the catalogue's."""

    def install(*changed):
        found = {**cases.catalogue(), **{case.name: case for case in changed}}
        for module in (runner, command):
            monkeypatch.setattr(module, "catalogue", lambda: found)

    return install


@pytest.fixture
def with_broken(installed):
    return lambda *names: installed(*(broken(cases.catalogue()[name]) for name in names))


def rows(capsys):
    return [from_json(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("name", WITH_GRADIENT)
def test_a_broken_gradient_fails_each_of_its_rows_and_the_command(name, with_broken, capsys):
    tokens = ["report", "--case", name, "--oracle", "numpy,torch", "--quick", "--format", "jsonl"]
    assert run(tokens) == 0
    assert {r.outcome for r in rows(capsys)} == {Outcome.PASS}
    with_broken(name)
    assert run(tokens) == 1
    found = rows(capsys)
    assert {r.oracle: r.outcome for r in found} == {"numpy": Outcome.FAIL, "torch": Outcome.PASS}
    assert len({(r.oracle, r.outcome) for r in found}) == 2  # the same at every input
    wrong = [r for r in found if r.oracle == "numpy"]
    assert all(r.scaled_error == pytest.approx(0.01, rel=1e-6, abs=0) for r in wrong)


def test_only_the_broken_case_fails(with_broken, capsys):
    with_broken("softmax")
    assert run(["report", "--case", "so*", "--oracle", "numpy,fd", "--quick", "--format", "jsonl"]) == 1
    outcomes = {(r.case, r.oracle): r.outcome for r in rows(capsys)}
    assert outcomes == {
        ("softmax", "numpy"): Outcome.FAIL,
        ("softmax", "fd"): Outcome.INFO,
        ("softmax_loss", "numpy"): Outcome.PASS,
        ("softmax_loss", "fd"): Outcome.INFO,
    }


def test_a_broken_gradient_accuses_no_framework_and_changes_no_truth(with_broken, capsys):
    tokens = ["report", "--case", "sigmoid", "--quick", "--format", "jsonl"]
    assert run(tokens) == 0
    before = rows(capsys)
    with_broken("sigmoid")
    assert run(tokens) == 1
    after = rows(capsys)
    outcomes = {r.oracle: r.outcome for r in after}
    assert outcomes == {"exact": "info", "numpy": "fail", "jax": "pass", "torch": "pass", "fd": "info"}
    assert [(r.true, r.scaled_error) for r in after if r.oracle != "numpy"] == [
        (r.true, r.scaled_error) for r in before if r.oracle != "numpy"
    ]


@pytest.mark.parametrize("name", list(cases.catalogue()))
def test_a_broken_function_is_one_that_no_framework_computes(name, installed, capsys):
    """The value differs already, so a wrong specification is seen whatever the gradients are."""
    case = cases.catalogue()[name]
    installed(longer(case))
    tokens = ["report", "--case", name, "--oracle", "numpy,jax,torch", "--quick", "--format", "jsonl"]
    assert run(tokens) == 1
    found = rows(capsys)
    assert {(r.oracle, r.outcome) for r in found} == {("numpy", "pass"), ("jax", "fail"), ("torch", "fail")}
    assert all(
        re.match(r"value differs from the reference's by \d\.\de[+-]\d\d, where its largest is ", r.reason)
        for r in found
        if r.oracle != "numpy"
    )


@pytest.mark.parametrize("name", ["sigmoid", "softmax", "mean_squared_error"])
def test_a_function_with_the_same_value_and_another_slope_fails_every_other_gradient(name, installed, capsys):
    """At the point drawn its value is the right one, to the last bit: only the truth tells it."""
    case = cases.catalogue()[name]
    honest, point = case.function, case.draw("ordinary", "float64", 0)[0][0]

    def tilted(x, *rest):
        return honest(x, *rest) + 0.5 * np.sum(x - point)

    installed(dataclasses.replace(case, function=tilted, inputs=case.inputs[:1]))
    tokens = ["report", "--case", name, "--quick", "--format", "jsonl"]
    assert run(tokens) == 1
    found = {r.oracle: r for r in rows(capsys)}
    outcomes = {oracle: r.outcome for oracle, r in found.items()}
    assert outcomes == {"exact": "info", "numpy": "fail", "jax": "fail", "torch": "fail", "fd": "info"}
    assert all(re.match(r"\w+\[.*\]: computed \S+, true \S+ ", found[o].reason) for o in ("numpy", "jax"))
    assert found["fd"].scaled_error < 1e-6  # finite differences see the function itself, as the truth does


def test_a_function_that_cannot_be_proven_is_an_error_and_never_a_guess(installed, capsys):
    case = cases.catalogue()["sigmoid"]
    honest = case.function
    installed(dataclasses.replace(case, function=lambda x: honest(np.array(x.tolist(), x.dtype))))
    tokens = [
        "report",
        "--case",
        "sigmoid",
        "--oracle",
        "exact,numpy,torch,fd",
        "--quick",
        "--format",
        "jsonl",
    ]
    assert run(tokens) == 1
    found = rows(capsys)
    assert {r.outcome for r in found} == {Outcome.ERROR}
    assert all(r.reason.startswith("Unsupported: ") and r.scaled_error is None for r in found)


def test_a_failing_row_is_shown_first_with_its_reason(with_broken, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    with_broken("softmax")
    assert run(["report", "--case", "relu", "--case", "softmax", "--oracle", "numpy,torch", "--quick"]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[2].split()[:4] == ["✗", "fail", "softmax", "numpy"]
    assert "✗ fail softmax, numpy, float64: " in out
    assert "of the largest element; 1.5e-08 allowed)" in " ".join(out.split())


def test_a_stale_entry_fails_the_command(monkeypatch, capsys):
    entry = runner.known_defects()[next(iter(runner.known_defects()))]
    row = ("relu", "torch", "float64", "ordinary")
    monkeypatch.setattr(runner, "known_defects", lambda: {row: entry})
    assert run(["report", "--case", "relu", "--oracle", "torch", "--quick", "--format", "jsonl"]) == 1
    assert {r.input: r.outcome for r in rows(capsys)} == {"ordinary": "stale", "large": "pass"}


def test_without_the_known_list_its_rows_fail(monkeypatch, capsys):
    tokens = ["report", "--case", "sigmoid", "--oracle", "torch", "--dtype", "float64", "--format", "jsonl"]
    assert run(tokens) == 0
    listed = {r.input for r in rows(capsys) if r.outcome is Outcome.KNOWN}
    monkeypatch.setattr(runner, "known_defects", dict)
    assert run(tokens) == 1
    assert {r.input for r in rows(capsys) if r.outcome is Outcome.FAIL} == listed == {
        "saturated-20", "saturated-40", "saturated-710",
    }  # fmt: skip


def test_a_broken_network_gradient_is_seen_in_its_learning_too(monkeypatch):
    network = cases.catalogue()["two_layer_net"]
    honest = learning.learn([runner.oracles()["numpy"]], 5)[0]
    monkeypatch.setattr(learning, "catalogue", lambda: {"two_layer_net": broken(network)})
    first, second = learning.learn([runner.oracles()["numpy"], runner.oracles()["torch"]], 5)
    assert second.max_parameter_difference > 1e-5
    assert second.last_loss == pytest.approx(honest.last_loss, rel=1e-12)
    assert first.last_loss != pytest.approx(honest.last_loss, rel=1e-9)
