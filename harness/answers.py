"""The answer to a question at a point, and at others beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from harness.collection import uncollected_if_few
from harness.inputs.points import away, instead, masked, near
from harness.proof.answer import answer
from harness.proof.hiding import is_neutral
from harness.proof.observe import Loaded
from harness.proof.question import Answer, Part, Probe, Question, UnderTest
from harness.result import Result
from harness.subject.derivative import Arrays, ShapeError
from harness.subject.target import Target
from harness.subject.tested import Programs
from harness.verdicts import Standing, Verdict
from harness.waiting import waited
from oracles.exact.program.errors import Opaque, Undecided, Unsupported, first_line
from oracles.exact.program.program import Origin
from oracles.exact.program.recording import Recording
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.framework import Subject

R = TypeVar("R")
HERE_ALONE = (
    "a gradient meant at the given point alone, as at an increment of 0, is asked for with probes=False"
)
LABELS = (0, 1, -1)  # and flags
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
) -> Result:
    """The answer at the given point, and at others beside it."""
    found, wanted = [_at(question, tested, target.arrays, "given")], question.probes
    question = replace(question, probes=())
    here = found[0]
    if here.hidden and Probe.BESIDE in wanted:
        of_one = tuple(f"the derivative of {name} is 0 in every element" for name in here.hidden)
        told = tuple(note for note in here.notes if not note.startswith(of_one))
        found = [replace(here, notes=told), shown_away(question, tested, target, here)]
    elif here.hiding and Probe.BESIDE in wanted and not any(map(_is_faulty, here.parts)):
        found.append(_shown_near(question, tested, target, here.hiding))
    found += [answer_beside(question, tested, arrays, name) for name, arrays in beside]
    whole = _together(found, target, result)
    if timer is not None and found[0].load is not None:
        return replace(whole, time_ratio=timer(whole, found[0].load))
    return whole


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
    """What is faulty, further and further away, until no derivative that was 0 still is."""
    still, faulty, judged = list(here.hidden), list[Part](), False
    for arrays in away(target, question.seed):
        found = answer_beside(question, tested, arrays, Probe.BESIDE)
        faulty = faulty or _faulty(found.parts)
        if any(part.judgement for part in found.parts if not part.of_value):
            judged, still = True, [name for name in still if name in found.zero]
        if judged and not still:
            break
    where = "beside this point nothing was compared"
    if judged:
        of = "it" if len(still) == len(here.hidden) else f"that of {', '.join(still)}"
        where = f"and so {of} is beside this point" if still else "it was compared beside this point too"
    whole = {part.name for part in here.parts if not part.of_value} == {*here.hidden}
    of = "" if whole else f" of {', '.join(here.hidden)}"
    note = f"the derivative{of} is 0 in every element, where a wrong factor does not show; {where}"
    alone = [HERE_ALONE] if faulty and not any(map(_is_faulty, here.parts)) else []
    return Answer(tuple(faulty), notes=(note, *alone))


def _shown_near(question: Question, tested: UnderTest, target: Target, hiding: Mapping[int, str]) -> Answer:
    """What is faulty where the arguments that hide something are others; these may be what they must be.

    What is not differentiated and all 1 may be a mask or weights, a scale or labels: where some of it is 0,
    2 and -1, each time something must be faulty. A single number must be so at 2 and at a half, unless it is
    a label or a flag: at another one, 0, 1 or -1, the gradient is right.
    """
    moving = [k for k in hiding if k in target.active]
    alike = [k for k in moving if np.all(target.arrays[k] == np.ravel(target.arrays[k])[0])]
    single = [k for k in hiding if k not in target.active and is_neutral(target.arrays[k])]
    given = target.arrays[single[0]].item() if single else None
    ones = [k for k in hiding if k not in target.active and k not in single]
    numbers = () if all(target.arrays[k].dtype.kind == "b" for k in ones) else (2, -1)

    def right(arrays: Arrays) -> bool:
        parts = [p for p in answer_beside(question, tested, arrays, Probe.BESIDE).parts if not p.of_value]
        return any(p.judgement for p in parts) and not _faulty(parts)

    def faulty(arrays: Arrays) -> list[Part]:
        found = answer_beside(question, tested, arrays, Probe.BESIDE)
        return [part for part in _faulty(found.parts) if part.judgement]

    shown = (
        faulty(near(target, alike, [k for k in moving if k not in alike], question.seed)) if moving else []
    )
    told = [hiding[k] for k in moving]
    if not shown and ones:
        shown, told = faulty(masked(target, ones, 0)), [hiding[k] for k in ones]
        if shown and not all(faulty(masked(target, ones, number)) for number in numbers):
            shown = []
    if not shown and single and not any(right(instead(target, single, n)) for n in LABELS if n != given):
        told, runs = [hiding[k] for k in single], [faulty(instead(target, single, n)) for n in (2.0, 0.5)]
        shown = runs[0] if all(runs) else []
    if not shown:
        return Answer(())
    note = (
        f"this was found beside the given point: there {' and '.join(told)}, where a missing term or factor "
        "may not show"
    )
    return Answer(tuple(shown), notes=(note, HERE_ALONE))


def _faulty(parts: Iterable[Part]) -> list[Part]:
    """What shows a fault at a point that nobody asked about: digits that a right formula loses do not."""
    shown = (
        part for part in parts
        if _is_faulty(part) and not part.of_value
        and not (part.verdict is Verdict.IMPRECISE and part.examined)
    )  # fmt: skip
    return [replace(part, probe=Probe.BESIDE) for part in shown]


def _is_faulty(part: Part) -> bool:
    return part.verdict.standing is Standing.FAULTY


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
        return Verdict.UNDECIDED, "to judge it failed, which is a fault of gradproof's; please report it:"

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
