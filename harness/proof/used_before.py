"""After it ran elsewhere: does a gradient still give what it gave first?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from harness.proof.observe import Observed, same
from harness.proof.pulls import Found, Raised, caught, elsewhere, fetched, same_bits
from harness.proof.question import Probe, Question
from harness.proof.truth import Posed
from harness.subject.derivative import Array
from harness.subject.state import current
from harness.subject.tested import Tested


def used_before(
    question: Question, tested: Tested, posed: Posed, seen: Observed
) -> Iterator[tuple[Probe, Found]]:
    """What differs then from the bits of the first run, if it leaves something and has its value.

    (Another value: it remembers on purpose, or draws numbers from what it holds. But where all is as it was
    elsewhere, it takes this point for that.) First the arrays are those of elsewhere with other numbers
    written into them, as an optimizer does: one that is kept is no copy. Then they are others, and those hold
    what they did: one that is kept is not the last. The first result is still what it was: it may lie where
    the gradient keeps its next one.
    """
    own, writes = tested.subject(), tested.target.framework.writes

    def ran(arrays: Sequence[Array]) -> tuple[Any, Found]:
        inputs = tuple(map(own.load, arrays))
        value = caught(lambda: own.fetch_value(own.value(*inputs)))
        loaded = tuple(map(own.load, posed.directions))
        return value, fetched(own, lambda: own.gradient(loaded, *inputs))

    def has_value(value: Any, wanted: Any) -> bool:
        return not isinstance(value, Raised) and same(value, wanted)

    def is_of(there: tuple[Any, Found], value: Any, found: Found) -> bool:
        return not isinstance(there[0], Raised) and has_value(value, there[0]) and same_bits(there[1], found)

    with current().carried() as something:
        if not something:
            return
        arrays = elsewhere(question, posed.inputs)
        there = ran(arrays)
        kept = fetched(own, lambda: seen.raw)
        runs = []
        if writes:
            runs.append(ran(_written_over(arrays, posed.inputs)))
            _written_over(arrays, elsewhere(question, posed.inputs))
        runs.append(ran(posed.inputs))
    for value, found in runs:
        counts = has_value(value, seen.value) or is_of(there, value, found)
        if counts and not same_bits(seen.gradient.arrays, found):
            yield Probe.REUSED, found
            break
    if Probe.KEPT in question.probes and not same_bits(seen.gradient.arrays, kept):
        yield Probe.KEPT, kept


def _written_over(arrays: Sequence[Array], numbers: Sequence[Array]) -> Sequence[Array]:
    """The same arrays, with these numbers in them."""
    for array, own in zip(arrays, numbers, strict=True):
        if array is not own:
            np.copyto(array, own)
    return arrays
