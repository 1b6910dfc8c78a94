"""Slower or not: what is concluded from two noisy ratios holds whatever the true ones are."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.timing import LIMIT, Ratio, is_slower, slowdown

ABOVE_1 = math.nextafter(1.0, 2.0)
ABOVE_LIMIT = math.nextafter(LIMIT, 2.0)


@st.composite
def ratios(draw):
    ends = draw(st.lists(st.floats(1e-6, 1e6), min_size=3, max_size=3).map(sorted))
    return Ratio(ends[1], ends[0], ends[2])


def inside(ratio):
    """Any number in a ratio's interval."""
    return st.floats(ratio.low, ratio.high)


def exactly(number):
    return Ratio(number, number, number)


def around(median, spread):
    return Ratio(median, median / spread, median * spread)


@given(now=ratios(), before=ratios(), data=st.data())
def test_where_both_intervals_hold_the_truth_so_does_that_of_their_quotient(now, before, data):
    true_now, true_before = data.draw(inside(now)), data.draw(inside(before))
    found = slowdown(now, before)
    assert found.low <= true_now / true_before <= found.high


@given(now=ratios(), before=ratios())
def test_the_median_lies_in_the_interval(now, before):
    found = slowdown(now, before)
    assert found.low <= found.median <= found.high
    assert found.median == now.median / before.median


@given(one=ratios())
def test_nothing_is_slower_than_itself(one):
    found = slowdown(one, one)
    assert found.low <= 1 <= found.high
    assert found.median == 1
    assert not is_slower(one, one)


@given(one=ratios(), other=ratios())
def test_no_two_are_each_slower_than_the_other(one, other):
    assert not (is_slower(one, other) and is_slower(other, one))


@given(now=ratios(), before=ratios(), power=st.integers(-40, 40))
def test_the_unit_of_the_ratios_makes_no_difference(now, before, power):
    unit = 2.0**power  # exact
    scaled = [Ratio(*(unit * number for number in one)) for one in (now, before)]
    assert slowdown(*scaled) == slowdown(now, before)
    assert is_slower(*scaled) == is_slower(now, before)


@given(now=ratios(), before=ratios(), more=st.floats(1, 1e3))
def test_what_is_slower_stays_slower_when_it_takes_longer_still(now, before, more):
    if is_slower(now, before):
        assert is_slower(Ratio(*(more * number for number in now)), before)


@given(now=ratios(), before=ratios(), wider=st.floats(1, 10))
def test_noisier_times_never_make_a_slow_down_certain(now, before, wider):
    noisy = Ratio(now.median, now.low / wider, now.high * wider)
    if is_slower(noisy, before):
        assert is_slower(now, before)


@given(
    slower=st.floats(1.6, 1e3), spread=st.floats(1, 1.1), before=st.floats(1e-3, 1e3), noise=st.floats(1, 1.1)
)
def test_a_slow_down_beyond_limit_and_noise_is_seen(slower, spread, before, noise):
    assert is_slower(around(before * slower, spread), around(before, noise))


@given(now=ratios(), before=ratios(), data=st.data())
def test_what_is_called_slower_is_slower_wherever_the_true_ratios_lie(now, before, data):
    if is_slower(now, before):
        assert data.draw(inside(now)) > data.draw(inside(before))


def test_the_limit_is_the_promised_one():
    assert LIMIT == 1.5


@pytest.mark.parametrize(
    ("median", "low", "slower"),
    [
        (1.5, ABOVE_1, False),
        (1.5, 1.4, False),
        (ABOVE_LIMIT, ABOVE_1, True),
        (ABOVE_LIMIT, ABOVE_LIMIT, True),
        (ABOVE_LIMIT, 1.0, False),
        (1e6, 1.0, False),
        (1e6, 0.99, False),
        (1e6, ABOVE_1, True),
        (1.0, 1.0, False),
    ],
)
def test_both_limits_are_exact_at_their_edges(median, low, slower):
    assert is_slower(Ratio(median, low, 2e6), exactly(1.0)) is slower


@pytest.mark.parametrize(("high", "slower"), [(2.0, False), (math.nextafter(2.0, 0.0), True)])
def test_the_noise_of_the_past_counts_as_well(high, slower):
    assert is_slower(Ratio(3.0, 2.0, 4.0), Ratio(1.0, 1.0, high)) is slower


@pytest.mark.parametrize("name", ["now", "before"])
@pytest.mark.parametrize("end", ["median", "low", "high"])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0])
def test_what_is_no_ratio_of_times_is_refused_by_name(name, end, number):
    bad, good = exactly(1.0)._replace(**{end: number}), exactly(1.0)
    for ask in (slowdown, is_slower):
        with pytest.raises(
            ValueError, match=rf"^{name} is no ratio of times with its interval: Ratio\(.*{number}"
        ):
            ask(*((bad, good) if name == "now" else (good, bad)))


@pytest.mark.parametrize("bad", [Ratio(1.0, 1.1, 1.2), Ratio(1.3, 1.1, 1.2), Ratio(1.0, 1.2, 0.8)])
def test_an_interval_that_is_not_around_its_median_is_refused(bad):
    with pytest.raises(ValueError, match="now is no ratio of times"):
        is_slower(bad, exactly(1.0))


@pytest.mark.parametrize("tiny", [5e-324, 1e-300])
def test_the_least_and_the_largest_numbers_raise_no_other_error(tiny):
    assert is_slower(exactly(1e300), exactly(tiny))
    assert not is_slower(exactly(tiny), exactly(1e300))
