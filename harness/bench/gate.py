"""The power of the gate, measured: what it sees of losses and slow-downs injected into real kernels."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from harness.cases import catalogue
from harness.gate.baseline import Expected
from harness.gate.finding import Level, compare
from harness.runs.failure import argument_of
from harness.runs.record import Cell, Record
from harness.runs.row import examine, in_turns
from harness.runs.runner import DTYPES, oracles
from harness.runs.spawned import SPAWNED
from harness.runs.timing import LOOKS, Ratio, Thunk, is_slower, paired
from oracles import Oracle, Subject

FACTORS = (1.0, 1.1, 1.25, 1.5, 2.0)
BITS = (1, 2, 4)
TRIALS = 40
HARMLESS, GRAVE = 1.1, 2.0  # times: the one never fails the gate, and the other does but for one trial
GRAVE_BITS = 2  # every such loss fails
KERNELS = {
    "numpy": ("sigmoid", "softmax", "softmax_loss", "two_layer_net"),
    "jax-jit": ("sigmoid", "softmax", "two_layer_net"),
    "torch": ("softmax", "cross_entropy_error", "two_layer_net"),
}
Measure = Callable[[Cell, float], Ratio]  # of a gradient that was made to take that many times as long


class Trial(NamedTuple):
    """One injected change: its size, whether a first look sees it, and whether it fails the gate."""

    size: float
    suspected: bool
    failed: bool


@dataclass(frozen=True, slots=True)
class Power:
    """How many changes of one size the gate sees; `least` and `most` are how many may fail it."""

    injected: str
    trials: int
    suspected: int
    failed: int
    least: int
    most: int

    @property
    def wanted(self) -> str:
        """How many should fail, in words."""
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"

    @property
    def met(self) -> bool:
        """Whether it is what the project promises: no false alarm, and no miss of what is grave."""
        return self.least <= self.failed <= self.most


def run() -> Iterator[Power]:
    """How many losses of each size the gate sees, and how many slow-downs."""
    yield from powers(losses(), "{:g} more bits lost", least=lambda bits, n: n if bits >= GRAVE_BITS else 0)
    yield from powers(
        slow_downs(),
        "{:g}x slower",
        least=lambda factor, n: n - 1 if factor >= GRAVE else 0,
        most=lambda factor, n: 0 if factor <= HARMLESS else n,
    )


def powers(
    trials: Iterable[Trial],
    injected: str,
    least: Callable[[float, int], int],
    most: Callable[[float, int], int] = lambda _, n: n,
) -> Iterator[Power]:
    """The trials counted, by size."""
    found = list(trials)
    for size in sorted({trial.size for trial in found}):
        of_size = [trial for trial in found if trial.size == size]
        counts = len(of_size), sum(t.suspected for t in of_size), sum(t.failed for t in of_size)
        yield Power(injected.format(size), *counts, least(size, counts[0]), most(size, counts[0]))


def _kernels(dtypes: Iterable[str], seeds: Iterable[int]) -> list[Cell]:
    """The kernels of what is installed."""
    return [
        Cell(case, "ordinary", dtype, oracle, seed)
        for oracle, cases in KERNELS.items()
        if not oracles()[oracle].unavailable()
        for case in cases
        for dtype in dtypes
        for seed in seeds
    ]


# -- accuracy ---------------------------------------------------------------------------------------------


def losses() -> Iterator[Trial]:
    """For each kernel, dtype and seed: the worst element moved until it has lost so many bits more."""
    for cell in _kernels(DTYPES, range(TRIALS // (len(DTYPES) * sum(map(len, KERNELS.values()))))):
        case, oracle = catalogue()[cell.case], oracles()[cell.oracle]
        before = examine(case, oracle, cell, {})
        for bits in BITS:
            now = examine(case, _losing(oracle, before, bits), cell, {})
            found = compare(Expected.of(before), now, same_machine=True)
            yield Trial(bits, found is not None, found is not None and found.level is Level.FAIL)


def _losing(oracle: Oracle, before: Record, bits: int) -> Oracle:
    """The oracle, with the element that is worst by now `2**bits` times as far from the truth.

    Or as far from it as can be attained, where it is nearer. The element is scaled and not moved, so that
    the gradient stays linear in the cotangent.
    """
    true, computed = before.true or 0.0, before.computed or 0.0
    ulp = float(np.spacing(np.dtype(before.dtype).type(abs(true))))
    far = 2.0**bits * ulp * max(before.error_ulp or 0.0, before.attainable_ulp or 0.0)
    factor = (true + math.copysign(far, computed - true)) / computed
    which = catalogue()[before.case].differentiated.index(argument_of(before))
    at = tuple(map(int, re.findall(r"\d+", before.where.partition("[")[2])))

    def subject(*asked: Any) -> Subject:
        own = oracle.subject(*asked)

        def fetch(native: Any) -> Any:
            gradient = own.fetch_gradient(native)
            moved = np.array(gradient.arrays[which])
            moved[at] *= factor
            arrays = (*gradient.arrays[:which], moved, *gradient.arrays[which + 1 :])
            return replace(gradient, arrays=arrays)

        return replace(own, fetch_gradient=fetch)

    losing = copy.copy(oracle)
    losing.subject = subject  # type: ignore[method-assign, assignment]
    return losing


# -- time -------------------------------------------------------------------------------------------------


def slow_downs() -> Iterator[Trial]:
    """Every kernel slowed by every factor, so often that there are trials enough."""
    cells = _kernels(DTYPES[:1], [0])
    for _ in range(math.ceil(TRIALS / len(cells))):
        yield from sweep(cells, islice(_processes(), 1 + LOOKS))


def _processes() -> Iterator[Measure]:
    """As in the gate, each look is of another process, whose memory and machine code lie elsewhere."""
    while True:
        with SPAWNED.Pool(1) as other:
            yield lambda cell, factor: other.apply(measured, (cell, factor))


def sweep(cells: Iterable[Cell], measures: Iterable[Measure]) -> Iterator[Trial]:
    """One trial of each cell and factor, in turns, so that a busy spell of the machine meets all factors.

    As in the gate, all baselines come first, of the first of the `measures`; then all rows; and then, of one
    measure after the other, what still looks slower.
    """
    asked = [(cell, factor) for cell in cells for factor in FACTORS]
    looks = iter(measures)
    earlier = next(looks)
    before = [earlier(cell, 1.0) for cell, _ in asked]
    found = [[True] * len(asked)]
    for look in looks:
        found.append(
            [
                so_far and is_slower(look(*one), then)
                for so_far, one, then in zip(found[-1], asked, before, strict=True)
            ]
        )
    for (_, factor), suspected, slower in zip(asked, found[1], found[-1], strict=True):
        yield Trial(factor, suspected, slower)


def measured(cell: Cell, factor: float) -> Ratio:
    """The ratio of a cell's gradient, slowed, as the report times it."""
    gradient, against = _kernel(cell)
    found = paired(partial(slowed, gradient, factor), against)
    return Ratio(found.ratio, found.ratio_low, found.ratio_high)


@cache
def _kernel(cell: Cell) -> tuple[Thunk, Thunk]:
    return in_turns(catalogue()[cell.case], oracles()[cell.oracle], cell)[1]


def slowed(call: Thunk, factor: float) -> Any:
    """The call's result, after `factor` times as long as it took."""
    start = perf_counter()
    result = call()
    end = start + factor * (perf_counter() - start)
    while perf_counter() < end:
        pass
    return result
