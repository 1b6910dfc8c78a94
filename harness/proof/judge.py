"""The verdict on one gradient: truth, attainable error, program and bound against what was computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.proof.evidence import TABLE, Allowed, Evidence, Facts, Mask, Numbers, Rule, decide, facts, reach
from harness.subject.derivative import Array
from harness.subject.names import place_of
from harness.verdicts import SEVERITY, Verdict, badness_key
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.program.formats import format_of
from oracles.exact.program.indices import first_true, unraveled
from oracles.exact.program.program import Origin

MOST_ELEMENTS = 10  # that are named; a message shows fewer
DIGITS = 20  # of a true value
MANY = 2**18  # elements that are judged at once
# Per row of the table, how bad its verdict is.
SEVERITIES = np.array([row.verdict.severity for row in TABLE])


class Element(NamedTuple):
    """One element: its index, what was computed, twenty digits of what is true, and how far off it is."""

    at: tuple[int, ...]
    computed: float
    true_digits: str
    error_ulp: float
    bits_lost: float


class AsWritten:
    """Equal where it is written alike, so that NaN is NaN: a copy from another process is the same."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


@dataclass(frozen=True, slots=True, eq=False)
class Judgement(AsWritten):
    """The worst element of a gradient, and its verdict.

    Attributes:
        verdict: The worst over all elements.
        argument, element: Where: the number of the differentiated argument, and the index in it.
        where: The same in words, "x[2, 3]".
        computed: What the subject returned there.
        true: The true value there, as the nearest float64.
        truth: The same, enclosed; `true_digits` has twenty of its digits.
        bits_lost: log2(error / attainable), between 0 and the significand.
        error_ulp, attainable_ulp, bound_ulp: In ulps of the true value there; at a kink, which has no one
            true value, there is no bound from it.
        max_abs_error, max_rel_error: Over all elements.
        scaled_error: The largest error relative to the largest true element.
        at_kink: How many elements hold a legal choice at a kink.
        diagnosis: Why, in words.
        reason: Why, as the row of the table says it that decides at the worst element.
        narrowest: The narrowest format on the way of the derivative; "" where that is the gradient's.
        more: Where the verdict is not a right one, the next worst elements with the same one.
        guilty: The operation that the diagnosis names, or that writes a gradient whose formula is wrong; None
            where there is none, or nobody knows its line.
    """

    verdict: Verdict
    argument: int = 0
    element: tuple[int, ...] = ()
    where: str = ""
    computed: float = math.nan
    true: float = math.nan
    truth: Enclosure | None = field(default=None, compare=False, repr=False)
    bits_lost: float = math.nan
    error_ulp: float = math.nan
    attainable_ulp: float = math.nan
    bound_ulp: float = math.nan
    max_abs_error: float = math.nan
    max_rel_error: float = math.nan
    scaled_error: float = math.nan
    at_kink: int = 0
    diagnosis: str = ""
    reason: str = ""
    narrowest: str = ""
    more: tuple[Element, ...] = ()
    guilty: Origin | None = None

    @property
    def true_digits(self) -> str:
        """The true value at the worst element, to twenty digits; "" where nothing was compared."""
        return self.truth.shown((), DIGITS) if self.truth else ""


def judge(evidence: Sequence[Evidence], computed: Sequence[Array], allowed: Allowed) -> Judgement:
    """The verdict on a gradient: of its worst element. Written so that NaN is never right."""
    return worst_argument(judge_each(evidence, computed, allowed))


def judge_each(
    evidence: Sequence[Evidence], computed: Sequence[Array], allowed: Allowed, briefly: bool = False
) -> list[Judgement]:
    """The verdict on each differentiated argument; `briefly`, of a right one no more than that it is."""
    return [
        _judged(k, one, np.asarray(c), allowed(one.narrowest or one.dtype), briefly)
        for k, (one, c) in enumerate(zip(evidence, computed, strict=True))
    ]


def worst_argument(found: Sequence[Judgement]) -> Judgement:
    """The worst of the arguments' verdicts, with the largest errors of all of them."""
    worst = min(found, key=lambda j: (*badness_key(j.verdict, j.bits_lost), -_most(j.error_ulp)))
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


def _judged(
    number: int, known: Evidence, computed: Array, allowed: float, briefly: bool = False
) -> Judgement:
    if not computed.size:
        return Judgement(
            Verdict.ACCURATE, number, where=known.name, bits_lost=0.0, error_ulp=0.0, max_abs_error=0.0,
            max_rel_error=0.0, scaled_error=0.0,
        )  # fmt: skip
    if computed.size > MANY and known.truth.pairs:
        return _judged_in_parts(number, known, computed, allowed)
    found = facts(known, computed, allowed)
    row = decide(found)
    severity = SEVERITIES[row]
    worst = SEVERITY[int(severity.min())]
    right = worst.right
    if right and briefly:
        return Judgement(worst, number)
    with np.errstate(all="ignore"):
        ulps = found.error / np.maximum(found.half, 5e-324)
    size = np.where(severity == worst.severity, _rank_in(found.lost, ulps), -1.0)
    at, *rest = _largest(size, 1 if right else MOST_ELEMENTS)
    lost = np.where(known.zero & found.finite, 0.0, found.lost)
    more = []
    for e in rest:
        off = _in_ulps(float(found.error[e]), float(format_of(known.dtype).ulp(known.truth.mid[e])))
        more.append(Element(e, float(found.got[e]), known.truth.shown(e, DIGITS), off, float(lost[e])))
    described = _described(number, known, TABLE[row[at]], at, found, lost)
    return replace(described, more=tuple(more)) if more else described


def _judged_in_parts(number: int, known: Evidence, computed: Array, allowed: float) -> Judgement:
    """The same part by part, so that what is asked of each element is never in memory for all of them."""
    flat, parts = computed.reshape(-1), []
    for first in range(0, flat.size, MANY):
        here = slice(first, first + MANY)
        part = _judged(number, known.part(here), flat[here], allowed)
        parts.append(_moved(part, known.name, first, computed.shape))
    worst = worst_argument(parts)
    others = [one for part in parts if part.verdict is worst.verdict for one in (_shown(part), *part.more)]
    others.sort(key=lambda one: (-_most(one.bits_lost), -_most(one.error_ulp)))
    own = [one for one in others if one.at != worst.element][: MOST_ELEMENTS - 1]
    largest = max(known.truth.largest, format_of(known.dtype).normal)
    with np.errstate(all="ignore"):
        scaled = float(np.float64(worst.max_abs_error) / largest)
    return replace(worst, more=() if worst.verdict.right else tuple(own), scaled_error=scaled)


def _moved(part: Judgement, name: str, first: int, shape: tuple[int, ...]) -> Judgement:
    """A judgement of flat elements from `first`, as one of the whole array."""

    def place(at: tuple[int, ...]) -> tuple[int, ...]:
        return unraveled(first + at[0], shape)

    at = place(part.element)
    more = tuple(one._replace(at=place(one.at)) for one in part.more)
    return replace(part, element=at, where=f"{name}[{', '.join(map(str, at))}]", more=more)


def _shown(part: Judgement) -> Element:
    """The worst element, as one among others."""
    return Element(part.element, part.computed, part.true_digits, part.error_ulp, part.bits_lost)


def _largest(size: NDArray[np.float64], count: int) -> list[tuple[int, ...]]:
    """The places of the largest numbers, those below 0 left out; the first of equal ones first."""
    flat = size.ravel()
    order = np.argsort(-flat, kind="stable")[:count] if count > 1 else [np.argmax(flat)]
    found = [k for k in order if flat[k] >= 0] or [0]
    return [unraveled(k, size.shape) for k in found]


def _rank_in(lost: NDArray[np.float64], ulps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The worst first: by bits lost, then by the error in ulps; NaN before all."""
    ulps = np.where(np.isnan(ulps), np.inf, ulps)
    return np.asarray(lost + 1 - 1 / (1 + ulps))


def _described(
    number: int, known: Evidence, row: Rule, at: tuple[int, ...], found: Facts, lost: Numbers
) -> Judgement:
    truth, kind = known.truth, format_of(known.dtype)
    mid, got, error, legal = truth.mid, found.got, found.error, found.legal
    ulp = float(kind.ulp(mid[at]))
    with np.errstate(all="ignore"):
        off_kink = np.where(legal, 0.0, error)
        relative = np.where(off_kink == 0, 0.0, off_kink / np.abs(mid))
        size = np.where(legal | ~np.isfinite(mid), 0.0, np.abs(mid))
        largest = max(float(np.max(size)), kind.normal)
        scaled = float(np.max(off_kink)) / largest
    return Judgement(
        row.verdict,
        number,
        at,
        place_of(known.name, at),
        float(got[at]),
        float(mid[at]),
        truth.at(at),
        bits_lost=float(lost[at]),
        error_ulp=_in_ulps(float(error[at]), ulp),
        attainable_ulp=_in_ulps(float(known.attainable[at]), ulp),
        bound_ulp=math.nan if legal[at] else _in_ulps(reach(known.bound, at, truth), ulp),
        max_abs_error=float(np.max(off_kink)),
        max_rel_error=float(np.max(relative)),
        scaled_error=scaled,
        at_kink=int(np.sum(legal)),
        diagnosis=_convention(known, found) if row.verdict is Verdict.CONVENTION else "",
        reason=row.reason,
        narrowest=known.narrowest,
    )


def _in_ulps(error: float, ulp: float) -> float:
    """A ratio; infinite beyond float64, where the ulp is that of 0."""
    return error / ulp


def _convention(known: Evidence, found: Facts) -> str:
    """Where it jumps, and which of the legal values was chosen at a kink."""
    said = [_jump(known, found.leaps), _kink(known, found.got, found.legal & ~found.leaps)]
    return "; ".join(filter(None, said))


def _jump(known: Evidence, leaps: Mask) -> str:
    if not leaps.any():
        return ""
    at, count = first_true(leaps), int(np.sum(leaps))
    more = f", and at {count - 1} more elements" if count > 1 else ""
    sides = known.truth.shown(at, 6)
    where = f"{place_of(known.name, at)}{more}"
    return f"what is differentiated jumps at {where}, so it has no slope there; its sides have {sides}"


def _kink(known: Evidence, got: Array, legal: Mask) -> str:
    if not legal.any():
        return ""
    at = first_true(legal)
    ball: Any = known.truth.ball(at)
    low, high = float(ball.lower()), float(ball.upper())
    near, far = sorted((low, high), key=abs)
    where = place_of(known.name, at)
    count = int(np.sum(legal))
    more = f", and {count - 1} more elements at kinks" if count > 1 else ""
    if abs(near) < 2**-24 * abs(far):  # Arb's radii have 30 bits
        share = float(got[at]) / far if far else 0.0
        taken = f"takes {share:.3g} of the slope ({float(got[at]):.6g}; legal is 0 to {far:.6g})"
    else:
        taken = f"takes {float(got[at]):.6g} where {low:.6g} to {high:.6g} is legal"
    return f"at a kink, {where} {taken}{more}"


NO_DIGIT = "the truth is 0: no digit is right"
ZEROS = {"0", "-0 to 0"}


def worst_element(
    at: str,
    computed: float,
    true: str,
    dtype: str,
    error_ulp: float | None,
    limits: dict[str, float | None],
    bits_lost: float | None,
    budget: float,
    narrowest: str = "",
) -> str:
    """The worst element: got and true; below that, the error beside what is allowed. None is "not known"."""
    error = "" if error_ulp is None else f"{error_ulp:.3g} ulp off"
    allowed = ", ".join(f"{name} {size:.3g}" for name, size in limits.items() if size is not None)
    lost = ""
    if bits_lost is not None:
        by = f": it casts to {narrowest}" if narrowest else ""
        digits = format_of(narrowest or dtype).digits
        lost = f"{bits_lost:.1f} of {digits} bits lost (budget {budget:g}{by})"
    found = f"computed {format_of(dtype).shortest(computed)}, true {true}"
    told = NO_DIGIT if is_no_digit(computed, true) else "; ".join(filter(None, (error, allowed, lost)))
    return "\n    ".join(filter(None, (f"worst element{' ' + at if at else ''}: {found}", told)))


def is_no_digit(computed: float, true: str) -> bool:
    """Whether the truth is 0 and this is not: ulps of 0, and digits of it, say nothing."""
    return true in ZEROS and computed != 0
