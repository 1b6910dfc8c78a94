"""How many times as long as a function its gradient takes, in a few milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter
from typing import Any

from harness.page.elements import rounded
from harness.proof.observe import Loaded
from harness.subject.derivative import Array
from oracles.frameworks.framework import Subject

ROUNDS = 5
ROUND_S = 1e-3


def time_ratio(subject: Subject, arrays: Sequence[Array], directions: tuple[Array, ...]) -> float | None:
    """The median of a few rounds, the two in turns; None where one of them is no work at all."""
    loaded = Loaded.of(subject, [a.copy("K") for a in arrays], directions)
    runs = [max(1, int(ROUND_S / max(_seconds(run, 1), 1e-7))) for run in (loaded.value, loaded.gradient)]
    pairs = [(_seconds(loaded.value, runs[0]), _seconds(loaded.gradient, runs[1])) for _ in range(ROUNDS)]
    return rounded(median(gradient / value for value, gradient in pairs))


def _seconds(run: Callable[[], Any], times: int) -> float:
    start = perf_counter()
    for _ in range(times):
        run()
    return (perf_counter() - start) / times
