"""Record and prove: the question at one point, T, and a, the error that its inputs excuse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from harness.proof.question import Question
from harness.subject.derivative import FORWARD, Array, along, contracted, dtype_named, inside, levels_of
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.kinks import resolve
from oracles.exact.enclose.refine import Enclosure, Limits, refine, slopes
from oracles.exact.program.balls import all_finite, exact, precision
from oracles.exact.program.derive import jvp, vjp
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.program import Program
from oracles.exact.program.recording import Recording
from oracles.exact.rounding.bound import attainable
from oracles.exact_oracle import BITS, LIMITS


@dataclass(frozen=True, slots=True)
class Truth:
    """The derivative of a specification at exactly the given numbers.

    Attributes:
        forward, gradient: The specification, and its derived program.
        values, cotangents: The numbers of the forward's inputs, and what its outputs are contracted with.
        wrt: The inputs that are differentiated.
        argument: For each input, which argument it is of; below 0 for what is none.
        names, dtypes: Of the derivative's parts, which are one per differentiated input, forward per output.
        enclosures: T, per part.
        attainable, zero: a, and where the truth is 0 under every perturbation.
        along: The hull of the derivatives along (1, ..., 1), which the sum of a gradient cannot leave,
            however legal each of its elements is. Known at kinks alone, in reverse mode.
    """

    forward: Program
    gradient: Program
    values: tuple[Array, ...]
    cotangents: tuple[Array, ...]
    wrt: tuple[int, ...]
    argument: tuple[int, ...]
    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    enclosures: tuple[Enclosure, ...]
    attainable: tuple[NDArray[np.float64], ...]
    zero: tuple[NDArray[np.bool_], ...]
    along: arb | None = None

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
    """

    forward: Recording
    function: Recording
    wrt: tuple[int, ...]
    directions: tuple[Array, ...]
    inputs: tuple[Array, ...]
    labels: tuple[str, ...]


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
        return refine(self.forward.program, self.forward.values, BITS, self.limits)


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
    forward = function = question.specify(arrays)
    wrt = tuple(function.argument.index(k) for k in question.active)
    rng = np.random.default_rng(question.seed)

    def drawn(one: str, directions: Any) -> list[Array]:
        if one == FORWARD:
            return along(directions, [arrays[k] for k in question.active], rng, exactly)
        return contracted(directions, function.program.outputs, arrays, rng, exactly)

    inner: list[Array] = []
    for one, directions in zip(within, given, strict=True):
        found = drawn(one, directions)
        inner += found
        function = inside(one, function, wrt, found)
    labels = (*question.names, *(f"direction {k}" for k in range(len(inner))))
    return Recorded(forward, function, wrt, tuple(drawn(step, last)), (*arrays, *inner), labels)


def pose(question: Question, arrays: Sequence[Array]) -> Posed:
    """The question at one point, with its truth.

    Raises:
        Unsupported, Undecided: There is no truth here.
        ValueError: A given direction does not fit.
    """
    at, names = recorded(question, arrays), [question.names[k] for k in question.active]
    if question.derivative.is_of_results:
        names = [f"result{path}" for path in question.results]
    true = true_gradient(at.function, at.directions, at.wrt, names, question.limits, question.derivative.last)
    expected = tuple(
        (name, np.empty(e.shape, dtype_named(d, arrays)))
        for name, e, d in zip(names, true.enclosures, true.dtypes, strict=True)
    )
    return Posed(at.forward, true, at.directions, at.inputs, at.labels, expected, question.limits)


def true_gradient(
    recording: Recording,
    cotangents: Sequence[Array],
    wrt: Sequence[int],
    names: Sequence[str],
    limits: Limits = LIMITS,
    derive: Callable[[Program, Sequence[int]], Program] = vjp,
) -> Truth:
    """The truth of a recorded specification.

    Args:
        recording: The specification at its point.
        cotangents: What the derivative is contracted with: one per output, or forward one per input in `wrt`.
        wrt: The inputs that are differentiated.
        names: Of the derivative's parts: those inputs, or forward the outputs.
        limits: Of the evaluation.
        derive: Makes the derivative's program: `vjp`, or `jvp` for forward mode.

    Raises:
        Undecided: No precision within the limits narrows an element, with the reason.
        Unsupported: A primitive has no derivative rule.
    """
    program, inputs = derive(recording.program, wrt), [*recording.values, *cotangents]
    enclosures = slopes(
        recording.program, program, recording.values, cotangents, wrt, BITS, limits, derive is jvp
    )
    kinks = derive is vjp and any(e.kinks for e in enclosures)
    along = _along(recording, cotangents, wrt, limits) if kinks else None
    dtypes = tuple(v.dtype for v in program.outputs)
    excused, zero = attainable(program, inputs, wrt, enclosures, len(cotangents), Work(limits.seconds))
    return Truth(
        recording.program, program, recording.values, tuple(cotangents), tuple(wrt), recording.argument,
        tuple(names), dtypes, tuple(enclosures), tuple(excused), tuple(zero), along,
    )  # fmt: skip


def _along(
    recording: Recording, cotangents: Sequence[Array], wrt: Sequence[int], limits: Limits
) -> arb | None:
    """The derivative of <cotangent, f> where all that is differentiated moves alike; None if unknown."""
    program = recording.program
    inputs = [*recording.values, *(np.ones(program.inputs[i].shape) for i in wrt)]
    work = Work(limits.seconds)
    try:
        tangents = jvp(program, wrt)
        slopes = evaluate(tangents, inputs, BITS, work)
        if not all(all_finite(s) for s in slopes):  # the edge of a branch
            slopes = resolve(tangents, inputs, wrt, slopes, BITS, work)
    except (Undecided, Unsupported):
        return None
    with precision(BITS):
        parts = zip(slopes, cotangents, strict=True)
        total = sum((b for s, c in parts for b in np.ravel(s * exact(c)).tolist()), arb(0))
    return total if total.is_finite() else None
