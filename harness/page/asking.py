"""One element of an argument at other numbers: its derivative there, and beside it the function's value."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness.page.axis import places
from harness.page.elements import COLUMNS as OF_ELEMENT
from harness.page.elements import elements, of_value
from harness.proof.answer import answer
from harness.proof.sight import Sight
from harness.proof.truth import Posed
from harness.subject.derivative import Array
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.evaluate import evaluate_quickly
from oracles.exact.program.balls import as_balls
from oracles.exact.program.errors import ExactError
from oracles.exact.program.formats import format_of

COLUMNS = ("x", "place", *OF_ELEMENT[1:])
FAR = 64.0  # beyond several turns, and within float16
Point = list[Any]
Numbers = dict[float, Point]


def placed(number: float, dtype: str) -> Point:
    """How a number is written, and where it is drawn, to a fraction of a pixel."""
    place = float(places(np.array([number]), dtype)[0])
    return [format_of(dtype).shortest(number), round(place, 5)]


@dataclass
class Asking:
    """The element that goes over other numbers.

    Attributes:
        sight: The question, at its point.
        part, element: Which element of which part of the gradient.
        values: The points of the function's own value, where it has one for the element: filled meanwhile.
    """

    sight: Sight
    part: int
    element: tuple[int, ...]
    values: Numbers = field(default_factory=dict)

    def one_by_one(self, numbers: Sequence[float]) -> Numbers:
        """The points at these numbers, each in a question of its own."""
        question = replace(self.sight.question, probes=(), thorough=False, blames=False, digits=False)
        given = self.sight.posed.inputs[: len(question.names)]
        found: Numbers = {}
        for x in numbers:
            moved = [a.copy("K") for a in given]
            moved[question.active[self.part]][self.element] = x
            found |= self._judged(question, moved, {self.element: x})
        return found

    def at_once(self, numbers: Sequence[float]) -> Numbers:
        """In an array of so many elements and as many axes as the given one; without a truth, by halves.

        A number at which the function has no value (the logarithm of -1) is not asked about.
        """
        (given,), (along,) = self.sight.posed.inputs, self.sight.posed.directions
        numbers = list(numbers)
        known = self._has_value(np.array(numbers, given.dtype).reshape(_row(given.ndim, len(numbers))))
        found = {
            x: _blank(x, given.dtype.name, "") for x, there in zip(numbers, known, strict=True) if not there
        }
        some = [x for x, there in zip(numbers, known, strict=True) if there]
        if len(some) < 2:
            return {**found, **self.one_by_one(some)}
        shape = _row(given.ndim, len(some))
        question = replace(
            self.sight.question, probes=(), thorough=False, blames=False, digits=False,
            cotangent=np.full(shape, along[self.element], along.dtype),
        )  # fmt: skip
        where = {(*(0 for _ in shape[1:]), k): x for k, x in enumerate(some)}
        judged = self._judged(question, [np.array(some, given.dtype).reshape(shape)], where)
        if all(point[COLUMNS.index("computed")] is None for point in judged.values()):
            halves = (some[: len(some) // 2], some[len(some) // 2 :])
            judged = {x: p for half in halves for x, p in self.at_once(half).items()}
        return {**found, **judged}

    def of_value(self, sight: Sight, numbers: dict[tuple[int, ...], float]) -> Numbers:
        """The value's points at a question's elements: the same ones, or the only one."""
        dtype = sight.posed.inputs[sight.question.active[self.part]].dtype.name
        with suppress(ExactError, ValueError):
            (truth,), (value,) = sight.posed.values, sight.seen.value
            own = of_value(
                sight.posed.forward, truth, 0, value, sight.tested.rounding, sight.question.allowed
            )
            alone = () if own.computed.ndim == 0 else None
            return {
                x: [*placed(x, dtype), *own.told(at if alone is None else alone)[1:]]
                for at, x in numbers.items()
                if alone is not None or own.shape == sight.posed.expected[self.part][1].shape
            }
        return {}

    def _judged(
        self, question: Any, arrays: Sequence[Array], numbers: dict[tuple[int, ...], float]
    ) -> Numbers:
        """The points at these elements; without numbers where there is no truth, or the function raises."""
        dtype = arrays[question.active[self.part]].dtype.name
        try:
            found = answer(question, self.sight.tested, arrays, "sweep")
        except ExactError:
            return {x: _blank(x, dtype, "undecided") for x in numbers.values()}
        except Exception:  # what the user's function raises at a number that nobody asked for is no news
            return {x: _blank(x, dtype, "") for x in numbers.values()}
        each = found.sight and elements(found.sight, self.part)
        if found.sight is None or each is None:
            worst = min((p.verdict for p in found.parts), key=lambda v: v.severity)
            return {x: _blank(x, dtype, worst.value) for x in numbers.values()}
        self.values |= self.of_value(found.sight, numbers)
        return {x: [*placed(x, dtype), *each.told(at)[1:]] for at, x in numbers.items()}

    def _has_value(self, array: Array) -> list[bool]:
        """At which elements an elementwise function has a value; at all, where it does not take the array."""
        try:
            subject = self.sight.tested.subject()
            (value,) = subject.fetch_value(subject.value(subject.load(array.copy())))
            found: list[bool] = (~np.isnan(np.asarray(value, float))).ravel().tolist()
        except Exception:  # what it raises in another shape than the given one is no news
            return [True] * array.size
        return found if len(found) == array.size else [True] * array.size


def is_elementwise(posed: Posed, most: int = 1) -> bool:
    """Whether each element of each array moves its own element of the only result, and no other.

    There are `most` arrays at the most. Of a second derivative, whose direction is an array too, say nothing.
    What moves others by jumps, as numpy.unwrap, has the derivative of a function of single numbers: so the
    ends are carried far away, too.
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
            if all(_is_alone(balls, at) for balls in found) and _stay_without(posed, at):
                continue
        return False
    return True


def _stay_without(posed: Posed, at: int) -> bool:
    """Whether all results but one stay where they are when its element is carried far away."""
    found = []
    for number in (None, FAR, -FAR):
        values = [np.array(value) for value in posed.true.values]
        for value in values if number is not None else ():
            value.flat[at] = number
        (result,) = evaluate_quickly(posed.true.forward, values, 64)
        balls = result.balls if isinstance(result, Pairs) else as_balls(result)
        found.append(np.delete(balls.ravel(), at).tolist())
    return all(a.overlaps(b) for moved in found[1:] for a, b in zip(found[0], moved, strict=True))


def _is_alone(found: Array | Pairs, at: int) -> bool:
    """Whether all elements but one are 0."""
    balls = found.balls if isinstance(found, Pairs) else as_balls(found)
    return all(k == at or ball.is_zero() for k, ball in enumerate(balls.ravel().tolist()))


def _row(axes: int, size: int) -> tuple[int, ...]:
    """The shape of so many elements in so many axes."""
    return (*(1 for _ in range(axes - 1)), size)


def _blank(number: float, dtype: str, verdict: str) -> Point:
    """A point without numbers."""
    return [*placed(number, dtype), *[None] * (len(OF_ELEMENT) - 2), verdict]
