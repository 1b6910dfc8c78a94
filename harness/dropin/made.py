"""What a drop-in does with its results, and the list of all checks that were made."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, assert_never

from harness.check import IN_TEST, answered
from harness.checkers import HOMES
from harness.proof.answer import FAULTY, blaming
from harness.proof.question import Probe
from harness.result import Result
from harness.verdicts import Verdict
from oracles.exact.program.errors import ExactError, first_line

# What is called close under this tolerance is everything: only what is not a number's size is checked then.
LOOSE = {"atol": 1e30, "rtol": 0.0}
# A solver in a gradient that ends at an absolute tolerance may not end along a scaled cotangent, and JAX's
# loops cannot be stopped.
PROBES = tuple(probe for probe in Probe if probe not in {Probe.SCALED_UP, Probe.SCALED_DOWN})
# Of a derivative of a derivative these cost more than half of the check, and the first is asked along them.
AT_FIRST = {Probe.ONES, Probe.ZEROS}
HOME = {name: home for home, names in HOMES.items() for name in names}


class GradientWarning(UserWarning):
    """A gradient that is right and loses digits, one that is not proven, or a tolerance that is not used."""


@dataclass(frozen=True)
class Made:
    """A check that was made.

    Attributes:
        checker: The name of the original.
        where: The test that made it, "" outside of pytest.
        verdict: The worst.
        unproven: Why it is not proven and the original decided; "" if it is proven.
        results: What was found, one for each derivative that was asked for.
        probed: What probes found in gradients that are right as they were asked for.
    """

    checker: str
    where: str
    verdict: Verdict
    unproven: str
    results: tuple[Result, ...]
    probed: tuple[str, ...] = ()


@dataclass
class Settings:
    """How the drop-ins behave in this process.

    Attributes:
        strict: Whether `imprecise` raises too.
        fallback: "warn": where nothing is proven the original decides; "error": that is a failure.
        seed: Seeds every cotangent.
        quiet: Whether what there is to say is kept in `made` alone, and no warning is given.
        made: The checks that were made.
        tolerances: How many of them were given a tolerance, which is not used.
    """

    strict: bool = False
    fallback: str = "warn"
    seed: int = 0
    quiet: bool = False
    made: list[Made] = field(default_factory=list)
    tolerances: int = 0


settings = Settings()
_originals: dict[str, Callable[..., Any]] = {}
_inside = ContextVar("inside", default=False)


def original(name: str) -> Callable[..., Any]:
    """A framework's own checker, whatever stands in its place by now."""
    if name not in _originals:
        keep_original(name, getattr(importlib.import_module(HOME[name]), name))
    return _originals[name]


def keep_original(name: str, function: Callable[..., Any]) -> None:
    """Remember the original before something else takes its place."""
    _originals.setdefault(name, function)


@contextmanager
def calling_originals() -> Iterator[None]:
    """Originals call each other: inside, a drop-in in the place of one is that one."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)


def is_inside() -> bool:
    """Whether an original is at work, and a drop-in should be the original."""
    return _inside.get()


@contextmanager
def unheard() -> Iterator[None]:
    """What the proofs run warns of nothing: the original, which ran before, has. The test asked nothing."""
    before = len(answered)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        del answered[before:]


@dataclass(frozen=True)
class Outcome:
    """What an original returned or raised."""

    returned: Any = None
    raised: Exception | None = None

    @property
    def passed(self) -> bool:
        """Whether it found nothing."""
        return self.raised is None and self.returned is not False

    def again(self) -> Any:
        """Return that, or raise it."""
        if self.raised:
            raise self.raised
        return self.returned

    def words(self, error: type[Exception]) -> str:
        """Its message for what it rejects with this error, "" if it accepts it: suites look for it.

        Raises:
            Exception: It raised another error, which comes first.
        """
        if self.raised and not isinstance(self.raised, error):
            raise self.raised
        return f"{self.raised}\n" if self.raised else ""


def outcome(run: Callable[[], Any]) -> Outcome:
    """Run an original."""
    with calling_originals():
        try:
            return Outcome(run())
        except Exception as raised:
            return Outcome(raised=raised)


def probes_of(mode: str | Sequence[str]) -> tuple[Probe, ...]:
    """The probes of this derivative."""
    first = isinstance(mode, str) or len(mode) == 1
    return PROBES if first else tuple(probe for probe in PROBES if probe not in AT_FIRST)


def note_unused(given: dict[str, Any], usual: dict[str, Any]) -> None:
    """Say once that a tolerance is not used."""
    if all(given[name] == usual[name] for name in usual):
        return
    settings.tolerances += 1
    if settings.tolerances == 1 and not settings.quiet:
        names = ", ".join(name for name in usual if given[name] != usual[name])
        warnings.warn(
            f"{names}: accepted and ignored; the tolerance follows from the program",
            GradientWarning,
            stacklevel=4,
        )


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
        if IN_TEST not in os.environ:  # nobody takes these from the list, and they would stay for ever
            found = replace(found, sights=())
        probed += [f"{found.subject}: {part.diagnosis}" for part in whole.probed]
        results.append(found)
        answer = answer_of(found)
        if answer is Answer.FAIL and not rejected and _holds(whole):
            unproven = AS_DIFFERENCES
            break
        if answer is Answer.FAIL or (answer is Answer.WARN and rejected):
            return keep(checker, found.verdict, "", results) and fail(found, number)
        if answer is Answer.UNPROVEN:
            unproven = found.diagnosis or "nothing to compare"
            break
        if answer is Answer.WARN:
            imprecise.append(number)
    if imprecise and settings.strict:
        first = imprecise[0]
        return keep(checker, results[first].verdict, "", results) and fail(results[first], first)
    if unproven:
        verdict = results[-1].verdict if results else Verdict.UNSUPPORTED
        keep(checker, verdict, unproven, results)
        if settings.fallback == "error":
            last = results[-1] if results else Result((), (f"not proven: {unproven}",))
            return fail(last, max(len(results) - 1, 0))
        _say(f"{checker}: not proven, so the original decides: {unproven}")
        return theirs.again()
    if results and all(found.is_empty for found in results):
        return theirs.again()  # nothing that could be counted
    for text in (*(str(results[number]) for number in imprecise), *probed):
        _say(text)
    worst = min(
        (results[number].verdict for number in imprecise), key=lambda v: v.severity, default=Verdict.ACCURATE
    )
    return keep(checker, worst, "", results, probed)


def _holds(found: Result) -> bool:
    """Whether it is wrong as written alone, since it counts on what the function holds constant."""
    if found.verdict is not Verdict.WRONG or found.faults:
        return False
    from harness.dropin.held import is_as_differences_see

    with unheard(), suppress(ExactError):
        return is_as_differences_see(found)
    return False


def keep(
    checker: str, verdict: Verdict, unproven: str, results: Sequence[Result], probed: Sequence[str] = ()
) -> bool:
    """Remember a check that was made; True."""
    where = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    settings.made.append(Made(checker, where, verdict, unproven, tuple(results), tuple(probed)))
    return True


def taken() -> list[Made]:
    """The checks that were made since the last time, by drop-ins and by the test itself."""
    asked = [Made(door, "", found.verdict, "", (found,)) for door, found in answered]
    found = [*settings.made, *asked]
    settings.made.clear()
    answered.clear()
    return found


def _say(text: str) -> None:
    if not settings.quiet:
        warnings.warn(text, GradientWarning, stacklevel=5)  # the call in the suite


def plain(made: Made) -> dict[str, Any]:
    """A check as plain values, with its worst element."""
    worst = max((r.worst for r in made.results if r.worst), key=lambda j: j.bits_lost, default=None)
    told = [r.diagnosis for r in made.results if r.worst and r.worst is worst]
    return {
        "checker": made.checker,
        "where": made.where,
        "verdict": made.verdict.value,
        "unproven": made.unproven,
        "bits_lost": worst.bits_lost if worst else None,
        "element": worst.where if worst else "",
        "diagnosis": told[0] if told else "",
        "probed": "; ".join(made.probed),
    }
