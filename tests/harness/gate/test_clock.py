"""The times of a suite's checks: the first of each function, a second look at what looks slower, bounds."""

from functools import partial

import numpy as np
import pytest

from harness import answers, check_gradient
from harness.gate import clock
from harness.gate.clock import Clock
from harness.runs.timing import Ratio, quick
from tests.harness.rows import expecting, timed

X = np.array([0.5, -1.25])
SAME, SLOW = Ratio(1.0, 0.9, 1.1), Ratio(3.0, 2.9, 3.1)


def product(x, y):
    return x * y


def back(g, x, y):
    return g * y, g * x


@pytest.fixture
def asked(monkeypatch):
    """Check with a clock whose looks are given; how often it looked, and at most how long."""
    limits = []

    def ask(*looks, expected=(), times=1, x=X):
        waiting = list(looks)

        def look(call, reference, budget_s, most_s):
            call(), reference()
            limits.append(most_s)
            return waiting.pop(0)

        monkeypatch.setattr(clock, "quick", look)
        monkeypatch.setattr(answers, "timer", Clock(expecting(*expected).values()))
        return [check_gradient(product, (x, X), vjp=back, probes=False).time_ratio for _ in range(times)]

    ask.limits = limits
    return ask


def row(ratio, argument="x", subject="back"):
    return timed(ratio, case="t", oracle=f"check_gradient({subject})", dtype="float64", input=argument)


def test_nothing_is_timed_where_nobody_asks():
    assert check_gradient(product, (X, X), vjp=back, probes=False).time_ratio is None


def test_the_first_check_of_a_function_and_dtype_is_timed(asked):
    assert asked(SAME, times=2) == [SAME, None]


@pytest.mark.parametrize(
    ("expected", "looks", "found"),
    [
        ([row(1.0)], [SAME], SAME),
        ([row(1.0)], [SLOW, SAME], SAME),
        ([row(1.0)], [SLOW, SLOW, SLOW, SLOW, SAME], SAME),
        ([row(1.0)], [SLOW, SLOW, SLOW, SLOW, SLOW], SLOW),
        ([row(1.0)], [SLOW, None, None, None, None], SLOW),
        ([row(1.0, argument="y"), row(1.0, subject="other")], [SLOW], SLOW),
        ([], [None], None),
    ],
)
def test_what_looks_slower_than_its_row_has_more_looks(expected, looks, found, asked):
    assert asked(*looks, expected=expected) == [found]
    assert len(asked.limits) == len(looks)


def test_what_the_baseline_has_a_time_of_may_take_longer(asked):
    asked(SAME), asked(SAME, expected=[row(1.0)])
    assert asked.limits == [clock.BUDGET_S, clock.PATIENCE * clock.BUDGET_S]


def test_what_raises_as_it_is_timed_or_has_faults_has_no_time(asked):
    assert asked() == [None]  # the list of looks is empty
    found = check_gradient(lambda x: x * x, (X,), vjp=lambda g, x: np.multiply(g, 2 * x, out=x))
    assert found.faults
    assert found.time_ratio is None


@pytest.mark.parametrize(
    ("slow", "reference", "runs"), [(0.06, 1e-3, (1, 0)), (0.02, 1e-3, (2, 0)), (1e-3, 0.02, (2, 2))]
)
def test_what_takes_long_is_run_a_few_times_and_not_timed(slow, reference, runs, monkeypatch):
    now, calls = [0.0], []

    def takes(seconds):
        now[0] += seconds
        calls.append(seconds)

    monkeypatch.setattr("harness.runs.timing.perf_counter", lambda: now[0])
    pair = partial(takes, slow), partial(takes, reference)
    assert quick(*pair, budget_s=0.05, most_s=0.05) is None
    assert (calls.count(slow), calls.count(reference)) == runs
    assert quick(*pair, budget_s=0.05, most_s=0.5).median == pytest.approx(slow / reference)


def test_one_call_that_was_disturbed_is_timed(monkeypatch):
    now, waits = [0.0], [0.04]

    def call():
        now[0] += waits.pop() if waits else 1e-3

    monkeypatch.setattr("harness.runs.timing.perf_counter", lambda: now[0])
    assert quick(call, call, budget_s=0.02, most_s=0.05).median == pytest.approx(1.0)


def test_a_quick_ratio_keeps_to_its_budget(monkeypatch):
    now = [0.0]

    def call():
        now[0] += 5e-4

    monkeypatch.setattr("harness.runs.timing.perf_counter", lambda: now[0])
    assert quick(call, call, budget_s=0.02, most_s=0.05) == pytest.approx((1.0, 1.0, 1.0))
    assert now[0] < 0.03
