"""The answer to a question at a point, and at others beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from harness.collection import uncollected_if_few
from harness.inputs.points import away
from harness.proof.answer import answer
from harness.proof.faults import faults, is_faulty
from harness.proof.neutral import Ask, faults_elsewhere, faults_together
from harness.proof.observe import Loaded
from harness.proof.operands import faults_of_operands
from harness.proof.pulls import caught, run_both
from harness.proof.question import Answer, Part, Probe, Question, UnderTest
from harness.proof.repeated import told_beside_once
from harness.proof.transposed import told_beside_symmetric
from harness.result import Result
from harness.subject.derivative import ShapeError
from harness.subject.operands import Opened
from harness.subject.patience import Endless, ending
from harness.subject.state import current
from harness.subject.target import Target
from harness.subject.tested import Programs, Tested
from harness.verdicts import Verdict
from harness.waiting import waited
from oracles.exact.program.errors import Opaque, Undecided, Unsupported, first_line
from oracles.exact.program.program import Origin
from oracles.exact.program.recording import Recording
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.framework import Subject, silently

R = TypeVar("R")
PATIENCE_S, OF_FIRST = 2.0, 50.0  # for a run beside the given point: seconds, and times of the first run
Again = Callable[[Target], tuple[Question, UnderTest]]
HERE_ALONE = (
    "a gradient meant at the given point alone, as at an increment of 0, is asked for with probes=False"
)
UNSEEN = "where a missing term or factor, or p in place of 1 - p, may not show"
STANDS_FOR = "or pass spec=, a plain function that computes the same"
# What times a derivative against its function while a test runs: pytest's plugin sets it for a baseline.
timer: Callable[[Result, Callable[[], Loaded]], tuple[float, float, float] | None] | None = None


@waited()
def answers(
    question: Question,
    tested: UnderTest,
    target: Target,
    result: Callable[..., Result],
    beside: Iterable[tuple[str, Sequence[Any]]] = (),
    again: Again | None = None,
    opening: Callable[[], Opened | None] | None = None,
) -> Result:
    """The answer at the given point, and at others beside it.

    Args:
        question, tested, target, result: What is asked, of what, and what is made of the answer.
        beside: The others, each with its name.
        again: Asks the same of another target: of one with other numbers, which are no arrays.
        opening: Makes arguments of what custom functions get besides what is differentiated.
    """
    found, wanted = [_at(question, tested, target.arrays, "given")], question.probes
    question = replace(question, probes=())
    here = found[0]
    if here.hidden and Probe.BESIDE in wanted:
        of_one = tuple(f"the derivative of {name} is 0 in every element" for name in here.hidden)
        others = tuple(note for note in here.notes if not note.startswith(of_one))
        found = [replace(here, notes=others), shown_away(question, tested, target, here)]
    if Probe.BESIDE in wanted and not any(is_faulty(p) for one in found for p in one.parts):
        ask = _asking(question, tested, target, again, _patience_s(here))
        counting = list[str]()
        shown, hiding = faults_elsewhere(here, target, question.seed, ask)
        if not shown:
            shown, hiding = faults_together(here, target, question.seed, ask)
        if not shown and (opened := _opened(here, opening)):
            shown, hiding, counting = faults_of_operands(opened, question.seed, ask)
        if shown:
            why = f"there {' and '.join(hiding)}, {UNSEEN}"
            said = f"this was found beside the given point: {why}"
            found.append(Answer(tuple(shown), notes=(said, HERE_ALONE)))
        else:
            told = [
                *counting,
                *told_beside_symmetric(here, target, question.seed, ask),
                *told_beside_once(here, target, ask),
            ]
            found[0] = replace(found[0], notes=(*found[0].notes, *told))
    found += [answer_beside(question, tested, arrays, name) for name, arrays in beside]
    whole = _together(found, target, result)
    if timer is not None and found[0].load is not None:
        return replace(whole, time_ratio=timer(whole, found[0].load))
    return whole


def _opened(here: Answer, opening: Callable[[], Opened | None] | None) -> Opened | None:
    """What it makes; None where no person wrote a rule, or the function raises elsewhere."""
    if opening is None or here.sight is None or not here.sight.posed.forward.freedom.keeps:
        return None
    with suppress(Exception), silently():
        return opening()
    return None


def _asking(question: Question, tested: UnderTest, target: Target, again: Again | None, most_s: float) -> Ask:
    """What asks of the target at other arrays, or with other numbers, where that is possible."""

    def ask(other: Target) -> Answer:
        own, of_other = question, tested
        if other.flat is not target.flat:
            if again is None:
                return Answer(())
            try:
                with silently():
                    own, of_other = ending(partial(again, other), most_s)
            except Endless:
                return Answer(())
        return _if_it_ends(replace(own, probes=()), of_other, other.arrays, most_s)

    return ask


@silently()
def _if_it_ends(question: Question, tested: UnderTest, arrays: Sequence[Any], most_s: float) -> Answer:
    """The answer beside the point; none where the function or the gradient loops for ever there.

    `while t != 3: t += dt` ends at the given `dt`. Compiled loops, and so JAX, are not stopped.
    """
    if isinstance(tested, Tested) and tested.target.framework.name != "jax":
        try:
            with current().aside():
                ending(lambda: caught(partial(run_both, tested, arrays)), most_s)
        except Endless:
            return Answer(())
    return answer_beside(question, tested, arrays, Probe.BESIDE)


def _patience_s(here: Answer) -> float:
    """How long a run beside the given point may take."""
    return max(PATIENCE_S, OF_FIRST * (here.first_call_time_s or 0.0))


def answers_beside(
    question: Question,
    tested: UnderTest,
    target: Target,
    result: Callable[..., Result],
    beside: Iterable[tuple[str, Sequence[Any]]],
) -> Result:
    """The answer at other points than the given one."""
    question = replace(question, probes=())
    return _together([answer_beside(question, tested, at, name) for name, at in beside], target, result)


def _together(found: Sequence[Answer], target: Target, result: Callable[..., Result]) -> Result:
    """The answers at several points as one."""
    faults = dict.fromkeys(text for point in found for text in point.faults)
    return result(
        tuple(part for point in found for part in point.parts),
        tuple(faults),
        tuple(dict.fromkeys([*target.notes, *(text for point in found for text in point.notes)])),
        sights=tuple(point.sight for point in found if point.sight),
    )


def _at(question: Question, tested: UnderTest, arrays: Sequence[Any], name: str) -> Answer:
    try:
        with uncollected_if_few(arrays):
            return answer(question, tested, arrays, name)
    except (Unsupported, Undecided) as reason:
        return Answer((without_numbers(reason, name, question.is_plain),))


def answer_beside(question: Question, tested: UnderTest, arrays: Sequence[Any], name: str) -> Answer:
    """A point that was not asked for: what the function raises there is no news, but its gradient's is.

    What neither of them raises is an error in here: it leaves the point undecided, and that is no pass.
    """
    watched = _Watched(tested, question.specify)
    try:
        found = _at(replace(question, specify=watched.specify), watched, arrays, name)
    except Exception as problem:
        verdict, said = watched.told(problem)
        return Answer((Part(name, "", verdict, None, f"{said} {first_line(problem)}"),))
    open_ = {Verdict.UNDECIDED, Verdict.UNSUPPORTED, Verdict.NONE}
    parts = (replace(p, remark=p.remark or p.verdict in open_) for p in found.parts)
    return replace(found, parts=tuple(parts))


def without_numbers(reason: Unsupported | Undecided, name: str, advise: bool = False) -> Part:
    """What is known where nothing could be computed exactly: why, and to `advise`, what can stand for it."""
    verdict = Verdict.UNSUPPORTED if isinstance(reason, Unsupported) else Verdict.UNDECIDED
    said = f"{reason}; {STANDS_FOR}" if advise and isinstance(reason, Opaque) else str(reason)
    return Part(name, "", verdict, None, said, guilty=Origin("", reason.line) if reason.line else None)


def shown_away(question: Question, tested: UnderTest, target: Target, here: Answer) -> Answer:
    """What is faulty, further and further away, until no derivative that was 0 still is.

    Where few of its elements are others, as where one unit of a layer is awake, what lies between several
    does not show. So wrong formulas are looked for until half of them are; digits may be lost so far away.
    """
    still, faulty, judged = list(here.hidden), list[Part](), False
    for arrays in away(target, question.seed):
        found = _if_it_ends(question, tested, arrays, _patience_s(here))
        shown = faults(found)
        if judged and not still:
            shown = [part for part in shown if part.verdict is Verdict.WRONG]
        faulty = faulty or shown
        if any(part.judgement for part in found.parts if not part.of_value):
            judged, still = True, [name for name in still if name in found.zero]
        if judged and not still and _are_awake(found, here.hidden):
            break
    where = "beside this point nothing was compared"
    if judged:
        of = "it" if len(still) == len(here.hidden) else f"that of {', '.join(still)}"
        where = f"and so {of} is beside this point" if still else "it was compared beside this point too"
    whole = {part.name for part in here.parts if not part.of_value} == {*here.hidden}
    of = "" if whole else f" of {', '.join(here.hidden)}"
    note = f"the derivative{of} is 0 in every element, where a wrong factor does not show; {where}"
    alone = [HERE_ALONE] if faulty and not any(map(is_faulty, here.parts)) else []
    return Answer(tuple(faulty), notes=(note, *alone))


def _are_awake(found: Answer, names: Sequence[str]) -> bool:
    """Whether these derivatives are known, and not 0 in at least half of their elements."""
    if found.sight is None:
        return False
    true = found.sight.posed.true
    parts = [e.mid for name, e in zip(true.names, true.enclosures, strict=True) if name in names]
    return all(2 * np.count_nonzero(own) >= own.size for own in parts)


@dataclass
class _Watched:
    """A derivative under test, and what its truth is recorded with.

    Attributes:
        tested, specified: They.
        raised: Whether it is the derivative that raised, at a point where the function's value is finite.
        theirs: What one of them raised last.
    """

    tested: UnderTest
    specified: Callable[[Sequence[Any]], Recording]
    raised: bool = False
    theirs: Exception | None = None

    def told(self, problem: Exception) -> tuple[Verdict, str]:
        """The verdict on a point where this was raised, and what did it, in words."""
        if self.raised and not isinstance(problem, FloatingPointError | Warning):
            return Verdict.MISCOMPUTED, "the gradient raises"
        if problem is self.theirs or isinstance(problem, ShapeError):
            return Verdict.NONE, "not taken:"
        return Verdict.UNDECIDED, "gradproof itself failed here; please report it:"

    def of(self, run: Callable[..., R]) -> Callable[..., R]:
        """The same, and what it raises is known as theirs."""

        def watched(*given: Any) -> R:
            try:
                return run(*given)
            except Exception as problem:
                self.theirs = problem
                raise

        return watched

    def specify(self, arrays: Sequence[Any]) -> Recording:
        return self.of(self.specified)(arrays)

    @property
    def home(self) -> Origin | None:
        return self.tested.home

    @property
    def rounding(self) -> str:
        return self.tested.rounding

    def subject(self) -> Subject:
        own = self.tested.subject()
        finite = True

        def fetch_value(value: Any) -> Any:
            nonlocal finite
            found = own.fetch_value(value)
            finite = all(np.isfinite(np.asarray(v, float)).all() for v in found)
            return found

        def gradient(*given: Any) -> Any:
            self.raised = finite
            result = own.gradient(*given)
            self.raised = False
            return result

        return replace(
            own, value=self.of(own.value), fetch_value=self.of(fetch_value), gradient=self.of(gradient)
        )

    def record(self, directions: tuple[Any, ...], inputs: Sequence[Any], alone: bool) -> Programs:
        return self.of(self.tested.record)(directions, inputs, alone)

    def watch(self, directions: tuple[Any, ...], inputs: Sequence[Any], mend: Mend) -> Watched:
        return self.tested.watch(directions, inputs, mend)
