"""The benchmarks' arithmetic and exit codes, without measuring."""

import pytest

from harness import bench
from harness.bench import Benchmark
from harness.cli import run
from harness.timing import Paired


def stub(ratio, wanted=20.0):
    return Benchmark("stub", "ours", "theirs", 1.0, ratio, ratio, ratio - 1, ratio + 1, wanted, "made up")


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


def test_the_loop_is_extrapolated_from_its_sample_to_all_parameters(monkeypatch):
    calls = []

    def measured(ours, literal, rounds):
        calls.append((ours(), literal()))
        return Paired(time_s=2.0, reference_time_s=0.5, ratio=4.0, ratio_low=2.0, ratio_high=8.0)

    monkeypatch.setattr(bench, "paired", measured)
    (row,) = bench.run()
    scale = (784 * 100 + 100 + 100 * 10 + 10) / bench.SAMPLED_ENTRIES
    assert (row.ours_time_s, row.other_time_s) == (2.0, 0.5 * scale)
    assert row.ratio == scale / 4.0
    assert (row.ratio_low, row.ratio_high) == (scale / 8.0, scale / 2.0)
    assert row.wanted_ratio == 20.0
    assert "80 of 159020 losses" in row.note
    assert calls[0][0]["W1"].shape == (784, 100)
