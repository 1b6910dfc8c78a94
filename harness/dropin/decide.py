"""What a drop-in does with its results: pass, warn, fail, or let the original decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto
from typing import Any, assert_never

from harness.check import is_in_test
from harness.dropin.configuration import say, settings
from harness.dropin.kept import keep
from harness.dropin.originals import Outcome
from harness.dropin.proofs import unheard
from harness.proof.own_parts import FAULTY, blaming
from harness.result import Result
from harness.verdicts import Verdict
from oracles.exact.program.errors import ExactError, first_line

AS_DIFFERENCES = (
    "as written it is wrong, and right if nothing is held constant (detach, no_grad, stop_gradient), as "
    "differences see it"
)


class Answer(Enum):
    """What a drop-in does with one result."""

    PASS = auto()
    WARN = auto()  # strict, or where the original rejects it: fail
    FAIL = auto()
    UNPROVEN = auto()  # the original decides


def answer_to(verdict: Verdict, faulty: bool, examined: bool) -> Answer:
    """What follows from a verdict; one that is not named here does not type-check, and raises.

    Args:
        verdict: On the gradient.
        faulty: Whether something is wrong apart from its size.
        examined: Whether the formula was looked into. Otherwise the numbers alone decide, and those that are
            not right are the original's business too.
    """
    match verdict:
        case Verdict.WRONG | Verdict.MISCOMPUTED:
            return Answer.FAIL if examined else Answer.UNPROVEN
        case Verdict.IMPRECISE:
            return Answer.WARN if examined else Answer.UNPROVEN
        case Verdict.ACCURATE | Verdict.CONVENTION:
            return Answer.FAIL if faulty else Answer.PASS
        case Verdict.UNDECIDED | Verdict.UNSUPPORTED | Verdict.NONE | Verdict.TRUTH | Verdict.ESTIMATE:
            return Answer.UNPROVEN
        case _:
            assert_never(verdict)


def answer_of(found: Result) -> Answer:
    """What follows from a result.

    What is miscomputed by less than the budget warns: a suite with a tolerance does not turn red for a kernel
    that errs by a few bits. A rule that differs by little from a forward that iterates goes to the original:
    the forward may approximate what the rule is of (an adjoint, an implicit gradient).
    """
    if found.is_empty and found.verdict is Verdict.NONE:
        return Answer.PASS
    if found.verdict is Verdict.WRONG and found.is_near and not found.faults:
        return Answer.UNPROVEN
    if found.is_slight and not found.faults and found.verdict is Verdict.MISCOMPUTED:
        return Answer.WARN
    return answer_to(found.verdict, bool(found.faults), found.is_examined)


def decide(
    checker: str,
    questions: Sequence[Callable[[], Result]],
    theirs: Outcome,
    fail: Callable[[Result, int], Any],
) -> Any:
    """Ask; pass, fail, warn, or let the original decide.

    A gradient that the original rejects passes only where it is proven right (`held`: and nothing moves that
    is held constant). What is imprecise, and what probes find, is then no warning: it fails.

    Args:
        checker: The name of the original.
        questions: Each gives the result for one derivative.
        theirs: What the original says, with the tolerances that the user gave.
        fail: Raises, or returns, what the original does for a wrong gradient; of the question of that number.

    Returns:
        What the original or `fail` returned, True otherwise.
    """
    rejected = not theirs.passed
    results: list[Result] = []
    imprecise: list[int] = []
    probed: list[str] = []
    unproven = ""
    for number, question in enumerate(questions):
        try:
            with unheard(), blaming(FAULTY if settings.strict else FAULTY - {Verdict.IMPRECISE}):
                whole = question()
        except Exception as problem:  # whatever it is, the suite under test must not turn red for it
            unproven = first_line(problem)
            break
        # What no caller did yet is said and counted, and turns no suite red.
        found = whole if rejected else replace(whole, parts=tuple(p for p in whole.parts if not p.probe))
        if not is_in_test():  # nobody takes these from the list, and they would stay for ever
            found = replace(found, sights=())
        probed += [f"{found.subject}: {part.verdict.value} {part.diagnosis}" for part in whole.probed]
        results.append(found)
        answer = answer_of(found)
        if answer is Answer.FAIL and not rejected and _is_right_with_nothing_held(whole):
            unproven = AS_DIFFERENCES
            break
        if answer is Answer.FAIL or (answer is Answer.WARN and rejected):
            return keep(checker, found.verdict, "", results) and fail(found, number)
        if answer is Answer.UNPROVEN:
            unproven = found.diagnosis or "nothing to compare"
            break
        if answer is Answer.WARN:
            imprecise.append(number)
    probed = list(dict.fromkeys(probed))  # of forward and reverse mode the same is found
    if imprecise and settings.strict:
        first = imprecise[0]
        return keep(checker, results[first].verdict, "", results) and fail(results[first], first)
    if unproven:
        verdict = results[-1].verdict if results else Verdict.UNSUPPORTED
        keep(checker, verdict, unproven, results)
        if settings.fallback == "error":
            last = results[-1] if results else Result((), (f"not proven: {unproven}",))
            return fail(last, max(len(results) - 1, 0))
        say(f"{checker}: not proven, so the original decides: {unproven}")
        return theirs.again()
    if results and all(found.is_empty for found in results):
        return theirs.again()  # nothing that could be counted
    for text in (*(str(results[number]) for number in imprecise), *probed):
        say(text)
    worst = min(
        (results[number].verdict for number in imprecise), key=lambda v: v.severity, default=Verdict.ACCURATE
    )
    return keep(checker, worst, "", results, probed)


def _is_right_with_nothing_held(found: Result) -> bool:
    """Whether it is wrong as written alone, since it counts on what the function holds constant."""
    if found.verdict is not Verdict.WRONG or found.faults:
        return False
    from harness.dropin.held import is_as_differences_see

    with unheard(), suppress(ExactError):
        return is_as_differences_see(found)
    return False
