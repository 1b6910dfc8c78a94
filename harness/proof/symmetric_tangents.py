"""Tangents along which symmetric matrices stay symmetric, where a function takes them for that.

torch's forward mode of `cholesky` and `eigh` is the derivative along such tangents alone: it uses both
triangles of a tangent, where the function reads one of the matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.inputs.points import as_hermitian, as_numbers, is_hermitian
from harness.proof.question import Question
from harness.proof.truth import Posed
from harness.subject.complex_pairs import ComplexName
from harness.subject.derivative import FORWARD, Array


def along_symmetric(question: Question, posed: Posed) -> Question | None:
    """The question along the symmetric parts of its tangents; None where these are all that they have.

    Args:
        question, posed: What was asked, along which directions.
    """
    active = question.active
    are_pairs = [isinstance(question.names[k], ComplexName) for k in active]
    symmetric = [
        is_hermitian(as_numbers(posed.inputs[k], of)) for k, of in zip(active, are_pairs, strict=True)
    ]
    if question.derivative.in_directions or not any(symmetric):
        return None

    def own(step: str, directions: Sequence[Array]) -> tuple[Array, ...]:
        if step != FORWARD:
            return tuple(directions)
        return tuple(
            as_hermitian(d, of) if is_so else d
            for d, of, is_so in zip(directions, are_pairs, symmetric, strict=True)
        )

    *within, last = question.derivative.steps
    inner, results, levels = list(posed.inputs[len(question.names) :]), len(posed.forward.program.outputs), []
    for step in within:
        count = len(active) if step == FORWARD else results
        levels.append(own(step, inner[:count]))
        inner, results = inner[count:], results if step == FORWARD else len(active)
    levels.append(own(last, posed.directions))
    given = [*posed.inputs[len(question.names) :], *posed.directions]
    if all(a is b or (a == b).all() for a, b in zip(given, [d for own in levels for d in own], strict=True)):
        return None
    return replace(question, cotangent=levels if within else levels[0])
