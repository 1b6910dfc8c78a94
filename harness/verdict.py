"""The judgement of one row: a verdict on the gradient, and the outcome that the exit code follows."""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np

from harness.case import Array
from harness.errors import Errors


class Verdict(StrEnum):
    """What the comparison with the truth says about the gradient itself."""

    AGREES = "agrees"
    CONVENTION = "convention"  # at a kink, and what it holds there is legal
    DIFFERS = "differs"
    TRUTH = "truth"  # the exact oracle: the others are measured against it
    ESTIMATE = "estimate"  # finite differences: they inform and never decide
    NONE = ""  # nothing was compared


class Outcome(StrEnum):
    """What follows from a row."""

    PASS = "pass"
    FAIL = "fail"
    KNOWN = "known"  # fails as the known-defects file says, with a link
    STALE = "stale"  # the known-defects file says it fails, and it does not any more
    INFO = "info"  # a row that is shown and not judged
    UNAVAILABLE = "unavailable"  # the framework is not installed
    UNSUPPORTED = "unsupported"  # the oracle cannot do this case
    ERROR = "error"  # the oracle raised

    @property
    def failing(self) -> bool:
        """Whether this outcome makes the run fail."""
        return self in {Outcome.FAIL, Outcome.STALE, Outcome.ERROR}

    @property
    def compared(self) -> bool:
        """Whether the row was judged at all."""
        return self in {Outcome.PASS, Outcome.FAIL, Outcome.KNOWN, Outcome.STALE, Outcome.ERROR}


# Worst first: the order of every table.
SEVERITY = (
    Outcome.FAIL,
    Outcome.ERROR,
    Outcome.STALE,
    Outcome.KNOWN,
    Outcome.UNAVAILABLE,
    Outcome.UNSUPPORTED,
    Outcome.PASS,
    Outcome.INFO,
)


def allowed(dtype: str) -> float:
    """The interim tolerance: half of the dtype's digits, relative to the largest element.

    Interim, and the only place it is written: a tolerance derived from each program replaces it.
    """
    return math.sqrt(np.finfo(dtype).eps)


def same_function(reference: Array, value: Array, dtype: str) -> str:
    """Why this value is another function's than the reference's, "" if it is the same one's.

    A loss near 0 has no digit that float32 could keep, so values are compared with the reference's own and
    only gradients with the truth.
    """
    if value.shape != reference.shape or value.dtype.kind != reference.dtype.kind:
        return f"value: {value.dtype}{value.shape} instead of {reference.dtype}{reference.shape}"
    exact = reference.dtype.kind != "f"  # an integer, whose width is the framework's setting
    if not exact and value.dtype != reference.dtype:
        return f"value: dtype {value.dtype} instead of {reference.dtype}"
    finite = np.isfinite(reference)
    if not np.array_equal(value[~finite], reference[~finite]):  # NaN is the same as nothing
        return f"value: {value} where the reference has {reference}"
    with np.errstate(all="ignore"):
        gap = np.max(np.abs(value[finite].astype(np.float64) - reference[finite]), initial=0.0)
    size = np.max(np.abs(reference[finite]), initial=0.0)
    if np.array_equal(value, reference) if exact else gap <= allowed(dtype) * size:  # so that NaN fails
        return ""
    return f"value differs from the reference's by {gap:.1e}, where its largest is {size:.1e}"


def judge(other_value: str, gradient: Errors, dtype: str) -> tuple[Verdict, Outcome, str]:
    """The verdict, the outcome before known defects are looked up, and the reason in words."""
    limit = allowed(dtype)
    if gradient.fault or other_value:
        return Verdict.DIFFERS, Outcome.FAIL, gradient.fault or other_value
    # Written so that NaN fails. A gradient that rightly does not exist has no `where`.
    if gradient.where and not gradient.scaled <= limit:
        return Verdict.DIFFERS, Outcome.FAIL, _reason(gradient, limit)
    if not gradient.where:
        return Verdict.AGREES, Outcome.PASS, "no gradient, on both sides"
    if gradient.at_kink:
        return (
            Verdict.CONVENTION,
            Outcome.PASS,
            f"{gradient.at_kink} elements on a kink hold a legal value",
        )
    return Verdict.AGREES, Outcome.PASS, ""


def _reason(errors: Errors, limit: float) -> str:
    return (
        f"{errors.where}: computed {errors.computed!r}, true {errors.true!r} "
        f"({errors.scaled:.1e} of the largest element; {limit:.1e} allowed)"
    )
