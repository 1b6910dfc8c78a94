"""Paired timing, with a clock that stands still unless a call moves it: exact times, no waiting."""

import gc
import statistics
import sys

import pytest
import threadpoolctl
from hypothesis import given
from hypothesis import strategies as st

from harness import timing
from harness.timing import paired, pinned


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


def test_the_two_take_turns_and_swap_who_is_first(clock):
    paired(clock.taking("a", 1.0), clock.taking("b", 1.0), rounds=4)
    warm_up, rounds = clock.calls[:2], clock.calls[2:]
    assert sorted(warm_up) == ["a", "b"]
    assert rounds == ["a", "b", "b", "a", "a", "b", "b", "a"]


def test_the_medians_and_the_middle_half_are_of_the_rounds(clock):
    seconds = [5.0, 1.0, 9.0, 2.0, 4.0]  # one a round, behind a warm-up
    found = paired(clock.taking("a", [7.0, *seconds]), clock.taking("b", 2.0), rounds=5)
    assert found.time_s == statistics.median(seconds)
    assert (found.ratio_low, found.ratio, found.ratio_high) == (1.0, 2.0, 2.5)


def test_the_ratio_is_the_median_of_ratios_and_not_the_ratio_of_medians(clock):
    a, b = clock.taking("a", [1.0, 1.0, 9.0, 4.0]), clock.taking("b", [1.0, 1.0, 3.0, 8.0])
    found = paired(a, b, rounds=3)
    assert (found.time_s, found.reference_time_s, found.ratio) == (4.0, 3.0, 1.0)


@given(scale=st.floats(0.5, 4), slow=st.lists(st.sampled_from([1.0, 8.0, 64.0]), min_size=7, max_size=7))
def test_what_slows_the_machine_for_a_round_leaves_the_ratio(scale, slow):
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "perf_counter", clock)
        slowed = [1.0, *slow]
        a, b = clock.taking("a", [scale * s for s in slowed]), clock.taking("b", slowed)
        assert paired(a, b, rounds=7).ratio == pytest.approx(scale)


@pytest.mark.parametrize(
    ("seconds", "repeats"), [(1e-5, 20), (1e-4, 2), (1.0, 1), (1e-12, 1000), (0.0, 1000)]
)
def test_short_calls_are_repeated_within_bounds(clock, seconds, repeats):
    call, other = clock.taking("a", seconds), clock.taking("b", 1.0)
    found = paired(call, other, rounds=2, slice_s=2.05e-4)
    assert clock.calls.count("a") == 1 + 2 * repeats
    assert clock.calls.count("b") == 1 + 2
    assert found.time_s >= 0


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
        paired(call, call, rounds=2)
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
