"""The points of one subject: whether many numbers can be asked at once, and else which points there are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from harness.answers import answers, answers_beside
from harness.asking import question_of
from harness.atlas.asked import Gradients, Values
from harness.atlas.clock import time_ratio
from harness.atlas.count import count_gradients, count_values, over_numbers
from harness.atlas.numbers import CALM
from harness.atlas.tally import Tally
from harness.atlas.task import Task
from harness.inputs.corpus import ENTRIES
from harness.inputs.points import points
from harness.page.asking import is_elementwise
from harness.page.sweep import CALL
from harness.proof.question import Question
from harness.proof.truth import pose, recorded
from harness.result import Result
from harness.subject.derivative import REVERSE, Array, Derivative
from harness.subject.state import leaving_no_trace
from harness.subject.target import Target, target_of
from harness.subject.tested import Tested, under_test
from harness.verdicts import Verdict
from oracles.exact.program.errors import ExactError
from oracles.exact.program.unchanging import unchanging
from oracles.exact_oracle import LIMITS
from oracles.frameworks.framework import differentiating, without_errors

DRAWS = 2
VALUES = [one.name for one in ENTRIES if not one.is_layout]
WORK = 6e4  # additions that a row's points may take, beyond the first
COST = {"torch": 1, "jax": 3, "numpy": 1}  # JAX compiles much
SECONDS = 2.0  # of work for one truth, at the most
CALLS_ENDLESS = f"calls what takes too long at all numbers: asked from 2^-{CALM} to 2^{CALM} alone"
R = TypeVar("R")


@dataclass
class Of:
    """A subject; and once it is known whether it is a function of single numbers, and what it calls."""

    subject: Any
    elementwise: bool | None = None
    called: frozenset[str] = frozenset()


def measure(
    one: Of, task: Task, order: int, first: bool, tally: Tally
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Count a subject's points; of the first one also what stands beside the counts."""

    def ask(target: Target, question: Question) -> tuple[dict[str, Any], dict[str, Any] | None]:
        if order == 0:
            return _values(target, question, task, one, first, tally)
        tested = under_test(target, question.derivative)
        return _gradients(target, question, tested, task, one, first, tally)

    return asking(one.subject, task.system, order, ask)


def asking(subject: Any, system: str, order: int, ask: Callable[[Target, Question], R]) -> R:
    """Ask about a subject's derivative, in its framework's state, which is put back."""

    @leaving_no_trace
    @differentiating()
    @unchanging()
    def run(function: Any) -> R:
        target = target_of(function, subject.arrays, {}, None, system, order > 0, structure=subject.structure)
        derivative = Derivative((REVERSE,) * max(order, 1))
        limits = replace(LIMITS, seconds=SECONDS)
        question = question_of(target, derivative, limits=limits)
        question = replace(question, thorough=False, blames=False, digits=False)
        with without_errors():
            return ask(target, question)

    return run(subject.function)


def _values(
    target: Target, question: Question, task: Task, one: Of, first: bool, tally: Tally
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Count the values of a function that no framework differentiates."""
    values, about = Values(question, target, task.run_s), dict[str, Any]()
    if first:
        with suppress(ExactError, ValueError):
            one.elementwise = is_elementwise(pose(question, target.arrays), len(target.arrays))
    if first and one.elementwise:
        drawn = _at_once(values, target, task, one, tally)
        if one.elementwise:
            return about, drawn
    cost = CALL + sum(question.specify(target.arrays).program.costs)
    for name, arrays in [("given", target.arrays), *(_beside(target, task, cost, about) if first else ())]:
        try:
            if name == "given" or values.is_defined(arrays):
                count_values(values.at(arrays), name, tally)
        except ExactError as reason:
            tally.add_open(Verdict.UNDECIDED, 1, name, str(reason))
        except Exception:  # a point that the function does not take
            if name == "given":
                raise
    return about, None


def _gradients(
    target: Target, question: Question, tested: Tested, task: Task, one: Of, first: bool, tally: Tally
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    about: dict[str, Any] = {}
    if first and one.elementwise is None:
        one.elementwise, one.called = is_of_numbers(target, question)
    if one.called & set(task.endless) and not task.calm:
        task, about["note"] = replace(task, calm=True), CALLS_ENDLESS
    gradients = Gradients(question, tested, task.run_s)
    drawn = _at_once(gradients, target, task, one, tally) if first and one.elementwise else None
    timed = first and task.timed and len(question.derivative.steps) == 1
    if first and one.elementwise:
        if timed:
            about["time_ratio"] = ratio(target, question, tested, True, warm=True)
        return about, drawn
    result = partial(Result, subject=task.name)
    given = answers(question, tested, target, result)
    sight = given.sights[0] if given.sights else None
    count_gradients(given, target, tested, tally)
    if timed:
        about["time_ratio"] = ratio(target, question, tested, False, warm=True)
    if sight is not None and first:
        cost = CALL + sum(sight.posed.true.gradient.costs)
        beside = _beside(target, task, cost, about)
        others = answers_beside(question, tested, target, result, beside)
        count_gradients(others, target, tested, tally, dict(beside))
    return about, None


def ratio(
    target: Target, question: Question, tested: Tested, elementwise: bool, warm: bool = False
) -> float | None:
    """How many times as long as the function its gradient takes; None where that cannot be measured."""
    with suppress(ExactError):
        if elementwise:
            return Gradients(question, tested).time_ratio(target.arrays, warm)
        along = recorded(question, target.arrays).directions
        return time_ratio(tested.subject(), target.arrays, along, warm)
    return None


def _at_once(
    asked: Gradients | Values, target: Target, task: Task, one: Of, tally: Tally
) -> dict[str, Any] | None:
    """Count it as a function of single numbers, if it is one of arrays of any shape."""
    own = Tally()
    try:
        drawn = over_numbers(asked, target, task, own)
    except Exception:  # it stands for arrays of one shape alone
        one.elementwise = False
        return None
    tally.__dict__.update(own.__dict__)
    return drawn


def is_of_numbers(target: Target, question: Question) -> tuple[bool, frozenset[str]]:
    """Whether it is a function of single numbers, by its first derivative, and what it calls."""
    first = replace(question, derivative=Derivative((REVERSE,)))
    if len(question.active) < len(target.arrays):
        return False, frozenset()
    middle = [np.full_like(a, np.median(np.asarray(a, np.float64))) for a in target.arrays]
    for arrays in (target.arrays, middle):  # among the given ones may be a pole
        with suppress(ExactError):
            posed = pose(first, arrays)
            called = frozenset(equation.called for equation in posed.forward.program.equations)
            return is_elementwise(posed, len(arrays)), called
    return False, frozenset()


def _beside(
    target: Target, task: Task, cost: float, about: dict[str, Any]
) -> list[tuple[str, tuple[Array, ...]]]:
    """Boundary values of each array and draws, as many as may be task; fewer are noted."""
    beside = list(points(target, False if task.calm else VALUES, DRAWS, 0))
    room = max(int(WORK * task.work / (cost * COST[task.system])), 2)
    if room >= len(beside):
        return beside
    about["note"] = f"{room} of {len(beside)} points"
    return [beside[k * len(beside) // room] for k in range(room)]
