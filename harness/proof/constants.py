"""What a program's own constants do to its derivative, beyond the digits that they are known to.

A window or a matrix of cosines that the code computes is 0, or 1 less 1, at some of its elements, but for the
rounding of 2 pi: no program keeps digits there, and none of them matters. As an argument that is not
differentiated such an array is known to half an ulp; so are the numbers that it is computed from. And a small
number that is absorbed where it is added, as in x / (sum + 1e-16), may be all that is left where the rest
cancels: what runs does not know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from harness.proof.absorbed import ABSORBED, absorbed, named, without
from harness.proof.comparison import enclosed
from harness.proof.evidence import Mask, Numbers
from harness.proof.materiality import Resolution
from harness.proof.question import Part, Question
from harness.proof.truth import Posed, Truth
from harness.verdicts import RIGHT, Verdict
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work, evaluate, evaluate_quickly
from oracles.exact.enclose.given import given
from oracles.exact.program.errors import ExactError
from oracles.exact.program.program import Array, Program
from oracles.exact_oracle import BITS

Asked: TypeAlias = tuple[Program, Sequence[Array]]
MOVES = range(1, 5)  # seeds: each constant goes up or down in each
FEW = 4  # times what some moves give


def explained(
    question: Question, posed: Posed, parts: list[Part], judge: Callable[[Posed], list[Part]]
) -> tuple[list[Part], list[str]]:
    """The parts; those that lose too many digits are right where constants make as much of a change.

    They count where they alone move the truth by more than the budget: where a tail cancels they move it as
    much as the inputs do, and what is lost there is lost by the program.

    Args:
        question, posed: The question, and at its point.
        parts: What was found.
        judge: Finds them again, with another a.

    Returns:
        The parts, and what to say of those that are right now.
    """
    true, said, work = posed.true, list[str](), Work(question.limits.seconds)
    if question.resolution is not Resolution.FORMAT:
        return parts, said
    for why, others in _with_others(true):
        if all(part.verdict is not Verdict.IMPRECISE for part in parts):
            break
        found = []
        for k, change in enumerate(changes(true, others, work)):
            a, budget = true.attainable[k], question.allowed(true.narrowest[k] or true.dtypes[k])
            found.append(a + np.where(FEW * change >= a * 2.0**budget, change, 0.0))
        again = judge(replace(posed, true=replace(true, attainable=tuple(found))))
        right = [
            old.verdict is Verdict.IMPRECISE and new.verdict in RIGHT
            for old, new in zip(parts, again, strict=True)
        ]
        names = ", ".join(part.name for part, is_so in zip(parts, right, strict=True) if is_so)
        said += [f"{why} explains how far off the gradient is: {names}"] if names else []
        parts = [new if is_so else old for old, new, is_so in zip(parts, again, right, strict=True)]
    return parts, said


def _with_others(truth: Truth) -> Iterator[tuple[str, Iterator[Asked]]]:
    """What may explain a loss, in words, and the truth's program and inputs with other numbers for it."""
    program = truth.gradient
    if movers := given(program).movers():
        moved = ([move(seed) for move in movers] for seed in MOVES)
        why = "the rounding of constants in the code"
        yield why, ((given(program).program, [*truth.inputs, *own]) for own in moved)
    known = absorbed(program, truth.inputs, BITS)
    if numbers := {number for number, masks in known.items() if all(mask.all() for mask in masks)}:
        yield (
            f"{', '.join(named(numbers))} in the code, {ABSORBED},",
            iter([(without(program, numbers), truth.inputs)]),
        )


def changes(truth: Truth, others: Iterable[Asked], work: Work) -> Sequence[Numbers]:
    """How far the truth goes at the most with these programs and inputs."""
    most = [np.zeros(t.shape) for t in truth.enclosures]
    for program, inputs in others:
        with suppress(ExactError), np.errstate(all="ignore"):
            there = _evaluated(program, inputs, truth, work)
            for far, (change, is_told) in zip(most, _changes(there, truth), strict=True):
                np.maximum(far, change, out=far, where=is_told)
    return most


def _evaluated(program: Program, inputs: Sequence[Array], truth: Truth, work: Work) -> list[Enclosure]:
    """With more bits where a hundred do not tell the change."""
    found = enclosed(evaluate_quickly(program, inputs, BITS))
    if all(is_told.all() for _, is_told in _changes(found, truth)):
        return found
    bits = BITS + max(here.bits for here in truth.enclosures)
    return [Enclosure(one, bits) for one in evaluate(program, inputs, bits, work)]


def _changes(there: Sequence[Enclosure], truth: Truth) -> Iterator[tuple[Numbers, Mask]]:
    """The change of each element, and where it is told to a sixteenth of itself, or of a."""
    for one, here, a in zip(there, truth.enclosures, truth.attainable, strict=True):
        change = np.abs((one.mid - here.mid) + (one.rest - here.rest))
        yield change, np.isfinite(change) & (one.radius <= (change + a) / 16)
