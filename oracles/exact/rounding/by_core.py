"""How far a truth moves, by the fast core; a few elements by balls of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

import numpy as np

from oracles.exact.core.blocks import Block, every, flat
from oracles.exact.core.elements import Elements
from oracles.exact.core.layout import How
from oracles.exact.core.pairs import Pairs, of_balls
from oracles.exact.core.plans import planned
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work
from oracles.exact.enclose.identities import vanishing
from oracles.exact.enclose.limits import FEW, PART
from oracles.exact.program.balls import KINKS, precision
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import Format, format_of
from oracles.exact.program.program import Array, Program
from oracles.exact.rounding.changes import Changes, Mask
from oracles.exact.rounding.nearby import Ladder, Nearby, are_blurred, distance
from oracles.exact.rounding.perturbed import Numbers, both_ways, shifted
from oracles.exact.rounding.ways import Ways

# Where a result has at most so many bits, 53 bits tell the changes first: to such a share of a that more bits
# would change its logarithm by less than 0.01.
ROUGH_DIGITS, ROUGH_SHARE, SHARE = 24, 2.0**-8, 2.0**-4
POINTS = (How.DOUBLES, How.POINTS)
MUCH = 30  # bits by which something is far below the last digit of a dtype
AT_ONCE = 2**16  # elements of all perturbations that are looked at together


def by_core(
    program: Program,
    inputs: Sequence[Array],
    steps: Mapping[int, Numbers],
    truth: Sequence[Enclosure],
    ways: Ways,
    work: Work | None,
) -> tuple[list[Numbers], list[Mask]] | None:
    """By the fast core; where that does not tell a to a sixteenth, by Arb: if for few elements, else None."""
    plan = planned(program) if work is None or work.pays_plan(program, len(ways.seeds)) else None
    if plan is None or not (work is None or work.pays(len(ways.seeds) * plan.by_arb)):
        return None
    wide = [i for i in steps if program.inputs[i].dtype == "float64"]
    if any(_overflows(inputs[i], steps[i]) for i in wide):
        return None
    here = [(t.pairs or of_balls(t.balls)).flat for t in truth]
    hulls = [np.ravel(t.wide & bool(t.kinks)) for t in truth]
    count = len(truth)
    formats = [format_of(v.dtype) for v in program.outputs[:count]]
    numbers, halves = plan.flat(inputs), {i: flat(half) for i, half in steps.items()}

    nothing = [_nothing(t, kind) for t, kind in zip(here, formats, strict=True)]
    whole = Changes.none(here, hulls, nothing)
    few_bits = all(f.digits <= ROUGH_DIGITS for f in formats)
    hows = [How.ROUGH, How.PAIRS] if few_bits else [How.PAIRS]
    if ways.seeds and any(t.pairs is None for t in truth):  # pairs did not tell the truth here, so nor nearby
        hows = [How.DOUBLES, How.POINTS, How.PAIRS] if few_bits else [How.POINTS, How.PAIRS]
    if any(t.kinks for t in truth):
        hows = [How.PAIRS]

    @cache
    def near() -> list[Pairs] | None:
        """The truth at the first of the points, by Arb; None where it does not tell."""
        bits = max(t.bits for t in truth)
        if not (work is None or work.affords(program, bits)):
            return None
        with suppress(Undecided):
            found, kinks = Nearby(program, inputs, steps, ways, work).at(ways.seeds[0], bits)
            if not (kinks or are_blurred(found[:count], [t.balls for t in truth])):
                return [of_balls(balls).flat for balls in found[:count]]
        return None

    def zeros(block: Block, some: Sequence[Mask]) -> Sequence[Mask]:
        """Which of these are 0 whatever the inputs are."""
        if not any(mask.any() for mask in some) or not (work is None or work.pays(program.cost)):
            return [np.zeros_like(mask) for mask in some]
        masks = [np.zeros(t.size, bool) for t in here]
        for place, own in zip(block.made(masks), some, strict=True):
            place[...] = own
        shaped = [mask.reshape(t.shape) for mask, t in zip(masks, truth, strict=True)]
        return block.made([mask.ravel() for mask in vanishing(program, inputs, shaped)])

    def sampled(block: Block, how: How) -> Changes | None:
        """Those of a block; None where something is not decided, or but pairs do not tell everything."""
        around = Changes.none(block.made(here), block.made(hulls), nothing)
        given = block.given(numbers)
        first_one = near() if how in POINTS else []
        if first_one is None:
            return None
        zero_here = [mask.copy() for mask in around.zero] if how in POINTS else []
        own = block.given([halves.get(i, x) for i, x in enumerate(numbers)])
        moving = {i: both_ways(given[i], own[i]) for i in halves}
        size = max(sum(up.h.size for up, _ in moving.values()), sum(t.size for t in around.here), 1)
        at_once = max(1, AT_ONCE // size)
        share = SHARE if how is How.PAIRS else ROUGH_SHARE
        for first in range(0, len(ways.seeds), at_once):
            some = ways.some(first, at_once)
            with KINKS.collected() as kinks:
                runs = block.around(given, shifted(moving, some), len(some.seeds), how)
            if runs is None or (kinks and how is not How.PAIRS):
                return None
            if first == 0:
                around.trust(runs, block.made(first_one))
            around.add(runs[:count], [share * ulps / 2 for ulps in around.ulps(formats)] if kinks else None)
        if how in POINTS and not all(map(np.array_equal, around.zero, zero_here)):
            return None  # midpoints alone do not tell what is 0 everywhere
        around.see(formats, share)
        around.close(zeros(block, around.open_zeros))
        return None if around.is_open and how is not How.PAIRS else around

    def work_on(block: Block) -> bool:
        found = None
        for how in hows:
            found = sampled(block, how) or found
            if found is not None and not found.is_open:
                break
        if found is not None:
            whole.take(block, found)
        return found is not None

    with KINKS.collected() as kinks:
        if not every(plan.blocks, work_on, "exact values nearby"):
            return None
    largest, zero = whole.largest, whole.zero
    if whole.is_open:
        if kinks:  # hulls, of which Arb's rule says more
            return None
        elements = plan.elements(
            whole.open, program.cost / PART if work is None else min(program.cost / PART, work.left / FEW)
        )
        if elements is None:
            return None
        moving = {i: both_ways(numbers[i], half) for i, half in halves.items()}
        _by_elements(elements, numbers, moving, ways, max(t.bits for t in truth), here, largest, zero)
        if work is not None:
            work.left -= len(ways.seeds) * elements.cost
        if any(np.isinf(x).any() for x in largest):  # 0 times a pole, of which Arb's rules say more
            return None
    shapes = [t.shape for t in truth]
    return [np.reshape(x, s) for x, s in zip(largest, shapes, strict=True)], [
        np.reshape(x, s) for x, s in zip(zero, shapes, strict=True)
    ]


def _overflows(numbers: Array, half: Numbers) -> bool:
    """Whether half an ulp beyond a number, float64's largest, is no pair of doubles."""
    size = np.abs(np.asarray(numbers, np.float64))
    with np.errstate(over="ignore"):
        return bool((np.isfinite(size) & np.isinf(size + half)).any())


def _nothing(truth: Pairs, kind: Format) -> float:
    """The radius up to which a ball around 0, near one that is 0 to Arb's bits, is taken for 0 as well.

    It is far below what half an ulp of an input changes, beside the output's largest element and beside 1: so
    the gradient of the keys' bias in attention is 0 everywhere, and a hundred bits leave 2^-70 of it.
    """
    size = np.abs(truth.h)
    largest = float(np.max(size, where=truth.r < size, initial=0.0))
    return 2.0 ** -(kind.digits + MUCH) * min(largest, 1.0)


def _by_elements(
    elements: Elements,
    numbers: Sequence[Any],
    moving: Mapping[int, tuple[Pairs, Pairs]],
    ways: Ways,
    bits: int,
    here: Sequence[Pairs],
    largest: Sequence[Numbers],
    zero: Sequence[Mask],
) -> None:
    """The changes of some elements by balls of as many bits as they need, written where they belong.

    That may be several times those of the truth, whose pairs of doubles are of single elements by more.
    """
    true = [t[mask].balls for t, mask in zip(here, elements.wanted, strict=True)]
    far = [np.zeros(t.size) for t in true]
    still = [np.array([ball.contains(0) for ball in own], bool) for own in true]
    ladder = Ladder.from_(bits)
    for k in range(len(ways.seeds)):
        there = {
            i: Pairs(high[0], low[0], np.zeros(high[0].size))
            for i, (high, low) in shifted(moving, ways.some(k, 1)).items()
        }
        moved = [there.get(i, x) for i, x in enumerate(numbers)]
        try:
            around = ladder.told(partial(elements.at, moved), lambda found: not are_blurred(found, true))
        except Undecided:
            continue  # across a branch: another program than the one that is asked about
        with precision(ladder.bits):
            for k, balls in enumerate(around):
                np.maximum(far[k], distance(balls, true[k]), out=far[k])
                still[k] &= np.array([ball.contains(0) for ball in balls], bool)
    for k, mask in enumerate(elements.wanted):
        largest[k][mask], zero[k][mask] = far[k], still[k]
