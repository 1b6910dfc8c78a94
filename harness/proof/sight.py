"""All that a derivative is judged by at one point: the question, the truth, the program, and what ran."""

from __future__ import annotations

from dataclasses import dataclass

from harness.proof.observe import Observed
from harness.proof.program import Examined
from harness.proof.question import Question, UnderTest
from harness.proof.truth import Posed

GIVEN = "given"  # the point that was asked for


@dataclass(frozen=True, slots=True)
class Sight:
    """All that a derivative is judged by at one point, for who wants to look at every element of it.

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
