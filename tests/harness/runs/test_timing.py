"""Paired timing, with a clock that stands still unless a call moves it: exact times, no waiting."""

import gc
import math
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import threadpoolctl
from hypothesis import given
from hypothesis import strategies as st

from harness import check_gradient
from harness.runs import timing
from harness.runs.timing import ClockError, paired, pinned


class Clock:
    """perf_counter, and calls that take exactly the seconds they are given."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def __call__(self):
        return self.now

    def taking(self, name, seconds):
        durations = iter(seconds) if isinstance(seconds, list) else None

        def call():
            self.calls.append(name)
            self.now += next(durations) if durations else seconds

        return call


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "perf_counter", clock)
    return clock


def test_times_and_ratio_are_exact(clock):
    found = paired(clock.taking("a", 3.0), clock.taking("b", 2.0))
    assert (found.time_s, found.reference_time_s) == (3.0, 2.0)
    assert (found.ratio, found.ratio_low, found.ratio_high) == (1.5, 1.5, 1.5)


def test_a_call_against_itself_is_one(clock):
    call = clock.taking("a", 0.5)
    assert paired(call, call).ratio == 1.0


def turns(monkeypatch, total, rounds):
    """So many turns for all, as rounds of some turns each, however long the calls take."""
    monkeypatch.setattr(timing, "TURNS", total)
    monkeypatch.setattr(timing, "ROUNDS", rounds)
    monkeypatch.setattr(timing, "BUDGET_S", 1e9)


def measured_calls(clock):
    """The calls of the turns, behind two of each that say how long one takes."""
    assert clock.calls[:4] == ["a", "a", "b", "b"]
    return clock.calls[4:]


def test_the_two_take_turns_and_swap_who_is_first(clock, monkeypatch):
    turns(monkeypatch, 6, 6)
    paired(clock.taking("a", 1.0), clock.taking("b", 1.0))
    assert measured_calls(clock) == ["a", "b", "b", "a"] * 3


def test_long_calls_get_fewer_turns_and_never_too_few(clock):
    paired(clock.taking("a", timing.BUDGET_S / 40), clock.taking("b", timing.BUDGET_S / 40))
    assert measured_calls(clock).count("a") == 20
    clock.calls.clear()
    paired(clock.taking("a", 100.0), clock.taking("b", 100.0))
    assert measured_calls(clock).count("a") == timing.FEWEST


def test_the_fastest_turn_of_a_round_counts(clock, monkeypatch):
    turns(monkeypatch, 6, 2)
    a = clock.taking("a", [1.0, 1.0, *(9.0, 2.0, 7.0), *(8.0, 9.0, 4.0)])
    found = paired(a, clock.taking("b", [1.0, 1.0, *(5.0, 1.0, 5.0), *(5.0, 5.0, 1.0)]))
    assert (found.time_s, found.reference_time_s) == (3.0, 1.0)  # the median of 2 and 4
    assert (found.ratio_low, found.ratio, found.ratio_high) == (2.0, 3.0, 4.0)


def test_the_ratio_is_the_median_of_ratios_and_not_the_ratio_of_medians(clock, monkeypatch):
    turns(monkeypatch, 5, 5)
    a = clock.taking("a", [1.0, 1.0, *(1.0, 9.0, 4.0, 4.0, 4.0)])
    b = clock.taking("b", [1.0, 1.0, *(1.0, 3.0, 8.0, 4.0, 4.0)])
    found = paired(a, b)
    assert (found.time_s, found.reference_time_s, found.ratio) == (4.0, 4.0, 1.0)
    a = clock.taking("a", [1.0, 1.0, *(1.0, 2.0, 9.0, 9.0, 9.0)])
    b = clock.taking("b", [1.0, 1.0, *(0.5, 0.5, 3.0, 3.0, 3.0)])
    assert paired(a, b).ratio == 3.0
    a = clock.taking("a", [1.0, 1.0, *(1.0, 2.0, 3.0, 4.0, 5.0)])
    b = clock.taking("b", [1.0, 1.0, *(4.0, 3.0, 9.0, 2.0, 5.0)])
    found = paired(a, b)
    assert found.ratio == 2 / 3
    assert found.time_s / found.reference_time_s == 3 / 4


def test_the_interval_is_a_99_percent_bootstrap_of_the_median(clock, monkeypatch):
    turns(monkeypatch, 15, 15)
    ratios = [1.0 + k / 100 for k in range(15)]
    found = paired(clock.taking("a", [1.0, 1.0, *ratios]), clock.taking("b", 1.0))
    assert found.ratio == pytest.approx(ratios[7])
    # The 99 % interval of the median of 15 by order statistics is the 3rd to the 13th (binomial, 99.3 %).
    assert found.ratio_low == pytest.approx(ratios[2], abs=0.011)
    assert found.ratio_high == pytest.approx(ratios[12], abs=0.011)


def test_the_interval_covers_the_median_of_skewed_noise():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        low, high = timing._interval(1.0 + rng.exponential(0.1, 15))
        covered += low <= 1.0 + 0.1 * math.log(2) <= high
    assert covered >= 288  # 96 %: what 15 rounds can do; 99 % is nominal


@given(scale=st.floats(0.5, 4), slow=st.lists(st.sampled_from([1.0, 8.0, 64.0]), min_size=7, max_size=7))
def test_what_slows_the_machine_for_a_round_leaves_the_ratio(scale, slow):
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "perf_counter", clock)
        turns(patch, 7, 7)
        slowed = [1.0, 1.0, *slow]
        a, b = clock.taking("a", [scale * s for s in slowed]), clock.taking("b", slowed)
        assert paired(a, b).ratio == pytest.approx(scale)


@pytest.mark.parametrize(
    ("seconds", "repeats"), [(1e-5, 20), (1e-4, 2), (1.0, 1), (1e-12, 1000), (0.0, 1000)]
)
def test_short_calls_are_repeated_within_bounds(clock, monkeypatch, seconds, repeats):
    turns(monkeypatch, 5, 5)
    monkeypatch.setattr(timing, "SLICE_S", 2.05e-4)
    found = paired(clock.taking("a", seconds), clock.taking("b", 1.0))
    assert clock.calls.count("a") == 2 + 5 * repeats
    assert clock.calls.count("b") == 2 + 5
    assert found.time_s >= 0


@pytest.mark.parametrize("step", [-1.0, math.nan, -math.inf, math.inf])
def test_a_clock_that_goes_back_gives_no_time(clock, step):
    with pytest.raises(ClockError, match=r"the clock (went backwards|stepped) by"):
        paired(clock.taking("a", step), clock.taking("b", 1.0))


def test_a_clock_that_goes_back_for_a_moment_gives_no_time(clock):
    with pytest.raises(ClockError, match="backwards by 5 s"):
        paired(clock.taking("a", [1.0, 1.0, 1.0, -5.0, 1.0]), clock.taking("b", 1.0))


def test_the_yardstick_is_the_softmax_of_a_hundred_numbers():
    exponentials = [math.exp(-1 + 2 * k / 99) for k in range(100)]
    np.testing.assert_allclose(timing.yardstick(), [e / sum(exponentials) for e in exponentials], rtol=1e-14)


def test_a_mean_over_repeats_is_the_time_of_one(clock):
    assert paired(clock.taking("a", 1e-5), clock.taking("b", 1e-5)).time_s == pytest.approx(1e-5)


def test_a_timer_too_coarse_to_see_a_call_divides_by_no_zero(clock):
    found = paired(clock.taking("a", 0.0), clock.taking("b", 0.0))
    assert found.ratio == 1.0
    assert 0 < found.time_s <= 1e-9


@pytest.fixture
def collecting():
    before = gc.isenabled()
    yield
    (gc.enable if before else gc.disable)()


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("raises", [True, False])
def test_garbage_collection_is_off_inside_and_as_before_afterwards(clock, collecting, enabled, raises):
    seen = []

    def call():
        seen.append(gc.isenabled())
        clock.now += 1.0
        if raises:
            raise RuntimeError("stop")

    (gc.enable if enabled else gc.disable)()
    if raises:
        with pytest.raises(RuntimeError, match="stop"):
            paired(call, call)
    else:
        paired(call, call)
    assert set(seen) == {False}
    assert gc.isenabled() is enabled


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.parametrize(("size", "paused"), [(10, True), (70_000, False)])
def test_a_small_check_sets_off_no_collection_of_garbage(collecting, enabled, raises, size, paused):
    seen = []

    def gradient(g, x):
        seen.append(gc.isenabled())
        if raises:
            raise ZeroDivisionError("stop")
        return 2 * g

    (gc.enable if enabled else gc.disable)()
    with pytest.raises(ZeroDivisionError, match="stop") if raises else nullcontext():
        assert check_gradient(lambda x: x * 2, [np.ones(size)], vjp=gradient).passed
    assert set(seen) == {enabled and not paused}
    assert gc.isenabled() is enabled


def threads():
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]


def test_every_thread_pool_has_one_thread_inside_and_its_own_afterwards():
    import torch

    before = threads(), torch.get_num_threads()
    assert before[0], "no thread pool is loaded, so nothing is tested"
    with threadpoolctl.threadpool_limits(2):
        outside = threads()
        assert set(outside) == {2}
        with pinned():
            assert set(threads()) == {1}
            assert torch.get_num_threads() == 1
        assert threads() == outside
    assert (threads(), torch.get_num_threads()) == before


def test_threads_are_given_back_after_an_exception():
    with threadpoolctl.threadpool_limits(2):
        with pytest.raises(RuntimeError), pinned():
            raise RuntimeError
        assert set(threads()) == {2}


def test_timed_calls_run_with_one_thread(clock):
    seen = []

    def call():
        seen.extend(threads())
        clock.now += 1.0

    with threadpoolctl.threadpool_limits(2):
        paired(call, call)
    assert set(seen) == {1}


def test_a_library_loaded_later_is_found_too(monkeypatch):
    found = []
    monkeypatch.setattr(
        timing, "ThreadpoolController", lambda: found.append(1) or threadpoolctl.ThreadpoolController()
    )
    timing._controller.cache_clear()
    with pinned():
        pass
    with pinned():
        pass
    assert len(found) == 1
    monkeypatch.setitem(sys.modules, "a_module_loaded_later", timing)
    with pinned():
        pass
    assert len(found) == 2
