"""Whose it is: does a function of the library lose the digits, or what is made of it?

A library is blamed where one of its functions, checked alone on the operands and the cotangents that it got,
is not right itself; and it is wholly the library's where the gradient is right as soon as these functions
give what is correctly rounded. What the composition amplifies is its author's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.proof.evidence import Evidence
from harness.proof.formula import Formula
from harness.proof.judge import judge_each
from harness.proof.program import Examined, verdicts
from harness.proof.question import Answer, Blame, Question, UnderTest
from harness.proof.reports import report_on
from harness.proof.tied import bound_of
from harness.proof.truth import Posed, pose
from harness.subject.derivative import FORWARD, GRADIENT, Array, Derivative, dtype_named
from harness.subject.target import Target, target_of
from harness.subject.tested import under_test
from harness.verdicts import RIGHT, Standing, Verdict
from oracles.exact.enclose.refine import Enclosure, refine
from oracles.exact.program.errors import ExactError, Unsupported
from oracles.exact.rounding.bound import attainable
from oracles.exact_oracle import BITS
from oracles.frameworks.calls import Call, Watched, as_it_is
from oracles.frameworks.framework import without_errors

Ask = Callable[[Question, UnderTest, Sequence[Array]], Answer]
ONE_STEP = (GRADIENT, Derivative((FORWARD,)))
MOST_CALLS = 64  # that are checked alone
MOST_ALONE = 8  # that are mended each by itself, before all at once


def blame(
    question: Question,
    tested: UnderTest,
    posed: Posed,
    examined: Examined,
    found: Sequence[Verdict],
    ask: Ask,
) -> Blame | None:
    """Whose fault these parts of one gradient are; None where that cannot be told.

    A row whose formula was not examined is never blamed on anybody.

    Args:
        question, tested: What is asked, and of what.
        posed: The question at its point.
        examined: E and B.
        found: The verdict on each part of the derivative.
        ask: Answers a question.
    """
    if question.derivative not in ONE_STEP or examined.opaque:
        return None
    agreeing = replace(
        examined, formula=Formula(tuple(np.ones(e.shape, bool) for e in posed.true.enclosures))
    )

    def judged(ran: Watched) -> list[Verdict]:
        numbers = [g for g in ran.gradients if g is not None]
        return [j.verdict for j in verdicts(posed.true, agreeing, numbers, question.allowed)]

    try:
        with without_errors():
            ran = tested.watch(posed.directions, posed.inputs, as_it_is)
            bad = [k for k, verdict in enumerate(found) if verdict.standing is Standing.FAULTY]
            if all(verdict in RIGHT for k, verdict in enumerate(judged(ran)) if k in bad):
                return None  # it is right where it is watched
            faulty = _faulty(question, ran.calls, ask)
            if faulty:
                for chosen in (*({k} for k in faulty[:MOST_ALONE]), set(faulty)):
                    mended = judged(tested.watch(posed.directions, posed.inputs, Mending(question, chosen)))
                    if all(mended[k] in RIGHT for k in bad):
                        first = ran.calls[min(chosen)]
                        return Blame(first.owner, str(first), report_on(first.owner, first.name))
    except (
        Exception
    ):  # whatever the caller's code raises where it is watched, the verdict stands without this
        return None
    return Blame("yours") if ran.complete and len(ran.calls) <= MOST_CALLS else None


def _faulty(question: Question, calls: Sequence[Call], ask: Ask) -> list[int]:
    """The calls that are not right alone."""
    found, known = [], dict[tuple[object, ...], bool]()
    for call in calls[:MOST_CALLS]:
        key = (
            call.name,
            call.place,
            *(a.tobytes() for a in (*call.operands, *(call.cotangents or call.tangents or ()))),
        )
        if key not in known:
            known[key] = _is_faulty(question, call, ask)
        if known[key]:
            found.append(call.number)
    return found


def _is_faulty(question: Question, call: Call, ask: Ask) -> bool:
    """Whether a call alone is imprecise, miscomputed or another function's, in its gradient or its value."""
    try:
        target = _target(call)
        alone = _alone(question, call, target)
        if alone.cotangent is not None:
            found = ask(alone, under_test(target, alone.derivative), target.arrays)
            if any(
                p.verdict.standing is Standing.FAULTY and p.examined for p in found.parts if not p.of_value
            ):
                return True
        return _value_is_faulty(alone, target)
    except (ExactError, ValueError):  # there is no truth of it
        return False


def _value_is_faulty(alone: Question, target: Target) -> bool:
    recording = alone.specify(target.arrays)
    program, values = recording.program, target.values()
    true = refine(program, recording.values, BITS, alone.limits)
    wrt = [i for i, v in enumerate(program.inputs) if v.is_float]
    excused, zero = attainable(program, recording.values, wrt, true, 0)
    evidence = []
    for k, (e, a, z, v) in enumerate(zip(true, excused, zero, program.outputs, strict=True)):
        balls = bound_of(recording, k, target.framework.name)
        evidence.append(Evidence("value", e, a, z, np.ones(e.shape, bool), balls, v.dtype))
    return any(j.verdict.standing is Standing.FAULTY for j in judge_each(evidence, values, alone.allowed))


def _target(call: Call) -> Target:
    own = "numpy" if call.owner == "scipy" else call.owner
    return target_of(call.function, call.operands, {}, call.active or None, own, trained=False, exactly=True)


def _alone(question: Question, call: Call, target: Target) -> Question:
    """The question of one call alone."""
    own, flat, along = target.framework, target.flat, call.tangents or call.cotangents
    return Question(
        lambda arrays: own.record(flat, arrays, bool(call.active), True),
        target.names, target.active, target.results.names,
        derivative=GRADIENT if call.tangents is None else ONE_STEP[1],
        cotangent=None if along is None else list(along),
        limits=question.limits, allowed=question.allowed, thorough=False, blames=False,
    )  # fmt: skip


@dataclass(frozen=True)
class Mending:
    """Gives what is correctly rounded for the calls of these numbers."""

    question: Question
    numbers: Collection[int]

    def __call__(self, call: Call) -> tuple[Array, ...] | None:
        """The values, or the gradients along cotangents."""
        if call.number not in self.numbers:
            return None
        target = _target(call)
        alone = _alone(self.question, call, target)
        if alone.cotangent is not None:
            posed: Posed = pose(alone, target.arrays)
            found, dtypes = posed.true.enclosures, posed.true.dtypes
        else:
            recording = alone.specify(target.arrays)
            found = tuple(refine(recording.program, recording.values, BITS, alone.limits))
            dtypes = tuple(v.dtype for v in recording.program.outputs)
        return tuple(_rounded(e, d, target.arrays) for e, d in zip(found, dtypes, strict=True))


def _rounded(true: Enclosure, dtype: str, like: Sequence[Array]) -> Array:
    if true.kinks and bool(np.any(true.wide)):
        raise Unsupported("a kink has no one value to be rounded")
    return np.asarray(true.mid.astype(dtype_named(dtype, like)))
