"""The injected losses and slow-downs: they are what they say, and the counting is honest."""

import pytest

from harness.bench import gate as bench_gate
from harness.bench.gate import FACTORS, TRIALS, Power, Trial, powers, slowed, sweep
from harness.cases import catalogue
from harness.runs.record import Cell
from harness.runs.row import examine
from harness.runs.runner import oracles
from harness.runs.timing import Ratio
from harness.verdicts import Outcome

CELLS = [
    Cell("softmax", "ordinary", "float64", "numpy", 0),
    Cell("sigmoid", "ordinary", "float32", "torch", 1),
    Cell("two_layer_net", "ordinary", "float32", "numpy", 0),
]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.case}-{cell.oracle}-{cell.dtype}")
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_an_injected_loss_is_of_so_many_bits(cell, bits):
    case, oracle = catalogue()[cell.case], oracles()[cell.oracle]
    before = examine(case, oracle, cell, {})
    now = examine(case, bench_gate._losing(oracle, before, bits), cell, {})
    assert before.outcome is Outcome.PASS
    assert now.bits_lost - before.bits_lost == pytest.approx(bits, abs=0.75)  # it lands on a float
    assert now.shapes == before.shapes


def test_there_are_so_many_trials_of_each_size(monkeypatch):
    monkeypatch.setattr(bench_gate, "examine", lambda *_: None)
    monkeypatch.setattr(bench_gate, "_losing", lambda *_: None)
    monkeypatch.setattr(bench_gate, "compare", lambda *_, **__: None)
    monkeypatch.setattr(bench_gate.Expected, "of", lambda *_: None)
    found = list(powers(bench_gate.losses(), "{:g}", least=lambda bits, n: 0))
    assert [(p.injected, p.trials) for p in found] == [("1", TRIALS), ("2", TRIALS), ("4", TRIALS)]


@pytest.mark.parametrize("factor", [1.0, 1.5, 2.0, 4.0])
def test_a_call_that_is_slowed_takes_so_much_longer(factor, monkeypatch):
    now = [0.0]

    def clock():
        now[0] += 1e-6  # asking takes a moment too
        return now[0]

    def work():
        now[0] += 1.0
        return "result"

    monkeypatch.setattr(bench_gate, "perf_counter", clock)
    assert slowed(work, factor) == "result"
    assert now[0] == pytest.approx(factor, rel=1e-4)


def test_trials_are_counted_by_size():
    trials = [
        Trial(2.0, True, True),
        Trial(1.0, True, False),
        Trial(2.0, False, False),
        Trial(2.0, True, True),
    ]
    found = list(powers(trials, "{:g}x", least=lambda size, n: n if size > 1 else 0))
    assert found == [Power("1x", 1, 1, 0, 0, 1), Power("2x", 3, 2, 2, 3, 3)]
    assert [p.met for p in found] == [True, False]
    assert [p.wanted for p in found] == ["0 to 1", "3"]


def steady(ratios):
    """A measure that gives, of each cell and factor, these ratios in turn."""
    coming = {key: iter(values) for key, values in ratios.items()}

    def measure(cell, factor):
        ratio = next(coming[factor])
        return Ratio(ratio, ratio / 1.01, ratio * 1.01)

    return measure


def test_a_trial_is_a_failure_where_each_look_agrees():
    always_one = steady({1.0: iter([1.0] * len(FACTORS))})
    later = steady(
        {1.0: [3.0, 1.0], 1.1: [1.1], 1.25: [2.0, 2.0, 1.25], 1.5: [1.6] * 3, 2.0: [2.0, 2.1, 2.0]}
    )
    found = {trial.size: trial[1:] for trial in sweep(["cell"], [always_one, later, later, later])}
    assert found == {
        1.0: (True, False), 1.1: (False, False), 1.25: (True, False), 1.5: (True, True), 2.0: (True, True),
    }  # fmt: skip


def test_all_baselines_come_before_all_rows():
    said = []

    def measure(name):
        def of(cell, factor):
            said.append(name)
            return Ratio(1.0, 1.0, 1.0)

        return of

    list(sweep(["a", "b"], [measure("before"), measure("now")]))
    assert said == ["before"] * 2 * len(FACTORS) + ["now"] * 2 * len(FACTORS)


@pytest.mark.parametrize(
    ("size", "failed", "met"),
    [("1x slower", 0, True), ("1x slower", 1, False), ("1.1x slower", 1, False), ("1.25x slower", 40, True),
     ("2x slower", 39, True), ("2x slower", 38, False),
     ("1 more bits lost", 0, True), ("2 more bits lost", 39, False), ("4 more bits lost", 40, True)],
)  # fmt: skip
def test_what_the_project_promises_of_each_size(size, failed, met, monkeypatch):
    number = float(size.split("x")[0].split(" ")[0])
    trials = [Trial(number, k < failed, k < failed) for k in range(40)]
    slow = "slower" in size
    monkeypatch.setattr(bench_gate, "losses", lambda: iter(() if slow else trials))
    monkeypatch.setattr(bench_gate, "slow_downs", lambda: iter(trials if slow else ()))
    (found,) = bench_gate.run()
    assert (found.injected, found.met) == (size, met)
