"""The verdict on what a probe found: by T and B of what was asked there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from harness.proof.accusation import IGNORES, ignores
from harness.proof.cotangents import SCALES
from harness.proof.judge import Judgement
from harness.proof.observe import Gradients, Loaded, Observed, same, spread, structure
from harness.proof.probes import Differing
from harness.proof.program import Examined, examine_derivative, verdicts
from harness.proof.pulls import UNRUN, Raised
from harness.proof.question import Blame, Part, Probe, Question, UnderTest
from harness.proof.sight import GIVEN, Sight
from harness.proof.truth import Posed, Truth, pose
from harness.subject.copies import parameters_of
from harness.subject.derivative import Array, levels_of
from harness.verdicts import RIGHT, Verdict
from oracles.exact.program.errors import ExactError
from oracles.exact.program.formats import format_of

Whose = Callable[[Question, UnderTest, Posed, Examined, Sequence[Judgement]], Blame | None]
RATES = frozenset({"learning_rate", "lr", "eta", "step_size"})
OPEN = (Verdict.UNDECIDED, Verdict.UNSUPPORTED)


def probed(one: Differing, sight: Sight, whose: Whose, is_known: bool) -> tuple[list[Part], list[str]]:
    """What is wrong with a run that gave other bits than the first, and what is worth saying of it.

    Args:
        one: The run.
        sight: What was asked first, and what that was judged by.
        whose: Tells whose fault it is.
        is_known: Whether it is known already that the gradient loses digits, and where.
    """
    question, posed, seen = sight.question, sight.posed, sight.seen
    name = one.probe or "run again"
    said = (one.probe.words if one.probe else name) + (f", {one.which}" if one.which else "")
    where = name if sight.name == GIVEN else f"{sight.name}, {name}"
    notes = []
    if one.probe is None and not isinstance(one.found, Raised):
        notes.append(f"not reproducible: two runs differ by {spread(seen.gradient.arrays, one.found):.2g}")

    def part(of: str, like: Array, found: Judgement, fault: Blame | None) -> Part:
        ignored = "" if IGNORES in found.diagnosis else ignoring([one], posed, seen)
        reasons = "; ".join(filter(None, [ignored, _written(one) or found.diagnosis]))
        why = f"{said}: {reasons}" if reasons else said
        kept = replace(found, diagnosis=why) if found.where else None
        return Part(
            where, of, found.verdict, kept, why, like.dtype.name, like.shape, probe=name, blame=fault,
            guilty=one.guilty or found.guilty,
        )  # fmt: skip

    if one.probe is Probe.TWICE and one.tested.reuses:  # each caller of an object runs it forward first
        why = _written(one) or "the gradient is another one then"
        return [], [f"{said}: {why}; the next backward needs a forward before it"]
    if isinstance(one.found, Raised) and one.found.stopped:
        return [], [f"{said}: {one.found.text}; nothing is proven there"]
    if one.found is UNRUN and one.along is not None:
        return _by_its_formula(one, posed, one.along, said, where)
    try:
        expected, each, program = _judgements(one, sight, is_known)
    except ExactError as reason:
        return [], [*notes, f"{said}: nothing is proven: {reason}"]
    parts, fault, open_ = [], None, dict[str, list[str]]()
    ends = program is not None and one.probe in SCALES and program[1].formula.tolerance > 0
    if program is not None:
        at, of_run = program
        fault = whose(one.question, one.tested, at, of_run, each)
    for (of, like), found in zip(expected, each, strict=True):
        # What cannot be examined there, and keeps its digits as it did at first, is as right as it was.
        allowed = question.allowed(found.narrowest or like.dtype.name)
        kept = found.verdict in OPEN and not found.bits_lost > allowed
        if found.verdict in RIGHT:
            continue
        coarse = ends and found.verdict is Verdict.IMPRECISE  # a tolerance may be so, so far along
        if kept or coarse or _is_far(one, found, like.dtype.name):
            open_.setdefault(f"{found.verdict.value}: {found.diagnosis}", []).append(of)
        else:
            parts.append(part(of, like, found, fault))
    return parts, [*notes, *(f"{said}: {', '.join(names)}: {why}" for why, names in open_.items())]


def _by_its_formula(
    one: Differing, posed: Posed, along: tuple[Array, ...], said: str, where: str
) -> tuple[list[Part], list[str]]:
    """What is wrong with a gradient that was not run, and what is worth saying: its formula can be told."""
    try:
        at = _posed_along(one.question, posed, along)
        examined = examine_derivative(one.question, one.tested, at)
    except ExactError as reason:
        return [], [f"{said}: {UNRUN.text}; nothing is proven: {reason}"]
    formula = examined.formula
    if formula.agrees is None or examined.opaque:
        return [], [f"{said}: {UNRUN.text}; nothing is proven: {examined.opaque or formula.reason}"]
    parts = [
        Part(
            where, of, Verdict.WRONG, None, f"{said}: {formula.reason}", like.dtype.name, like.shape,
            probe=one.probe or "", near=formula.near, guilty=one.tested.home,
        )
        for (of, like), agree in zip(at.expected, formula.agrees, strict=True)
        if not agree.all()
    ]  # fmt: skip
    return parts, [] if parts else [f"{said}: {UNRUN.text}; its formula is right there"]


def ignoring(runs: Sequence[Differing], posed: Posed, seen: Observed) -> str:
    """That a backward does not use its cotangent, in words; "" where none of these runs shows it.

    Along a scaled cotangent it gives the bits of the first run, which are not all 0.
    """
    first = seen.gradient.arrays
    alike = any(
        one.probe in SCALES and not isinstance(one.found, Raised) and same(first, one.found) for one in runs
    )
    if not alike or not any(g is not None and g.any() for g in first):
        return ""
    return ignores("", [d.shape for d in posed.directions] == [()])


def _written(one: Differing) -> str:
    """What writes into what the forward computed, as the step of training does in a backward with a rate."""
    if not one.guilty:
        return ""
    said, rule = f"{one.guilty} writes into what the forward computed", one.tested.rule
    rates = RATES.intersection(parameters_of(rule)) if rule else None
    if rates:
        return (
            f"{one.guilty} writes: if that is the step of training, check it with {min(rates)}=0 by default"
        )
    return said


def _judgements(
    one: Differing, sight: Sight, is_known: bool
) -> tuple[Sequence[tuple[str, Array]], list[Judgement], tuple[Posed, Examined] | None]:
    """What the parts of the result should be, the verdict on each, and by which truth and program.

    Raises:
        Unsupported, Undecided: There is no truth, or no program, at that cotangent and in those arguments.
    """
    question, posed, examined, seen = sight.question, sight.posed, sight.examined, sight.seen

    def judged(truth: Truth, program: Examined, gradients: Gradients) -> list[Judgement]:
        """With the reason, which takes long, where there is one and it is news."""
        found = partial(verdicts, truth, program, _numbers(gradients), question.allowed)
        each = found(reasons=False, briefly=True)
        told = {*RIGHT, Verdict.IMPRECISE} if is_known else set(RIGHT)
        return each if all(judgement.verdict in told for judgement in each) else found()

    along = posed.directions if one.along is None else one.along
    if isinstance(one.found, Raised):
        said = f"the gradient raises {one.found.text}"
        return posed.expected[:1], [Judgement(Verdict.MISCOMPUTED, diagnosis=said)], None
    alike = one.question is question and all(map(np.array_equal, along, posed.directions))
    if alike and not structure(one.found, posed.expected):
        each = judged(posed.true, examined, one.found)
        if one.along is None or all(found.verdict in RIGHT for found in each):
            return posed.expected, each, (posed, examined)
    at = posed if alike else _posed_along(one.question, posed, along)
    misfits = structure(one.found, at.expected)
    if misfits:
        said = "; ".join(map(str, misfits))
        return at.expected[:1], [Judgement(Verdict.WRONG, diagnosis=said)], None  # it is no gradient
    at = replace(at, directions=along)
    program = examine_derivative(one.question, one.tested, at)
    run = Loaded.of(one.tested.subject(), posed.inputs, along).gradient
    program = program.of_what_ran(replace(seen, gradient=replace(seen.gradient, arrays=one.found)), run)
    each = judged(at.true, program, one.found)
    return at.expected, each, (at, program)


def _posed_along(question: Question, posed: Posed, along: tuple[Array, ...]) -> Posed:
    """The question at the same point, along other cotangents of its last derivative."""
    levels = levels_of(question.cotangent, len(question.derivative.steps))
    given = [*levels[:-1], along] if len(levels) > 1 else along
    return pose(replace(question, cotangent=given), posed.inputs[: len(question.names)])


def _numbers(found: Gradients) -> list[Array]:
    return [g for g in found if g is not None]


def _is_far(one: Differing, found: Judgement, dtype: str) -> bool:
    """Whether a right program may overflow, or underflow, so far along."""
    if one.probe not in SCALES or not found.where:
        return False
    kind = format_of(dtype)
    tiny = abs(found.true) < kind.normal / kind.unit**2
    return found.verdict is not Verdict.WRONG and (tiny or not np.isfinite(found.computed))
