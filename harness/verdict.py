"""The judgement of one row: a verdict on the gradient, and the outcome that the exit code follows."""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np

from harness.difference import Difference


class Verdict(StrEnum):
    """What the comparison says about the gradient itself."""

    AGREES = "agrees"
    CONVENTION = "convention"  # differs only at a declared kink, by a legal choice
    DIFFERS = "differs"
    REFERENCE = "reference"  # the hand-derived gradient: the others are compared with it
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


def judge(value: Difference, gradient: Difference, dtype: str) -> tuple[Verdict, Outcome, str]:
    """The verdict, the outcome before known defects are looked up, and the reason in words."""
    limit = allowed(dtype)
    for what, difference in (("value", value), ("gradient", gradient)):
        if difference.fault:
            return Verdict.DIFFERS, Outcome.FAIL, f"{what}: {difference.fault}"
        # Written so that NaN fails. A gradient that rightly does not exist has no `where`.
        if difference.where and not difference.scaled <= limit:
            return Verdict.DIFFERS, Outcome.FAIL, _reason(what, difference, limit)
    if not gradient.where:
        return Verdict.AGREES, Outcome.PASS, "no gradient, on both sides"
    if gradient.at_kink:
        return (
            Verdict.CONVENTION,
            Outcome.PASS,
            f"{gradient.at_kink} elements at a kink differ by a legal choice",
        )
    return Verdict.AGREES, Outcome.PASS, ""


def _reason(what: str, difference: Difference, limit: float) -> str:
    return (
        f"{what} {difference.where}: computed {difference.computed!r}, expected {difference.expected!r} "
        f"({difference.scaled:.1e} of the largest element; {limit:.1e} allowed)"
    )
