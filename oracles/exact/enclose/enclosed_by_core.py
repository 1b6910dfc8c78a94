"""What the fast core proves, accepted as it would be of Arb: each element by its own digits."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.core.blocks import flat
from oracles.exact.core.elements import narrowed
from oracles.exact.core.layout import How
from oracles.exact.core.pairs import Pairs, of_balls
from oracles.exact.core.plan import Plan
from oracles.exact.core.plans import planned
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import QUICK, Work
from oracles.exact.enclose.identities import vanishing
from oracles.exact.enclose.legal import MORE, are_legal
from oracles.exact.enclose.limits import FEW, GUARD_BITS, PART, Limits
from oracles.exact.enclose.rays import PAIRS
from oracles.exact.program.balls import KINKS
from oracles.exact.program.errors import Turned, Undecided
from oracles.exact.program.formats import FORMATS
from oracles.exact.program.program import Array, Program

Mask = NDArray[np.bool_]
NEAR_ZERO = 2.0**-32  # the radius of a ball around 0 that may be 0 itself
NOTHING = 2.0**-1040  # less than half of any number of a dtype, but float64's last ones
CHEAP = 2**14  # operations of single elements: about 10 ms
ZEROS: list[Enclosure] = []  # nothing is accepted: an output may be 0 everywhere
PAIR_BITS = 106  # of the fast core
ALIKE = 2.0**-10  # what 53 bits and 106 tell alike is no zero


def enclosed_by_core(
    program: Program,
    inputs: Sequence[Array],
    bits: int,
    limits: Limits,
    work: Work,
    active: Sequence[int],
    beside: int = 0,
) -> list[Enclosure] | int | None:
    """What the fast core gives, if every element is accepted as it would be of Arb.

    Else None, or ZEROS, or with how many bits Arb should begin.

    A ball around 0 is accepted only where it is 0 itself, or nothing beside any number of a dtype, as e^-1e9:
    whether another one is 0 is for more bits to say. A few elements get these from Arb, by themselves. Of a
    derivative an element that is narrow at a kink has one slope. What stands `beside` is left out where any
    of it is not accepted.
    """
    plan = planned(program) if work.pays_plan(program) else None
    with KINKS.collected() as kinks:
        results = plan.run(inputs) if plan and work.pays(plan.by_arb) else None
    if plan is None or results is None or (kinks and not active):
        return None
    sizes = [np.where(np.isfinite(found.r), np.abs(found.h), 0.0) for found in results]
    largest = [float(np.max(size, initial=0.0)) for size in sizes]
    needed = [_needed(v.dtype, bits, limits) for v in program.outputs]
    open_ = [~_accepted(*each, bits) for each in zip(results, sizes, largest, needed, strict=True)]
    if beside:
        if kinks or any(mask.any() for mask in open_[-beside:]):
            results = results[:-beside]
        del open_[-beside:]
    _without_zeros(program, inputs, results, open_, work)
    if not any(mask.any() for mask in open_):
        if not kinks:
            _closer(plan, inputs, results, needed, bits, work)
        return [Enclosure(found, bits) for found in results]
    if kinks and work.pays((2 * PAIRS + MORE) * (program.cost / QUICK + plan.by_arb)):

        def around(moved: Sequence[Any]) -> list[Pairs] | None:
            try:
                found = plan.run(moved)
            except Turned:
                return None
            return found and found[: len(results)]

        if are_legal(around, inputs, active, results, open_):
            return [Enclosure(found, bits, tuple(kinks)) for found in results]
    if any(mask.any() and not (x.r < n).any() for x, n, mask in zip(results, sizes, open_, strict=False)):
        # That takes more bits than single elements get; at a kink or a pole Arb begins with fewer.
        if kinks:
            return None
        begin = _to_begin_with(plan, inputs, results, open_, bits)
        return begin or (ZEROS if all(x.known for x in results) else None)
    masks = [mask.ravel() for mask in open_]
    elements = plan.elements(masks, min(program.cost / PART, work.left / FEW))
    if elements is None:
        return None if kinks else _to_begin_with(plan, inputs, results, open_, bits)
    small = [2.0 ** -(bits - GUARD_BITS) * most or 2.0**-limits.zero_bits for most in largest]

    def enough(k: int, ball: arb) -> bool:
        return bool(ball.is_finite() and (ball.rel_accuracy_bits() >= needed[k] or ball.rad() <= small[k]))

    balls = narrowed(elements, [flat(x) for x in inputs], bits, FEW * bits, enough)
    if balls is None:
        return None
    work.left -= FEW * elements.cost
    for found, mask, own in zip(results, open_, balls, strict=False):
        there = of_balls(own)
        if not there.known:  # beyond float64, as e^800: no pair holds it, and a ball of Arb's does
            return None
        found.h[mask], found.l[mask], found.r[mask] = there.h, there.l, there.r
    return [Enclosure(found, bits) for found in results]


def _to_begin_with(
    plan: Plan, inputs: Sequence[Array], results: Sequence[Pairs], open_: Sequence[Mask], bits: int
) -> int | None:
    """With how many bits Arb should begin; None where nothing tells.

    Balls grow along a recurrence, by far more than what they hold is off. Two runs of midpoints alone show
    what they hold, if doubles and pairs give the same: these are no zeros, and a ball that is too wide needs
    as many bits more.
    """
    pairs, doubles = (plan.run(inputs, how) for how in (How.POINTS, How.DOUBLES))
    if pairs is None or doubles is None:
        return None
    lacking = 0.0
    for x, mask, near, rough in zip(results, open_, pairs, doubles, strict=False):
        told = mask & (np.abs(near.h - rough.h) < ALIKE * np.abs(near.h))
        if (mask & ~told).any():
            return None
        lacking = max(lacking, float(np.max(np.log2(x.r[told] / np.abs(near.h[told])), initial=0.0)))
    if np.isnan(lacking):
        return 2 * bits
    wanted, now = PAIR_BITS + lacking + bits // 2, bits
    while now < min(wanted, PAIR_BITS * bits):
        now *= 2
    return now


def _without_zeros(
    program: Program, inputs: Sequence[Array], results: Sequence[Pairs], open_: Sequence[Mask], work: Work
) -> None:
    """Elements that are near 0 and 0 by an identity are 0, and no longer open."""
    near = [(x.r < NEAR_ZERO) & (np.abs(x.h) <= x.r) & mask for x, mask in zip(results, open_, strict=False)]
    if not any(mask.any() for mask in near) or not work.pays(program.cost):
        return
    for x, mask, zero in zip(results, open_, vanishing(program, inputs, near, here=True), strict=False):
        x.h[zero] = x.l[zero] = x.r[zero] = 0.0
        mask &= ~zero


def _closer(
    plan: Plan,
    inputs: Sequence[Array],
    results: Sequence[Pairs],
    needed: Sequence[int],
    bits: int,
    work: Work,
) -> None:
    """Elements that are accepted only beside the largest one get what Arb knows of them, where that is cheap.

    What is lost of these is counted in their own digits, and which core is there must not say how many.
    """
    sizes = [np.abs(found.h) for found in results]
    triples = zip(results, sizes, needed, strict=False)
    weak = [np.asarray(~(x.r <= 2.0**-own * n) & (n > 0)) for x, n, own in triples]
    if not any(mask.any() for mask in weak):
        return
    elements = plan.elements([mask.ravel() for mask in weak], min(CHEAP, work.left / FEW))
    if elements is None:
        return
    work.left -= elements.cost
    with suppress(Undecided):
        known = elements.at([flat(x) for x in inputs], bits)
        for found, mask, own in zip(results, weak, known, strict=True):
            there = of_balls(own)
            is_closer = there.r < found.r[mask]
            mask[mask] = is_closer
            found.h[mask], found.l[mask], found.r[mask] = (
                plane[is_closer] for plane in (there.h, there.l, there.r)
            )


def _needed(dtype: str, bits: int, limits: Limits) -> int:
    """How many bits of each element are enough: half of `bits`, or as many as any verdict in its dtype needs.

    Whether formulas differ is told to half an ulp, of float32 where the dtype is coarser (the law of
    resolution), and how many bits are lost to an ulp or so. Of either, what twice as many bits as the dtype
    has leave open is less than a millionth.
    """
    if limits.promised or dtype not in FORMATS:
        return bits // 2
    return min(bits // 2, 2 * max(FORMATS[dtype].digits, FORMATS["float32"].digits))


def _accepted(
    found: Pairs, size: NDArray[np.float64], largest: float, needed: int, bits: int
) -> NDArray[np.bool_]:
    narrow = found.r <= np.maximum(2.0**-needed * size, 2.0 ** -(bits - GUARD_BITS) * largest)
    apart = (found.r < size) | found.is_zero() | (found.r < NOTHING)
    return np.asarray(narrow & apart & np.isfinite(found.h))
