"""The error over the input: one element of an argument goes over all numbers of its dtype, the rest stays.

A function that works on each element alone is asked at many numbers at once, in the same array.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from harness.page.axis import between, ordinals, places, spread
from harness.page.elements import COLUMNS as OF_ELEMENT
from harness.page.elements import elements
from harness.proof.answer import Sight, answer
from harness.proof.truth import Posed
from harness.subject.derivative import Array
from harness.subject.state import leaving_no_trace
from harness.subject.tested import Tested
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.evaluate import evaluate_quickly
from oracles.exact.from_numpy.proxy import seeded_chance
from oracles.exact.program.balls import as_balls
from oracles.exact.program.errors import ExactError
from oracles.exact.program.formats import format_of
from oracles.frameworks.framework import differentiating, without_errors

COUNT = 200  # points of a sweep
START = 96  # of them at first, evenly; the others go where something happens
ROUNDS = 6
FEWEST = 16
SECONDS = 5.0  # after which no more numbers are asked about one by one
WORK = 8e5  # additions that a sweep may take: some seconds
CALL = 4000  # that one more check takes beside its program
COLUMNS = ("x", "place", *OF_ELEMENT[1:])
Point = list[Any]
Measure = Callable[[Sequence[float]], dict[float, Point]]


def sweep(sight: Sight, part: int, element: tuple[int, ...], work: float = WORK) -> dict[str, Any] | None:
    """The points, worst verdicts and numbers as a row has them; None where there is no one input to move.

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
    measure, count, at_once = _measure(sight, part, element, work)
    if count < FEWEST:
        return None
    tested, dtype, given = sight.tested, at.dtype.name, float(at[element])
    functions = (tested.value, tested.derivative) if isinstance(tested, Tested) else (None, None)
    found = {given: [*placed(given, dtype), *own.told(element)[1:]]}

    @leaving_no_trace
    def measured(function: Any, vjp: Any = None) -> list[Point]:
        with warnings.catch_warnings(), differentiating(), seeded_chance(), without_errors():
            warnings.simplefilter("ignore")
            return _refined(measure, found, dtype, count, at_once)

    name = question.names[question.active[part]]
    return {
        "argument": f"{name}[{', '.join(map(str, element))}]" if element else name,
        "dtype": dtype,
        "digits": own.digits,
        "budget": own.budget,
        "given": placed(given, dtype),
        "points": measured(functions[0], vjp=functions[1]),
    }


def placed(number: float, dtype: str) -> Point:
    """How a number is written, and where it is drawn, to a fraction of a pixel."""
    place = float(places(np.array([number]), dtype)[0])
    return [format_of(dtype).shortest(number), round(place, 5)]


def _measure(sight: Sight, part: int, element: tuple[int, ...], work: float) -> tuple[Measure, int, bool]:
    """What judges the element at other numbers, how many of them, and whether that is done at once."""
    if is_elementwise(sight.posed):
        return partial(_in_one_array, sight, element), COUNT, True
    each = CALL + sum(sight.posed.true.gradient.costs)
    return partial(_one_by_one, sight, part, element), min(COUNT, int(work / each)), False


def is_elementwise(posed: Posed, most: int = 1) -> bool:
    """Whether each element of each array moves its own element of the only result, and no other.

    There are `most` arrays at the most. Of a second derivative, whose direction is an array too, say nothing.
    """
    results, inputs = posed.true.forward.outputs, posed.inputs
    alike = all(a.shape == results[0].shape and a.ndim for a in inputs)
    if not (1 <= len(inputs) <= most and len(results) == len(posed.directions) == 1 and alike):
        return False
    if len(posed.true.values) != len(inputs):
        return False
    for at in sorted({0, min(1, inputs[0].size - 1), inputs[0].size - 1}):
        one = np.zeros(inputs[0].shape)
        one.flat[at] = 1.0
        with suppress(ExactError, ZeroDivisionError):
            found = evaluate_quickly(posed.true.gradient, [*posed.true.values, one], 64)
            if all(_is_alone(balls, at) for balls in found):
                continue
        return False
    return True


def _is_alone(found: Array | Pairs, at: int) -> bool:
    """Whether all elements but one are 0."""
    balls = found.balls if isinstance(found, Pairs) else as_balls(found)
    return all(k == at or ball.is_zero() for k, ball in enumerate(balls.ravel().tolist()))


def _one_by_one(
    sight: Sight, part: int, element: tuple[int, ...], numbers: Sequence[float]
) -> dict[float, Point]:
    question = replace(sight.question, probes=(), thorough=False, blames=False, digits=False)
    given = sight.posed.inputs[: len(question.names)]
    found = {}
    for x in numbers:
        moved = [a.copy("K") for a in given]
        moved[question.active[part]][element] = x
        found[x] = _judged(question, sight, moved, {element: x}, part)[x]
    return found


def _in_one_array(sight: Sight, element: tuple[int, ...], numbers: Sequence[float]) -> dict[float, Point]:
    """In an array of so many elements and as many axes as the given one; where that has no truth, by halves.

    A number at which the function has no value (the logarithm of -1) is not asked about.
    """
    (given,), (along,) = sight.posed.inputs, sight.posed.directions
    numbers = list(numbers)
    known = _has_value(sight, np.array(numbers, given.dtype).reshape(_row(given.ndim, len(numbers))))
    found = {x: _blank(x, given.dtype.name, "") for x, there in zip(numbers, known, strict=True) if not there}
    some = [x for x, there in zip(numbers, known, strict=True) if there]
    if len(some) < 2:
        return {**found, **_one_by_one(sight, 0, element, some)}
    shape = _row(given.ndim, len(some))
    question = replace(
        sight.question, probes=(), thorough=False, blames=False, digits=False,
        cotangent=np.full(shape, along[element], along.dtype),
    )  # fmt: skip
    where = {(*(0 for _ in shape[1:]), k): x for k, x in enumerate(some)}
    judged = _judged(question, sight, [np.array(some, given.dtype).reshape(shape)], where, 0)
    if all(point[COLUMNS.index("computed")] is None for point in judged.values()):
        halves = (some[: len(some) // 2], some[len(some) // 2 :])
        judged = {x: p for half in halves for x, p in _in_one_array(sight, element, half).items()}
    return {**found, **judged}


def _row(axes: int, size: int) -> tuple[int, ...]:
    """The shape of so many elements in so many axes."""
    return (*(1 for _ in range(axes - 1)), size)


def _has_value(sight: Sight, array: Array) -> list[bool]:
    """At which elements an elementwise function has a value; at all, where it does not take the array."""
    try:
        subject = sight.tested.subject()
        (value,) = subject.fetch_value(subject.value(subject.load(array.copy())))
        found: list[bool] = (~np.isnan(np.asarray(value, float))).ravel().tolist()
    except Exception:  # what it raises in another shape than the given one is no news
        return [True] * array.size
    return found if len(found) == array.size else [True] * array.size


def _judged(
    question: Any, sight: Sight, arrays: Sequence[Array], numbers: dict[tuple[int, ...], float], part: int
) -> dict[float, Point]:
    """The points at these elements; without numbers where there is no truth, or the function raises."""
    dtype = arrays[question.active[part]].dtype.name
    try:
        found = answer(question, sight.tested, arrays, "sweep")
    except ExactError:
        return {x: _blank(x, dtype, "undecided") for x in numbers.values()}
    except Exception:  # what the user's function raises at a number that nobody asked for is no news
        return {x: _blank(x, dtype, "") for x in numbers.values()}
    each = found.sight and elements(found.sight, part)
    if each is None:
        worst = min((p.verdict for p in found.parts), key=lambda v: v.severity)
        return {x: _blank(x, dtype, worst.value) for x in numbers.values()}
    return {x: [*placed(x, dtype), *each.told(at)[1:]] for at, x in numbers.items()}


def _blank(number: float, dtype: str, verdict: str) -> Point:
    """A point without numbers."""
    return [*placed(number, dtype), *[None] * (len(OF_ELEMENT) - 2), verdict]


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
