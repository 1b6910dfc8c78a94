"""Paired timing: two calls measured in turns in one process, so that their ratio outlives the noise."""

from __future__ import annotations

import gc
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import Any

from threadpoolctl import ThreadpoolController

Call = Callable[[], Any]
ROUNDS = 7
SLICE_S = 2e-4  # a round repeats a short call until about this long: far above the timer's resolution


@dataclass(frozen=True, slots=True)
class Paired:
    """Medians of two calls in seconds, and their ratio with the middle half of the rounds."""

    time_s: float
    reference_time_s: float
    ratio: float
    ratio_low: float
    ratio_high: float


@contextmanager
def pinned() -> Iterator[None]:
    """One thread in BLAS and OpenMP, in every library that is loaded by now."""
    with _controller(len(sys.modules)).limit(limits=1):
        yield


@lru_cache(maxsize=1)
def _controller(loaded: int) -> ThreadpoolController:
    """Finding the thread pools takes milliseconds, so it is done again only when modules were `loaded`."""
    return ThreadpoolController()


@contextmanager
def _no_collection() -> Iterator[None]:
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def paired(call: Call, reference: Call, rounds: int = ROUNDS, slice_s: float = SLICE_S) -> Paired:
    """Time `call` against `reference`, in turns and in alternating order.

    The ratio is the median of each round's own ratio: what slows the machine for a while slows both halves
    of a round.
    """
    with pinned(), _no_collection():
        return _paired((call, reference), rounds, slice_s)


def _paired(calls: tuple[Call, Call], rounds: int, slice_s: float) -> Paired:
    repeats = [_repeats(c, slice_s) for c in calls]
    rows = []
    for turn in range(rounds):
        order = (0, 1) if turn % 2 == 0 else (1, 0)
        times = [0.0, 0.0]
        for which in order:
            times[which] = _mean_time(calls[which], repeats[which])
        rows.append(times)
    ratios = [mine / other for mine, other in rows]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Paired(
        time_s=statistics.median(mine for mine, _ in rows),
        reference_time_s=statistics.median(other for _, other in rows),
        ratio=statistics.median(ratios),
        ratio_low=low,
        ratio_high=high,
    )


def _repeats(call: Call, slice_s: float) -> int:
    once = _mean_time(call, 1)
    return max(1, min(1000, int(slice_s / max(once, 1e-9))))


def _mean_time(call: Call, repeats: int) -> float:
    start = perf_counter()
    for _ in range(repeats):
        call()
    # A timer too coarse to see the call gives its smallest step, not a division by zero.
    return max(perf_counter() - start, 1e-9) / repeats
