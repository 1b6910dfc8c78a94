"""The doctor: each check finds what it looks for, and the table shows it whole."""

import itertools
import re
import sys
from types import SimpleNamespace

import pytest

from harness.commands import doctor
from harness.commands import doctor as doctor_text
from harness.commands.doctor import Symptom, examine_machine, run_doctor
from harness.runs import timing


@pytest.fixture(scope="module")
def findings():
    return {finding.what: finding for finding in examine_machine()}


def test_all_that_matters_is_looked_at(findings):
    assert {"python", "numpy", "python-flint", "jax", "torch", "BLAS", "threads", "JAX's float64"} <= set(
        findings
    )
    assert {"JAX's threads", "timer", "noise of times", "locale", "CI", "baseline"} <= set(findings)
    assert not any(finding.broken for finding in findings.values())
    assert all(finding.advice for finding in findings.values() if not finding.fine)


@pytest.mark.parametrize(("package", "module"), [("numpy", "numpy"), ("python-flint", "flint")])
def test_without_numpy_or_flint_nothing_runs(package, module, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, module, None)
    found = list(examine_machine())
    assert [finding.what for finding in found] == ["python", "numpy", "python-flint"]
    assert [finding.what for finding in found if finding.broken] == [package]
    assert run_doctor() == 1
    out = capsys.readouterr().out
    assert "✗ broken" in out
    assert f"pip install --force-reinstall {package}" in out


def test_a_missing_framework_is_no_failure_and_has_the_pip_command(monkeypatch):
    from importlib.util import find_spec

    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *a: None if name == "jax" else find_spec(name, *a)
    )
    found = doctor._framework("jax")
    assert (found.fine, found.broken, found.found) == (False, False, "not installed")
    assert "pip install 'gradproof[jax]'" in found.advice
    assert doctor._framework("torch").fine


@pytest.mark.parametrize(("load", "fine"), [(0.1, True), (1.0, True), (1.5, False)])
def test_a_busy_machine_is_seen(load, fine, monkeypatch):
    monkeypatch.setattr("harness.runs.fingerprint.cores", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: (load, 9.0, 9.0))
    (found,) = doctor._load()
    assert found.fine is fine
    assert found.found.startswith(f"{load:.2f} on 2 cores")


@pytest.mark.parametrize(("threads", "fine"), [(4, True), (5, False)])
def test_more_threads_than_cores_are_seen(threads, fine, monkeypatch):
    pools = [
        {"internal_api": "openblas", "num_threads": 1},
        {"internal_api": "openmp", "num_threads": threads},
    ]
    monkeypatch.setattr("harness.runs.fingerprint.cores", lambda: 4)
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: pools)
    found = doctor._threads()
    assert found.found == f"1 in openblas, {threads} in openmp; 4 cores"
    assert found.fine is fine
    assert "OMP_NUM_THREADS=4" in found.advice


@pytest.mark.parametrize(("blas", "fine"), [("openblas 1 Zen", True), ("", False)])
def test_a_blas_whose_threads_cannot_be_limited_is_seen(blas, fine, monkeypatch):
    monkeypatch.setattr("harness.runs.fingerprint.fingerprint", lambda: SimpleNamespace(blas=blas))
    assert doctor._blas().fine is fine


@pytest.mark.parametrize(("value", "words"), [(None, "is not set"), ("1", "is '1'")])
def test_jaxs_float64_is_said_to_be_switched_row_by_row(value, words, monkeypatch):
    monkeypatch.delenv("JAX_ENABLE_X64", raising=False)
    if value:
        monkeypatch.setenv("JAX_ENABLE_X64", value)
    assert doctor._x64() == Symptom(
        "JAX's float64", f"JAX_ENABLE_X64 {words}, which does not matter: each row switches it"
    )


def test_flags_that_let_jax_take_all_cores_are_seen(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x")
    assert not doctor._xla().fine
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x --xla_cpu_multi_thread_eigen=false")
    assert doctor._xla().fine


def ticking(*steps):
    """A clock that goes on by these steps, again and again."""
    return itertools.accumulate(itertools.cycle(steps)).__next__


def test_a_good_timer_shows_its_smallest_step():
    found = doctor._clock(ticking(1e-7, 0.0, 5e-8, 1e-6))
    assert found.fine
    assert found.found.startswith("steps of 50 ns, monotonic (")


def test_a_coarse_timer_is_seen():
    for share, fine in ((0.009, True), (0.011, False)):
        found = doctor._clock(ticking(0.0, 0.0, share * timing.SLICE_S))
        assert (found.fine, found.broken) == (fine, False)
        assert f"{timing.SLICE_S * 1e3:g} ms" in found.advice


@pytest.mark.parametrize(
    ("steps", "words"), [((1e-6, -2e-3), "goes back, by 2.0e-03 s"), ((0.0,), "stands still")]
)
def test_a_timer_that_goes_back_or_stands_still_is_broken(steps, words):
    found = doctor._clock(ticking(*steps))
    assert (found.found, found.broken) == (words, True)


def test_with_a_broken_timer_there_is_nothing_to_time(monkeypatch):
    monkeypatch.setattr(doctor, "_clock", lambda _: Symptom("timer", "", False, "", broken=True))
    assert "noise of times" not in {finding.what for finding in examine_machine()}


@pytest.mark.parametrize(
    ("ratios", "shown", "fine", "advice"),
    [
        ([1.01, 0.98, 1.0], "1.0 % for half, 2.0 % for 95 %", True, ""),
        ([1.0, 1.0, 0.85], "0.0 % for half, 15.0 % for 95 %", False, "small slowdowns drown in it"),
        ([1.4, 1.0, 1.4], "40.0 % for half, 40.0 % for 95 %", False, "half of what makes a row slower, 1.5x"),
    ],
)
def test_the_noise_of_times_is_that_of_a_call_with_itself(ratios, shown, fine, advice, monkeypatch):
    given = itertools.cycle(ratios)
    monkeypatch.setattr(timing, "paired", lambda *_: SimpleNamespace(ratio=next(given)))
    found = doctor._noise()
    assert found.found.startswith(shown)
    assert found.fine is fine
    assert advice in found.advice


@pytest.mark.parametrize(("sign", "fine"), [(".", True), (",", False)])
def test_a_decimal_comma_is_seen(sign, fine, monkeypatch):
    monkeypatch.setattr("locale.localeconv", lambda: {"decimal_point": sign})
    assert doctor._locale().fine is fine


@pytest.mark.parametrize(("value", "words"), [(None, "CI is not set"), ("true", "CI is 'true'")])
def test_ci_is_said(value, words, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    if value:
        monkeypatch.setenv("CI", value)
    assert doctor._ci() == Symptom("CI", words)


def test_a_baseline_is_spoken_of_where_there_are_reports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "_noise", lambda: Symptom("noise", ""))
    assert "baseline" not in [one.what for one in doctor.examine_machine()]
    (tmp_path / "reports").mkdir()
    assert "baseline" in [one.what for one in doctor.examine_machine()]


def test_a_missing_baseline_has_the_command_that_creates_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctor._baseline()
    assert not found.fine
    assert "python -m gradproof baseline update" in found.advice
    doctor.BASELINE.parent.mkdir()
    doctor.BASELINE.touch()
    assert doctor._baseline().fine


LONG = [
    Symptom("python", "y" * 170),
    Symptom("noise of times", "word " * 50, False, "do " * 60),
    Symptom("timer", "goes back", False, "x" * 200, broken=True),
]


@pytest.mark.parametrize("width", [80, 160])
def test_no_line_is_wider_than_the_screen_and_nothing_is_cut(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(doctor_text, "examine_machine", lambda: iter(LONG))
    assert run_doctor() == 1
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    assert (out.count("word"), len(re.findall(r"\bdo\b", out)), out.count("x")) == (50, 60, 200)
    assert len(re.findall("y(?!thon)", out)) == 170
    assert [re.findall(r"\w+", line)[:2] for line in out.splitlines() if line[0] in "✓!✗"] == [
        ["ok", "python"], ["look", "noise"], ["broken", "timer"],
    ]  # fmt: skip
    assert out.splitlines()[-1] == "3 checks: 1 ok, 1 to look at, 1 broken"


def test_a_finding_that_is_only_not_fine_does_not_fail(monkeypatch, capsys):
    monkeypatch.setattr(doctor_text, "examine_machine", lambda: iter(LONG[:2]))
    assert run_doctor() == 0
    assert "! look" in capsys.readouterr().out


def test_the_command_that_creates_a_baseline_can_be_pasted_from_80_columns(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(doctor_text, "examine_machine", lambda: iter([doctor._baseline()]))
    run_doctor()
    out = capsys.readouterr().out
    assert any(line.strip() == doctor._baseline().advice.splitlines()[1] for line in out.splitlines())
