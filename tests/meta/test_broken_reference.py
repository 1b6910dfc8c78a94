"""A broken hand-derived gradient turns its rows to `fail` and the command's exit code to 1."""

import dataclasses

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


@pytest.fixture
def with_broken(monkeypatch):
    def install(*names):
        found = {n: broken(c) if n in names else c for n, c in cases.catalogue().items()}
        for module in (runner, command):
            monkeypatch.setattr(module, "catalogue", lambda: found)

    return install


def rows(capsys):
    return [from_json(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("name", WITH_GRADIENT)
def test_a_broken_gradient_fails_each_of_its_rows_and_the_command(name, with_broken, capsys):
    tokens = ["report", "--case", name, "--oracle", "torch", "--quick", "--format", "jsonl"]
    assert run(tokens) == 0
    assert {r.outcome for r in rows(capsys)} == {Outcome.PASS}
    with_broken(name)
    assert run(tokens) == 1
    found = rows(capsys)
    assert {r.outcome for r in found} == {Outcome.FAIL}
    # 0.99 of the broken gradient's largest element is what is missing
    assert all(r.scaled_difference == pytest.approx(0.01 / 1.01, rel=1e-3) for r in found)


def test_only_the_broken_case_fails(with_broken, capsys):
    with_broken("softmax")
    assert run(["report", "--case", "so*", "--oracle", "torch,fd", "--quick", "--format", "jsonl"]) == 1
    outcomes = {(r.case, r.oracle): r.outcome for r in rows(capsys)}
    assert outcomes == {
        ("softmax", "torch"): Outcome.FAIL,
        ("softmax", "fd"): Outcome.INFO,
        ("softmax_loss", "torch"): Outcome.PASS,
        ("softmax_loss", "fd"): Outcome.INFO,
    }


def test_every_framework_accuses_a_broken_gradient(with_broken, capsys):
    with_broken("sigmoid")
    assert run(["report", "--case", "sigmoid", "--quick", "--format", "jsonl"]) == 1
    outcomes = {r.oracle: r.outcome for r in rows(capsys)}
    assert outcomes == {"numpy": "info", "jax": "fail", "torch": "fail", "fd": "info"}


def test_a_failing_row_is_shown_first_with_its_reason(with_broken, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    with_broken("softmax")
    assert run(["report", "--case", "relu", "--case", "softmax", "--oracle", "torch", "--quick"]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[2].split()[:4] == ["✗", "fail", "softmax", "torch"]
    assert "✗ fail softmax, torch, float64: " in out
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
