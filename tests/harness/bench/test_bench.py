"""The benchmarks' arithmetic and exit codes, without measuring."""

import math

import pytest

from harness.bench import exact as bench_exact
from harness.bench import gate as bench_gate
from harness.bench import paired as bench
from harness.bench.exact import Measurement
from harness.bench.paired import Benchmark
from harness.commands.cli import run
from harness.runs.timing import Paired
from tests.sampling import long


def stub(ratio, wanted=20.0):
    return Benchmark("stub", "ours", "theirs", 1.0, ratio, ratio, ratio - 1, ratio + 1, wanted, "made up")


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    """What the exact oracle is said to have measured; nothing unless a test adds to it."""
    found = []
    monkeypatch.setattr(bench_exact, "run", lambda: iter(found))
    monkeypatch.setattr(bench_gate, "run", lambda: iter(()))
    return found


@pytest.mark.parametrize(("ratio", "code"), [(20.0, 0), (25.0, 0), (19.99, 1)])
def test_the_exit_code_follows_the_promised_ratio(ratio, code, monkeypatch, capsys):
    monkeypatch.setattr(bench, "BENCHMARKS", (lambda: stub(ratio),))
    assert run(["bench"]) == code
    out = capsys.readouterr().out
    assert ("NO " if code else "yes ") in out
    assert f"{ratio:.4g}" in out
    assert "stub: ours against theirs, made up" in out


def test_one_unmet_benchmark_of_many_fails(monkeypatch, capsys):
    monkeypatch.setattr(bench, "BENCHMARKS", (lambda: stub(30.0), lambda: stub(3.0), lambda: stub(30.0)))
    assert run(["bench"]) == 1
    assert capsys.readouterr().out.count("NO ") == 1


@pytest.mark.parametrize(("number", "code"), [(0.0, 0), (0.5, 0), (0.501, 1), (math.nan, 1), (math.inf, 1)])
def test_the_exit_code_follows_the_exact_oracles_limits(number, code, measured, monkeypatch, capsys):
    monkeypatch.setattr(bench, "BENCHMARKS", (lambda: stub(30.0),))
    measured += [Measurement("kept", 1.0, 2.0, "s", ""), Measurement("speed", number, 0.5, "s", "made up")]
    assert run(["bench"]) == code
    out = capsys.readouterr().out
    assert out.count("NO ") == code
    assert "speed" in out


def test_a_kept_limit_of_the_exact_oracle_excuses_no_ratio(measured, monkeypatch, capsys):
    monkeypatch.setattr(bench, "BENCHMARKS", (lambda: stub(3.0),))
    measured.append(Measurement("kept", 1.0, 2.0, "s", ""))
    assert run(["bench"]) == 1


@long
def test_the_loop_is_extrapolated_from_its_sample_to_all_parameters(monkeypatch):
    calls = []

    def measured(ours, literal):
        calls.append((ours(), literal()))
        return Paired(time_s=2.0, reference_time_s=0.5, ratio=4.0, ratio_low=2.0, ratio_high=8.0)

    monkeypatch.setattr(bench, "paired", measured)
    rows = list(bench.run())
    scale = (784 * 100 + 100 + 100 * 10 + 10) / bench.SAMPLED_ENTRIES
    for row in rows:
        assert (row.ours_time_s, row.other_time_s) == (2.0, 0.5 * scale)
        assert row.ratio == scale / 4.0
        assert (row.ratio_low, row.ratio_high) == (scale / 8.0, scale / 2.0)
        assert "80 of 159020 losses" in row.note
    assert {row.name: row.wanted_ratio for row in rows} == {
        "numerical_gradient": 20.0,
        "exact_gradient": 100.0,
    }
    assert calls[0][0]["W1"].shape == (784, 100)
    assert [g.shape for g in calls[1][0]] == [(784, 100), (100,), (100, 10), (10,)]
    assert all(g.radius.max() < 1e-35 for g in calls[1][0])  # the whole gradient, and proven
