"""The verdict on one gradient: truth, attainable error, program and bound against what was computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from flint import arb
from numpy.typing import NDArray

from harness.inputs.arrays import Array
from harness.verdicts.verdict import RIGHT, Verdict
from oracles.exact.enclose.refine import Enclosure
from oracles.exact.program.formats import format_of

MOST_ELEMENTS = 10  # that are named
# Per element, the code of a verdict is its place in this order, so that the worst is the least.
CODES = (
    Verdict.WRONG,
    Verdict.MISCOMPUTED,
    Verdict.IMPRECISE,
    Verdict.UNDECIDED,
    Verdict.CONVENTION,
    Verdict.ACCURATE,
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
    """

    name: str
    truth: Enclosure
    attainable: NDArray[np.float64]
    zero: NDArray[np.bool_]
    formula: NDArray[np.bool_] | None
    bound: Array | None
    dtype: str


class Element(NamedTuple):
    """One element: its index, what was computed, twenty digits of what is true, and how far off it is."""

    at: tuple[int, ...]
    computed: float
    true_digits: str
    error_ulp: float
    bits_lost: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """The worst element of a gradient, and its verdict.

    Attributes:
        verdict: The worst over all elements.
        argument, element: Where: the number of the differentiated argument, and the index in it.
        where: The same in words, "x[2, 3]".
        computed: What the subject returned there.
        true: The true value there, as the nearest float64; `true_digits` has more of it.
        bits_lost: log2(error / attainable), between 0 and the significand.
        error_ulp, attainable_ulp, bound_ulp: In ulps of the true value there; at a kink, which has no one
            true value, there is no bound from it.
        max_abs_error, max_rel_error: Over all elements.
        scaled_error: The largest error relative to the largest true element.
        at_kink: How many elements hold a legal choice at a kink.
        diagnosis: Why, in words.
        more: Where the verdict is not a right one, the next worst elements with the same one.
    """

    verdict: Verdict
    argument: int = 0
    element: tuple[int, ...] = ()
    where: str = ""
    computed: float = math.nan
    true: float = math.nan
    true_digits: str = ""
    bits_lost: float = math.nan
    error_ulp: float = math.nan
    attainable_ulp: float = math.nan
    bound_ulp: float = math.nan
    max_abs_error: float = math.nan
    max_rel_error: float = math.nan
    scaled_error: float = math.nan
    at_kink: int = 0
    diagnosis: str = ""
    more: tuple[Element, ...] = ()


def judge(
    evidence: Sequence[Evidence], computed: Sequence[Array], allowed: Callable[[str], float]
) -> Judgement:
    """The verdict on a gradient: of its worst element. Written so that NaN is never right."""
    return worst_argument(judge_each(evidence, computed, allowed))


def judge_each(
    evidence: Sequence[Evidence], computed: Sequence[Array], allowed: Callable[[str], float]
) -> list[Judgement]:
    """The verdict on each differentiated argument."""
    return [
        _judged(k, one, np.asarray(c), allowed(one.dtype))
        for k, (one, c) in enumerate(zip(evidence, computed, strict=True))
    ]


def worst_argument(found: Sequence[Judgement]) -> Judgement:
    """The worst of the arguments' verdicts, with the largest errors of all of them."""
    worst = min(found, key=lambda j: (j.verdict.severity, -_most(j.bits_lost), -_most(j.error_ulp)))
    return replace(
        worst,
        max_abs_error=max((j.max_abs_error for j in found), key=_most),
        max_rel_error=max((j.max_rel_error for j in found), key=_most),
        scaled_error=max((j.scaled_error for j in found), key=_most),
        at_kink=sum(j.at_kink for j in found),
    )


def _most(number: float) -> float:
    """NaN counts as more than anything."""
    return math.inf if math.isnan(number) else number


def distance(truth: Enclosure, numbers: Array) -> NDArray[np.float64]:
    """|computed - true|, at least: less the radius of the truth, which matters where it cancels to 0."""
    with np.errstate(all="ignore"):
        gap: NDArray[np.float64] = np.abs((numbers - truth.mid) - truth.rest) - truth.radius
        return np.where(np.isnan(gap), np.nan, np.maximum(gap, 0.0))


def _judged(number: int, known: Evidence, computed: Array, allowed: float) -> Judgement:
    truth, kind = known.truth, format_of(known.dtype)
    if not computed.size:
        return Judgement(
            Verdict.ACCURATE,
            number,
            where=known.name,
            bits_lost=0.0,
            error_ulp=0.0,
            max_abs_error=0.0,
            max_rel_error=0.0,
            scaled_error=0.0,
        )
    got = computed.astype(np.float64)
    mid = truth.mid
    finite = np.isfinite(got)
    overflow = float(kind.overflow) if known.dtype != "float64" else math.inf
    beyond = ~np.isfinite(mid) | (np.abs(mid) >= overflow)  # infinity is then the right value
    right_infinity = beyond & np.isinf(got) & (np.sign(got) == np.sign(mid))
    error = np.where(right_infinity, 0.0, distance(truth, got))
    half = kind.ulp(mid) / 2
    with np.errstate(all="ignore"):
        lost = np.log2(error / known.attainable)
        lost = np.where(error <= known.attainable, 0.0, np.clip(lost, 0.0, kind.digits))
        lost = np.where(np.isnan(error), float(kind.digits), lost)
        total_loss = (got == 0) & (np.abs(mid) > 2 * known.attainable)
    lost = np.where(total_loss, float(kind.digits), lost)
    inside, bounded, rounds = _in_bound(known.bound, got)
    bounded &= finite
    kink = truth.wide & bool(truth.kinks)
    legal = kink & (truth.contains(got) | (inside & bounded & _formula(known, True)))

    code = np.full(got.shape, CODES.index(Verdict.ACCURATE))

    def mark(where: Array, verdict: Verdict) -> None:
        np.minimum(code, CODES.index(verdict), out=code, where=where)

    jumps = ~np.isfinite(known.attainable)
    mark(legal, Verdict.CONVENTION)
    counted = ~legal & ~right_infinity
    mark(counted & (lost > allowed) & ~known.zero & ~jumps, Verdict.IMPRECISE)
    mark(counted & ~known.zero & total_loss, Verdict.IMPRECISE)
    mark(counted & jumps & ~(error <= half), Verdict.UNDECIDED)
    mark(counted & known.zero & ~bounded & ~(error <= half) & finite, Verdict.UNDECIDED)
    # An error that half an ulp of the inputs makes as well is no rounding program's fault, whatever its bound
    # is; but an attainable error above the budget is a sample across a branch, and excuses nothing.
    excused = (error <= known.attainable) & (known.attainable <= 2 * half * 2.0**allowed) & rounds
    mark(counted & bounded & ~inside & ~excused, Verdict.MISCOMPUTED)
    mark(counted & ~finite & ~beyond, Verdict.MISCOMPUTED)
    mark(np.isinf(got) & beyond & ~right_infinity, Verdict.MISCOMPUTED)
    mark(np.isnan(got), Verdict.MISCOMPUTED)
    if known.formula is None:
        # Whether it is the formula or its execution cannot be told: what is right is right, the rest is open;
        # but what is not finite is nobody's derivative where the truth is.
        told = (code == CODES.index(Verdict.CONVENTION)) | (~finite & ~beyond & np.isfinite(mid))
        code = np.where(told, code, CODES.index(Verdict.UNDECIDED))
    mark(~_formula(known, True), Verdict.WRONG)

    with np.errstate(all="ignore"):
        size = np.where(code == code.min(), _rank_in(lost, error / np.maximum(half, 5e-324)), -1.0)
    at, *rest = _largest(size, 1 if CODES[int(code.min())] in RIGHT else MOST_ELEMENTS)
    lost = np.where(known.zero & finite, 0.0, lost)
    ulp = kind.ulp(mid)
    more = tuple(
        Element(
            e, float(got[e]), truth.shown(e, 20), _in_ulps(float(error[e]), float(ulp[e])), float(lost[e])
        )
        for e in rest
    )
    return replace(_described(number, known, code, at, got, error, lost, legal), more=more)


def _largest(size: NDArray[np.float64], count: int) -> list[tuple[int, ...]]:
    """The places of the largest numbers, those below 0 left out; the first of equal ones first."""
    flat = size.ravel()
    order = np.argsort(-flat, kind="stable")[:count] if count > 1 else [np.argmax(flat)]
    found = [k for k in order if flat[k] >= 0] or [0]
    return [tuple(int(i) for i in np.unravel_index(int(k), size.shape)) for k in found]


def _rank_in(lost: NDArray[np.float64], ulps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The worst first: by bits lost, then by the error in ulps; NaN before all."""
    ulps = np.where(np.isnan(ulps), np.inf, ulps)
    return np.asarray(lost + 1 - 1 / (1 + ulps))


def _formula(known: Evidence, default: bool) -> NDArray[np.bool_]:
    return np.full(known.truth.shape, default) if known.formula is None else known.formula


def _in_bound(balls: Array | None, got: Array) -> tuple[NDArray[np.bool_], ...]:
    """Which numbers lie in B, where B is bounded, and where its program rounds at all."""
    if balls is None:
        return np.ones(got.shape, bool), np.zeros(got.shape, bool), np.ones(got.shape, bool)
    pairs = list(zip(balls.ravel().tolist(), got.ravel().tolist(), strict=True))
    inside = np.array([not math.isnan(v) and v in b for b, v in pairs], bool).reshape(got.shape)
    bounded = np.array([b.is_finite() for b, _ in pairs], bool).reshape(got.shape)
    rounds = np.array([not b.is_exact() for b, _ in pairs], bool).reshape(got.shape)
    return inside, bounded, rounds


def _described(
    number: int,
    known: Evidence,
    code: Array,
    at: tuple[int, ...],
    got: Array,
    error: Array,
    lost: Array,
    legal: Array,
) -> Judgement:
    truth, kind = known.truth, format_of(known.dtype)
    mid = truth.mid
    ulp = float(kind.ulp(mid[at]))
    verdict = CODES[int(code[at])]
    with np.errstate(all="ignore"):
        off_kink = np.where(legal, 0.0, error)
        relative = np.where(off_kink == 0, 0.0, off_kink / np.abs(mid))
        size = np.where(legal | ~np.isfinite(mid), 0.0, np.abs(mid))
        largest = max(float(np.max(size)), kind.normal)
        scaled = float(np.max(off_kink)) / largest
    return Judgement(
        verdict,
        number,
        at,
        f"{known.name}[{', '.join(map(str, at))}]" if at else known.name,
        float(got[at]),
        float(mid[at]),
        truth.shown(at, 20),
        bits_lost=float(lost[at]),
        error_ulp=_in_ulps(float(error[at]), ulp),
        attainable_ulp=_in_ulps(float(known.attainable[at]), ulp),
        bound_ulp=math.nan if legal[at] else _in_ulps(reach(known.bound, at, truth), ulp),
        max_abs_error=float(np.max(off_kink)),
        max_rel_error=float(np.max(relative)),
        scaled_error=scaled,
        at_kink=int(np.sum(legal)),
        diagnosis=_convention(known, got, legal) if verdict is Verdict.CONVENTION else "",
    )


def _in_ulps(error: float, ulp: float) -> float:
    """A ratio that may be beyond float64, where the ulp is that of 0."""
    with np.errstate(over="ignore"):
        return float(np.float64(error) / np.float64(ulp))


def reach(balls: Array | None, at: tuple[int, ...], truth: Enclosure) -> float:
    """How far from the truth the bound reaches; not a number where there is none."""
    if balls is None:
        return math.nan
    if not balls[at].is_finite():
        return math.inf
    return float(abs(balls[at] - truth.balls[at].mid()).upper())


def _convention(known: Evidence, got: Array, legal: Array) -> str:
    """Which of the legal values was chosen."""
    at = tuple(int(i) for i in np.argwhere(legal)[0])
    ball: Any = known.truth.balls[at]
    low, high = float(ball.lower()), float(ball.upper())
    near, far = sorted((low, high), key=abs)
    where = f"{known.name}[{', '.join(map(str, at))}]" if at else known.name
    count = int(np.sum(legal))
    more = f", and {count - 1} more elements at kinks" if count > 1 else ""
    if abs(near) < 2**-24 * abs(far):  # Arb's radii have 30 bits
        share = float(got[at]) / far if far else 0.0
        taken = f"takes {share:.3g} of the slope ({float(got[at]):.6g}; legal is 0 to {far:.6g})"
    else:
        taken = f"takes {float(got[at]):.6g} where {low:.6g} to {high:.6g} is legal"
    return f"at a kink, {where} {taken}{more}"


def meets(one: Array, other: Array) -> NDArray[np.bool_]:
    """Where two arrays of balls overlap."""
    pairs = zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
    found = [_overlap(a, b) for a, b in pairs]
    return np.array(found, bool).reshape(one.shape)


def _overlap(a: arb, b: arb) -> bool:
    return bool(a.overlaps(b))
