"""Record and prove: the question at one point, T, and a, the error that its inputs excuse."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.proof.question import Question
from harness.proof.remembered import of_enclosures, refined, remembered
from harness.proof.subdifferential import Slopes
from harness.subject.derivative import (
    FORWARD,
    REVERSE,
    Array,
    along,
    contracted,
    dtype_named,
    inside,
    levels_of,
)
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.slopes import Derived, slopes
from oracles.exact.enclose.witness import Again
from oracles.exact.program.derive import jvp, vjp
from oracles.exact.program.errors import Exhausted, Undecided
from oracles.exact.program.formats import FORMATS, format_of
from oracles.exact.program.primitives.linear_algebra import matmul_
from oracles.exact.program.program import Program, Var
from oracles.exact.program.recording import Recording
from oracles.exact.rounding.attainable import Sampled, attainable
from oracles.exact_oracle import BITS


@dataclass(frozen=True, slots=True)
class Truth:
    """The derivative of a specification at exactly the given numbers.

    Attributes:
        forward, gradient: What the derivative is of, and its derived program.
        specification: The function itself, whose equations know the calls that they come from: `forward` is
            a derivative of it from order 2 on.
        values, cotangents: The numbers of the forward's inputs, and what its outputs are contracted with.
        wrt: The inputs that are differentiated.
        argument: For each input, which argument it is of; below 0 for what is none.
        names, dtypes: Of the derivative's parts, which are one per differentiated input, forward per output.
        narrowest: For each part the narrowest format on the way of its derivative; "" where that is its own.
        enclosures: T, per part.
        attainable, zero: a, and where the truth is 0 under every perturbation.
        along: The hulls along directions, which a gradient cannot leave, however legal each of its elements
            is. At kinks alone, in reverse mode.
        coded: Gives the derivative of the specification's code, where it is an approximation that this knows
            as what it approximates; None where it is no other.
        sampled: Gives a and `zero` from all perturbations; None where they are from all. An error is not
            called one before.
        results: The results of `forward`, where they came out with its derivative.
        again: Records `forward` with other numbers in some of its differentiated inputs; None where that
            cannot be done.
    """

    forward: Program
    gradient: Program
    specification: Program
    values: tuple[Array, ...]
    cotangents: tuple[Array, ...]
    wrt: tuple[int, ...]
    argument: tuple[int, ...]
    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    narrowest: tuple[str, ...]
    enclosures: tuple[Enclosure, ...]
    attainable: tuple[NDArray[np.float64], ...]
    zero: tuple[NDArray[np.bool_], ...]
    along: Slopes | None = None
    coded: Callable[[], Truth | None] = lambda: None
    sampled: Callable[[], Sampled] | None = None
    results: list[Enclosure] | None = None
    again: Again | None = None

    def fully(self) -> Truth:
        """The same with a from all perturbations; as it is, where the work does not suffice for them."""
        if self.sampled is None:
            return self
        try:
            excused, zero = self.sampled()
        except Exhausted:
            return replace(self, sampled=None)
        return replace(self, attainable=tuple(excused), zero=tuple(zero), sampled=None)

    @property
    def inputs(self) -> list[Array]:
        """The numbers of the gradient program's inputs."""
        return [*self.values, *self.cotangents]

    @property
    def is_zero(self) -> bool:
        """Whether the derivative is 0 everywhere."""
        return all(e.is_zero for e in self.enclosures)

    @property
    def proven_error(self) -> float:
        """The largest radius off the kinks, relative to the largest element."""
        return max((e.proven_error for e in self.enclosures), default=0.0)

    @property
    def proven_digits(self) -> float:
        """How many digits of the largest elements are proven."""
        return -math.log10(max(self.proven_error, 1e-300))


@dataclass(frozen=True, slots=True)
class Recorded:
    """The question at one point, recorded.

    Attributes:
        forward: The specification.
        function: What the last derivative is of: the specification, or a derivative of it.
        wrt: Its inputs that are differentiated.
        directions: What the last derivative is contracted with.
        inputs, labels: The arrays, then the directions of the derivatives below; and their names.
        again: Records `function` with other numbers in some of its inputs; None where they are directions,
            which nothing reads as it is recorded.
    """

    forward: Recording
    function: Recording
    wrt: tuple[int, ...]
    directions: tuple[Array, ...]
    inputs: tuple[Array, ...]
    labels: tuple[str, ...]
    again: Again | None


@dataclass(frozen=True)
class Posed:
    """The question at one point, proven.

    Attributes:
        forward: The specification, recorded.
        true: The truth.
        directions: What the last derivative is contracted with.
        inputs, labels: The arrays, then the directions of the derivatives below; and their names.
        expected: The name of each part of the derivative, and an array of its shape and dtype.
        limits: Of the exact evaluations.
    """

    forward: Recording
    true: Truth
    directions: tuple[Array, ...]
    inputs: tuple[Array, ...]
    labels: tuple[str, ...]
    expected: tuple[tuple[str, Array], ...]
    limits: Limits

    @cached_property
    def values(self) -> list[Enclosure]:
        """The true value of each of the function's results.

        Raises:
            Undecided: No precision within the limits narrows one.
        """
        if self.true.forward is self.forward.program and self.true.results:
            return self.true.results
        return refined(self.forward.program, self.forward.values, self.limits)


def recorded(question: Question, arrays: Sequence[Array], exactly: bool = False) -> Recorded:
    """Record the specification, and draw or take what each derivative is contracted with.

    Args:
        question: The question.
        arrays: The point.
        exactly: Whether given directions stay the numbers that they are, whatever the function's dtype.

    Raises:
        Unsupported, Undecided: The specification cannot be recorded.
        ValueError: A given direction does not fit.
    """
    *within, step = question.derivative.steps
    *given, last = levels_of(question.cotangent, len(within) + 1)
    if question.derivative.in_directions and step == FORWARD:
        last = None  # what the user gives is along the arguments
    forward = question.specify(arrays)
    function = forward = (question.follows and forward.as_attached()) or forward
    wrt = tuple(function.argument.index(k) for k in question.active)
    moving = [arrays[k] for k in question.active]
    rng = np.random.default_rng(question.seed)

    def drawn(one: str, directions: Any) -> list[Array]:
        if one == FORWARD:
            return along(directions, moving, rng, exactly)
        return contracted(directions, function.program.outputs, arrays, rng, exactly)

    inner: list[Array] = []
    for one, directions in zip(within, given, strict=True):
        found = drawn(one, directions)
        inner += found
        function = inside(one, function, wrt, found)
    if question.derivative.in_directions:
        wrt, moving = tuple(range(len(forward.values), len(function.values))), inner

    def again(numbers: Mapping[int, Array]) -> Recording:
        moved = {function.argument[i]: array for i, array in numbers.items()}
        return recorded(question, [moved.get(k, array) for k, array in enumerate(arrays)], exactly).function

    labels = (*question.names, *question.directions)
    return Recorded(
        forward, function, wrt, tuple(drawn(step, last)), (*arrays, *inner), labels,
        None if question.derivative.in_directions else again,
    )  # fmt: skip


def pose(question: Question, arrays: Sequence[Array]) -> Posed:
    """The question at one point, with its truth.

    Raises:
        Unsupported, Undecided: There is no truth here.
        ValueError: A given direction does not fit.
    """
    at, names = recorded(question, arrays), [question.names[k] for k in question.active]
    if question.derivative.is_of_results:
        names = [f"result{path}" for path in question.results]
    elif question.derivative.in_directions and question.derivative.steps[-1] == REVERSE:
        names = [*question.directions]
    last, limits = question.derivative.last, question.limits

    try:
        true = true_gradient(
            at.function, at.directions, at.wrt, names, limits, last, question.digits, at.again
        )
    except Undecided as reason:
        said = "; ".join(map(str, (reason, *at.forward.notes)))  # what is not known well enough may be why
        raise type(reason)(said) from None
    expected = tuple(
        (name, np.empty(e.shape, dtype_named(d, arrays)))
        for name, e, d in zip(names, true.enclosures, true.dtypes, strict=True)
    )

    def coded() -> Truth | None:
        other = at.forward.as_coded()
        if other is None:
            return None
        return replace(pose(replace(question, specify=lambda _: other), arrays).true, again=None)

    true = replace(true, specification=at.forward.program, coded=coded, again=at.again)
    return Posed(at.forward, true, at.directions, at.inputs, at.labels, expected, question.limits)


def true_gradient(
    recording: Recording,
    cotangents: Sequence[Array],
    wrt: Sequence[int],
    names: Sequence[str],
    limits: Limits,
    derive: Callable[..., Program],
    digits: bool,
    again: Again | None = None,
) -> Truth:
    """The truth of a recorded specification.

    Args:
        recording: The specification at its point.
        cotangents: What the derivative is contracted with: one per output, or forward one per input in `wrt`.
        wrt: The inputs that are differentiated.
        names: Of the derivative's parts: those inputs, or forward the outputs.
        limits: Of the evaluation.
        derive: Makes the derivative's program, with the results where it is asked: `vjp`, or `jvp` for
            forward mode.
        digits: Whether thirty digits are asked for, and not as many as a verdict needs.
        again: As for `slopes`.

    Raises:
        Undecided: No precision within the limits narrows an element, with the reason.
        Unsupported: A primitive has no derivative rule.
    """
    program, known = derive(recording.program, wrt), [*recording.values, *cotangents]
    asked = derive, tuple(wrt), limits, digits
    enclosures, values, sides = remembered(
        lambda: slopes(
            recording.program, derive, recording.values, cotangents, wrt, BITS, limits, not digits, again
        ),
        _lasting, recording.program, known, "slopes", *asked,
    )  # fmt: skip
    kinks = derive is vjp and any(e.kinks for e in enclosures)
    work = Work(limits.seconds)
    along = Slopes(recording.program, recording.values, cotangents, wrt, work, sides) if kinks else None
    dtypes = tuple(v.dtype for v in program.outputs)
    sources, results = _narrowest(recording.program, wrt)
    narrow = dict(zip(wrt, sources, strict=True))
    directions = sources if derive is jvp else results
    formats = [*(narrow.get(i, "") for i in range(len(recording.values))), *directions]
    parts = results if derive is jvp else sources

    # One plan gives the derivative here and nearby, with the results that came out with it; where something
    # else is fixed, no comparison of theirs is to say whether that moves.
    alone = not values or any(v.is_float and i not in wrt for i, v in enumerate(recording.program.inputs))
    whole = program if alone else derive(recording.program, wrt, True)

    def sampled(fully: bool) -> Sampled:
        own = Work(limits.seconds)
        return remembered(
            lambda: attainable(
                whole, known, wrt, enclosures, len(cotangents), own, (formats, parts), fully
            ),
            lambda found: None if of_enclosures(enclosures) is None else chain(*found),
            whole, known, "attainable", *asked, tuple(formats), tuple(parts), fully,
        )  # fmt: skip

    excused, zero = sampled(fully=False)
    return Truth(
        recording.program, program, recording.program, recording.values, tuple(cotangents), tuple(wrt),
        recording.argument,
        tuple(names), dtypes, parts, tuple(enclosures), tuple(excused), tuple(zero), along,
        sampled=cache(partial(sampled, fully=True)),
        results=values,
    )  # fmt: skip


def _lasting(found: Derived) -> Iterable[Array] | None:
    """The arrays of a derivative that is no more than numbers."""
    return None if found.sides else of_enclosures([*found.parts, *(found.values or ())])


def _narrowest(program: Program, wrt: Sequence[int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The narrowest format on the way of a derivative: from each input in `wrt`, and to each output.

    "" where that is its own: nobody can ask for more than a cast has left. What is cast beside the way, and
    what the derivative alone casts, does not count.
    """
    own, floats = [program.inputs[i] for i in wrt], [v for v in program.outputs if v.is_float]
    whole = {v.dtype for e in program.equations for v in (e.output, *e.operands) if v.is_float}
    if len(whole | {v.dtype for v in own}) < 2:
        return ("",) * len(own), ("",) * len(program.outputs)
    return (
        tuple(_narrower(v.dtype, _formats(program, program.between([v], floats))) for v in own),
        tuple(_narrower(v.dtype, _formats(program, program.between(own, [v]))) for v in program.outputs),
    )


def _narrower(dtype: str, met: set[str]) -> str:
    least = min({*met, dtype} & FORMATS.keys(), key=lambda name: format_of(name).digits, default=dtype)
    return least if dtype in FORMATS and format_of(least).digits < format_of(dtype).digits else ""


def _formats(program: Program, way: set[Var]) -> set[str]:
    """The dtypes on the way; with them those of the other operands of its products, as they were given."""
    found, definitions = {v.dtype for v in way}, {e.output: e for e in program.equations}
    for product in program.equations:
        waiting = list(product.operands) if product.primitive is matmul_ and product.output in way else []
        while waiting:
            made = definitions.get(waiting.pop())
            if made and made.origin and product.origin and made.origin.call == product.origin.call:
                found.update(v.dtype for v in made.operands)
                waiting += made.operands
    return found
