"""How far a truth moves, by the fast core; a few elements by balls of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial

import numpy as np

from oracles.exact.core.blocks import Block, every, flat
from oracles.exact.core.elements import Elements
from oracles.exact.core.layout import How
from oracles.exact.core.pairs import Pairs, of_balls
from oracles.exact.core.plan import Plan
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


def attainable_by_core(
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
    return _CoreSampling(plan, program, inputs, steps, truth, ways, work).found()


class _CoreSampling:
    """The changes of a truth in these ways, block by block, each in as few bits as tell them.

    Attributes:
        here: The truth, and `hulls`, which of it is several slopes.
        hows: In which arithmetic, that of the fewest bits first.
        whole: What was found so far.
    """

    def __init__(
        self,
        plan: Plan,
        program: Program,
        inputs: Sequence[Array],
        steps: Mapping[int, Numbers],
        truth: Sequence[Enclosure],
        ways: Ways,
        work: Work | None,
    ) -> None:
        self.plan, self.program, self.inputs, self.steps = plan, program, inputs, steps
        self.truth, self.ways, self.work = truth, ways, work
        self.count = len(truth)
        self.here = [(t.pairs or of_balls(t.balls)).flat for t in truth]
        self.hulls = [np.ravel(t.wide & bool(t.kinks)) for t in truth]
        self.formats = [format_of(v.dtype) for v in program.outputs[: self.count]]
        self.numbers, self.halves = plan.flat(inputs), {i: flat(half) for i, half in steps.items()}
        self.nothing = [_nothing(t, kind) for t, kind in zip(self.here, self.formats, strict=True)]
        self.whole = Changes.none(self.here, self.hulls, self.nothing)
        self.hows = self._arithmetics()

    def _arithmetics(self) -> list[How]:
        few_bits = all(f.digits <= ROUGH_DIGITS for f in self.formats)
        if any(t.kinks for t in self.truth):
            return [How.PAIRS]
        if self.ways.seeds and any(t.pairs is None for t in self.truth):
            # Pairs did not tell the truth here, so nor nearby.
            return [How.DOUBLES, How.POINTS, How.PAIRS] if few_bits else [How.POINTS, How.PAIRS]
        return [How.ROUGH, How.PAIRS] if few_bits else [How.PAIRS]

    def found(self) -> tuple[list[Numbers], list[Mask]] | None:
        """The largest changes, and where the truth is 0 whatever the inputs are; None where Arb says more."""
        with KINKS.collected() as kinks:
            if not every(self.plan.blocks, self._work_on, "exact values nearby"):
                return None
        if self.whole.is_open and kinks:  # hulls, of which Arb's rule says more
            return None
        if self.whole.is_open and not self._told():
            return None
        shapes = [t.shape for t in self.truth]
        return [np.reshape(x, s) for x, s in zip(self.whole.largest, shapes, strict=True)], [
            np.reshape(x, s) for x, s in zip(self.whole.zero, shapes, strict=True)
        ]

    def _told(self) -> bool:
        """What balls of pairs leave open: whether midpoints tell it, or a few elements by themselves."""
        work, cost, runs = self.work, self.program.cost / PART, len(self.ways.seeds)
        elements = self.plan.elements(self.whole.open, cost if work is None else min(cost, work.left / FEW))
        is_much = elements is None or runs * elements.cost > self.program.cost  # what midpoints cost
        if runs and is_much and How.POINTS not in self.hows and self._told_by_points():
            return True
        if elements is None:
            return False
        self._by_elements(elements)
        if work is not None:
            work.left -= runs * elements.cost
        return not any(np.isinf(x).any() for x in self.whole.largest)  # 0 times a pole: Arb says more

    def _told_by_points(self) -> bool:
        """Balls grow along a recurrence, by far more than their midpoints are off."""
        before = self.whole
        self.hows, self.whole = [How.POINTS], Changes.none(self.here, self.hulls, self.nothing)
        told = every(self.plan.blocks, self._work_on, "exact values nearby") and not self.whole.is_open
        self.whole = self.whole if told else before
        return told

    def _work_on(self, block: Block) -> bool:
        found = None
        for how in self.hows:
            found = self._sampled(block, how) or found
            if found is not None and not found.is_open:
                break
        if found is not None:
            self.whole.take(block, found)
        return found is not None

    def _sampled(self, block: Block, how: How) -> Changes | None:
        """Those of a block; None where something is not decided, or but pairs do not tell everything."""
        around = Changes.none(block.made(self.here), block.made(self.hulls), self.nothing)
        given = block.given(self.numbers)
        first_one = self._near if how in POINTS else []
        if first_one is None:
            return None
        zero_here = [mask.copy() for mask in around.zero] if how in POINTS else []
        own = block.given([self.halves.get(i, x) for i, x in enumerate(self.numbers)])
        moving = {i: both_ways(given[i], own[i]) for i in self.halves}
        size = max(sum(up.h.size for up, _ in moving.values()), sum(t.size for t in around.here), 1)
        at_once = max(1, AT_ONCE // size)
        share = SHARE if how is How.PAIRS else ROUGH_SHARE
        for first in range(0, len(self.ways.seeds), at_once):
            some = self.ways.some(first, at_once)
            with KINKS.collected() as kinks:
                runs = block.around(given, shifted(moving, some), len(some.seeds), how)
            if runs is None or (kinks and how is not How.PAIRS):
                return None
            if first == 0:
                around.trust(runs, block.made(first_one))
            blurs = [share * ulps / 2 for ulps in around.ulps(self.formats)] if kinks else None
            around.add(runs[: self.count], blurs)
        if how in POINTS and not all(map(np.array_equal, around.zero, zero_here)):
            return None  # midpoints alone do not tell what is 0 everywhere
        around.see(self.formats, share)
        around.close(self._zeros(block, around.open_zeros))
        return None if around.is_open and how is not How.PAIRS else around

    @cached_property
    def _near(self) -> list[Pairs] | None:
        """The truth at the first of the points, by Arb; None where it does not tell."""
        nearby = Nearby(self.program, self.inputs, self.steps, self.ways, self.work)
        ladder, true = Ladder.from_(max(t.bits for t in self.truth)), [t.balls for t in self.truth]
        if not nearby.affords(ladder.bits):
            return None
        with suppress(Undecided):
            found, kinks = nearby.told(self.ways.seeds[0], ladder, true)
            if not (kinks or are_blurred(found[: self.count], true)):
                return [of_balls(balls).flat for balls in found[: self.count]]
        return None

    def _zeros(self, block: Block, some: Sequence[Mask]) -> Sequence[Mask]:
        """Which of these are 0 whatever the inputs are."""
        pays = any(mask.any() for mask in some) and (self.work is None or self.work.pays(self.program.cost))
        if not pays:
            return [np.zeros_like(mask) for mask in some]
        masks = [np.zeros(t.size, bool) for t in self.here]
        for place, own in zip(block.made(masks), some, strict=True):
            place[...] = own
        shaped = [mask.reshape(t.shape) for mask, t in zip(masks, self.truth, strict=True)]
        return block.made([mask.ravel() for mask in vanishing(self.program, self.inputs, shaped)])

    def _by_elements(self, elements: Elements) -> None:
        """The changes of some elements by balls of as many bits as they need, written where they belong.

        That may be several times those of the truth, whose pairs of doubles are of single elements by more.
        """
        moving = {i: both_ways(self.numbers[i], half) for i, half in self.halves.items()}
        largest, zero = self.whole.largest, self.whole.zero
        true = [t[mask].balls for t, mask in zip(self.here, elements.wanted, strict=True)]
        far = [np.zeros(t.size) for t in true]
        still = [np.array([ball.contains(0) for ball in own], bool) for own in true]
        ladder = Ladder.from_(max(t.bits for t in self.truth))
        for k in range(len(self.ways.seeds)):
            there = {
                i: Pairs(high[0], low[0], np.zeros(high[0].size))
                for i, (high, low) in shifted(moving, self.ways.some(k, 1)).items()
            }
            moved = [there.get(i, x) for i, x in enumerate(self.numbers)]
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
