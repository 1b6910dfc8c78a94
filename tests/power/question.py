"""Which derivative of a function is asked for; our answer at some points, and what it says is not right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.result import Result
from harness.verdicts import RIGHT
from tests.power.check import check
from tests.power.defect import Defect
from tests.power.function import Subject, loaded
from tests.power.points import Point, points
from tests.power.subjects import SUBJECTS

ASKED = (("reverse", 1), ("forward", 1), ("reverse", 2))


class Question(NamedTuple):
    """One derivative of one function in one dtype."""

    label: str
    dtype: str
    mode: str
    order: int

    @property
    def subject(self) -> Subject:
        """The function."""
        return SUBJECTS[self.label]

    def answer(self, part: Sequence[Point]) -> Result | None:
        """Our answer at these points at once; None where it cannot be asked."""
        args, moving = arguments(self.subject, part, self.dtype), self.subject.moving
        call = self.subject.call
        tangents = [loaded(call, np.ones(args[k].shape), self.dtype) for k in moving]
        ones = loaded(call, np.ones(len(part)), self.dtype)
        cotangent = tangents if self.mode == "forward" else ones if self.order == 1 else [ones, tangents]
        try:
            return check(
                call,
                args,
                argnums=moving,
                cotangent=cotangent,
                mode=self.mode,
                order=self.order,
                seconds=10,
                probes=False,
            )
        except Exception:
            return None

    def named(self, part: Sequence[Point]) -> list[Defect] | None:
        """The elements that the answer names as not right, the worst first; None where all is right."""
        result = self.answer(part)
        if result is not None and result.verdict in RIGHT:
            return None
        found = []
        parts = () if result is None else result.parts
        for k, own in enumerate(part for part in parts if not part.of_value):
            j = own.judgement
            if j is None or j.verdict in RIGHT:
                continue
            first = (j.element, j.computed, j.true_digits, j.bits_lost)
            others = ((e.at, e.computed, e.true_digits, e.bits_lost) for e in j.more)
            argument = None if self.mode == "forward" else self.subject.moving[k]
            for at, computed, true, lost in (first, *others):
                true = "0" if true == "-0 to 0" else true  # a ball around 0, smaller than any number
                element = at[1] if len(at) > 1 else None
                found.append(Defect(*self, part[at[0]], argument, element, computed, true, j.verdict, lost))
        return found

    def domain(self) -> list[Point]:
        """The points at which the function is a number; one by one where it refuses some."""
        every = points(self.dtype, self.subject.function.numbers)
        try:
            return self._numbers(every)
        except Exception:
            return [point for point in every if self.is_number(point)]

    def _numbers(self, part: Sequence[Point]) -> list[Point]:
        values = np.asarray(self.subject.call(*arguments(self.subject, part, self.dtype)))
        return [point for point, value in zip(part, values, strict=True) if not np.isnan(value)]

    def is_number(self, point: Point) -> bool:
        """Whether the function is a number at a point."""
        try:
            return bool(self._numbers([point]))
        except Exception:
            return False


def arguments(subject: Subject, part: Sequence[Point], dtype: str) -> tuple[Any, ...]:
    """Points as the function takes them: one array for each argument."""
    each = zip(*(subject.arguments(point) for point in part), strict=True)
    return tuple(loaded(subject.call, list(own), dtype) for own in each)
