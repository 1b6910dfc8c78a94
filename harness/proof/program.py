"""E and B, the tested derivative's own program, exact and rounded as its dtype rounds; and what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flint import arb

from harness.proof.evidence import Allowed, Evidence, budget
from harness.proof.formula import Formula, beyond, compare
from harness.proof.judge import Judgement, judge_each
from harness.proof.observe import Observed
from harness.proof.question import Question, UnderTest
from harness.proof.truth import Posed, Truth
from harness.subject.derivative import Array
from harness.verdicts import RIGHT, Verdict
from oracles.exact.enclose.evaluate import Work
from oracles.exact.program.errors import ExactError, Undecided, Unsupported
from oracles.exact.program.formats import format_of
from oracles.exact.program.recording import Recording
from oracles.exact.rounding.bound import ROUNDING_MODELS, Bound, RoundingModel, bound
from oracles.exact.rounding.diagnosis import diagnose


@dataclass(frozen=True, slots=True)
class Examined:
    """A gradient program against the truth.

    Attributes:
        machine: How it rounds.
        recording: The program, None if it could not be recorded.
        formula: E against T.
        bound: B, None without a program or for a wrong one.
        unsupported: Why there is no program, "" if there is one.
        value: The program of the function's value, where the derivative gives it too.
        note: What is worth saying of all this.
    """

    machine: RoundingModel
    recording: Recording | None
    formula: Formula
    bound: Bound | None
    unsupported: str = ""
    value: Recording | None = None
    note: str = ""

    def of_what_ran(self, seen: Observed, run: Callable[[], Any]) -> Examined:
        """The same of what ran unwatched: where its numbers are others, what it calls is compared.

        torch takes other paths where a dispatch mode watches it (the gradients of prod and cumprod): they
        have the same formula, and round differently, so that there is no bound. If the user's code does so,
        nothing is known of what ran.

        Args:
            seen: What ran.
            run: Runs it again.
        """
        watched = self.machine is ROUNDING_MODELS["torch"]
        ran = self.recording.executed() if self.recording and watched else ()
        pairs = zip(seen.gradient.arrays, ran, strict=False)
        if all(a is None or np.array_equal(a.astype(np.float64), e, equal_nan=True) for a, e in pairs):
            return self
        from oracles.frameworks.torch_path import difference

        other = difference(run)
        if other is None:
            return self
        if not other.is_users:
            said = f"torch takes another path unwatched, so that its bound is not known: {other.text}"
            return replace(self, bound=None, note=self.note or said)
        reason = f"the gradient takes another path where it is recorded, and what ran was not: {other.text}"
        return replace(self, formula=Formula(None, reason), bound=None)


def examine_derivative(question: Question, tested: UnderTest, posed: Posed, alone: bool = False) -> Examined:
    """Record the tested derivative, and evaluate it exactly and at its own precision.

    Args:
        question: The question.
        tested: The derivative under test.
        posed: The question at its point.
        alone: Whether it writes into its inputs, and is recorded on copies.
    """
    machine, truth = ROUNDING_MODELS[tested.rounding], posed.true
    try:
        programs = tested.record(posed.directions, posed.inputs, alone)
    except Unsupported as reason:
        if question.opaque:
            return _opaque(truth, machine, f"opaque, so judged by its numbers alone: {reason}")
        return Examined(machine, None, Formula(None, str(reason)), None, str(reason))
    except Undecided as reason:
        return Examined(machine, None, Formula(None, str(reason)), None)
    found = examine_program(question, truth, programs.gradient, machine)
    if programs.after_forward and not found.formula.is_right:
        with suppress(ExactError):
            whole = examine_program(question, truth, programs.after_forward(), machine)
            found = whole if whole.formula.is_right else found
    return replace(found, value=programs.value)


def examine_program(
    question: Question, truth: Truth, recording: Recording, machine: RoundingModel
) -> Examined:
    """A recorded gradient program against the truth.

    Args:
        question: The question.
        truth: The truth it is compared with.
        recording: The program; its outputs are the gradients with respect to the truth's inputs, in order.
        machine: How it rounds.
    """
    found = [v.shape for v in recording.program.outputs]
    wanted = [e.shape for e in truth.enclosures]
    if found != wanted:
        reason = f"the gradient program gives shapes {found}, the truth has {wanted}"
        return Examined(machine, None, Formula(None, reason), None)
    formula = compare(truth, recording, question)
    if formula.agrees is not None and not formula.is_right:
        # It is wrong, however it rounds.
        return Examined(machine, recording, formula, None, note="; ".join(recording.notes))
    balls = bound(recording.program, recording.values, machine, Work(question.limits.seconds))
    return Examined(machine, recording, formula, balls)


def _opaque(truth: Truth, machine: RoundingModel, note: str) -> Examined:
    """A program that nobody can look into: nothing is known of it but how the truth's own would round."""
    recording = Recording(truth.gradient, tuple(truth.inputs), ())
    agrees = Formula(tuple(np.ones(e.shape, bool) for e in truth.enclosures))
    return Examined(machine, recording, agrees, bound(truth.gradient, truth.inputs, machine), note=note)


def verdicts(
    truth: Truth, examined: Examined, computed: Sequence[Array], allowed: Allowed = budget
) -> list[Judgement]:
    """The verdict on each computed gradient, with the reason in words."""
    judged = judge_each(_evidence(truth, examined), computed, allowed)
    found = [_told(examined, one) for one in judged]
    if truth.along is not None and all(one.verdict in RIGHT for one in found):
        return _added_up(truth, truth.along, computed, found, allowed)
    return found


def _added_up(
    truth: Truth, along: arb, computed: Sequence[Array], found: Sequence[Judgement], allowed: Allowed
) -> list[Judgement]:
    """What is legal at kinks one by one, if the sum is not, to as many bits as the budget leaves."""
    total, slack = 0.0, 0.0
    for numbers, dtype in zip(computed, truth.dtypes, strict=True):
        wide = numbers.astype(np.float64)
        total += float(np.sum(wide))
        kept = format_of(dtype).digits - allowed(dtype)
        slack += 2.0**-kept * float(np.sum(np.abs(wide))) + float(along.abs_upper()) * 2.0**-kept
    if arb(total, slack).overlaps(along):
        return list(found)
    return [
        replace(one, verdict=Verdict.MISCOMPUTED, diagnosis=beyond(arb(total), along))
        if one.verdict is Verdict.CONVENTION
        else one
        for one in found
    ]


def _evidence(truth: Truth, examined: Examined) -> list[Evidence]:
    agrees, balls = examined.formula.agrees, examined.bound.balls if examined.bound else None
    found = []
    for k, (name, dtype) in enumerate(zip(truth.names, truth.dtypes, strict=True)):
        attainable = truth.attainable[k] + (format_of(dtype).normal if examined.machine.flushes else 0.0)
        agree = None if agrees is None else agrees[k]
        within = None if balls is None else balls[k]
        found.append(Evidence(name, truth.enclosures[k], attainable, truth.zero[k], agree, within, dtype))
    return found


def _told(examined: Examined, found: Judgement) -> Judgement:
    if examined.unsupported:
        return replace(found, verdict=Verdict.UNSUPPORTED, diagnosis=examined.unsupported)
    return replace(found, diagnosis=_why(examined, found) or found.diagnosis)


def worst(judgements: Sequence[tuple[str, Judgement]]) -> Judgement:
    """The worst of several judgements of one gradient; its diagnosis says how it was obtained."""
    label, found = min(judgements, key=lambda pair: (pair[1].verdict.severity, -pair[1].bits_lost))
    return replace(found, diagnosis=f"{label}: {found.diagnosis}" if label else found.diagnosis)


def _why(examined: Examined, found: Judgement) -> str:
    if found.verdict is Verdict.WRONG:
        return examined.formula.reason
    if found.verdict is Verdict.UNDECIDED:
        return examined.formula.reason or _undecided(examined)
    if found.verdict not in {Verdict.IMPRECISE, Verdict.MISCOMPUTED}:
        return ""
    recording, cause = examined.recording, examined.formula.reason
    if recording is not None:
        cause = diagnose(recording.program, recording.values, examined.machine, found.argument, found.element)
    if found.verdict is Verdict.IMPRECISE:
        return cause
    if not np.isfinite(found.computed):
        shown = "not a number" if np.isnan(found.computed) else "infinite"
        return f"{shown}, where the truth is {found.true_digits}" + (f": {cause}" if cause else "")
    off = f"{found.error_ulp:.3g} ulps off, where the rounding of its program allows {found.bound_ulp:.3g}"
    return off + (f"; {cause}" if cause else "")


def _undecided(examined: Examined) -> str:
    problem = examined.bound.problem if examined.bound else ""
    said = "the truth is 0, or jumps close by, and the program has no finite bound"
    return f"{said}: {problem}" if problem else said
