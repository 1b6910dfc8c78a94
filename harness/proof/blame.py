"""Whose fault it is: does a function of the library lose the digits, or what is made of it?

A library is blamed where one of its functions, checked alone on the operands and the cotangents that it got,
is not right itself, and the gradient is right as soon as that function is correctly rounded. What the
composition amplifies is its author's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from harness.proof.alone import PUSHFORWARD, Mending, is_faulty, is_of_another
from harness.proof.formula import Formula
from harness.proof.judge import Judgement
from harness.proof.program import Examined, verdicts
from harness.proof.question import Ask, Blame, Question, UnderTest
from harness.proof.reports import report_on
from harness.proof.truth import Posed
from harness.subject.derivative import GRADIENT, Derivative
from harness.subject.tested import Tested, under_test
from harness.verdicts import RIGHT, Standing, Verdict
from oracles.frameworks.calls import Call, Watched, as_it_is
from oracles.frameworks.framework import without_errors

MOST_CALLS = 64  # that are checked alone
MOST_ALONE = 8  # that are mended each by itself, before all at once
MOST_NUMBERS = 4096  # operands of all calls, where a formula is wrong: that fails whoever wrote it


def blame(
    question: Question,
    tested: UnderTest,
    posed: Posed,
    examined: Examined,
    found: Sequence[Judgement],
    ask: Ask,
) -> Blame | None:
    """Whose fault these parts of one gradient are; None where that cannot be told.

    A row whose formula was not examined is never blamed on anybody.

    Args:
        question, tested: What is asked, and of what.
        posed: The question at its point.
        examined: E and B.
        found: What was found of each part of the derivative.
        ask: Answers a question.
    """
    if examined.opaque:
        return None
    if question.derivative not in {GRADIENT, PUSHFORWARD}:
        return _of_one_call(question, tested, posed, found)
    bad = [k for k, one in enumerate(found) if one.verdict.standing is Standing.FAULTY]
    agrees = Formula(tuple(np.ones(e.shape, bool) for e in posed.true.enclosures))
    numbers_alone = replace(examined, formula=agrees)

    def is_right(ran: Watched) -> bool:
        numbers = [g for g in ran.gradients if g is not None]
        judged = verdicts(posed.true, numbers_alone, numbers, question.allowed, reasons=False)
        return all(judged[k].verdict in RIGHT for k in bad)

    def is_cured(by: Collection[int]) -> bool:
        return is_right(tested.watch(posed.directions, posed.inputs, Mending(question, by)))

    try:
        with without_errors():
            ran = tested.watch(posed.directions, posed.inputs, as_it_is)
            wrong = any(found[k].verdict is Verdict.WRONG for k in bad)
            sizes = sum(a.size for call in ran.calls for a in call.operands)
            if wrong and sizes > MOST_NUMBERS:
                return None  # nobody can tell as quickly as that
            known: dict[object, bool | None] = {}
            if is_right(ran):
                return _source_of_formula(question, ran, found, ask) if wrong else None
            for call in _causes(question, _suspects(ran.calls, found), is_cured, ask, known):
                return _blamed(call)
    except Exception:  # what the caller's code raises where it is watched changes no verdict
        return None
    is_known = ran.complete and len(ran.calls) <= MOST_CALLS and None not in known.values()
    return Blame("yours") if is_known else None


def _of_one_call(
    question: Question, tested: UnderTest, posed: Posed, found: Sequence[Judgement]
) -> Blame | None:
    """Whose a derivative of a derivative is; None where nobody can tell.

    It is the library's where the whole function is one call of it, whose derivatives are its own: the
    question is about that call alone. How several share what is lost cannot be seen: the library pulls back
    inside.
    """
    if not isinstance(tested, Tested):
        return None
    count = len(tested.target.arrays)
    first = Derivative(question.derivative.steps[:1])
    own = len(tested.target.results.names if first == GRADIENT else tested.target.active)
    directions, arrays = posed.inputs[count : count + own], posed.inputs[:count]
    try:
        with without_errors():
            ran = under_test(tested.target, first).watch(tuple(directions), arrays, as_it_is)
    except Exception:  # as above
        return None
    wrong = any(one.verdict is Verdict.WRONG for one in found)
    its_own = ran.derived or not (wrong or ran.ruled)
    alone = tested.own and question.is_plain and ran.complete and len(ran.calls) == 1
    return _blamed(ran.calls[0]) if alone and its_own else None


def _blamed(call: Call) -> Blame:
    return Blame(call.owner, call.origin, report_on(call.owner, call.name))


def _source_of_formula(
    question: Question, ran: Watched, found: Sequence[Judgement], ask: Ask
) -> Blame | None:
    """Whose a wrong formula is that does not show in the numbers; None where nobody can tell.

    A derivative in which no rule of the caller's has a part, of the caller's own function, is the library's.
    """
    if not (ran.derived and ran.complete and question.is_plain):
        return None
    named, others = _suspects(ran.calls, found)
    suspects = [*named, *others]
    wrong = (call for call in suspects if len(suspects) == 1 or is_of_another(call, question, ask))
    return next(map(_blamed, wrong), None)


def _suspects(calls: Sequence[Call], found: Sequence[Judgement]) -> tuple[list[Call], list[Call]]:
    """The calls of the lines that the diagnosis names, and the others.

    Where the formula is wrong, no rounding is the cause: a function that runs for its value, and means to the
    exact oracle what it means alone, has no part in it.
    """
    bad = [one for one in found if one.verdict.standing is Standing.FAULTY]
    if all(one.verdict is Verdict.WRONG for one in bad):
        calls = [call for call in calls if call.cotangents or call.tangents or call.coded]
    lines = {one.guilty.place for one in bad if one.guilty} - {None}
    named = [call for call in calls[:MOST_CALLS] if call.place in lines]
    return named, [call for call in calls[:MOST_CALLS] if call not in named]


def _causes(
    question: Question,
    suspects: Sequence[Sequence[Call]],
    is_cured: Callable[[Collection[int]], bool],
    ask: Ask,
    known: dict[object, bool | None],
) -> Iterator[Call]:
    """The call with which, rounded correctly, the gradient is right; or the first of several.

    What is found of each call is kept in `known`.
    """
    faulty: list[Call] = []
    for calls in suspects:
        found = []
        for call in calls:
            arrays = (*call.operands, *(call.cotangents or call.tangents or ()))
            key = (call.name, call.place, *(a.tobytes() for a in arrays))
            if key not in known:
                known[key] = is_faulty(call, question, ask)
            found += [call] if known[key] else []
        faulty += found
        yield from (call for call in found[:MOST_ALONE] if is_cured({call.number}))
        if len(faulty) > 1 and found and is_cured({call.number for call in faulty}):
            yield faulty[0]
