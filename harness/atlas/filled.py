"""Arrays of few numbers run as arrays of many, filled up with their last one: JAX compiles for each size.

It holds for functions of single numbers alone. What is recorded, and its truth, is of the few.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from harness.atlas.guard import ending_after
from harness.proof.question import Question
from harness.subject.derivative import Array
from harness.subject.tested import Programs, Tested
from oracles.exact.program.recording import Recording
from oracles.frameworks.framework import Gradient, Subject


@dataclass(frozen=True)
class Size:
    """How many numbers are asked about, and at how many it runs."""

    own: int
    room: int

    def fill(self, array: Array) -> Array:
        """Filled up on the last axis."""
        last = np.repeat(array[..., -1:], self.room - self.own, axis=-1)
        return np.concatenate([array, last], axis=-1)

    def cut(self, array: Array) -> Array:
        """The numbers that were asked about."""
        return array[..., : self.own] if array.shape[-1:] == (self.room,) else array


@dataclass(frozen=True)
class Filled(Tested):
    """A derivative that runs at more numbers than are asked about.

    Attributes:
        size: How many.
        most_s: The seconds of computing in which each run ends, or its process; 0 for any number.
    """

    size: Size = Size(1, 1)
    most_s: float = 0.0

    @classmethod
    def of(cls, tested: Tested, size: Size, most_s: float = 0.0) -> Filled:
        """The same derivative."""
        own = {field.name: getattr(tested, field.name) for field in fields(Tested)}
        return cls(**own, size=size, most_s=most_s)

    def subject(self) -> Subject:
        """What runs it."""
        subject, size = super().subject(), self.size

        def fetch_gradient(found: Any) -> Gradient:
            whole = subject.fetch_gradient(found)
            primal = None if whole.primal is None else tuple(map(size.cut, whole.primal))
            arrays = tuple(g if g is None else size.cut(g) for g in whole.arrays)
            return replace(whole, arrays=arrays, primal=primal)

        def fetch_value(found: Any) -> Any:
            value = subject.fetch_value(found)
            return tuple(map(size.cut, value)) if isinstance(value, tuple) else size.cut(value)

        return replace(
            subject,
            value=_ending(subject.value, self.most_s),
            gradient=_ending(subject.gradient, self.most_s),
            load=lambda array: subject.load(size.fill(array)),
            fetch_value=fetch_value,
            fetch_gradient=fetch_gradient,
        )

    def record(self, directions: tuple[Array, ...], inputs: Sequence[Array], alone: bool) -> Programs:
        """Its programs; what they give when they run is what they give at the larger size."""
        found, whole = super().record(directions, inputs, alone), super().record
        if found.value is None:
            return found

        def again() -> Recording:
            larger = whole(tuple(map(self.size.fill, directions)), list(map(self.size.fill, inputs)), alone)
            assert larger.value is not None
            return larger.value

        return found._replace(value=_run_at(self.size, found.value, again))


def _ending(run: Callable[..., Any], most_s: float) -> Callable[..., Any]:
    def within(*args: Any) -> Any:
        with ending_after(most_s):
            return run(*args)

    return within if most_s else run


def asked_filled(question: Question, size: Size) -> Question:
    """The question, whose recording gives what it gives at the larger size, when it runs."""

    def specify(arrays: Sequence[Array]) -> Recording:
        larger = list(map(size.fill, arrays))
        return _run_at(size, question.specify(arrays), lambda: question.specify(larger))

    return replace(question, specify=specify)


def _run_at(size: Size, recording: Recording, larger: Callable[[], Recording]) -> Recording:
    return replace(recording, executed=lambda: tuple(map(size.cut, larger().executed())))
