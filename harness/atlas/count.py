"""Judge points and count their elements: arrays as they are given, or single numbers many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from harness.atlas.asked import Gradients, Values
from harness.atlas.at_once import AtOnce, Open
from harness.atlas.numbers import is_calm, of_one, of_several
from harness.atlas.sweeps import swept
from harness.atlas.tally import Tally
from harness.atlas.task import Task
from harness.page.elements import Elements, elements
from harness.proof.answer import LEAVE_OUT
from harness.result import Result
from harness.subject.derivative import Array
from harness.subject.target import Target
from harness.subject.tested import Tested
from harness.verdicts import Verdict
from oracles.exact.program.formats import format_of


def over_numbers(of: Gradients | Values, target: Target, asked: Task, tally: Tally) -> dict[str, Any] | None:
    """Count a function of single numbers; its error over the input where that is asked for."""
    arrays = target.arrays
    dtype, kept = arrays[0].dtype.name, list[tuple[Elements, Array]]()
    columns = [of_one(arrays[0])] if len(arrays) == 1 else of_several(arrays)
    if asked.calm:
        near = np.logical_and.reduce([is_calm(column) for column in columns])
        columns = [column[near] for column in columns]
    columns = [column[:: max(int(1 / asked.work), 1)] for column in columns]

    def judged(found: list[Elements], at: Sequence[Array]) -> None:
        for one in found:
            tally.add(one, lambda index: _place([column[index[-1]] for column in at], dtype))
        kept.append((found[0], at[0]))

    def open_(verdict: Verdict, why: str, at: Sequence[Array]) -> None:
        tally.add_open(verdict, at[0].size, _place([c[0] for c in at], dtype), why)

    AtOnce(of, arrays[0].ndim, judged, open_).ask(columns)
    wanted = asked.drawn and len(arrays) == 1 and len(of.question.derivative.steps) == 1
    return swept(kept, of.question.names[0], dtype) if wanted and kept else None


def _place(numbers: Sequence[Any], dtype: str) -> str:
    return ", ".join(format_of(dtype).shortest(float(number)) for number in numbers)


def count_values(found: list[Elements] | Open, name: str, tally: Tally) -> None:
    """Count the results at one point."""
    if isinstance(found, Open):
        tally.add_open(found.verdict, 1, name, found.why)
        return
    for each in found:
        tally.add(each, lambda at: f"{name}{list(at) if at else ''}")


def count_gradients(
    found: Result,
    target: Target,
    tested: Tested,
    tally: Tally,
    beside: Mapping[str, Sequence[Array]] = MappingProxyType({}),
) -> None:
    """Count what was found at the given point, or at those `beside` it, of which some lie outside."""
    sights = {sight.name: sight for sight in found.sights}
    doubtful = {part.input for part in found.parts if not part.verdict.right}
    outside = {name for name in doubtful & set(beside) if _is_outside(tested, target, beside[name])}
    for part in found.parts:
        if part.of_value or part.verdict is Verdict.NONE:
            continue
        if LEAVE_OUT in part.diagnosis:  # there is no gradient, and it would be 0
            continue
        if part.input in outside and not part.verdict.right:
            continue
        sight, index = sights.get(part.input), 0
        each: Elements | None = None
        if sight is not None and part.verdict not in {Verdict.UNDECIDED, Verdict.UNSUPPORTED}:
            index = [name for name, _ in sight.posed.expected].index(part.name)
            each = elements(sight, index)
        if each is not None:
            tally.add(each, lambda at, part=part: f"{part.input}{list(at) if at else ''}")
        else:
            size = int(np.prod(part.shape)) if part.dtype else 1
            tally.add_open(part.verdict, size, part.input, part.diagnosis)


def _is_outside(tested: Tested, target: Target, arrays: Sequence[Array]) -> bool:
    """Whether a point is outside of the function's domain: some of its value is not a number."""
    subject = tested.subject()
    inner = [np.ones_like(target.arrays[k]) for k in target.active]
    try:
        value = subject.fetch_value(subject.value(*map(subject.load, [*arrays, *inner])))
    except Exception:
        return True
    return any(bool(np.isnan(np.asarray(v, np.float64)).any()) for v in value)
