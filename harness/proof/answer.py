"""The one path from a question to the answer at one point: prove, run, examine, judge, give the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from harness.proof.graphless import held_gradients
from harness.proof.hiding import hiding, unread
from harness.proof.kept_before import after_a_run_elsewhere, may_hold
from harness.proof.nearby import confirm_nearby
from harness.proof.nearly_symmetric import as_if_symmetric
from harness.proof.observe import Loaded, Observed, observe, same
from harness.proof.one_triangle import as_symmetric
from harness.proof.own_parts import as_judged, judged, whose, with_reasons
from harness.proof.probed import probed
from harness.proof.probes import Differing, differing
from harness.proof.program import Examined, examine_derivative
from harness.proof.pulls import run_both
from harness.proof.question import Answer, Part, Question, UnderTest, ValueRule
from harness.proof.sight import GIVEN, Sight
from harness.proof.tied import has_shapes
from harness.proof.truth import Posed, pose
from harness.proof.unheld import as_unheld
from harness.proof.value import AS_GIVEN, near_parts, value_parts
from harness.subject.complex_pairs import shape_of
from harness.subject.derivative import GRADIENT, REVERSE, Array
from harness.subject.names import PARAMETERS
from harness.subject.tested import Tested
from harness.verdicts import RIGHT, Verdict
from oracles.exact.enclose.identities import vanishing
from oracles.exact.program.errors import ExactError, Undecided, Unsupported
from oracles.exact.program.recording import shown
from oracles.frameworks.framework import Subject, silently

ATTACHED = (
    "a custom function gives a gradient to what is computed under no_grad, or detached: it is compared with "
    "the derivative of that, since held fixed it would have none"
)
CUT = "the function may cut it off (detach, no_grad, numpy())"
LEAVE_OUT = "if the function does not depend on it, leave it out of argnums"
AS_CONSTANT = "if it is meant as a constant, leave it out of argnums"
UNEQUAL = (Verdict.WRONG, Verdict.MISCOMPUTED)


def answer(question: Question, tested: UnderTest, arrays: Sequence[Array], name: str = GIVEN) -> Answer:
    """Judge a derivative at one point, and the value beside it.

    Raises:
        Unsupported, Undecided: There is no truth here.
        ValueError: The cotangent does not fit.
    """
    work = partial(_answer, question, tested, arrays, name)
    ask = partial(shown, work, tested.derivative if isinstance(tested, Tested) else None)
    try:
        found: Answer = ask()
    except Undecided:
        again = after_a_run_elsewhere(question, tested, arrays, ask) if name == GIVEN else None
        if again is None:
            raise
        return again
    own = {part.verdict for part in found.parts if not (part.of_value or part.probe)}
    is_open = Verdict.UNDECIDED in own or (Verdict.WRONG in own and may_hold(found))
    again = after_a_run_elsewhere(question, tested, arrays, ask) if is_open and name == GIVEN else None
    return again or found


def _answer(question: Question, tested: UnderTest, arrays: Sequence[Array], name: str) -> Answer:
    if not any(arrays[k].size for k in question.active):
        given = [(question.names[k], arrays[k]) for k in question.active]
        return Answer(tuple(_nothing(name, of, a, f"the shape is {shape_of(of, a)}") for of, a in given))
    posed = pose(question, arrays)
    if any(d.size for d in posed.directions) and not any(map(np.any, posed.directions)):
        along = "tangent" if question.derivative.is_of_results else "cotangent"
        why = f"the {along} is zero everywhere, and so is any gradient along it"
        return Answer(tuple(_nothing(name, of, like, why) for of, like in posed.expected))
    found = _examined(question, tested, posed, name)
    is_known = all(part.verdict is not Verdict.UNDECIDED for part in found.parts)
    if is_known and name == GIVEN and question.is_plain and isinstance(tested, Tested):
        run = partial(run_both, tested)
        with silently():  # nobody asked for what is nearby
            confirm_nearby(tested.target, posed.forward, arrays, question.specify, run, question.limits)
    if any(part.verdict in UNEQUAL and not part.of_value for part in found.parts):
        whole = as_symmetric(question, tested, posed, found, arrays, partial(_examined, name=name))
        if whole is not None:
            return whole
    if all(part.verdict is not Verdict.WRONG for part in found.parts):
        return found
    if posed.forward.loses:
        raise Unsupported(posed.forward.loses)
    if posed.forward.attached is not None:
        again = _answer(replace(question, follows=True), tested, arrays, name)
        return replace(again, notes=(*again.notes, ATTACHED))
    whole = as_if_symmetric(question, found, arrays, lambda near: _answer(question, tested, near, name))
    if whole is not None or name != GIVEN:
        return whole or found
    own = isinstance(tested, Tested) and tested.own
    said = as_unheld(question, posed, own, lambda other: _examined(other, tested, pose(other, arrays), name))
    return replace(found, notes=(*found.notes, *said))


def _examined(question: Question, tested: UnderTest, posed: Posed, name: str) -> Answer:
    return answered(question, tested, posed, partial(examine_derivative, question, tested, posed), name)


def answered(
    question: Question,
    tested: UnderTest,
    posed: Posed,
    examined_if: Callable[[bool], Examined],
    name: str = GIVEN,
) -> Answer:
    """The same where the truth is known.

    Args:
        question, tested: What is asked, and of what.
        posed: The question at its point.
        examined_if: E and B, of a derivative that writes into its inputs (True) or leaves them alone.
        name: Of the point.
    """
    subject = tested.subject()
    as_given = tested.target.results.as_given if name == GIVEN and isinstance(tested, Tested) else ()
    near = _near_values(question, subject, posed, as_given, name)
    if any(part.verdict in {Verdict.WRONG, Verdict.UNDECIDED} for part in near):
        return Answer(tuple(near))
    seen = observe(
        subject, posed.inputs, posed.directions, posed.labels, posed.expected,
        question.thorough and not question.probes, question.linear,
        partial(has_shapes, posed.forward) if question.value is ValueRule.NOTED else None,
    )  # fmt: skip
    if seen.misfits:
        return _misfitting(question, tested, posed, seen, near, name)
    runs: list[Differing] = []
    if question.probes and isinstance(tested, Tested) and not seen.faults:
        runs = differing(question, tested, posed, seen)
    examined = examined_if(bool(seen.faults)).of_what_ran(
        seen, lambda: Loaded.of(subject, posed.inputs, posed.directions).gradient()
    )
    bounds = examined.results if question.is_plain else None  # what spec= names has others
    of_value = near or value_parts(
        question, posed, seen, examined.value, tested.rounding, name, bounds, as_given
    )
    sight = Sight(question, tested, posed, examined, seen, name)
    first = judged(sight, reasons=False)
    sight = as_judged(sight, first)
    own, said = with_reasons(sight, first, runs, answer)
    parts = _unless_elsewhere([*own, *of_value])
    found, more = _of_probes(sight, own, parts, runs)
    is_right = all(p.verdict in RIGHT for p in own)
    unused = unread(question, tested, posed, examined) if is_right and name == GIVEN else ()
    notes = (*_notes(sight), *said, *more, *unused)
    return Answer(
        (*parts, *found),
        seen.faults,
        tuple(dict.fromkeys(notes)),
        seen.first_call_time_s,
        _hidden(question, posed),
        tuple(of for (of, _), e in zip(posed.expected, posed.true.enclosures, strict=True) if e.is_zero),
        hiding(question, tested, posed, examined) if is_right else {},
        None if seen.faults else partial(Loaded.of, subject, posed.inputs, posed.directions),
        sight,
    )


def _near_values(
    question: Question, subject: Subject, posed: Posed, as_given: Sequence[Array], name: str
) -> list[Part]:
    """Beside what spec= names: whether the function is that, or near it; else nothing.

    Where it is another function on the arrays as they were given, so is what it would be compared as: copies.
    """
    if question.value is not ValueRule.NEAR:
        return []
    value = subject.fetch_value(subject.value(*(subject.load(a.copy("K")) for a in posed.inputs)))
    near = near_parts(question, posed, value, name)
    if any(part.verdict is Verdict.WRONG for part in near) or not as_given or same(as_given, value):
        return near
    for part in near_parts(question, posed, as_given, name):
        if part.verdict is Verdict.WRONG:
            why = f"value: {AS_GIVEN}{part.diagnosis}"
            return [replace(part, verdict=Verdict.UNDECIDED, diagnosis=why)]
    return near


def _misfitting(
    question: Question, tested: UnderTest, posed: Posed, seen: Observed, near: list[Part], name: str
) -> Answer:
    """Of results that are no gradient, by their number, shape or dtype."""
    of_value = near or value_parts(question, posed, seen, None, tested.rounding, name)
    own = _misfits(seen, posed, name, tested)
    own = _beside_misfits(question, tested, posed, own, name)
    whole = [misfit.text for misfit in seen.misfits if not misfit.part]
    return Answer((*own, *of_value), (*whole, *seen.faults), seen.notes, seen.first_call_time_s)


def _unless_elsewhere(parts: list[Part]) -> list[Part]:
    """The parts; nothing is known of them where what was proven is of another program than what ran."""
    elsewhere = _of_another_program(parts)
    if not elsewhere:
        return parts
    why = elsewhere[0].diagnosis
    return [replace(p, verdict=Verdict.UNDECIDED, diagnosis=why, blame=None, guilty=None) for p in parts]


def _of_another_program(parts: Sequence[Part]) -> list[Part]:
    return [p for p in parts if p.of_value and p.verdict is Verdict.UNDECIDED and not p.remark]


def _of_probes(
    sight: Sight, own: Sequence[Part], parts: Sequence[Part], runs: Sequence[Differing]
) -> tuple[list[Part], list[str]]:
    """What the probes found, and what is worth saying of it; of a wrong gradient only that runs differ."""
    holds = all(p.verdict in {*RIGHT, Verdict.IMPRECISE} or p.of_value for p in parts)
    is_imprecise = any(p.verdict is Verdict.IMPRECISE for p in own)
    found, notes = list[Part](), list[str]()
    for one in runs:
        if holds or one.probe is None:
            more, said = probed(one, sight, partial(whose, ask=answer), is_imprecise)
            found, notes = [*found, *more], [*notes, *said]
    return [] if _of_another_program(parts) else found, notes


def _notes(sight: Sight) -> list[str]:
    """What is worth saying of a derivative, right or not."""
    posed, examined = sight.posed, sight.examined
    said = [examined.note] if examined.note else []
    notes = [*sight.seen.notes, *said, *examined.formula.notes, *_unused(posed), *_narrowed(posed)]
    if REVERSE in sight.question.derivative.steps:
        notes += held_gradients(posed.forward.program, posed.true.wrt)
    return notes


def _unused(posed: Posed) -> list[str]:
    """Parameters on which nothing depends, and arguments of several whose gradient is zero."""
    true, told = posed.true, []
    for part, ((name, _), e) in enumerate(zip(posed.expected, true.enclosures, strict=True)):
        if not e.is_zero:
            continue
        parameter = name.startswith(PARAMETERS)
        if parameter and not true.forward.moves_with([true.forward.inputs[true.wrt[part]]]):
            told.append(f"no gradient, since nothing here depends on it: {name}")
        elif parameter or not true.is_zero:
            told.append(f"the derivative of {name} is 0 in every element, where a wrong factor does not show")
    return told


def _hidden(question: Question, posed: Posed) -> tuple[str, ...]:
    """The parts that are 0 here and not always: all of them, or some where an array's numbers are equal."""
    true = posed.true
    if true.is_zero:
        return tuple(name for name, _ in posed.expected)
    zero = [k for k, e in enumerate(true.enclosures) if e.is_zero and int(np.prod(e.shape))]
    given = [posed.inputs[k] for k in question.active]
    if not zero or not any(a.size and (a == a.flat[0]).all() and (a.size > 1 or not a.any()) for a in given):
        return ()
    wanted = [np.full(e.shape, k in zero) for k, e in enumerate(true.enclosures)]
    always = vanishing(true.gradient, true.inputs, wanted)
    return tuple(posed.expected[k][0] for k in zero if not always[k].all())


def _narrowed(posed: Posed) -> list[str]:
    """Where the function casts to a narrower format, as which a gradient is judged then."""
    pairs = [(n, of) for n, (of, _) in zip(posed.true.narrowest, posed.expected, strict=True) if n]
    found = {narrow: ", ".join(of for n, of in pairs if n == narrow) for narrow, _ in pairs}
    return [
        f"the function casts to {narrow} on the way of {names}: its gradient is judged as one of that"
        for narrow, names in found.items()
    ]


def _beside_misfits(
    question: Question, tested: UnderTest, posed: Posed, parts: list[Part], name: str
) -> list[Part]:
    """The parts, each that is a gradient with its own verdict: as if the others were not asked for."""
    fit = [k for k, part in enumerate(parts) if part.verdict is Verdict.NONE]
    if not fit or not isinstance(tested, Tested) or question.derivative != GRADIENT:
        return parts
    some = tested.in_some(fit)
    if some is None:
        return parts
    active = tuple(question.active[k] for k in fit)
    asked = replace(question, active=active, thorough=False, probes=())
    try:
        found = _examined(asked, some, pose(asked, posed.inputs), name)
    except ExactError:
        return parts
    each = [part for part in found.parts if not part.of_value]
    return [each[fit.index(k)] if k in fit else part for k, part in enumerate(parts)]


def _nothing(name: str, of: str, like: Array, why: str) -> Part:
    return Part(name, of, Verdict.NONE, None, f"nothing to compare: {why}", like.dtype.name, like.shape)


def _misfits(seen: Observed, posed: Posed, name: str, tested: UnderTest) -> list[Part]:
    """Parts that say why a result is no gradient."""
    parts = []
    for (of, like), truth in zip(posed.expected, posed.true.enclosures, strict=True):
        own = [misfit for misfit in seen.misfits if misfit.part in {"", of}]
        said = [misfit.text for misfit in own if misfit.part]
        if any(misfit.is_none for misfit in own):
            cut = isinstance(tested, Tested) and tested.own and tested.target.framework.name == "torch"
            by_hand = isinstance(tested, Tested) and not (tested.own or tested.reuses)
            if truth.is_zero:
                said += [CUT, LEAVE_OUT] if cut else [LEAVE_OUT]
            elif by_hand and len(posed.expected) > 1:
                said.append(AS_CONSTANT)
        verdict = Verdict.WRONG if own else Verdict.NONE
        guilty = tested.home if own else None
        parts.append(
            Part(name, of, verdict, None, "; ".join(said), like.dtype.name, like.shape, guilty=guilty)
        )
    return parts
