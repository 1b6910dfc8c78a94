"""The question that a user asks of a function at its arguments."""

from __future__ import annotations

from typing import Any

from harness.proof.question import Question
from harness.subject.complex_pairs import directions_as_pairs
from harness.subject.derivative import FORWARD, Derivative, Function
from harness.subject.target import Target


def question_of(
    target: Target,
    derivative: Derivative,
    specification: Function | None = None,
    exactly: bool = False,
    **about: Any,
) -> Question:
    """The question that a user asks of a function at its arguments; `exactly` as for `Framework.record`."""
    meaning = target.meaning(specification)
    if about.get("cotangent") is not None:
        about["cotangent"] = _directions(about["cotangent"], derivative, target)
    return Question(
        lambda arrays: target.recorded(meaning, arrays, True, exactly),
        target.names,
        target.active,
        target.results.names,
        derivative,
        custom=derivative.steps[-1] != FORWARD,
        **about,
    )


def _directions(given: Any, derivative: Derivative, target: Target) -> Any:
    """What derivatives are contracted with, in the order of what they belong to; complex numbers as pairs.

    Raises:
        ValueError: A dictionary has other keys.
    """
    one, steps = len(derivative.steps) == 1, derivative.steps
    levels = [given] if one else given
    if not isinstance(levels, list | tuple):
        return given  # of which the question says what is wrong
    found, of_results = [], True
    for level, step in zip(levels, steps, strict=False):
        told = target.arranged(level, of_results and step != FORWARD)
        conjugated = step != FORWARD and target.framework.conjugates
        found.append(directions_as_pairs(told, conjugated) if target.is_complex else told)
        of_results &= step == FORWARD  # what comes after a gradient contracts that
    return found[0] if one else [*found, *levels[len(found) :]]
