"""E and B, the tested derivative's own program, exact and rounded as its dtype rounds; and what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.proof.comparison import enclosed
from harness.proof.evidence import FEW_DIGITS, KEPT, LENT, Allowed, Evidence, budget, distance
from harness.proof.formula import Formula, compare
from harness.proof.judge import Judgement, judge_each
from harness.proof.materiality import Resolution
from harness.proof.nearness import are_narrow_enough, are_near, known_to_meet
from harness.proof.observe import Observed
from harness.proof.question import Question, UnderTest, ValueRule
from harness.proof.remembered import bounded, of_pairs, refined, remembered
from harness.proof.subdifferential import Slopes, refutation
from harness.proof.truth import Posed, Truth
from harness.subject.derivative import Array
from harness.subject.state import current
from harness.subject.tested import Tested
from harness.verdicts import RIGHT, Verdict, badness_key
from oracles.exact.core.pairs import Pairs
from oracles.exact.core.plans import are_one
from oracles.exact.enclose.evaluate import Work
from oracles.exact.program.balls import all_finite
from oracles.exact.program.errors import ExactError, Undecided, Unsupported
from oracles.exact.program.formats import format_of
from oracles.exact.program.recording import Recording
from oracles.exact.rounding.bound import ROUNDING_MODELS, Bound, RoundingModel, bound, quickly
from oracles.exact.rounding.diagnosis import Diagnosis, diagnose, written_at
from oracles.exact.rounding.narrowed import narrowed
from oracles.exact.rounding.sampled import Zeros

EXCUSABLE = frozenset({Verdict.IMPRECISE, Verdict.MISCOMPUTED})  # by what the inputs allow


@dataclass(frozen=True, slots=True)
class Examined:
    """A gradient program against the truth.

    Attributes:
        machine: How it rounds.
        recording: The program, None if it could not be recorded.
        formula: E against T.
        bound: B, None without a program or for a wrong one.
        opaque: Why nobody could look into it, "" where it was recorded. What is bounded is the truth's own
            program then.
        value: The program of the function's value, where the derivative gives it too.
        results: B of the function's results in the derivative's run, where it came out with the derivative's.
        zeros: Tells how far from 0 rounding carries what is 0; None where that is bounded.
        note: What is worth saying of all this.
        after_forward: As in `Programs`.
        kept: Which parts may be of a narrower format, in which their program has no bound.
        lent: Whether what ran is known to be another program than the truth's, whose bound is all there is.
    """

    machine: RoundingModel
    recording: Recording | None
    formula: Formula
    bound: Bound | None
    opaque: str = ""
    value: Recording | None = None
    results: Sequence[Pairs] | None = None
    zeros: Zeros | None = None
    note: str = ""
    after_forward: Callable[[], Recording] | None = None
    kept: frozenset[int] = frozenset()
    lent: bool = False

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
            said = f"torch runs other kernels while it is recorded, so its bound is not known: {other.text}"
            return replace(self, bound=None, note=self.note or said)
        reason = (
            f"the gradient takes another path where it is recorded, so what ran is not known: {other.text}"
        )
        return replace(self, formula=Formula(None, reason), bound=None)


def examine_derivative(question: Question, tested: UnderTest, posed: Posed, alone: bool = False) -> Examined:
    """Record the tested derivative, and evaluate it exactly and at its own precision.

    One by hand may have kept what it computed at this point before, which are numbers to a record: where it
    is not right so, it is recorded once more as of its first call.

    Args:
        question: The question.
        tested: The derivative under test.
        posed: The question at its point.
        alone: Whether it writes into its inputs, and is recorded on copies.
    """
    found = _as_it_is(question, tested, posed, alone)
    by_hand = isinstance(tested, Tested) and not tested.own
    if not found.formula.is_right and by_hand and current().begin_gradients():
        again = _as_it_is(question, tested, posed, alone)
        return again if again.formula.is_right and not again.opaque else found
    return found


def _as_it_is(question: Question, tested: UnderTest, posed: Posed, alone: bool) -> Examined:
    machine, truth = ROUNDING_MODELS[tested.rounding], posed.true
    try:
        programs = tested.record(posed.directions, posed.inputs, alone)
    except Unsupported as reason:
        return _opaque(question, truth, machine, str(reason))
    except Undecided as reason:
        if (
            question.value is ValueRule.NEAR
        ):  # an iteration that ends by its residual; spec= says what is meant
            return replace(_opaque(question, truth, machine, str(reason)), lent=True)
        return Examined(machine, None, Formula(None, str(reason)), None)
    found = examine_program(question, truth, programs.gradient, machine)
    differs = found.formula.notes or not found.formula.is_right
    if differs and (written := programs.gradient.as_written()):
        found = examine_program(question, truth, written, machine)
    if programs.after_forward and not found.formula.is_right:
        with suppress(ExactError):
            again = programs.after_forward()
            if _may_be_right(question, truth, found.formula, programs.gradient, again):
                whole = examine_program(question, truth, again, machine)
                found = whole if whole.formula.is_right else found
    return replace(found, value=programs.value, after_forward=programs.after_forward)


def _may_be_right(
    question: Question, truth: Truth, formula: Formula, alone: Recording, after: Recording
) -> bool:
    """Whether a derivative that is not right by itself may be so when it is recorded after its forward.

    Not where that is the same program, nor where it has the same numbers, far from the true ones.
    """
    if are_one(after.program, alone.program):
        return False
    if formula.agrees is None:
        return True
    each = [refined(one.program, one.values, question.limits) for one in (alone, after)]
    if [e.shape for e in each[0]] != [e.shape for e in each[1]]:
        return True
    is_far = not all(map(are_near, each[0], truth.enclosures, formula.agrees))
    pairs = zip(*each, strict=True)
    are_same = all(known_to_meet(a, b).all() and are_narrow_enough(a) for a, b in pairs)
    return not (is_far and are_same)


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
    try:
        formula = compare(truth, recording, question)
    except Undecided as reason:
        said = f"the gradient program cannot be evaluated exactly: {reason}"
        return replace(_opaque(question, truth, machine, said), lent=True)
    work, is_wrong = Work(question.limits.seconds), formula.agrees is not None and not formula.is_right
    coded = _as_coded(question, truth, recording, machine, work) if is_wrong else None
    if is_wrong and coded is None:
        # It is wrong, however it rounds.
        return Examined(machine, recording, formula, None, note="; ".join(recording.notes))
    results = None
    if coded:
        formula, balls = coded
    else:
        balls, results = _bounds(recording, machine, work)
    zeros = _zeros(truth, recording, machine, balls, work)
    return Examined(machine, recording, formula, balls, results=results, zeros=zeros)


def _bounds(recording: Recording, machine: RoundingModel, work: Work) -> tuple[Bound, Sequence[Pairs] | None]:
    """B of a derivative, and of the function's results where one plan bounds both."""
    values = recording.values
    if recording.beside is not None:
        program = recording.beside
        found = remembered(
            partial(quickly, program, values, machine, work),
            lambda found: found and of_pairs(found), program, values, "bound", machine, work=work,
        )  # fmt: skip
        if found is not None:
            count = len(recording.program.outputs)
            return Bound(list(found[:count])), found[count:]
    return bounded(recording.program, values, machine, work), None


def _as_coded(
    question: Question, truth: Truth, recording: Recording, machine: RoundingModel, work: Work
) -> tuple[Formula, Bound] | None:
    """What is known of a program that is the derivative of a library's code for a function.

    The code may approximate the function, and its derivative is right where the truth is among what the
    program may compute. None where it is not, or the program is another one.
    """
    if question.resolution is not Resolution.FORMAT:
        return None
    try:
        coded = truth.coded()
        found = coded and compare(coded, recording, question)
        if not (found and found.is_right):
            return None
        balls = bound(recording.program, recording.values, machine, work)
    except ExactError:
        return None
    pairs = zip(enclosed(balls.found), truth.enclosures, strict=True)
    if not all(known_to_meet(b, e).all() for b, e in pairs):
        return None
    note = "the formula is the derivative of the library's code, which approximates the function"
    return replace(found, notes=(*found.notes, note)), balls


def _zeros(
    truth: Truth, recording: Recording, machine: RoundingModel, found: Bound, work: Work
) -> Zeros | None:
    """What tells how far rounding carries elements that are 0; None where their bound has an end."""
    pairs = zip(truth.zero, found.found, strict=True)
    bounded = all(not zero.any() or _have_ends(balls[zero]) for zero, balls in pairs)
    return None if bounded else Zeros(recording.program, recording.values, machine, work)


def _have_ends(balls: Array | Pairs) -> bool:
    return bool(np.isfinite(balls.r).all()) if isinstance(balls, Pairs) else all_finite(balls)


def _opaque(question: Question, truth: Truth, machine: RoundingModel, reason: str) -> Examined:
    """A program that nobody can look into: nothing is known of it but how the truth's own would round."""
    note = f"the formula was not examined, so the numbers alone decide: {reason}"
    recording = Recording(truth.gradient, tuple(truth.inputs), ())
    agrees = Formula(tuple(np.ones(e.shape, bool) for e in truth.enclosures))
    balls, kept = _of_its_own(question, truth, machine)
    return Examined(machine, recording, agrees, balls, reason, note=note, kept=kept)


def _of_its_own(question: Question, truth: Truth, machine: RoundingModel) -> tuple[Bound, frozenset[int]]:
    """B of the truth's own program, each part by its narrowest format: its backward may keep that throughout.

    Where it has no end there, it stays that of the program as it is: with the numbers of these parts. (In
    formats of few digits it would hide a wrong factor of a hundredth; `BLIND_ULPS` stand for it.)
    """
    work, narrow = Work(question.limits.seconds), truth.narrowest
    found = bound(truth.gradient, truth.inputs, machine, work)
    parts, endless = list(found.found), set[int]()
    for dtype in {d for d in narrow if d and format_of(d).digits >= FEW_DIGITS}:
        kept = bound(narrowed(truth.gradient, dtype), truth.inputs, machine, work).found
        for k, balls in enumerate(kept):
            if narrow[k] != dtype:
                continue
            if _have_ends(balls):
                parts[k] = balls
            else:
                endless.add(k)
    return replace(found, found=parts), frozenset(endless)


def verdicts(
    truth: Truth,
    examined: Examined,
    computed: Sequence[Array],
    allowed: Allowed = budget,
    reasons: bool = True,
    briefly: bool = False,
) -> list[Judgement]:
    """The verdict on each computed gradient, with the reason in words, or without; `briefly`, if it is right.

    An error is called one by all perturbations of the inputs, where few have excused less.
    """
    judged = judge_each(evidence_of(truth, examined, computed), computed, allowed, briefly)
    if truth.sampled and any(one.verdict in EXCUSABLE for one in judged):
        return verdicts(truth.fully(), examined, computed, allowed, reasons, briefly)
    found = [_told(truth, examined, one) for one in judged] if reasons else judged
    if truth.along is None or not all(one.verdict in RIGHT for one in found):
        return found
    said = _not_legal_together(truth.along, truth, computed, allowed)
    return [
        replace(one, verdict=Verdict.MISCOMPUTED, diagnosis=said)
        if said and one.verdict is Verdict.CONVENTION
        else one
        for one in found
    ]


OUTSIDE_HULL = 2  # times what an element is off its hull, and excused


def _not_legal_together(along: Slopes, truth: Truth, computed: Sequence[Array], allowed: Allowed) -> str:
    """Why what is legal at kinks one by one is not so together, to as many bits as the budget leaves.

    What is nothing beside its hull's ends may be all rounding, as x / x at a tie: it may be 0, or twice that.
    """
    known = [narrow or dtype for dtype, narrow in zip(truth.dtypes, truth.narrowest, strict=True)]
    rooms = [2.0 ** (allowed(dtype) - format_of(dtype).digits) for dtype in known]
    numbers = []
    for c, true, room in zip(computed, truth.enclosures, rooms, strict=True):
        given = c.astype(np.float64)
        size, end = np.abs(given), np.abs(true.mid) + true.radius
        known_to = np.where(size <= room * end, size, room * size)
        # What rounding carries out of its hull it carries inside, too.
        known_to = np.maximum(known_to, OUTSIDE_HULL * distance(true, given))
        numbers.append(Pairs(given, np.zeros(c.shape), known_to))
    return refutation(along, truth.enclosures, numbers, max(rooms, default=0.0))


def evidence_of(truth: Truth, examined: Examined, computed: Sequence[Array]) -> list[Evidence]:
    """What is known of each part, beside what was computed."""
    agrees, balls = examined.formula.agrees, examined.bound.found if examined.bound else None
    sampled = _carried(truth, examined.zeros, computed) if examined.zeros else None
    found = []
    for k, (name, dtype) in enumerate(zip(truth.names, truth.dtypes, strict=True)):
        attainable = truth.attainable[k] + (format_of(dtype).normal if examined.machine.flushes else 0.0)
        agree = None if agrees is None else agrees[k]
        within = None if balls is None else balls[k]
        one = (name, truth.enclosures[k], attainable, truth.zero[k], agree, within, dtype)
        carried = None if sampled is None else sampled[k]
        open_ = examined.formula.open[k] if examined.formula.open else None
        kept, lent = k in examined.kept, _lent(truth, k) if examined.lent else None
        found.append(Evidence(*one, truth.narrowest[k], not examined.opaque, carried, open_, kept, lent))
    return found


def _lent(truth: Truth, k: int) -> float:
    """Half an ulp of a part's largest number; without end where all of it is 0, so that nothing is large."""
    largest = truth.enclosures[k].largest
    kind = format_of(truth.narrowest[k] or truth.dtypes[k])
    return float(kind.ulp(np.array(largest)) / 2) if largest else np.inf


def _carried(truth: Truth, zeros: Zeros, computed: Sequence[Array]) -> list[NDArray[np.float64]] | None:
    sizes = []
    for zero, numbers in zip(truth.zero, computed, strict=True):
        size = np.abs(numbers.astype(np.float64))
        sizes.append(np.where(zero & np.isfinite(size), size, 0.0))
    return zeros.carried(sizes)


def _told(truth: Truth, examined: Examined, found: Judgement) -> Judgement:
    said = _why(truth, examined, found)
    if not said.text and said.origin is found.guilty:
        return found
    return replace(found, diagnosis=said.text or found.diagnosis, guilty=said.origin)


def worst(judgements: Sequence[tuple[str, Judgement]]) -> Judgement:
    """The worst of several judgements of one gradient; its diagnosis says how it was obtained."""
    label, found = min(judgements, key=lambda pair: badness_key(pair[1].verdict, pair[1].bits_lost))
    return replace(found, diagnosis=f"{label}: {found.diagnosis}" if label else found.diagnosis)


def _why(truth: Truth, examined: Examined, found: Judgement) -> Diagnosis:
    recording, cause, origin = examined.recording, examined.formula.reason, None
    if found.verdict is Verdict.WRONG:
        of = truth.specification
        return Diagnosis(cause, written_at(recording.program, found.argument, of) if recording else None)
    if found.verdict is Verdict.UNDECIDED:
        kept = f"{found.reason}; {examined.opaque}" if found.reason in {KEPT, LENT} else ""
        return Diagnosis(cause or kept or _undecided(examined))
    if found.verdict not in {Verdict.IMPRECISE, Verdict.MISCOMPUTED}:
        return Diagnosis()
    if examined.opaque:
        cause = f"the formula was not examined: {examined.opaque}"
        cause = f"{found.reason}; {cause}" if found.verdict is Verdict.IMPRECISE else cause
    elif recording is not None:
        at = found.argument, found.element, found.computed
        cause, origin = diagnose(recording.program, recording.values, examined.machine, *at)
    if found.verdict is Verdict.IMPRECISE:
        return Diagnosis(cause, origin)
    if not np.isfinite(found.computed):
        shown = "not a number" if np.isnan(found.computed) else "infinite"
        joined = "; " if examined.opaque else ": "
        said = f"{shown}, where the truth is {found.true_digits}" + (f"{joined}{cause}" if cause else "")
        return Diagnosis(said, origin)
    whose = "the truth's" if examined.opaque else "its"
    off = (
        f"{found.error_ulp:.3g} ulps off, where the rounding of {whose} program allows {found.bound_ulp:.3g}"
    )
    return Diagnosis(off + (f"; {cause}" if cause else ""), origin)


def _undecided(examined: Examined) -> str:
    problem = examined.bound.problem if examined.bound else ""
    said = "the truth is 0, or jumps close by, and the program has no finite bound"
    return f"{said}: {problem}" if problem else said
