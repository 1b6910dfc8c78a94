"""T and a: the true gradient of a specification at one point, and the error that its inputs excuse."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from flint import arb
from numpy.typing import NDArray

from harness.inputs.arrays import Array
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.enclose.refine import Enclosure, Limits, slopes
from oracles.exact.program.balls import exact, precision
from oracles.exact.program.derive import jvp, vjp
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.program import Program
from oracles.exact.program.recording import Recording
from oracles.exact.rounding.attainable import attainable
from oracles.exact_oracle import BITS, LIMITS


@dataclass(frozen=True, slots=True)
class Truth:
    """The derivative of a specification at exactly the given numbers.

    Attributes:
        forward, gradient: The specification, and its derived program.
        values, cotangents: The numbers of the forward's inputs, and what its outputs are contracted with.
        wrt: The inputs that are differentiated.
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
    def proven_error(self) -> float:
        """The largest radius off the kinks, relative to the largest element."""
        return max((e.proven_error for e in self.enclosures), default=0.0)

    @property
    def proven_digits(self) -> float:
        """How many digits of the largest elements are proven."""
        return -math.log10(max(self.proven_error, 1e-300))


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
    deadline = time.monotonic() + limits.seconds
    program, inputs = derive(recording.program, wrt), [*recording.values, *cotangents]
    enclosures = slopes(
        recording.program, program, recording.values, cotangents, wrt, BITS, limits, derive is jvp
    )
    kinks = derive is vjp and any(e.kinks for e in enclosures)
    along = _along(recording, cotangents, wrt, limits) if kinks else None
    dtypes = tuple(v.dtype for v in program.outputs)
    excused, zero = attainable(program, inputs, wrt, enclosures, len(cotangents), deadline)
    return Truth(
        recording.program,
        program,
        recording.values,
        tuple(cotangents),
        tuple(wrt),
        tuple(names),
        dtypes,
        tuple(enclosures),
        tuple(excused),
        tuple(zero),
        along,
    )


def _along(
    recording: Recording, cotangents: Sequence[Array], wrt: Sequence[int], limits: Limits
) -> arb | None:
    """The derivative of <cotangent, f> where all that is differentiated moves alike; None if unknown."""
    program = recording.program
    inputs = [*recording.values, *(np.ones(program.inputs[i].shape) for i in wrt)]
    try:
        slopes = evaluate(jvp(program, wrt), inputs, BITS, time.monotonic() + limits.seconds)
    except (Undecided, Unsupported):
        return None
    with precision(BITS):
        parts = zip(slopes, cotangents, strict=True)
        total = sum((b for s, c in parts for b in np.ravel(s * exact(c)).tolist()), arb(0))
    return total if total.is_finite() else None
