"""A gradient that has the numbers of a symmetric matrix in other places than its function reads them from.

`np.linalg.cholesky` reads one triangle, so the derivative is 0 in the other. Textbooks give that of the whole
matrix, which is as much along each symmetric direction, and so moves a symmetric matrix just as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np

from harness.inputs.points import is_hermitian
from harness.proof.comparison import enclosed
from harness.proof.nearness import known_to_meet
from harness.proof.probes import differing
from harness.proof.question import Answer, Part, Probe, Question, UnderTest
from harness.proof.symmetric_tangents import along_symmetric
from harness.proof.truth import Posed, Truth, pose
from harness.subject.derivative import FORWARD, REVERSE, Array
from harness.subject.tested import Tested
from harness.verdicts import RIGHT, Verdict
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import evaluate_quickly
from oracles.exact.program.errors import ExactError
from oracles.exact.program.primitives.symmetric import Moves, reading
from oracles.exact.program.recording import Recording
from oracles.exact_oracle import BITS

KNOWN = {*RIGHT, Verdict.IMPRECISE}
SAID = (
    "{} reads one triangle of a symmetric matrix, and the gradient is in other places: along symmetric "
    "directions, where G + G^T counts, it is the derivative"
)
TANGENTS = (
    "{} takes a matrix for symmetric, and the tangent is not: along its symmetric part, which leaves the "
    "matrix symmetric, it is the derivative"
)
FAR = 2.0**-20  # of the largest number: more than the digits of literals and rounded data explain
Ask = Callable[[Question, UnderTest, Posed], Answer]


def as_symmetric(
    question: Question, tested: UnderTest, posed: Posed, found: Answer, arrays: Sequence[Array], ask: Ask
) -> Answer | None:
    """What is found of a gradient that is not right where symmetric matrices move as such; None if nothing.

    A function of symmetric matrices alone says nothing of where the numbers of a pair are: their mean counts.

    Args:
        question, tested, posed: What was asked, and of what.
        found: The answer.
        arrays: The point.
        ask: Asks another question at this point, posed.
    """
    own = reading(posed.forward.program)
    if not own:
        return None
    operations = " and ".join(dict.fromkeys(e.called for e in own))
    if FORWARD in question.derivative.steps:
        return _along_tangents(question, tested, posed, found, arrays, ask, TANGENTS.format(operations))
    if question.derivative.steps != (REVERSE,) or _is_written_over(found):
        return None
    return _in_other_places(question, tested, posed, found, arrays, ask, SAID.format(operations))


def _in_other_places(
    question: Question, tested: UnderTest, posed: Posed, found: Answer, arrays: Sequence[Array], ask: Ask,
    said: str,
) -> Answer | None:  # fmt: skip
    """What is found where the numbers of a pair may be in other places."""

    def answered(one: UnderTest, moves: Moves) -> Answer | None:
        if not _are_alike(posed.true, again(moves).true):
            return None
        answer = None
        for asked in (_what_failed(question, found), question):
            answer = ask(_moving(asked, moves), one, again(moves))
            if not all(part.verdict in KNOWN or part.of_value for part in answer.parts):
                return None
        return answer and told(answer, found, said)

    @cache
    def again(moves: Moves) -> Posed:
        return pose(_moving(question, moves), arrays)

    with suppress(ExactError):
        if _is_far(found, posed.true):
            return None
        for moves in (Moves.MEAN, Moves.WHOLE, Moves.TRIANGLE):
            if answer := answered(tested, moves):
                return answer
        alone = _pairs(*(again(moves).true for moves in (Moves.STILL, Moves.MEAN, Moves.TRIANGLE)))
        if alone and isinstance(tested, Tested) and (mean := tested.symmetrised(alone)):
            return answered(mean, Moves.MEAN)
    return None


def _along_tangents(
    question: Question, tested: UnderTest, posed: Posed, found: Answer, arrays: Sequence[Array], ask: Ask,
    said: str,
) -> Answer | None:  # fmt: skip
    """What is found in forward mode along tangents that leave symmetric matrices symmetric."""
    along = along_symmetric(question, posed)
    if along is None:
        return None
    with suppress(ExactError):
        there = pose(along, arrays)
        answer = ask(along, tested, there)
        if all(part.verdict in KNOWN or part.of_value for part in answer.parts):
            return told(answer, found, said)
        if question.derivative.steps[-1] == REVERSE:
            return _in_other_places(along, tested, there, answer, arrays, ask, said)
    return None


def _is_far(found: Answer, true: Truth) -> bool:
    """Whether the formula is far off along symmetric directions, too."""
    recording = found.sight and found.sight.examined.recording
    if not recording or len(recording.program.outputs) != len(true.enclosures):
        return False
    own = enclosed(evaluate_quickly(recording.program, recording.values, BITS))
    return any(
        e.shape == t.shape
        and np.any(np.abs(e.mid - t.mid) - e.radius - t.radius > FAR * np.max(np.abs(t.mid)))
        for t, e in _along_symmetric(true, own)
    )


def _what_failed(question: Question, found: Answer) -> Question:
    """What has failed first, alone: where it fails again, nothing else need be asked.

    A gradient by hand that is simply wrong fails again, and each probe of it takes as long as the first run.
    """
    failed = [part.probe for part in found.parts if part.verdict not in KNOWN and not part.of_value]
    probes = tuple(probe for probe in question.probes if probe == failed[0])
    return replace(question, probes=probes, thorough=False, blames=False)


def _moving(question: Question, moves: Moves) -> Question:
    def specify(arrays: Sequence[Array]) -> Recording:
        return question.specify(arrays).as_moving(moves)

    return replace(question, specify=specify)


def _is_written_over(found: Answer) -> bool:
    """Whether later calls write into the result: a mean would be a new array, and hide that."""
    if found.sight is None or not isinstance(tested := found.sight.tested, Tested):
        return False
    runs = differing(found.sight.question, tested, found.sight.posed, found.sight.seen)
    return any(run.probe is Probe.KEPT for run in runs)


def _pairs(still: Truth, mean: Truth, triangle: Truth) -> list[int]:
    """The symmetric arguments of which nothing counts but what these matrices read, and in which places.

    Of B in B B^T the places count, though B is symmetric at this point: the matrix is, whatever B is.

    Args:
        still, mean, triangle: The truth where the matrices move so.
    """
    both = zip(still.enclosures, mean.enclosures, triangle.enclosures, strict=True)
    return [
        k
        for k, (s, m, t) in enumerate(both)
        if s.is_zero and _is_symmetric(still, k) and not known_to_meet(m, t).all()
    ]


def _is_symmetric(true: Truth, k: int) -> bool:
    return is_hermitian(np.asarray(true.values[true.wrt[k]]))


def _are_alike(true: Truth, other: Truth) -> bool:
    """Whether both are as much along all directions that leave a symmetric argument symmetric."""
    return all(known_to_meet(t, o).all() for t, o in _along_symmetric(true, other.enclosures))


def _along_symmetric(true: Truth, others: Sequence[Enclosure]) -> Iterator[tuple[Enclosure, Enclosure]]:
    """The truth's parts and others; of symmetric arguments G + G^T of both."""
    for k, (t, other) in enumerate(zip(true.enclosures, others, strict=True)):
        symmetric = _is_symmetric(true, k)
        yield (_with_its_transpose(t), _with_its_transpose(other)) if symmetric else (t, other)


def _with_its_transpose(e: Enclosure) -> Enclosure:
    return enclosed([e.balls + np.swapaxes(e.balls, -1, -2)])[0]


def told(answer: Answer, before: Answer, said: str) -> Answer:
    """The answer, with a convention for what was not right before."""
    right = {part.name for part in before.parts if part.verdict in RIGHT}

    def of(part: Part) -> Part:
        if part.name in right or part.verdict not in RIGHT:
            return part
        return replace(part, verdict=Verdict.CONVENTION, diagnosis=said)

    return replace(answer, parts=tuple(map(of, answer.parts)))
