"""The parts of a gradient as it ran: each by its worst run, and what is said of those that are not right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from harness.proof.judge import Judgement
from harness.proof.probed import ignoring
from harness.proof.probes import Differing
from harness.proof.program import EXCUSABLE, Examined, verdicts, worst
from harness.proof.question import Ask, Blame, Part, Question, UnderTest
from harness.proof.sight import GIVEN, Sight
from harness.proof.truth import Posed
from harness.verdicts import RIGHT, Standing, Verdict
from oracles.exact.program.program import Origin

BEYOND = (
    "whose fault it is cannot be told: above order 1 only a function that is one call of a library's, with "
    "no rule of yours, is checked alone"
)
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


def judged(sight: Sight, reasons: bool) -> list[Part]:
    """Each part by the worst of its results: of the first run, run again, and with a scaled cotangent."""
    question, posed, examined, seen = sight.question, sight.posed, sight.examined, sight.seen
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
                sight.name, of, judgement.verdict, judgement, judgement.diagnosis, dtype, shape,
                examined=not examined.opaque, near=near, guilty=judgement.guilty,
            )
        )  # fmt: skip
    return parts


def as_judged(sight: Sight, parts: Sequence[Part]) -> Sight:
    """With all perturbations of the inputs, where what few of them excuse was in question."""
    if not any(p.verdict in EXCUSABLE for p in parts):
        return sight
    return replace(sight, posed=replace(sight.posed, true=sight.posed.true.fully()))


def with_reasons(
    sight: Sight, parts: Sequence[Part], runs: Sequence[Differing], ask: Ask
) -> tuple[list[Part], list[str]]:
    """The parts with what is to be said of those that are not right, and what is worth saying beside.

    Args:
        sight: What they were judged by.
        parts: As they were judged, without reasons: to know why takes longer than to know that.
        runs: What the probes found.
        ask: Answers a question.
    """
    question, tested, posed, examined = sight.question, sight.tested, sight.posed, sight.examined
    own, notes = list(parts), list[str]()
    if any(p.verdict is Verdict.IMPRECISE and p.examined for p in own):
        from harness.proof.constants import explained

        own, said = explained(question, posed, own, lambda at: judged(replace(sight, posed=at), False))
        notes += said
    if all(p.verdict in RIGHT for p in own):
        return own, notes
    notes += posed.forward.notes
    reasons = judged(sight, reasons=True)
    own = [p if p.verdict in RIGHT else reason for p, reason in zip(own, reasons, strict=True)]
    fault = whose(question, tested, posed, examined, [p.judgement for p in own if p.judgement], ask)
    loses = any(p.verdict in {Verdict.IMPRECISE, Verdict.MISCOMPUTED} & _blamed.get() for p in own)
    if loses and fault is None and question.blames and len(question.derivative.steps) > 1:
        notes.append(BEYOND)
    ignored = ignoring(runs, posed, sight.seen) if examined.opaque else ""
    return _beside_their_rows(sight, [_blamed_on(p, sight, fault, ignored) for p in own]), notes


def whose(
    question: Question,
    tested: UnderTest,
    posed: Posed,
    examined: Examined,
    found: Sequence[Judgement],
    ask: Ask,
) -> Blame | None:
    """Whose fault it is that parts of a derivative are not right; None where they are, or nobody can tell."""
    if not question.blames or all(j.verdict not in _blamed.get() for j in found):
        return None
    from harness.proof.blame import blame

    return blame(question, tested, posed, examined, found, ask)


def _blamed_on(part: Part, sight: Sight, fault: Blame | None, ignored: str) -> Part:
    """A part that is not right, with whose fault that is, where to look, and what it has ignored."""
    if part.verdict.standing is not Standing.FAULTY:
        return part
    why = f"{ignored}; {part.diagnosis}" if ignored else part.diagnosis
    return replace(part, diagnosis=why, blame=fault, guilty=_guilty(part, fault, sight.tested, sight.posed))


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


def _beside_their_rows(sight: Sight, parts: list[Part]) -> list[Part]:
    """The parts, beside the given point the imprecise ones with whether that is nothing beside its row."""
    if sight.name == GIVEN or all(part.verdict is not Verdict.IMPRECISE for part in parts):
        return parts
    from harness.proof.negligible import is_negligible

    return [
        replace(p, negligible=is_negligible(sight.posed, sight.seen, k, sight.question.allowed))
        if p.verdict is Verdict.IMPRECISE
        else p
        for k, p in enumerate(parts)
    ]
