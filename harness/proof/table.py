"""The decision on one element, as a table: the first row whose condition holds gives the verdict.

The rows stand from the worst verdict to the best, but for one: where E is not known, all that depends on it
is open, so that row stands before those that do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.proof.evidence import Facts, Mask
from harness.verdicts.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where `holds`, the verdict, for a reason in words."""

    verdict: Verdict
    reason: str
    holds: Callable[[Facts], Mask]


def _excused(f: Facts) -> Mask:
    """An error that half an ulp of the inputs makes as well is no rounding program's fault.

    But an attainable error above the budget is a sample across a branch, and excuses nothing.
    """
    return np.asarray((f.error <= f.attainable) & (f.attainable <= 2 * f.half * 2.0**f.budget) & f.rounds)


def _wrong_infinity(f: Facts) -> Mask:
    return np.isinf(f.got) & f.beyond & ~f.right_infinity


def _unknown(f: Facts) -> Mask:
    """What is legal at a kink needs no formula to be so."""
    return ~(f.known | (f.legal & ~np.isnan(f.got) & ~_wrong_infinity(f)))


TABLE = (
    # Proven: E is another function's than T, so what its program computes does not matter.
    Row(Verdict.WRONG, "the formula is another function's", lambda f: ~f.agrees),
    # No formula has a value there that is not finite, so this needs no E.
    Row(
        Verdict.MISCOMPUTED,
        "not finite, where the truth is",
        lambda f: f.counted & ~f.finite & ~f.beyond,
    ),
    # Whether the formula or its execution is off cannot be told, and what looks right may be so by chance.
    Row(Verdict.UNDECIDED, "the formula is not known", _unknown),
    # NaN is a value of nothing, not even where the truth overflows.
    Row(Verdict.MISCOMPUTED, "not a number", lambda f: np.isnan(f.got)),
    # Where the truth overflows, infinity has its sign.
    Row(Verdict.MISCOMPUTED, "infinite, with the wrong sign", _wrong_infinity),
    # B has everything that this program may compute, so something else was executed.
    Row(
        Verdict.MISCOMPUTED,
        "outside what the rounding of its program allows",
        lambda f: f.counted & f.bounded & ~f.inside & ~_excused(f),
    ),
    # The one policy. Where the truth is always 0, or jumps, a is no measure.
    Row(
        Verdict.IMPRECISE,
        "more bits lost than the budget allows",
        lambda f: f.counted & (f.lost > f.budget) & ~f.zero & ~f.jumps,
    ),
    # A 0 has no correct digit, whatever the budget is.
    Row(
        Verdict.IMPRECISE,
        "0, where the truth is not: a total loss",
        lambda f: f.counted & ~f.zero & f.total_loss,
    ),
    # The inputs' own rounding may carry them across the jump: only the rounded truth is certain.
    Row(
        Verdict.UNDECIDED,
        "the truth jumps close by",
        lambda f: f.counted & f.jumps & ~(f.error <= f.half),
    ),
    # Where a says nothing B alone judges; without B nothing does.
    Row(
        Verdict.UNDECIDED,
        "the truth is 0, and the program has no finite bound",
        lambda f: f.counted & f.zero & ~f.bounded & ~(f.error <= f.half) & f.finite,
    ),
    # One of the legal slopes, or what the right program may compute of one.
    Row(Verdict.CONVENTION, "a legal slope at a kink", lambda f: f.legal),
    Row(Verdict.ACCURATE, "right, and it keeps the digits", lambda f: np.ones(f.got.shape, bool)),
)


def decide(f: Facts) -> NDArray[np.int64]:
    """The number of the row that decides, per element."""
    deciding = np.full(f.got.shape, len(TABLE) - 1)
    for number in reversed(range(len(TABLE))):
        np.copyto(deciding, number, where=TABLE[number].holds(f))
    return deciding
