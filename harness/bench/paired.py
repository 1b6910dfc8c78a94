"""Paired benchmarks: each measures two ways of one thing in turns, in one process, and gives their ratio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

import reference
from harness.cases import catalogue, documents
from harness.cases.case import Case
from harness.runs.timing import paired
from harness.subject.derivative import Array
from oracles.exact_oracle import enclosed_gradient

SAMPLED_ENTRIES = 40


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One measured pair; `ratio` is how many times longer `other` takes than `ours`."""

    name: str
    ours: str
    other: str
    ours_time_s: float
    other_time_s: float
    ratio: float
    ratio_low: float
    ratio_high: float
    wanted_ratio: float
    note: str

    @property
    def met(self) -> bool:
        """Whether the ratio is what the project promises."""
        return self.ratio >= self.wanted_ratio


def numerical_gradient() -> Benchmark:
    """Batched differences against the document's loop, for TwoLayerNet(784, 100, 10) and a batch of 100.

    The loop computes two losses for each of 79,510 parameters; it is run on a sample of W1's entries, whose
    losses cost what all the others cost, and extrapolated.
    """
    rng = np.random.default_rng(0)
    net = reference.TwoLayerNet(784, 100, 10, rng=rng)
    x, t = rng.random((100, 784)), rng.random((100, 10))
    total = sum(p.size for p in net.params.values())
    # A view of the first entries: perturbing it in place perturbs the network, as the document's loop does.
    entries = net.params["W1"].reshape(-1)[:SAMPLED_ENTRIES]

    return _against_the_loop(
        "numerical_gradient", "batched differences", lambda: net.numerical_gradient(x, t),
        lambda _: float(net.loss(x, t)), entries, total, wanted_ratio=20.0,
    )  # fmt: skip


def exact_gradient() -> Benchmark:
    """The whole exact gradient of the same network, recording included, against the document's loop."""
    case = catalogue()["two_layer_net"]
    args, _ = case.draw("document", "float64", 0)
    w1, x, t = args[0].copy(), args[4], args[5]
    total = sum(args[k].size for k in case.argnums)
    entries = w1.reshape(-1)[:SAMPLED_ENTRIES]

    return _against_the_loop(
        "exact_gradient", "proven gradient", lambda: enclosed_gradient(case, args, np.ones(())),
        lambda _: case.function(w1, *args[1:4], x, t), entries, total, wanted_ratio=100.0,
    )  # fmt: skip


def _against_the_loop(
    name: str,
    ours: str,
    call: Callable[[], object],
    loss: Callable[[Array], float],
    entries: Array,
    total: int,
    wanted_ratio: float,
) -> Benchmark:
    """One call for all `total` parameters against the document's loop over a few entries, extrapolated."""
    measured = paired(call, lambda: reference.numerical_gradient(loss, entries))
    scale = total / len(entries)
    return Benchmark(
        name, ours, "the document's loop", measured.time_s, measured.reference_time_s * scale,
        scale / measured.ratio, scale / measured.ratio_high, scale / measured.ratio_low, wanted_ratio,
        note=f"784-100-10, batch 100; the loop extrapolated from {2 * len(entries)} of {2 * total} losses",
    )  # fmt: skip


def hand_derived(case: Case) -> Benchmark:
    """A case of somebody else's: its gradient against its value. Nothing is promised of that."""
    first = case.inputs[0].name
    args, cotangent = case.draw(first, "float64", 0)
    assert case.vjp is not None
    vjp = case.vjp
    measured = paired(lambda: case.function(*args), lambda: vjp(cotangent, *args))
    return Benchmark(
        case.name, "value", "its gradient", measured.time_s, measured.reference_time_s, 1 / measured.ratio,
        1 / measured.ratio_high, 1 / measured.ratio_low, 0.0, note=f"float64, {first}",
    )  # fmt: skip


BENCHMARKS: tuple[Callable[[], Benchmark], ...] = (numerical_gradient, exact_gradient)


def benchmarks() -> list[Callable[[], Benchmark]]:
    """Ours, and one for each case that is not the document's and has a gradient."""
    others = [case for name, case in catalogue().items() if name not in documents() and case.vjp]
    return [*BENCHMARKS, *(partial(hand_derived, case) for case in others)]


def run() -> Iterator[Benchmark]:
    """Every benchmark, as they are done."""
    return (benchmark() for benchmark in benchmarks())
