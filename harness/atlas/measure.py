"""The rows of one function: in each dtype and order, at ordinary points, at boundary values, over a dtype."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from harness.atlas.guard import ENDLESS, ending_after
from harness.atlas.numbers import CALM
from harness.atlas.points import Of, asking, is_of_numbers, measure, ratio
from harness.atlas.row import Measured, Row
from harness.atlas.tally import Tally
from harness.atlas.task import ORDERS, Task, chosen, subjects_of
from harness.proof.question import Question
from harness.subject.target import Target
from harness.subject.tested import under_test
from harness.verdicts import Verdict
from oracles.exact.program.errors import ExactError, Undecided, Unsupported, first_line

NOTE = 90  # letters of a reason
PLACE = re.compile(r"(?:; at|, called at) [^\s)]*[/\\][^\s)]*")
SAID = f"takes too long at all numbers: asked from 2^-{CALM} to 2^{CALM} alone"


def measured(task: Task) -> list[Measured]:
    """The rows of a function. Whatever it raises becomes a row's note."""
    found = []
    for dtype in task.dtypes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own = [Of(subject) for subject in chosen(subjects_of(task.system), task.name, dtype)]
            for order in (task.orders or ORDERS[task.system]) if own else ():
                try:
                    with ending_after(task.most_s):
                        found.append(_of_order(task, own, dtype, order))
                except Exception as problem:  # a framework may raise anything at numbers of its own dtype
                    found.append(Measured(Row(function=task.name, dtype=dtype, order=order, **_no(problem))))
    return found


def failed(task: Task, why: str) -> list[Measured]:
    """The rows of a function whose process did not live to give them."""
    said = f"does not end in {task.most_s:g} s of computing" if ENDLESS in why else why
    return [
        Measured(Row(function=task.name, dtype=dtype, order=order, note=shortened(said)))
        for dtype in task.dtypes
        for order in task.orders or ORDERS[task.system]
    ]


def _no(problem: Exception) -> dict[str, Any]:
    """Why there are no numbers, and the verdict that says so."""
    verdict = Verdict.NONE
    if isinstance(problem, Unsupported):
        verdict = Verdict.UNSUPPORTED
    elif isinstance(problem, ExactError):
        verdict = Verdict.UNDECIDED
    said = str(problem) if isinstance(problem, ExactError) else first_line(problem)
    counts = {verdict.value: 1} if verdict else {}
    return {"worst": verdict, "note": shortened(said), **counts}


def shortened(reason: str, place: re.Pattern[str] = PLACE, most: int = NOTE) -> str:
    """So many letters, without the place in the code of the subjects, which is another on each machine."""
    said = place.sub("", " ".join(reason.split()))
    return said if len(said) <= most else f"{said[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def _of_order(task: Task, own: Sequence[Of], dtype: str, order: int) -> Measured:
    tally = Tally()
    about: dict[str, Any] = {}
    sweep, problem = None, None
    for number, subject in enumerate(own):
        try:
            more = measure(subject, task, order, number == 0, tally)
        except (Unsupported, Undecided) as reason:
            problem = problem or reason
            continue
        if number == 0:
            about, sweep = more
    if problem and not tally.counts:
        return Measured(Row(function=task.name, dtype=dtype, order=order, **_no(problem)))
    row = Row(function=task.name, dtype=dtype, order=order, **tally.fields, **about)
    said = SAID if task.calm else row.note or tally.why
    row = msgspec.structs.replace(row, note=shortened(said))
    return Measured(row, sweep)


def ratios(task: Task) -> dict[str, float]:
    """How many times as long as the function its gradient takes, by dtype, where that can be measured."""

    def timed(target: Target, question: Question) -> float | None:
        tested = under_test(target, question.derivative)
        return ratio(target, question, tested, is_of_numbers(target, question)[0])

    found = {}
    for dtype in task.dtypes:
        with warnings.catch_warnings(), suppress(Exception):  # what it is has been said by its row
            warnings.simplefilter("ignore")
            first = chosen(subjects_of(task.system), task.name, dtype)[0]
            if number := asking(first, task.system, 1, timed):
                found[dtype] = number
    return found
