"""E and B: the tested derivative's own program, in exact arithmetic and rounded as its dtype rounds."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from harness.proof.formula import Formula, compare
from harness.proof.observe import Observed
from harness.proof.question import Question, UnderTest
from harness.proof.truth import Posed, Truth
from oracles.exact.enclose.refine import Limits
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.recording import Recording
from oracles.exact.rounding.bound import ROUNDING_MODELS, Bound, RoundingModel, bound


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

    def of_what_ran(self, seen: Observed) -> Examined:
        """Without a bound where what was recorded is not what ran.

        torch takes other paths where a dispatch mode watches it (the gradients of prod and cumprod): they
        have the same formula, and round differently.
        """
        ran = self.recording.executed if self.recording else ()
        pairs = zip(seen.gradient.arrays, ran, strict=False)
        if all(a is None or np.array_equal(a.astype(np.float64), e, equal_nan=True) for a, e in pairs):
            return self
        return replace(self, bound=None)


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
    found = examine_program(truth, programs.gradient, machine, question.limits, question.custom)
    return replace(found, value=programs.value)


def examine_program(
    truth: Truth, recording: Recording, machine: RoundingModel, limits: Limits, custom: bool = True
) -> Examined:
    """A recorded gradient program against the truth.

    Args:
        truth: The truth it is compared with.
        recording: The program; its outputs are the gradients with respect to the truth's inputs, in order.
        machine: How it rounds.
        limits: For the exact evaluation and, in seconds, for the bound.
        custom: Whether a person wrote the rule.
    """
    found = [v.shape for v in recording.program.outputs]
    wanted = [e.shape for e in truth.enclosures]
    if found != wanted:
        reason = f"the gradient program gives shapes {found}, the truth has {wanted}"
        return Examined(machine, None, Formula(None, reason), None)
    formula = compare(truth, recording, limits, custom)
    if formula.agrees is not None and not all(a.all() for a in formula.agrees):
        return Examined(machine, recording, formula, None)  # it is wrong, however it rounds
    deadline = time.monotonic() + limits.seconds
    return Examined(
        machine, recording, formula, bound(recording.program, recording.values, machine, deadline)
    )


def _opaque(truth: Truth, machine: RoundingModel, note: str) -> Examined:
    """A program that nobody can look into: nothing is known of it but how the truth's own would round."""
    recording = Recording(truth.gradient, tuple(truth.inputs), (), lambda k, leaves: leaves)
    agrees = Formula(tuple(np.ones(e.shape, bool) for e in truth.enclosures))
    return Examined(machine, recording, agrees, bound(truth.gradient, truth.inputs, machine), note=note)
