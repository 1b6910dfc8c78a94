"""After it ran elsewhere: does a gradient still give what it gave first?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harness.inputs.axes import Axes
from harness.proof.observe import Observed, same
from harness.proof.pulls import Found, Raised, caught, elsewhere, fetched, same_bits
from harness.proof.question import Probe, Question
from harness.proof.truth import Posed
from harness.subject.derivative import Array
from harness.subject.state import current
from harness.subject.target import Target
from harness.subject.tested import Tested
from oracles.frameworks.framework import Subject

NEXT = 8  # values after a gradient


def used_before(
    question: Question, tested: Tested, posed: Posed, seen: Observed
) -> Iterator[tuple[Probe, Found]]:
    """What differs then from the bits of the first run, if it leaves something and has its value.

    (Another value: it remembers on purpose, or draws numbers from what it holds. But where all is as it was
    elsewhere, it takes this point for that.) First the arrays are those of elsewhere with other numbers
    written into them, as an optimizer does: one that is kept is no copy. Then they are others, and those hold
    what they did: one that is kept is not the last. The first result is still what it was, and so is the
    last after a run elsewhere: it may lie where the gradient keeps its next one, perhaps from its first run
    on. At last it has run on a batch twice as long, whose length it may have kept. A value is that of another
    run than the gradient: where a function counts its calls, or begins anew, those after it differ.
    """
    run = _Runs(tested.subject(), posed.directions)

    def has_value(value: Any, wanted: Any) -> bool:
        return not isinstance(value, Raised) and same(value, wanted)

    def is_of(there: _Ran, one: _Ran) -> bool:
        alike = not isinstance(there.value, Raised) and has_value(one.value, there.value)
        return alike and same_bits(there.found, one.found)

    def differs(one: _Ran, arrays: Sequence[Array], of_point: Callable[[_Ran], bool]) -> bool:
        """Whether it gave another gradient, though it is of the point, and so are the next values."""
        if same_bits(seen.gradient.arrays, one.found) or not of_point(one):
            return False
        return all(has_value(run.value(arrays), one.value) for _ in range(NEXT))

    with current().carried() as something:
        if not something:
            return
        arrays = elsewhere(question, posed.inputs)
        there = run(arrays)
        kept = run.fetched(seen.raw)

        def of_point(one: _Ran) -> bool:
            return has_value(one.value, seen.value) or is_of(there, one)

        found = None
        if tested.target.framework.writes:
            one = run(_written_over(arrays, posed.inputs))
            found = one if differs(one, arrays, of_point) else None
            _written_over(arrays, elsewhere(question, posed.inputs))
        last = run(posed.inputs)
        if found is None and differs(last, posed.inputs, of_point):
            found = last
        run(arrays)
        kept_last = run.fetched(last.raw)
    if found is None and (longer := _longer(tested.target)) is not None:
        with current().carried():
            run(longer)
            one = run(posed.inputs)
            of_length = differs(one, posed.inputs, lambda one: has_value(one.value, seen.value))
        found = one if of_length and not isinstance(one.found, Raised) else None
    if found is not None:
        yield Probe.REUSED, found.found
    if Probe.KEPT in question.probes:
        for before, after in ((seen.gradient.arrays, kept), (last.found, kept_last)):
            if not same_bits(before, after):
                yield Probe.KEPT, after
                break


class _Ran(NamedTuple):
    """A function's value and its gradient, fetched, and as that was returned."""

    value: Any
    found: Found
    raw: Any


@dataclass(frozen=True)
class _Runs:
    """Runs a function and then its gradient along the same cotangents."""

    own: Subject
    directions: Sequence[Array]

    def __call__(self, arrays: Sequence[Array]) -> _Ran:
        inputs = tuple(map(self.own.load, arrays))
        value = caught(lambda: self.own.fetch_value(self.own.value(*inputs)))
        loaded = tuple(map(self.own.load, self.directions))
        raw = caught(lambda: self.own.gradient(loaded, *inputs))
        return _Ran(value, self.fetched(raw), raw)

    def value(self, arrays: Sequence[Array]) -> Any:
        """The function's value alone, fetched."""
        return caught(lambda: self.own.fetch_value(self.own.value(*map(self.own.load, arrays))))

    def fetched(self, raw: Any) -> Found:
        """What it holds now."""
        return raw if isinstance(raw, Raised) else fetched(self.own, lambda: raw)


def _longer(target: Target) -> Sequence[Array] | None:
    """The arguments with a batch twice as long, if the function takes that."""
    with current().aside():
        batch = (axes := Axes(target)).batch
    if not batch:
        return None
    k, axis = batch[0]
    return axes.cut(batch, 2 * target.arrays[k].shape[axis])


def _written_over(arrays: Sequence[Array], numbers: Sequence[Array]) -> Sequence[Array]:
    """The same arrays, with these numbers in them."""
    for array, own in zip(arrays, numbers, strict=True):
        if array is not own:
            np.copyto(array, own)
    return arrays
