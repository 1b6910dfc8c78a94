"""Which of two inputs is the worse one: the verdict first, then the bits lost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.proof.evidence import decide, facts
from harness.proof.judge import SEVERITIES
from harness.proof.program import evidence_of
from harness.proof.question import Answer, Part
from harness.proof.sight import Sight
from harness.verdicts import Standing, Verdict

WORST = len(Verdict)


RIGHT, OPEN = 1, 0


class Score(NamedTuple):
    """How bad what was seen at an input is; the larger the worse.

    Attributes:
        rank: Of the verdict; 0 where nothing is known, and nothing is wrong.
        lost: The most bits lost.
    """

    rank: int = 0
    lost: float = 0.0

    @property
    def fails(self) -> bool:
        """Whether the gradient is proven not to be right."""
        return self.rank > RIGHT

    @property
    def is_worst(self) -> bool:
        """Whether nothing can be worse."""
        return self.rank == WORST


NOTHING = Score()


def rank(verdict: Verdict) -> int:
    """A verdict's: of what is faulty by severity, then what is right, then what is open."""
    if verdict.standing is Standing.FAULTY:
        return WORST - verdict.severity
    return RIGHT if verdict.right else OPEN


def score(answer: Answer) -> Score:
    """Of all that was seen at one input."""
    found = max(map(_of_part, answer.parts), default=NOTHING)
    if answer.faults:
        found = max(found, Score(rank(Verdict.MISCOMPUTED), found.lost))
    return found


def _of_part(part: Part) -> Score:
    lost = part.judgement.bits_lost if part.judgement else 0.0
    lost = 0.0 if np.isnan(lost) else lost
    if part.remark or part.verdict.standing is Standing.UNJUDGED:
        return NOTHING
    if part.negligible:
        return Score(RIGHT, 0.0)
    if part.of_value:
        return Score(rank(part.verdict)) if part.verdict.standing is Standing.FAULTY else NOTHING
    return Score(rank(part.verdict), lost)


def reason(answer: Answer) -> str:
    """Why nothing is proven at an input; "" where something is, or nothing was compared."""
    parts = [p for p in answer.parts if not p.of_value]
    open_ = [p.diagnosis for p in parts if p.verdict.standing is Standing.OPEN]
    return open_[0] if open_ and len(open_) == len(parts) else ""


class Elements(NamedTuple):
    """The scores of elements that are inputs by themselves: ranks, and bits lost."""

    ranks: NDArray[np.int64]
    lost: NDArray[np.float64]


RANKS = np.array([rank(verdict) for verdict in Verdict])


def elements(sight: Sight) -> Elements:
    """Of each element of the arguments, the worst of its derivatives."""
    known, of = sight.posed.true, sight.question.allowed
    computed = [np.asarray(g) for g in sight.seen.gradient.arrays if g is not None]
    ranks, lost = [], []
    for one, numbers in zip(evidence_of(known, sight.examined, computed), computed, strict=True):
        own = facts(one, numbers, of(one.narrowest or one.dtype))
        ranks.append(RANKS[SEVERITIES[decide(own)]].ravel())
        lost.append(np.where(own.counted & ~own.zero & ~own.jumps, own.lost, 0.0).ravel())
    return Elements(np.max(ranks, axis=0), np.max(lost, axis=0))
