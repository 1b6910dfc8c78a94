"""One call of a library's function as a question of its own: is it right on the operands that it got?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from harness.proof.evidence import Evidence
from harness.proof.judge import judge_each
from harness.proof.question import Ask, Question
from harness.proof.remembered import refined
from harness.proof.tied import bound_of
from harness.proof.truth import pose
from harness.subject.derivative import FORWARD, GRADIENT, Array, Derivative, dtype_named
from harness.subject.target import Target, target_of
from harness.subject.tested import Tested, under_test
from harness.verdicts import Standing, Verdict
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work
from oracles.exact.program.errors import ExactError, Unsupported
from oracles.exact.rounding.attainable import attainable
from oracles.frameworks.calls import Call
from oracles.frameworks.framework import framework as framework_named

PUSHFORWARD = Derivative((FORWARD,))


@dataclass(frozen=True)
class Alone:
    """A call's question.

    Attributes:
        target: The function at its operands.
        question: About its derivative along the call's cotangents or tangents, where it has such; and its
            value.
    """

    target: Target
    question: Question

    @classmethod
    def of(cls, call: Call, asked: Question) -> Alone:
        """The question of one call, with the limits and the budget of another.

        Raises:
            Unsupported, ValueError: It cannot be asked.
        """
        framework = "numpy" if call.owner == "scipy" else call.owner
        call = _of_what_is_finite(call, framework)
        target = target_of(
            call.function, call.operands, {}, call.active or None, framework, trained=False, exactly=True
        )
        own, flat, along = target.framework, target.flat, call.tangents or call.cotangents
        question = Question(
            lambda arrays: own.record(flat, arrays, bool(call.active), exactly=True),
            target.names, target.active, target.results.names,
            GRADIENT if call.tangents is None else PUSHFORWARD,
            None if along is None else list(along),
            limits=asked.limits, allowed=asked.allowed, thorough=False, blames=False,
        )  # fmt: skip
        return cls(target, question)

    def is_faulty(self, ask: Ask) -> bool | None:
        """Whether its derivative or its value is imprecise, miscomputed, or another function's.

        None where that is not known: nothing is proven, or the formula was not examined.
        """
        known = True
        for found in chain(self._derivatives(ask), self._values()):
            if found:
                return True
            known &= found is not None
        return False if known else None

    def is_of_another(self, ask: Ask) -> bool:
        """Whether its derivative's formula is another function's."""
        if self.question.cotangent is None:
            return False
        tested = self._tested(self.target)
        return any(p.verdict is Verdict.WRONG for p in ask(self.question, tested, self.target.arrays).parts)

    def _derivatives(self, ask: Ask) -> Iterator[bool | None]:
        """In all active operands, and in each of them, where the rounding of the others excuses nothing."""
        active = self.question.active
        if self.question.cotangent is None:
            return
        yield self._is_faulty_in(active, ask)
        if len(active) > 1 and self.question.derivative == GRADIENT:
            yield from (self._is_faulty_in((k,), ask) for k in active)

    def _is_faulty_in(self, active: tuple[int, ...], ask: Ask) -> bool | None:
        target = replace(self.target, active=active)
        tested = self._tested(target)
        parts = ask(replace(self.question, active=active), tested, target.arrays).parts
        own = [p for p in parts if not p.of_value]
        if any(p.verdict.standing is Standing.FAULTY and p.examined for p in own):
            return True
        known = all(p.verdict.right or p.verdict is Verdict.NONE for p in own)
        return False if known else None

    def _tested(self, target: Target) -> Tested:
        """Its derivative, whose literals are the numbers that stand there, as they are in its truth."""
        return replace(under_test(target, self.question.derivative), exactly=True)

    def rounded(self) -> tuple[Array, ...]:
        """The derivative, or the value where it is asked for no derivative, correctly rounded.

        Raises:
            Unsupported, Undecided: There is no truth, or no one number at a kink.
        """
        if self.question.cotangent is not None:
            true = pose(self.question, self.target.arrays).true
            found, dtypes = true.enclosures, true.dtypes
        else:
            recording = self.question.specify(self.target.arrays)
            found = tuple(refined(recording.program, recording.values, self.question.limits))
            dtypes = tuple(v.dtype for v in recording.program.outputs)
        return tuple(_rounded(e, d, self.target.arrays) for e, d in zip(found, dtypes, strict=True))

    def _values(self) -> Iterator[bool]:
        yield self._value_is_faulty()

    def _value_is_faulty(self) -> bool:
        """Judged as a gradient is: by what half an ulp of the operands excuses."""
        recording, name = self.question.specify(self.target.arrays), self.target.framework.name
        program, values = recording.program, recording.values
        true = refined(program, values, self.question.limits)
        moving = [i for i, v in enumerate(program.inputs) if v.is_float]
        excused, zero = attainable(program, values, moving, true, 0, work=Work(self.question.limits.seconds))
        evidence = [
            Evidence("value", e, a, z, np.ones(e.shape, bool), bound_of(recording, k, name), v.dtype)
            for k, (e, a, z, v) in enumerate(zip(true, excused, zero, program.outputs, strict=True))
        ]
        judged = judge_each(evidence, self.target.values(), self.question.allowed)
        return any(j.verdict.standing is Standing.FAULTY for j in judged)


@dataclass(frozen=True)
class Mending:
    """Gives what is correctly rounded for the calls of these numbers."""

    question: Question
    numbers: Collection[int]

    def __call__(self, call: Call) -> tuple[Array, ...] | None:
        """The values, or the derivative along the call's cotangents or tangents."""
        return Alone.of(call, self.question).rounded() if call.number in self.numbers else None


def is_faulty(call: Call, asked: Question, ask: Ask) -> bool | None:
    """Whether a call is not right alone; None where there is no truth of it."""
    try:
        return Alone.of(call, asked).is_faulty(ask)
    except (ExactError, ValueError):
        return None


def is_of_another(call: Call, asked: Question, ask: Ask) -> bool:
    """Whether the formula of a call's derivative is wrong alone."""
    try:
        return Alone.of(call, asked).is_of_another(ask)
    except (ExactError, ValueError):
        return False


def _of_what_is_finite(call: Call, framework: str) -> Call:
    """The same call in its finite numbers: what is infinite, as a mask's -inf is, stands in the function."""
    masks = [{end: a == end for end in (np.inf, -np.inf) if (a == end).any()} for a in call.operands]
    if not any(masks):
        return call
    choose = framework_named(framework).where

    def function(*operands: Any) -> Any:
        whole = list(operands)
        for k, own in enumerate(masks):
            for end, mask in own.items():
                whole[k] = choose(mask, end, whole[k])
        return call.function(*whole)

    finite = [a.copy("K") for a in call.operands]
    for one in finite:
        one[np.isinf(one)] = 0
    return replace(call, function=function, operands=tuple(finite))


def _rounded(true: Enclosure, dtype: str, like: Sequence[Array]) -> Array:
    if true.kinks and bool(np.any(true.wide)):
        raise Unsupported("a kink has no one value to be rounded")
    return np.asarray(true.mid.astype(dtype_named(dtype, like)))
