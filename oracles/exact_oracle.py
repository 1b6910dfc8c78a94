"""The exact oracle: what the value and the gradient of a case *are*, in balls, with a proven error."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.refine import refine
from oracles.exact.enclose.slopes import slopes
from oracles.exact.from_numpy import record
from oracles.exact.program.derive import vjp
from oracles.frameworks.framework import Array, Gradient, Subject
from oracles.oracle import Case, Oracle

BITS = 128
LIMITS = Limits(zero_bits=1100)  # gradients may be as small as the smallest float64, 2^-1074


@final
class ExactOracle(Oracle):
    """Records the case's own NumPy function over balls; its hand-written VJP plays no part."""

    name = "exact"
    summary = "The truth: the case's NumPy function, differentiated and evaluated in ball arithmetic."
    decides = False

    def unsupported(self, case: Case) -> str:
        """Nothing in principle: what has no rule raises when it is asked."""
        return ""

    def subject(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case as enclosures; a fetched gradient is their midpoints."""

        def fetch_value(found: Any) -> Array:
            return np.asarray(found.mid if isinstance(found, Enclosure) else found)

        def fetch_gradient(found: tuple[Enclosure, ...] | None) -> Gradient:
            return Gradient(tuple(e.mid for e in found) if found else (None,) * len(case.argnums))

        return Subject(
            np.asarray,
            lambda *args: enclosed_value(case, args),
            lambda cotangent, *args: enclosed_gradient(case, args, cotangent),
            fetch_value,
            fetch_gradient,
        )


def enclosed_value(case: Case, args: tuple[Array, ...]) -> Enclosure | Array:
    """The true value at exactly these numbers; an integer result is itself."""
    if case.vjp is None:
        return np.asarray(case.function(*args))
    recording = record(case.function, args, {})
    return refine(recording.program, recording.values, BITS, LIMITS)[0]


def enclosed_gradient(case: Case, args: tuple[Array, ...], cotangent: Array) -> tuple[Enclosure, ...] | None:
    """The true gradient of <cotangent, value> at exactly these numbers; None where there is none."""
    if case.vjp is None:
        return None
    recording = record(case.function, args, {})
    wrt = [recording.argument.index(k) for k in case.argnums]
    function = recording.program
    return tuple(slopes(function, vjp, recording.values, [cotangent], wrt, BITS, LIMITS).parts)
