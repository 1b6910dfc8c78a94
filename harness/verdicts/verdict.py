"""The words for what is found: verdicts on a gradient, outcomes of a row, and the one policy."""

from __future__ import annotations

from enum import StrEnum

from oracles.exact.rounding.formats import format_of


class Verdict(StrEnum):
    """What the comparison of sets says about the gradient itself, the worst first."""

    WRONG = "wrong"  # the formula is another function's: proven
    MISCOMPUTED = "miscomputed"  # the formula is right, its execution is not
    IMPRECISE = "imprecise"  # right, and it loses digits that its inputs allow
    UNDECIDED = "undecided"  # nothing can be proven here, with the reason
    UNSUPPORTED = "unsupported"  # an operation has no rule
    CONVENTION = "convention"  # at a kink, and what it holds there is legal
    ACCURATE = "accurate"
    TRUTH = "truth"  # the exact oracle: the others are measured against it
    ESTIMATE = "estimate"  # finite differences: they inform and never decide
    NONE = ""  # nothing was compared


SEVERITY = tuple(Verdict)
RIGHT = frozenset({Verdict.ACCURATE, Verdict.CONVENTION})
ALLOWABLE = (Verdict.UNDECIDED, Verdict.UNSUPPORTED)


class Outcome(StrEnum):
    """What follows from a row."""

    PASS = "pass"
    FAIL = "fail"
    KNOWN = "known"  # fails as the known-defects file says, with a link
    STALE = "stale"  # the known-defects file says it fails, and it does not any more
    ALLOWED = "allowed"  # undecided or unsupported, and the user said that this may be
    INFO = "info"  # a row that is shown and not judged
    SKIPPED = "skipped"  # not run this time, with the reason
    UNAVAILABLE = "unavailable"  # the framework is not installed
    ERROR = "error"  # the oracle raised

    @property
    def failing(self) -> bool:
        """Whether this outcome makes the run fail."""
        return self in {Outcome.FAIL, Outcome.STALE, Outcome.ERROR}

    @property
    def compared(self) -> bool:
        """Whether the row was judged at all."""
        return self.failing or self in {Outcome.PASS, Outcome.KNOWN, Outcome.ALLOWED}


# Worst first: the order of every table.
ORDER = (
    Outcome.FAIL,
    Outcome.ERROR,
    Outcome.STALE,
    Outcome.KNOWN,
    Outcome.ALLOWED,
    Outcome.UNAVAILABLE,
    Outcome.SKIPPED,
    Outcome.PASS,
    Outcome.INFO,
)


def budget(dtype: str) -> float:
    """The one policy: how many bits a gradient may lose beyond what its inputs allow.

    Half of the significand: 26 of float64's 53, 12 of float32's 24, 5 of float16's 11, 4 of bfloat16's 8.
    """
    return format_of(dtype).digits // 2
