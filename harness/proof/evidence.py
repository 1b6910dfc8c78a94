"""What is known of one gradient: the evidence, and the facts that follow from it for each element."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.subject.arrays import Array
from oracles.exact.enclose.refine import Enclosure
from oracles.exact.program.formats import format_of

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one differentiated argument, besides the result itself.

    Attributes:
        name: The argument's.
        truth: T, enclosed at every element.
        attainable: a, per element; infinite where the truth jumps close by.
        zero: Where the truth is 0 under every perturbation, so that a says nothing.
        formula: Whether E meets T, per element; None where E could not be evaluated.
        bound: B's balls; None where there is no bound.
        dtype: What the result must be in.
    """

    name: str
    truth: Enclosure
    attainable: NDArray[np.float64]
    zero: NDArray[np.bool_]
    formula: NDArray[np.bool_] | None
    bound: Array | None
    dtype: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the table of verdicts asks of each element. NaN makes no comparison true.

    Attributes:
        got: What was computed.
        error: Its distance from the truth.
        half: Half an ulp of the truth.
        lost: log2(error / attainable), between 0 and the significand; all of it for NaN and a total loss.
        budget: How many bits may be lost.
        attainable, zero: The evidence's.
        agrees: Where E meets T, or may.
        known: Whether E could be evaluated.
        beyond: Where the truth is beyond the dtype, so that infinity of its sign is the right value.
        right_infinity: Where that is what was computed.
        total_loss: 0 where the truth is not, by more than a excuses.
        inside, bounded: Whether the number lies in B, and whether B is finite there, and the number too.
        rounds: Whether B's program rounds at all.
        legal: Where the point is a kink, and the number a legal slope.
        jumps: Where the truth jumps close by.
    """

    got: Numbers
    error: Numbers
    half: Numbers
    lost: Numbers
    budget: float
    attainable: Numbers
    zero: Mask
    agrees: Mask
    known: bool
    beyond: Mask
    right_infinity: Mask
    total_loss: Mask
    inside: Mask
    bounded: Mask
    rounds: Mask
    legal: Mask
    jumps: Mask

    @property
    def counted(self) -> Mask:
        """Where the distance from the truth means something."""
        return ~self.legal & ~self.right_infinity

    @property
    def finite(self) -> Mask:
        """Where a number was computed."""
        return np.isfinite(self.got)


def facts(of: Evidence, computed: Array, budget: float) -> Facts:
    """The facts of what was computed, beside the evidence."""
    truth, kind = of.truth, format_of(of.dtype)
    got, mid = computed.astype(np.float64), truth.mid
    overflow = float(kind.overflow) if of.dtype != "float64" else math.inf
    beyond = ~np.isfinite(mid) | (np.abs(mid) >= overflow)
    right_infinity = beyond & np.isinf(got) & (np.sign(got) == np.sign(mid))
    error = np.where(right_infinity, 0.0, distance(truth, got))
    with np.errstate(all="ignore"):
        lost = np.log2(error / of.attainable)
        lost = np.where(error <= of.attainable, 0.0, np.clip(lost, 0.0, kind.digits))
        total_loss = (got == 0) & (np.abs(mid) > 2 * of.attainable)
    lost = np.where(np.isnan(error) | total_loss, float(kind.digits), lost)
    inside, bounded, rounds = _in_bound(of.bound, got)
    bounded &= np.isfinite(got)
    agrees = np.ones(truth.shape, bool) if of.formula is None else of.formula
    kink = truth.wide & bool(truth.kinks)
    legal = kink & (truth.contains(got) | (inside & bounded & agrees))
    return Facts(
        got, error, kind.ulp(mid) / 2, lost, budget, of.attainable, of.zero, agrees, of.formula is not None,
        beyond, right_infinity, total_loss, inside, bounded, rounds, legal, ~np.isfinite(of.attainable),
    )  # fmt: skip


def _in_bound(balls: Array | None, got: Array) -> tuple[Mask, Mask, Mask]:
    """Which numbers lie in B, where B is bounded, and where its program rounds at all."""
    if balls is None:
        return np.ones(got.shape, bool), np.zeros(got.shape, bool), np.ones(got.shape, bool)
    pairs = list(zip(balls.ravel().tolist(), got.ravel().tolist(), strict=True))
    inside = np.array([not math.isnan(v) and v in b for b, v in pairs], bool).reshape(got.shape)
    bounded = np.array([b.is_finite() for b, _ in pairs], bool).reshape(got.shape)
    rounds = np.array([not b.is_exact() for b, _ in pairs], bool).reshape(got.shape)
    return inside, bounded, rounds


def meets(one: Array, other: Array) -> NDArray[np.bool_]:
    """Where two arrays of balls overlap."""
    pairs = zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
    return np.array([bool(a.overlaps(b)) for a, b in pairs], bool).reshape(one.shape)


def distance(truth: Enclosure, numbers: Array) -> NDArray[np.float64]:
    """|computed - true|, at least: less the radius of the truth, which matters where it cancels to 0."""
    with np.errstate(all="ignore"):
        gap: NDArray[np.float64] = np.abs((numbers - truth.mid) - truth.rest) - truth.radius
        return np.where(np.isnan(gap), np.nan, np.maximum(gap, 0.0))


def reach(balls: Array | None, at: tuple[int, ...], truth: Enclosure) -> float:
    """How far from the truth the bound reaches; not a number where there is none."""
    if balls is None:
        return math.nan
    if not balls[at].is_finite():
        return math.inf
    return float(abs(balls[at] - truth.balls[at].mid()).upper())
