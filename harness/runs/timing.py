"""Paired timing: two calls measured in turns, so that their ratio outlives the noise; what is slower."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from harness.collection import uncollected

Thunk = Callable[[], Any]
# Four turns a round, of which the fastest counts: at equal cost its interval is a third as wide as that of
# one long turn, since other programs only ever add time, in spells of about a millisecond.
ROUNDS, TURNS, FEWEST = 15, 60, 5
SLICE_S = 1e-4  # a turn repeats a short call until about this long: far above the timer's resolution
BUDGET_S = 0.5  # slow calls get fewer turns, so that all of them take about this long
RESAMPLES, TAIL = 2000, 0.005
_NUMBERS = np.linspace(-1.0, 1.0, 100)
LIMIT = 1.5  # one day's ratio is up to 1.3 times another day's without any change to the code
# What would fail is slower in each of so many looks. A program on the other half of the same core makes some
# code up to twice as slow and some not at all, for a while; none makes code faster.
LOOKS = 5


class ClockError(RuntimeError):
    """The clock is not one that times can be taken from."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Medians of two calls in seconds, and the median of their ratio with its 99 % bootstrap interval."""

    time_s: float
    reference_time_s: float
    ratio: float
    ratio_low: float
    ratio_high: float


def yardstick() -> Any:
    """A fixed computation, what the reference itself is timed against: the softmax of 100 numbers.

    It is short calls on a short array, as most of the reference is: what disturbs one disturbs the other,
    which one long exponential does not do. Stored ratios are in its unit, so it must stay as it is.
    """
    powers = np.exp(_NUMBERS - _NUMBERS.max())
    return powers / powers.sum()


@contextmanager
def pinned() -> Iterator[None]:
    """One thread in BLAS and OpenMP, in every library that is loaded by now."""
    with _controller(len(sys.modules)).limit(limits=1):
        yield


@lru_cache(maxsize=1)
def _controller(loaded: int) -> ThreadpoolController:
    """Finding the thread pools takes milliseconds, so it is done again only when modules were `loaded`."""
    return ThreadpoolController()


def paired(call: Thunk, reference: Thunk) -> Paired:
    """Time `call` against `reference`, in turns and in alternating order.

    The ratio is the median of each round's own ratio, of its fastest turn of each: what slows the machine
    for a while slows both halves of a round. The interval is of the noise between the rounds; what is the
    same in all of them, as where this process has its memory, is not in it.

    Raises:
        ClockError: The clock went backwards.
    """
    with pinned(), uncollected():
        calls = (call, reference)
        return _paired(calls, [_once(one) for one in calls], BUDGET_S)


def quick(
    call: Thunk, reference: Thunk, budget_s: float, most_s: float, fewest: int = FEWEST, warm: bool = False
) -> Ratio | None:
    """The ratio of `paired` in about `budget_s`; None where even the `fewest` turns take more than `most_s`.

    `warm` says that both have run: then one call tells how long they take.

    Raises:
        ClockError: The clock went backwards.
    """
    with pinned(), uncollected():
        calls, once = (call, reference), list[float]()
        for one in calls:
            seconds = _mean_time(one, 1)
            once.append(seconds if warm or seconds > most_s else min(seconds, _mean_time(one, 1)))
            if fewest * sum(once) > most_s:
                return None
        found = _paired(calls, once, budget_s, fewest)
        return Ratio.of(found.ratio, found.ratio_low, found.ratio_high)


def _paired(
    calls: tuple[Thunk, Thunk], once: Sequence[float], budget_s: float, fewest: int = FEWEST
) -> Paired:
    """As `paired`, of calls that take about so long `once`."""
    repeats = [max(1, min(1000, int(SLICE_S / seconds))) for seconds in once]
    turn_s = sum(seconds * count for seconds, count in zip(once, repeats, strict=True))
    turns = max(fewest, min(TURNS, int(budget_s / turn_s)))
    rows = []
    for turn in range(turns):
        order = (0, 1) if turn % 2 == 0 else (1, 0)
        times = [0.0, 0.0]
        for which in order:
            times[which] = _mean_time(calls[which], repeats[which])
        rows.append(times)
    each = max(1, turns // ROUNDS)
    mine, other = np.array(rows[: turns // each * each]).reshape(-1, each, 2).min(axis=1).T
    low, high = _interval(mine / other)
    return Paired(
        time_s=float(np.median(mine)),
        reference_time_s=float(np.median(other)),
        ratio=float(np.median(mine / other)),
        ratio_low=low,
        ratio_high=high,
    )


def _interval(ratios: NDArray[np.float64]) -> tuple[float, float]:
    """The 99 % percentile bootstrap interval of the median; of few ratios it is the least and the largest."""
    picks = np.random.default_rng(0).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    low, high = np.quantile(np.median(ratios[picks], axis=1), (TAIL, 1 - TAIL))
    return float(low), float(high)


def _once(call: Thunk) -> float:
    """About how long one call takes: the first may find everything cold."""
    return min(_mean_time(call, 1), _mean_time(call, 1))


def _mean_time(call: Thunk, repeats: int) -> float:
    start = perf_counter()
    for _ in range(repeats):
        call()
    elapsed = perf_counter() - start
    if not 0 <= elapsed < math.inf:
        moved = f"went backwards by {-elapsed:g} s" if elapsed < 0 else f"stepped by {elapsed:g} s"
        raise ClockError(f"the clock {moved}: run again, and on another machine if it stays so")
    # A timer too coarse to see the call gives its smallest step, not a division by zero.
    return max(elapsed, 1e-9) / repeats


class Ratio(NamedTuple):
    """A ratio of two times, with the ends of its 99 % interval."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, median: float | None, low: float | None, high: float | None) -> Ratio | None:
        """The ratio of three measures; None where one was not measured, or they are no ratio, as with NaN."""
        if median is None or low is None or high is None:
            return None
        return cls(median, low, high) if 0 < low <= median <= high < math.inf else None


def slowdown(now: Ratio, before: Ratio) -> Ratio:
    """How many times slower `now` is than `before`.

    The least that it may be is the low end of now over the high end of before, and the most the other way
    round. Where both intervals hold the true ratios, this one holds their quotient, since division of
    positive numbers is monotone; so if each misses its own with a chance of 1 %, this one misses with at
    most 2 %, whatever the two have to do with each other. That 1 % is nominal: it is of the noise within a
    measurement. What differs from one process or day to the next is in neither; `LIMIT` is for that.

    Raises:
        ValueError: A number is NaN, infinite or not positive, or the ends are not around the median.
    """
    for name, ratio in (("now", now), ("before", before)):
        if not 0 < ratio.low <= ratio.median <= ratio.high < math.inf:
            raise ValueError(f"{name} is no ratio of times with its interval: {ratio}")
    return Ratio(now.median / before.median, now.low / before.high, now.high / before.low)


def is_slower(now: Ratio, before: Ratio) -> bool:
    """Whether `now` is slower for certain, its whole interval above 1, and by more than `LIMIT`.

    Raises:
        ValueError: As `slowdown` does: what is no number is never fine.
    """
    found = slowdown(now, before)
    return found.low > 1 and found.median > LIMIT
