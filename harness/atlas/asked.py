"""What is asked of a function at arrays of any size: its derivative, or its own value."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.atlas.at_once import Mask, Open, Unknown, in_rows
from harness.atlas.clock import time_ratio
from harness.atlas.filled import Filled, Size, asked_filled
from harness.atlas.guard import ending_after
from harness.page.elements import Elements, elements, of_value
from harness.proof.answer import answer
from harness.proof.question import Question
from harness.proof.sight import Sight
from harness.proof.truth import recorded
from harness.subject.derivative import Array
from harness.subject.target import Target
from harness.subject.tested import Tested
from harness.verdicts import Verdict
from oracles.exact.core.plans import planned
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.refine import refine
from oracles.exact.program.balls import as_balls
from oracles.exact.program.errors import ExactError
from oracles.exact.program.program import Program
from oracles.exact_oracle import BITS

ROOM = 576  # numbers that an array has where it runs: a dtype's sweep, the corpus and the given ones
FEW = 32  # numbers without a finite value that are asked on where Arb does all
SECONDS = 2.0  # of work to find them


@dataclass(frozen=True)
class Gradients:
    """A derivative along the cotangent 1, at every level.

    Attributes:
        question, tested: The question, and what is asked.
        most_s: The seconds of computing in which each run ends, or its process; 0 for any number.
    """

    question: Question
    tested: Tested
    most_s: float = 0.0

    def has_value(self, arrays: Sequence[Array]) -> Mask:
        """Where the function has a value."""
        subject = self._filled(arrays).subject()
        inner = [np.ones_like(arrays[0]) for _ in self.question.derivative.steps[1:] for _ in arrays]
        (value,) = subject.fetch_value(subject.value(*map(subject.load, [*arrays, *inner])))
        return ~np.isnan(np.asarray(value, np.float64))

    def unknown(self, arrays: Sequence[Array]) -> Unknown:
        """Where the truth has no finite value in a hundred bits."""
        try:
            at = recorded(self._along_ones(arrays), arrays)
            program = self.question.derivative.last(at.function.program, at.wrt)
        except ExactError:
            return Unknown(np.zeros(arrays[0].shape, bool), 0)
        return unknown(program, [*at.function.values, *at.directions], arrays)

    def at(self, arrays: Sequence[Array]) -> list[Elements] | Open:
        """The elements of each gradient."""
        tested = self._filled(arrays)
        found = answer(asked_filled(self._along_ones(arrays), tested.size), tested, arrays, "at once")
        gradients = [part for part in found.parts if not part.of_value]
        each = [elements(found.sight, k) for k in range(len(gradients))] if found.sight else []
        known = [one for one in each if one is not None]
        worst = min(gradients, key=lambda part: part.verdict.severity)
        if found.sight is None or len(known) < len(gradients):
            return Open(worst.verdict, worst.diagnosis)
        if all(part.verdict is Verdict.UNDECIDED for part in gradients):
            return Open(worst.verdict, worst.diagnosis, self._as_recorded(found.sight))
        return known

    def _as_recorded(self, sight: Sight) -> Mask | None:
        """Where the value lies in the bound of what was recorded."""
        with suppress(ExactError):
            (truth,), (value,) = sight.posed.values, sight.seen.value
            rounding, allowed = self.tested.rounding, self.question.allowed
            own = of_value(sight.posed.forward, truth, 0, value, rounding, allowed)
            return np.array([own.verdict(at).right for at in np.ndindex(own.shape)])
        return None

    def time_ratio(self, arrays: Sequence[Array], warm: bool) -> float | None:
        """How many times as long as the function the derivative takes, at so many numbers."""
        rows = in_rows(arrays, arrays[0].ndim)
        return time_ratio(self._filled(rows, 0.0).subject(), rows, (np.ones_like(rows[0]),), warm)

    def _filled(self, arrays: Sequence[Array], most_s: float | None = None) -> Filled:
        own = arrays[0].size
        return Filled.of(self.tested, Size(own, max(own, ROOM)), self.most_s if most_s is None else most_s)

    def _along_ones(self, arrays: Sequence[Array]) -> Question:
        one: Any = np.ones_like(arrays[0])
        if len(self.question.derivative.steps) > 1:
            inner = one if len(self.question.active) == 1 else tuple(one.copy() for _ in self.question.active)
            one = [one.copy(), *(inner for _ in self.question.derivative.steps[1:])]
        return replace(self.question, cotangent=one)


@dataclass(frozen=True)
class Values:
    """A function's own value; `most_s` as above."""

    question: Question
    target: Target
    most_s: float = 0.0

    def has_value(self, arrays: Sequence[Array]) -> Mask:
        """Where the function has a value."""
        (value,) = self._run(arrays)
        return ~np.isnan(np.asarray(value, np.float64))

    def unknown(self, arrays: Sequence[Array]) -> Unknown:
        """Where the truth has no finite value in a hundred bits."""
        try:
            forward = self.question.specify(arrays)
        except ExactError:
            return Unknown(np.zeros(arrays[0].shape, bool), 0)
        return unknown(forward.program, forward.values, arrays)

    def at(self, arrays: Sequence[Array]) -> list[Elements] | Open:
        """The elements of each result."""
        forward = self.question.specify(arrays)
        true = refine(forward.program, forward.values, BITS, self.question.limits, quickly=True)
        found, rounding = self._run(arrays), self.target.framework.name
        wanted, got = [v.shape for v in forward.program.outputs], [v.shape for v in found]
        if wanted != got:
            return Open(Verdict.UNDECIDED, f"shapes {got}, and {wanted} where it is recorded")
        return [
            of_value(forward, truth, k, value, rounding, self.question.allowed)
            for k, (truth, value) in enumerate(zip(true, found, strict=True))
        ]

    def is_defined(self, arrays: Sequence[Array]) -> bool:
        """Whether no result is outside of the function's domain."""
        return not any(np.isnan(np.asarray(value, np.float64)).any() for value in self._run(arrays))

    def _run(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        own = self.target.subject(self.target.flat, self.target.flat)
        with ending_after(self.most_s):
            found: tuple[Array, ...] = own.fetch_value(own.value(*(own.load(a.copy("K")) for a in arrays)))
        return found


def unknown(program: Program, inputs: Sequence[Array], arrays: Sequence[Array]) -> Unknown:
    """Where a program of single numbers has no finite result in a hundred bits.

    Where the fast core has none at all, Arb says it, and few of them can be asked on: the slopes around each
    take many evaluations with a thousand bits. Zeros are among them, for the kinks that are there.
    """
    plan = None
    with suppress(ExactError):
        plan = planned(program)
    found = plan.run(inputs) if plan else None
    results = [one.r for one in found] if found is not None else _radii(program, inputs)
    there = np.zeros(arrays[0].shape, bool)
    if found is None:
        there |= np.logical_or.reduce([array == 0 for array in arrays])
    for radii in results:
        if radii.size == there.size:
            there |= ~np.isfinite(radii.reshape(there.shape))
    return Unknown(there, there.size if found is not None else FEW)


def _radii(program: Program, inputs: Sequence[Array]) -> list[Array]:
    """By Arb: infinite where too little is known; none at all where it cannot compare two numbers."""
    with suppress(ExactError):
        results = evaluate(program, inputs, BITS, Work(SECONDS))
        each = [as_balls(one).ravel().tolist() for one in results]
        return [
            np.array([0.0 if b.rel_accuracy_bits() >= BITS // 2 else np.inf for b in balls]) for balls in each
        ]
    return []
