"""Proven enclosures: evaluation at growing precision, until every radius is small enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.enclose.enclosed_by_core import NEAR_ZERO, ZEROS, Mask, enclosed_by_core
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Poles, Work, evaluate
from oracles.exact.enclose.identities import vanishing
from oracles.exact.enclose.kinks import limits_along_rays, resolve, slopes_around
from oracles.exact.enclose.limits import GUARD_BITS, Limits
from oracles.exact.program.balls import KINKS, LOST, ZERO, all_finite, precision
from oracles.exact.program.errors import Exhausted, Pole, Turned, Undecided, Unseen
from oracles.exact.program.program import Array, Program

SETTLED = 2.0**-100  # of the largest element: a ball around 0 that is smaller is one
NO_NUMBER = "a pole, a division by zero, or a NaN that the code has"


def refine(
    program: Program,
    inputs: Sequence[Array],
    bits: int,
    limits: Limits,
    active: Sequence[int] = (),
    isolated: bool = False,
    forward: bool = False,
    quickly: bool = False,
    beside: int = 0,
) -> list[Enclosure]:
    """The outputs enclosed so that each radius is small: relative to the element, or to the largest one.

    Starts at `bits` and doubles. At a kink the balls do not shrink: they are the hulls of the legal values,
    and the enclosure says so; with `active`, the inputs that are differentiated, the elements that only look
    as if they had a kink are told apart (see `kinks`). `Limits` say when balls
    around 0 are accepted. Where the point is `isolated`, its slopes are those around it; likewise where a
    tangent (`forward` mode) goes along 0 into an infinite slope, as that of x^2 into sqrt's: hypot at 0.
    Where a cotangent of 0 meets an infinite slope, it is what those around agree on.
    `quickly`, the fast core's hundred bits are enough where they prove what is needed of each element.
    So many of the last outputs stand only `beside`: they are given where they come out small with the others,
    at no kink, and left out where they do not.

    Raises:
        Undecided: The limit was reached; names the element, the radius and the reason.
    """
    work, now, before, whole = Work(limits.seconds), bits, None, program
    first = bits
    after = 0  # the bits to go on with where a leap to those that tell a zero was in vain
    zeros: list[Mask] | None = None
    if beside:
        program = whole.giving(slice(len(whole.outputs) - beside))
    if quickly and not isolated:
        quick = enclosed_by_core(whole, inputs, bits, limits, work, active, beside)
        if quick is None and len(program.equations) < len(whole.equations):
            quick = enclosed_by_core(program, inputs, bits, limits, work, active)
        if isinstance(quick, int):
            if quick <= limits.bits and work.affords(program, quick):
                now = first = quick
        elif quick is not None and quick is not ZEROS:
            return quick
        if quick is ZEROS and not forward and (leap := _leap(program, bits, limits, work)):
            now, after = leap, 2 * bits
    while True:
        poles = None if _finite(before) else Poles(limits.bits)
        others: list[Array] = []
        exhausted = False
        try:
            with KINKS.collected() as kinks, LOST.collected() as lost:
                found = evaluate(whole, inputs, now, work, poles, not active)
            count = len(program.outputs)
            zeros = zeros or _by_identity(program, inputs, found[:count], work)
            for result, zero in zip(found, zeros or (), strict=False):
                result[zero] = ZERO
            results: list[Array] | None = found[:count]
            if not (kinks or lost or _too_wide(found[count:], bits, limits.zero_bits)):
                others = found[count:]
            problem = _too_wide(results, bits, limits.zero_bits)
            if kinks and active and problem:  # otherwise the one-sided slopes are one, to all these digits
                results = resolve(program, inputs, active, results or (), bits, work)
                problem = _too_wide(results, bits, limits.zero_bits)
            elif active and now == first and (isolated or (forward and lost) or not _finite(results)):
                with KINKS.collected() as jumps:
                    around = limits_along_rays(program, inputs, active, results or (), bits, work)
                    if forward and not around and results is not None:
                        with suppress(Undecided):
                            around = slopes_around(program, inputs, active, results, bits, work)
                if around:
                    return [
                        Enclosure(r, now, (*kinks, *jumps), apart=_apart(r, here) if isolated else None)
                        for r, here in zip(around, results or (), strict=True)
                    ]
            if kinks and active and not problem:
                kinks.clear()  # every element has one slope
        except Turned as turned:  # more bits change nothing
            edge = f"; the point is on a kink, a tie or the edge of a branch: {kinks[0]}" if kinks else ""
            raise Turned(f"{turned}{edge}") from None
        except Unseen:  # nor do they here
            raise
        except Undecided as undecided:
            if after:
                now, after = after, 0
                continue
            if beside and not isinstance(undecided, Exhausted):
                whole, beside = program, 0  # it may be they that are not decided
                continue
            results, problem, exhausted = None, str(undecided), isinstance(undecided, Exhausted)
        if after and (problem or not _may_be_zeros(results)):
            now, after = after, 0
            continue
        if results is not None and (not problem or (kinks and before and _settled(before, results))):
            if active and lost and not forward:
                with KINKS.collected() as jumps:
                    around = slopes_around(program, inputs, active, results, bits, work)
                return [Enclosure(r, now, (*kinks, *jumps)) for r in around]
            return [Enclosure(r, now, tuple(kinks)) for r in (*results, *others)]
        if kinks:
            problem += f"; the point is on a kink, a tie or the edge of a branch: {kinks[0]}"
        if poles and poles.are_all and not _finite(results):
            raise Pole(f"{problem} (at {now} bits; more would not help)")
        if exhausted or 2 * now > limits.bits or not work.affords(program, 2 * now):
            reached = "max_bits" if 2 * now > limits.bits and not exhausted else "seconds"
            advice = f"; raise {reached}=" if reached in limits.raised_by else ""
            raise Undecided(f"{problem} (at {now} bits{advice})")
        leaps = not after and not kinks and now == first and _may_be_zeros(results)
        before, now = results, 2 * now
        if leaps and (leap := _leap(program, bits, limits, work)):
            now, after = leap, now


def _by_identity(
    program: Program, inputs: Sequence[Array], results: Sequence[Array], work: Work
) -> list[Mask] | None:
    """Which balls close around 0 are 0 by an identity, which no bits show; None where there are none."""

    def near(ball: arb) -> bool:
        return bool(ball.is_finite() and ball.contains(0) and not ball.is_zero() and ball.rad() < NEAR_ZERO)

    masks = [np.array([near(b) for b in r.ravel().tolist()], bool).reshape(r.shape) for r in results]
    if not any(mask.any() for mask in masks) or not work.pays(program.cost):
        return None
    return vanishing(program, inputs, masks, here=True)


def _apart(around: Array, here: Array) -> NDArray[np.bool_] | None:
    """Where slopes around are others than here."""
    pairs = zip(around.ravel().tolist(), here.ravel().tolist(), strict=True)
    found = np.array([not a.overlaps(b) for a, b in pairs], bool).reshape(around.shape)
    return found if found.any() else None


def _leap(program: Program, bits: int, limits: Limits, work: Work) -> int:
    """The bits that tell a zero, if they are affordable, and twice these beside them; else 0."""
    enough = bits
    while enough <= limits.zero_bits:
        enough *= 2
    return enough if enough <= limits.bits and work.affords(program, 2 * bits + enough) else 0


def _may_be_zeros(results: Sequence[Array] | None) -> bool:
    """Whether some output may be 0 everywhere, as the gradient of the sum of what batch norm gives."""
    return any(all(b.is_finite() and b.contains(0) for b in r.ravel().tolist()) for r in results or ())


def _finite(results: Sequence[Array] | None) -> bool:
    return all(map(all_finite, results or ()))


def _too_wide(results: Sequence[Array] | None, bits: int, zero_bits: int) -> str:
    """What is still too wide, "" if nothing is."""
    known = (map(arb.rel_accuracy_bits, r.ravel().tolist()) for r in results or ())
    if all(min(each, default=bits) >= bits // 2 for each in known):
        return ""  # the ordinary end: every element has half of its bits proven
    with precision(64):
        relative, small = arb(2) ** -(bits // 2), arb(2) ** -(bits - GUARD_BITS)
        for number, result in enumerate(results or ()):
            sizes = [float(b.abs_lower()) for b in result.ravel() if b.is_finite()]
            largest = max(filter(math.isfinite, sizes), default=0.0)  # beside e^1e9 anything would be small
            allowed = small * largest if largest > 0 else arb(2) ** -zero_bits
            for where, ball in np.ndenumerate(result):
                if not ball.is_finite():
                    what = NO_NUMBER if ball.is_nan() else "unbounded"
                    return f"output {number}, element {where}: not finite ({ball}): {what}"
                if not (ball.rad() <= allowed or ball.rad() <= relative * ball.abs_lower()):
                    return f"output {number}, element {where}: radius {ball.rad()} around {ball.mid().str(6)}"
    return ""


def _settled(before: Sequence[Array], after: Sequence[Array]) -> bool:
    """Whether more precision changed no radius that is still wide: what remains is the kink itself."""
    pairs = [(a, b) for x, y in zip(before, after, strict=True) for a, b in zip(x.flat, y.flat, strict=True)]
    if not all(b.is_finite() for _, b in pairs):
        return False
    tiny = SETTLED * max(filter(math.isfinite, (float(b.abs_upper()) for _, b in pairs)), default=0.0)
    return all(b.rad() * 4 > a.rad() or b.rel_accuracy_bits() > 32 or b.rad() <= tiny for a, b in pairs)
