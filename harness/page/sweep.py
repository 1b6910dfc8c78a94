"""The error over the input: one element of an argument goes over all numbers of its dtype, the rest stays.

A function that works on each element alone is asked at many numbers at once, in the same array.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from harness.page.asking import COLUMNS, Asking, Numbers, Point, is_elementwise, placed
from harness.page.axis import between, ordinals, spread
from harness.page.elements import elements
from harness.proof.sight import Sight
from harness.subject.state import leaving_no_trace
from harness.subject.tested import Tested
from oracles.exact.from_numpy.chance import seeded_chance
from oracles.frameworks.framework import differentiating, silently

COUNT = 200  # points of a sweep
START = 96  # of them at first, evenly; the others go where something happens
ROUNDS = 6
FEWEST = 16
SECONDS = 5.0  # after which no more numbers are asked about one by one
WORK = 8e5  # additions that a sweep may take: some seconds
CALL = 4000  # that one more check takes beside its program
Measure = Callable[[Sequence[float]], Numbers]


def sweep(sight: Sight, part: int, element: tuple[int, ...], work: float = WORK) -> dict[str, Any] | None:
    """The points, worst verdicts and numbers as a row has them; None where there is no one input to move.

    Beside them the `values`: the function's own value at the same numbers, where it has one for the element.

    Args:
        sight: The question, at its point.
        part, element: Which element of the gradient is looked at, and moved in its argument.
        work: Additions that may be spent on numbers one by one.
    """
    question = sight.question
    if question.derivative.is_of_results or not sight.posed.inputs:
        return None
    at = sight.posed.inputs[question.active[part]]
    if at.shape != sight.posed.expected[part][1].shape or not at.size:
        return None
    own = elements(sight, part)
    if own is None:
        return None
    asking = Asking(sight, part, element)
    measure, count, at_once = _measure(asking, work)
    if count < FEWEST:
        return None
    tested, dtype, given = sight.tested, at.dtype.name, float(at[element])
    functions = (tested.value, tested.derivative) if isinstance(tested, Tested) else (None, None)
    found = {given: [*placed(given, dtype), *own.told(element)[1:]]}
    asking.values |= asking.of_value(sight, {element: given})

    @leaving_no_trace
    def measured(function: Any, vjp: Any = None) -> list[Point]:
        with differentiating(), seeded_chance(), silently():
            return _refined(measure, found, dtype, count, at_once)

    name = question.names[question.active[part]]
    points = measured(functions[0], vjp=functions[1])
    return {
        "argument": f"{name}[{', '.join(map(str, element))}]" if element else name,
        "dtype": dtype,
        "digits": own.digits,
        "budget": own.budget,
        "given": placed(given, dtype),
        "points": points,
        "values": [asking.values[x] for x in sorted(asking.values)],
    }


def _measure(asking: Asking, work: float) -> tuple[Measure, int, bool]:
    """What judges the element at other numbers, how many of them, and whether that is done at once."""
    if is_elementwise(asking.sight.posed):
        return asking.at_once, COUNT, True
    each = CALL + sum(asking.sight.posed.true.gradient.costs)
    return asking.one_by_one, min(COUNT, int(work / each)), False


def _refined(
    measure: Measure, given: dict[float, Point], dtype: str, count: int, at_once: bool
) -> list[Point]:
    """Evenly at first, then halfway between neighbours that differ; the given point is known.

    What is asked one by one is asked coarsely first, and no finer once the time is over.
    """
    found, end = dict(given), perf_counter() + SECONDS
    evenly = spread(min(START, count), dtype).tolist()
    for step in (1,) if at_once else (8, 4, 2, 1):
        found |= measure([x for x in evenly[::step] if x not in found])
        if not at_once and perf_counter() > end:
            break
    for _ in range(ROUNDS):
        room = count - len(found)
        gaps = [
            (_unlike(found[low], found[high]), low, high)
            for low, high in itertools.pairwise(sorted(found))
            if np.ptp(ordinals(np.array([low, high]), dtype)) > 2.0**-8
        ]
        widest = sorted(gaps, key=lambda gap: -gap[0])[: max(room // 2, 1)]
        new = {between(low, high, dtype) for unlike, low, high in widest if unlike > 1} - found.keys()
        if room <= 0 or not new or (not at_once and perf_counter() > end):
            break
        found |= measure(sorted(new))
    return [found[x] for x in sorted(found)]


def _unlike(one: Point, other: Point) -> float:
    """How much two neighbours differ: in bits of error, and in the verdict, which counts as much as many."""
    bits = [_bits(point[COLUMNS.index("error_ulp")]) for point in (one, other)]
    return abs(bits[0] - bits[1]) + (20.0 if one[-1] != other[-1] else 0.0)


def _bits(ulps: float | None) -> float:
    return 64.0 if ulps is None else math.log2(1 + ulps)
