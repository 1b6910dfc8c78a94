"""The one path from a question to the answer at one point: prove, run, examine, judge, give the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from harness.proof.graphless import held_gradients
from harness.proof.hiding import hiding, unread
from harness.proof.judge import Judgement
from harness.proof.nearly_symmetric import as_if_symmetric
from harness.proof.observe import Loaded, Observed, observe, same
from harness.proof.one_triangle import as_symmetric
from harness.proof.probed import ignoring, probed
from harness.proof.probes import Differing, differing
from harness.proof.program import EXCUSABLE, Examined, examine_derivative, verdicts, worst
from harness.proof.question import Answer, Blame, Part, Question, UnderTest, ValueRule
from harness.proof.tied import has_shapes
from harness.proof.truth import Posed, pose
from harness.proof.unheld import as_unheld
from harness.proof.value import AS_GIVEN, near_parts, value_parts
from harness.subject.complex_pairs import shape_of
from harness.subject.derivative import GRADIENT, REVERSE, Array
from harness.subject.names import PARAMETERS
from harness.subject.tested import Tested
from harness.verdicts import RIGHT, Standing, Verdict
from oracles.exact.enclose.identities import vanishing
from oracles.exact.program.errors import ExactError
from oracles.exact.program.program import Origin
from oracles.exact.program.recording import shown

GIVEN = "given"  # the point that was asked for
BEYOND = (
    "whose fault it is cannot be told: above order 1 only a function that is one call of a library's, with "
    "no rule of yours, is checked alone"
)
ATTACHED = (
    "a custom function gives a gradient to what is computed under no_grad, or detached: it is compared with "
    "the derivative of that, since held fixed it would have none"
)
CUT = "the function may cut it off (detach, no_grad, numpy())"
LEAVE_OUT = "if the function does not depend on it, leave it out of argnums"
UNEQUAL = (Verdict.WRONG, Verdict.MISCOMPUTED)
FAULTY = frozenset(verdict for verdict in Verdict if verdict.standing is Standing.FAULTY)

_blamed: ContextVar[frozenset[Verdict]] = ContextVar("blamed", default=FAULTY)


@contextmanager
def blaming(verdicts: Iterable[Verdict]) -> Iterator[None]:
    """Inside it is asked of these verdicts alone whose fault they are: that takes several checks."""
    token = _blamed.set(frozenset(verdicts))
    try:
        yield
    finally:
        _blamed.reset(token)


@dataclass(frozen=True, slots=True)
class Sight:
    """All that a derivative was judged by at one point, for who wants to look at every element of it.

    Attributes:
        question, tested: What was asked, and of what.
        posed, examined, seen: The truth, the program, and what ran.
        name: Of the point.
    """

    question: Question
    tested: UnderTest
    posed: Posed
    examined: Examined
    seen: Observed
    name: str


def answer(question: Question, tested: UnderTest, arrays: Sequence[Array], name: str = GIVEN) -> Answer:
    """Judge a derivative at one point, and the value beside it.

    Raises:
        Unsupported, Undecided: There is no truth here.
        ValueError: The cotangent does not fit.
    """
    work = partial(_answer, question, tested, arrays, name)
    return shown(work, tested.derivative if isinstance(tested, Tested) else None)


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
    if any(part.verdict in UNEQUAL and not part.of_value for part in found.parts):
        whole = as_symmetric(question, tested, posed, found, arrays, partial(_examined, name=name))
        if whole is not None:
            return whole
    if all(part.verdict is not Verdict.WRONG for part in found.parts):
        return found
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
    subject, near = tested.subject(), list[Part]()
    as_given = tested.target.results.as_given if name == GIVEN and isinstance(tested, Tested) else ()
    if question.value is ValueRule.NEAR:
        value = subject.fetch_value(subject.value(*(subject.load(a.copy("K")) for a in posed.inputs)))
        near = near_parts(question, posed, value, name)
        if any(part.verdict is Verdict.WRONG for part in near):
            return Answer(tuple(near))
        if as_given and not same(as_given, value):
            other = [p for p in near_parts(question, posed, as_given, name) if p.verdict is Verdict.WRONG]
            if other:  # and its copies, which are compared, are another function
                why = f"value: {AS_GIVEN}{other[0].diagnosis}"
                return Answer((replace(other[0], verdict=Verdict.UNDECIDED, diagnosis=why),))
    seen = observe(
        subject, posed.inputs, posed.directions, posed.labels, posed.expected,
        question.thorough and not question.probes, question.linear,
        partial(has_shapes, posed.forward) if question.value is ValueRule.NOTED else None,
    )  # fmt: skip
    if seen.misfits:
        of_value = near or value_parts(question, posed, seen, None, tested.rounding, name)
        own = _misfits(seen, posed, name, tested)
        own = _beside_misfits(question, tested, posed, own, name)
        whole = [misfit.text for misfit in seen.misfits if not misfit.part]
        return Answer((*own, *of_value), (*whole, *seen.faults), seen.notes, seen.first_call_time_s)
    runs: list[Differing] = []
    if question.probes and isinstance(tested, Tested) and not seen.faults:
        runs = differing(question, tested, posed, seen)
    examined = examined_if(bool(seen.faults))
    examined = examined.of_what_ran(
        seen, lambda: Loaded.of(subject, posed.inputs, posed.directions).gradient()
    )
    bounds = examined.results if question.is_plain else None  # what spec= names has others
    of_value = near or value_parts(
        question, posed, seen, examined.value, tested.rounding, name, bounds, as_given
    )
    said = [examined.note] if examined.note else []
    notes = (*seen.notes, *said, *examined.formula.notes, *_unused(posed), *_narrowed(posed))
    if REVERSE in question.derivative.steps:
        notes = (*notes, *held_gradients(posed.forward.program, posed.true.wrt))
    judge = partial(_judged, question, examined=examined, seen=seen, name=name)
    own = judge(posed, reasons=False)
    if any(p.verdict in EXCUSABLE for p in own):
        posed = replace(posed, true=posed.true.fully())  # as they were judged
    if any(p.verdict is Verdict.IMPRECISE and p.examined for p in own):
        from harness.proof.constants import explained

        own, said = explained(question, posed, own, partial(judge, reasons=False))
        notes = (*notes, *said)
    if any(p.verdict not in RIGHT for p in own):  # to know why takes longer than to know that
        notes = (*notes, *posed.forward.notes)
        own = [
            p if p.verdict in RIGHT else told for p, told in zip(own, judge(posed, reasons=True), strict=True)
        ]
    fault = whose(question, tested, posed, examined, [p.judgement for p in own if p.judgement])
    loses = any(p.verdict in {Verdict.IMPRECISE, Verdict.MISCOMPUTED} & _blamed.get() for p in own)
    if loses and fault is None and question.blames and len(question.derivative.steps) > 1:
        notes = (*notes, BEYOND)
    own = [
        replace(p, blame=fault, guilty=_guilty(p, fault, tested, posed))
        if p.verdict.standing is Standing.FAULTY
        else p
        for p in own
    ]
    if examined.opaque and (ignored := ignoring(runs, posed, seen)):
        own = [
            replace(p, diagnosis=f"{ignored}; {p.diagnosis}") if p.verdict.standing is Standing.FAULTY else p
            for p in own
        ]
    if name != GIVEN:
        own = _beside_their_rows(question, posed, seen, own)
    judged = [*own, *of_value]
    elsewhere = [p for p in of_value if p.verdict is Verdict.UNDECIDED and not p.remark]
    if elsewhere:  # what was proven is of another program than what ran
        why = elsewhere[0].diagnosis
        judged = [
            replace(p, verdict=Verdict.UNDECIDED, diagnosis=why, blame=None, guilty=None) for p in judged
        ]
    holds = all(p.verdict in {*RIGHT, Verdict.IMPRECISE} or p.of_value for p in judged)
    is_imprecise = any(p.verdict is Verdict.IMPRECISE for p in own)
    for one in runs:
        if holds or one.probe is None:
            found, more = probed(one, question, posed, examined, seen, name, whose, is_imprecise)
            judged, notes = [*judged, *found], (*notes, *more)
    is_right = all(p.verdict in RIGHT for p in own)
    notes = (*notes, *(unread(question, tested, posed, examined) if is_right and name == GIVEN else ()))
    notes = tuple(dict.fromkeys(notes))
    load = None if seen.faults else partial(Loaded.of, subject, posed.inputs, posed.directions)
    sight = Sight(question, tested, posed, examined, seen, name)
    return Answer(
        tuple(judged),
        seen.faults,
        notes,
        seen.first_call_time_s,
        _hidden(question, posed),
        tuple(name for (name, _), e in zip(posed.expected, posed.true.enclosures, strict=True) if e.is_zero),
        hiding(question, tested, posed, examined) if is_right else {},
        load,
        sight,
    )


def whose(
    question: Question, tested: UnderTest, posed: Posed, examined: Examined, found: Sequence[Judgement]
) -> Blame | None:
    """Whose fault it is that parts of a derivative are not right; None where they are, or nobody can tell."""
    if not question.blames or all(j.verdict not in _blamed.get() for j in found):
        return None
    from harness.proof.blame import blame

    return blame(question, tested, posed, examined, found, answer)


def _guilty(part: Part, fault: Blame | None, tested: UnderTest, posed: Posed) -> Origin | None:
    """Where to look: at the operation of the diagnosis, or of who is to be blamed; else at the rule by hand.

    A wrong formula that is written nowhere but on the forward's lines (JAX gives a rule's operations the line
    that calls the function) is the rule's.
    """
    found, home = part.guilty or (fault.operation if fault else None), tested.home
    if found is None or home is None or part.verdict is not Verdict.WRONG:
        return found or home
    forward = {e.origin.place for e in posed.forward.program.equations if e.origin}
    return home if found.place in forward else found


def _beside_their_rows(question: Question, posed: Posed, seen: Observed, parts: Sequence[Part]) -> list[Part]:
    """The parts, the imprecise ones with whether that is nothing beside its row."""
    if all(part.verdict is not Verdict.IMPRECISE for part in parts):
        return list(parts)
    from harness.proof.negligible import is_negligible

    return [
        replace(
            p, negligible=p.verdict is Verdict.IMPRECISE and is_negligible(posed, seen, k, question.allowed)
        )
        for k, p in enumerate(parts)
    ]


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


def _judged(
    question: Question, posed: Posed, examined: Examined, seen: Observed, name: str, reasons: bool
) -> list[Part]:
    """Each part by the worst of its results: of the first run, run again, and with a scaled cotangent."""
    found = []
    for label, arrays in (("", seen.gradient.arrays), *seen.others):
        computed = [a for a in arrays if a is not None]
        each = verdicts(posed.true, examined, computed, question.allowed, reasons)
        found.append([(label, judgement) for judgement in each])
    parts = []
    for (of, like), *results in zip(posed.expected, *found, strict=True):
        judgement = worst(results)
        shape, dtype = like.shape, like.dtype.name
        near = examined.formula.near and judgement.verdict is Verdict.WRONG
        parts.append(
            Part(
                name, of, judgement.verdict, judgement, judgement.diagnosis, dtype, shape,
                examined=not examined.opaque, near=near, guilty=judgement.guilty,
            )
        )  # fmt: skip
    return parts


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
        if any(misfit.is_none for misfit in own) and truth.is_zero:
            cut = isinstance(tested, Tested) and tested.own and tested.target.framework.name == "torch"
            said += [CUT, LEAVE_OUT] if cut else [LEAVE_OUT]
        verdict = Verdict.WRONG if own else Verdict.NONE
        guilty = tested.home if own else None
        parts.append(
            Part(name, of, verdict, None, "; ".join(said), like.dtype.name, like.shape, guilty=guilty)
        )
    return parts
