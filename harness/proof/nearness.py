"""How near two enclosures are, element by element."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import arb
from numpy.typing import NDArray

from harness.proof.evidence import Mask, meeting
from harness.subject.derivative import Array
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.program.formats import format_of

NEAR = 2.0**-6  # how far numbers that stand for others may move a result, relative to it
FAINT = 2.0**-12  # beside the largest element: what numbers that change no bit may explain
TINY = 2.0**-32  # likewise
RESOLVED = 2.0**-60  # likewise: so narrow that a move by an ulp is seen


def resolving(dtype: str) -> str:
    """The dtype, or float32 where it is coarser: what a formula is told by."""
    return max(dtype, "float32", key=lambda name: format_of(name).digits)


def known_to_meet(one: Enclosure, other: Enclosure) -> Mask:
    """Where two overlap that say something: what is not finite meets everything."""
    return np.isfinite(one.radius) & np.isfinite(other.radius) & meeting(one, other)


def are_narrow_enough(e: Enclosure) -> bool:
    """Whether an enclosure is narrow enough that a move by an ulp is seen."""
    return bool((e.radius <= RESOLVED * np.max(np.abs(e.mid), initial=0.0)).all())


def meet_nearby(e: Enclosure, s: Enclosure, t: Enclosure) -> Mask:
    """Where two meet, at what is still the truth or nearly."""
    return np.asarray(known_to_meet(e, s) & within(e, t, NEAR) & within(s, t, NEAR))


def are_narrow(e: Enclosure, s: Enclosure, t: Enclosure) -> Mask:
    """Where both are, with literals as balls; of a large phase or of many steps they meet anything."""
    largest = np.max(np.abs(t.mid), initial=0.0)
    return np.asarray(e.radius + s.radius <= (TINY * largest if largest else np.inf))


def are_near(found: Enclosure, true: Enclosure, agree: Mask) -> bool:
    """Whether they differ by little beside the largest element, if any of these is not 0."""
    apart = np.where(agree, 0.0, np.abs(found.mid - true.mid))
    return not np.any(apart > FAINT * (np.max(np.abs(true.mid), initial=0.0) or np.inf))


def is_hull(true: Enclosure) -> Mask:
    """Where the truth is a hull of several slopes, and not 0 to within what is tiny beside the others."""
    return np.asarray(true.wide & ~(true.radius <= TINY * np.max(np.abs(true.mid), initial=0.0)))


def nearest(found: Enclosure, true: Enclosure) -> NDArray[np.float64]:
    """The true value; where it is a hull, the one of its values that is nearest to what was found."""
    reach = np.where(true.wide, true.radius, 0.0)
    return np.clip(found.mid, true.mid - reach, true.mid + reach)


def within(balls: Enclosure, true: Enclosure, room: float, terms: NDArray[np.float64] | float = 0.0) -> Mask:
    """Where a ball is within so much of the truth, relative to it, or to the terms that it is the sum of."""
    if room == np.inf:
        return np.ones(true.shape, bool)
    size, width, terms = np.abs(true.mid), true.radius, np.broadcast_to(terms, true.shape)
    with np.errstate(all="ignore"):
        beyond = certainly_beyond(balls, true, room * np.maximum(size + width, terms))
        reach = np.abs(balls.mid - true.mid) + balls.radius + width + 2.0**-50 * (size + np.abs(balls.mid))
        found = np.asarray(reach <= room * np.maximum(size - width, terms) * (1 - 2.0**-50))
    for at in map(tuple, np.argwhere(~(beyond | found))):
        one, other = balls.ball(at), true.ball(at)
        gap = abs(one - other).upper()
        found[at] = bool(gap <= room * abs(other)) or bool(gap <= room * terms[at])
    return found


def certainly_beyond(one: Enclosure, other: Enclosure, room: NDArray[np.float64]) -> Mask:
    """Where two are certainly further apart than that, by doubles."""
    m, n = one.mid, other.mid
    slack = 2.0**-50 * (np.abs(m) + np.abs(n) + room)
    with np.errstate(all="ignore"):
        gap = np.abs((m - n) + (one.rest - other.rest))
        return np.asarray(gap > room + (one.radius + other.radius) * (1 + 2.0**-50) + slack)


def apart(one: arb, other: arb) -> arb:
    """How far two balls are apart at the least."""
    return abs(one - other).lower() if one.is_finite() and other.is_finite() else arb("inf")


def is_same_infinity(one: arb, other: arb) -> bool:
    """Whether both are certainly beyond float64, with the same sign."""
    largest = float(np.finfo(np.float64).max)
    return bool((one > largest and other > largest) or (one < -largest and other < -largest))


def each(measure: Callable[[arb], arb], balls: Array | arb) -> NDArray[np.float64]:
    """A measure of every ball, as float64."""
    array = np.asarray(balls, object)  # arithmetic on an array of no axes gives its element
    return np.array([float(measure(b)) for b in array.ravel().tolist()]).reshape(array.shape)
