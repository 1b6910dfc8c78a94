"""What is known of one gradient: the evidence, the facts of each element, and the decision that follows.

The decision is a table: the first row whose condition holds gives the verdict. The rows stand from the worst
verdict to the best, but for one: where E is not known, all that depends on it is open, so that row stands
before those that do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.subject.derivative import Array
from harness.verdicts import Entry, Verdict
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.program.formats import FORMATS, format_of

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]
Allowed = Callable[[str], float]  # the budget of lost bits, by dtype


OUTSIDE = "outside what the rounding of its program allows"
KEPT = "outside what its rounding allows, unless it keeps its narrower format, in which nothing bounds it"
LENT = "further off than the truth's own program rounds, which is not what ran"
LEAPS = "the slope of its sides, where the function itself jumps"
FEW_DIGITS = 16  # float16 has 11, bfloat16 8: half of them is 2^-6 or 2^-4
CARRIED = 4  # times what a sample of eight runs gives
# Times a, which the truth must be for 0 to be a total loss; 2 in formats of few digits. Nearer to 0, as at a
# minimum of a sum of squares, 0 is as good as what the sum's rounding gives: a is of the inputs alone.
TOLD = 16
BLIND_ULPS = 2  # that a gradient of so few digits may be off, where nobody could look into it


def budget(dtype: str) -> float:
    """How many bits a gradient of this dtype may lose: half of its significand, rounded down.

    Where the function casts to a narrower one on the way from the argument, the gradient is as good as one
    of that: its budget counts, and so does what the inputs allow in it.
    """
    return format_of(dtype).digits // 2


BUDGET = Entry(
    "How many bits a gradient may lose beyond what its inputs allow: half of the significand, rounded down.",
    "bits_lost above it is imprecise.",
    ", ".join(f"{budget(name)} of {name}'s {kind.digits}" for name, kind in FORMATS.items()),
    "Ask for more or for less with bits_lost=, or --bits-lost.",
)


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
        narrowest: The narrowest format on the way from the argument to the result; "" for its own.
        examined: Whether the formula was looked into at all.
        carried: How far from 0 rounding carries an element that is 0, sampled; None where that is not known.
        open: Of which elements the formula says nothing, though of others; None where there is none.
        kept: Whether it may have been computed in `narrowest`, in which its program has no bound.
        lent: Where B is of the truth's program, and what ran is known to be another: half an ulp of the
            largest true element, from which on, times the budget, a 0 is far off. None elsewhere.
    """

    name: str
    truth: Enclosure
    attainable: NDArray[np.float64]
    zero: NDArray[np.bool_]
    formula: NDArray[np.bool_] | None
    bound: Array | Pairs | None
    dtype: str
    narrowest: str = ""
    examined: bool = True
    carried: Numbers | None = None
    open: Mask | None = None
    kept: bool = False
    lent: float | None = None

    def part(self, here: slice) -> Evidence:
        """What is known of some elements, counted in C order."""

        def own(x: Any) -> Any:
            return None if x is None else x.reshape(-1)[here]

        assert self.truth.pairs is not None
        return replace(
            self,
            truth=Enclosure(own(self.truth.pairs), self.truth.bits, leaps=own(self.truth.leaps)),
            attainable=own(self.attainable),
            zero=own(self.zero),
            formula=own(self.formula),
            bound=own(self.bound),
            carried=own(self.carried),
            open=own(self.open),
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What the table of verdicts asks of each element. NaN makes no comparison true.

    Attributes:
        got: What was computed.
        error: Its distance from the truth.
        half: Half an ulp of the truth, in the narrowest format on the way.
        lost: log2(error / attainable), between 0 and the significand; all of it for NaN and a total loss.
        budget: How many bits may be lost.
        attainable, zero: The evidence's.
        agrees: Where E meets T, or may.
        known: Where E says whether the formula is right.
        beyond: Where the truth is beyond the dtype, so that infinity of its sign is the right value.
        right_infinity: Where that is what was computed.
        total_loss: 0 where the truth is not, and the inputs tell it from 0 by some bits.
        inside, bounded: Whether the number lies in B, or is the truth but for one rounding; and whether B is
            finite there, and the number too.
        rounds: Whether B's program rounds at all.
        legal: Where the point is a kink, and the number a legal slope.
        jumps: Where the truth jumps close by.
        leaps: Where the function itself jumps.
        examined: Whether the formula was looked into.
        carried: Where the error is one that sampled rounding makes of a 0, or a few times that.
        few: Whether the format has few digits, where the budget hides much.
        kept: Whether it may be of a narrower format, in which its program has no bound.
        lent: Where B is of another program than what ran, and the budget is not exceeded: there it accuses
            nobody.
    """

    got: Numbers
    error: Numbers
    half: Numbers
    lost: Numbers
    budget: float
    attainable: Numbers
    zero: Mask
    agrees: Mask
    known: Mask
    beyond: Mask
    right_infinity: Mask
    total_loss: Mask
    inside: Mask
    bounded: Mask
    rounds: Mask
    legal: Mask
    jumps: Mask
    leaps: Mask
    examined: bool
    few: bool
    carried: Mask
    kept: bool
    lent: Mask

    @property
    def counted(self) -> Mask:
        """Where the distance from the truth means something."""
        return ~self.legal & ~self.right_infinity

    @property
    def is_plain(self) -> bool:
        """Whether no row but the last can hold anywhere: so it is of nearly every gradient."""
        odd = self.total_loss | self.jumps | self.leaps | self.legal | self.beyond | (self.lost > self.budget)
        even = self.agrees & self.finite & (self.inside | ~self.bounded) & (self.bounded | ~self.zero)
        return bool(self.known.all() and self.examined and even.all() and not odd.any())

    @property
    def finite(self) -> Mask:
        """Where a number was computed."""
        return np.isfinite(self.got)


def facts(of: Evidence, computed: Array, budget: float) -> Facts:
    """The facts of what was computed, beside the evidence."""
    truth, kind, own = of.truth, format_of(of.narrowest or of.dtype), format_of(of.dtype)
    got, mid = computed.astype(np.float64), truth.mid
    overflow = float(own.overflow) if of.dtype != "float64" else math.inf
    half = kind.ulp(mid) / 2
    beyond = ~np.isfinite(mid) | (np.abs(mid) >= overflow)
    right_infinity = beyond & np.isinf(got) & (np.sign(got) == np.sign(mid))
    error = np.where(right_infinity, 0.0, distance(truth, got))
    with np.errstate(all="ignore"):
        lost = np.log2(error / of.attainable)
        lost = np.where(error <= of.attainable, 0.0, np.clip(lost, 0.0, kind.digits))
        told = 2 if kind.digits < FEW_DIGITS else TOLD
        total_loss = (got == 0) & (np.abs(mid) > told * of.attainable)
    lost = np.where(np.isnan(error) | total_loss, float(kind.digits), lost)
    inside, bounded, rounds = _in_bound(of.bound, got)
    # A program that overflows may be right by chance.
    inside |= error <= (half if kind is own else own.ulp(mid) / 2)
    bounded &= np.isfinite(got)
    agrees = np.ones(truth.shape, bool) if of.formula is None else of.formula
    nowhere, kink = np.zeros(mid.shape, bool), truth.wide & bool(truth.kinks)
    legal = kink & (truth.contains(got) | (inside & bounded & agrees))
    known = np.full(mid.shape, of.formula is not None) if of.open is None else ~of.open
    return Facts(
        got, error, half, lost, budget, of.attainable, of.zero, agrees, known,
        beyond, right_infinity, total_loss, inside, bounded, rounds, legal, ~np.isfinite(of.attainable),
        nowhere if truth.leaps is None else truth.leaps, of.examined, kind.digits < FEW_DIGITS,
        nowhere if of.carried is None else error <= CARRIED * of.carried, of.kept,
        nowhere if of.lent is None else ~_is_far(of, of.lent, error, half, budget),
    )  # fmt: skip


def _is_far(of: Evidence, lent: float, error: Numbers, half: Numbers, budget: float) -> Mask:
    """Where more bits are lost than the budget allows; of a 0, of the largest element's."""
    scale = np.where(np.isfinite(of.attainable), of.attainable, half)
    return np.asarray(error > 2.0**budget * np.where(of.zero, lent, scale))


def _in_bound(balls: Array | Pairs | None, got: Array) -> tuple[Mask, Mask, Mask]:
    """Which numbers lie in B, where B is bounded, and where its program rounds at all."""
    if balls is None:
        return np.ones(got.shape, bool), np.zeros(got.shape, bool), np.ones(got.shape, bool)
    if isinstance(balls, Pairs):
        return balls.contains(got), np.isfinite(balls.r), np.asarray(balls.r > 0)
    pairs = list(zip(balls.ravel().tolist(), got.ravel().tolist(), strict=True))
    inside = np.array([not math.isnan(v) and v in b for b, v in pairs], bool).reshape(got.shape)
    bounded = np.array([b.is_finite() for b, _ in pairs], bool).reshape(got.shape)
    rounds = np.array([not b.is_exact() for b, _ in pairs], bool).reshape(got.shape)
    return inside, bounded, rounds


def meets(one: Array, other: Array) -> NDArray[np.bool_]:
    """Where two arrays of balls overlap."""
    pairs = zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
    return np.array([bool(a.overlaps(b)) for a, b in pairs], bool).reshape(one.shape)


def meeting(one: Enclosure, other: Enclosure) -> NDArray[np.bool_]:
    """Where two enclosures overlap; where pairs of doubles cannot tell, their exact ends do."""
    if not (one.pairs and other.pairs):
        return meets(one.balls, other.balls)
    found, apart = one.pairs.meets(other.pairs), one.pairs.misses(other.pairs)
    for at in map(tuple, np.argwhere(~(found | apart))):
        found[at] = bool(one.ball(at).overlaps(other.ball(at)))
    return found


def distance(truth: Enclosure, numbers: Array) -> NDArray[np.float64]:
    """|computed - true|, at least: less the radius of the truth, which matters where it cancels to 0."""
    with np.errstate(all="ignore"):
        gap: NDArray[np.float64] = np.abs((numbers - truth.mid) - truth.rest) - truth.radius
        return np.where(np.isnan(gap), np.nan, np.maximum(gap, 0.0))


def reach(balls: Array | Pairs | None, at: tuple[int, ...], truth: Enclosure) -> float:
    """How far from the truth the bound reaches; not a number where there is none."""
    if balls is None:
        return math.nan
    if isinstance(balls, Pairs):
        apart = (balls.h[at] - truth.mid[at]) + (balls.l[at] - truth.rest[at])
        return float(abs(apart) + balls.r[at])
    if not balls[at].is_finite():
        return math.inf
    return float(abs(balls[at] - truth.ball(at).mid()).upper())


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: where `holds`, the verdict, for a reason in words."""

    verdict: Verdict
    reason: str
    holds: Callable[[Facts], Mask]


def _excused(f: Facts) -> Mask:
    """An error that half an ulp of the inputs makes as well is no rounding program's fault.

    But an attainable error above the budget is a sample across a branch, and excuses nothing. (A program that
    was not examined may round where the truth's own does not.)
    """
    rounds = f.rounds | (not f.examined)
    return np.asarray((f.error <= f.attainable) & (f.attainable <= 2 * f.half * 2.0**f.budget) & rounds)


def _blind(f: Facts) -> Mask:
    """Where the formula was not examined, and half of the digits are too few to tell it from another."""
    return f.counted & (f.few and not f.examined) & ~f.zero & ~f.jumps


def _outside(f: Facts) -> Mask:
    return f.counted & f.bounded & ~f.inside & ~_excused(f)


def _wrong_infinity(f: Facts) -> Mask:
    return np.isinf(f.got) & f.beyond & ~f.right_infinity


def _unknown(f: Facts) -> Mask:
    """What is legal at a kink needs no formula to be so."""
    return ~(f.known | (f.legal & ~np.isnan(f.got) & ~_wrong_infinity(f)))


TABLE = (
    # Proven: E is another function's than T, so what its program computes does not matter.
    Rule(Verdict.WRONG, "the formula is another function's", lambda f: ~f.agrees),
    # No formula has a value there that is not finite, so this needs no E.
    Rule(Verdict.MISCOMPUTED, "not finite, where the truth is", lambda f: f.counted & ~f.finite & ~f.beyond),
    # Whether the formula or its execution is off cannot be told, and what looks right may be so by chance.
    Rule(Verdict.UNDECIDED, "the formula is not known", _unknown),
    # NaN is a value of nothing, not even where the truth overflows.
    Rule(Verdict.MISCOMPUTED, "not a number", lambda f: np.isnan(f.got)),
    # Where the truth overflows, infinity has its sign.
    Rule(Verdict.MISCOMPUTED, "infinite, with the wrong sign", _wrong_infinity),
    # B has everything that this program may compute, so something else was executed.
    Rule(Verdict.MISCOMPUTED, OUTSIDE, lambda f: _outside(f) & (not f.kept) & ~f.lent),
    # The one policy. Where the truth is always 0, or jumps, a is no measure.
    Rule(
        Verdict.IMPRECISE,
        "more bits lost than the budget allows",
        lambda f: f.counted & (f.lost > f.budget) & ~f.zero & ~f.jumps,
    ),
    Rule(
        Verdict.IMPRECISE,
        f"more than {BLIND_ULPS} ulps further off than the inputs allow",
        lambda f: _blind(f) & (f.error > f.attainable + 2 * BLIND_ULPS * f.half) & ~f.zero & ~f.jumps,
    ),
    # A 0 has no correct digit, whatever the budget is.
    Rule(
        Verdict.IMPRECISE,
        "0, where the truth is not: a total loss",
        lambda f: f.counted & ~f.zero & f.total_loss,
    ),
    Rule(Verdict.UNDECIDED, KEPT, lambda f: _outside(f) & f.kept),
    # B of another program proves nothing of this one: an SVD rounds where minors of whole numbers do not.
    Rule(Verdict.UNDECIDED, LENT, lambda f: _outside(f) & f.lent),
    # The inputs' own rounding may carry them across the jump: only the rounded truth is certain.
    Rule(Verdict.UNDECIDED, "the truth jumps close by", lambda f: f.counted & f.jumps & ~(f.error <= f.half)),
    # Where a says nothing B alone judges; without B a sample of its rounding may excuse, and nothing else.
    Rule(
        Verdict.UNDECIDED,
        "the truth is 0, and the program has no finite bound",
        lambda f: f.counted & f.zero & ~f.bounded & ~(f.error <= f.half) & ~f.carried & f.finite,
    ),
    # It has no slope there; what its sides do not have either was wrong, further up.
    Rule(Verdict.CONVENTION, LEAPS, lambda f: f.leaps),
    # One of the legal slopes, or what the right program may compute of one.
    Rule(Verdict.CONVENTION, "a legal slope at a kink", lambda f: f.legal),
    Rule(Verdict.ACCURATE, "right, and it keeps the digits", lambda f: np.ones(f.got.shape, bool)),
)


def decide(f: Facts) -> NDArray[np.int64]:
    """The number of the row that decides, per element."""
    if f.is_plain:
        return np.full(f.got.shape, len(TABLE) - 1)
    deciding = np.full(f.got.shape, len(TABLE) - 1)
    for number in reversed(range(len(TABLE))):
        np.copyto(deciding, number, where=TABLE[number].holds(f))
    return deciding
