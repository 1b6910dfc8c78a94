"""a: the error that no program can avoid, since its inputs are only known to half an ulp.

The largest change of the truth over sixteen (or four) seeded, exact perturbations of the inputs and the
cotangent by half an ulp of their dtype, each number up or down, plus half an ulp of the truth itself. Sampled
and not enclosed: a ball forgets that two operands are the same number, and would be too generous by up to
2^35 for softmax.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.blocks import Block, every, flat
from oracles.exact.core.elements import Elements
from oracles.exact.core.layout import How
from oracles.exact.core.pairs import Pairs, of_balls, sum_of_numbers
from oracles.exact.core.plans import planned
from oracles.exact.enclose.components import KNOWN_BITS, is_known
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.identities import vanishing
from oracles.exact.enclose.refine import FEW, PART, Enclosure, Limits
from oracles.exact.program.balls import KINKS, ZERO, exact, precision
from oracles.exact.program.errors import Exhausted, Undecided
from oracles.exact.program.formats import FORMATS, Format, format_of
from oracles.exact.program.program import Array, Program, Shape, Var

Numbers: TypeAlias = NDArray[np.float64]
Found = TypeVar("Found")
Mask: TypeAlias = NDArray[np.bool_]
Sampled: TypeAlias = tuple[list[Numbers], list[Mask]]  # a, and what is always 0
PERTURBATIONS = 16
# Four at first where there are many elements. That all four nearly cancel in one element (below 1/16 of their
# spread: 0.05 each, of normal ones) has probability 6e-6, and costs it 4 bits; of sixteen it has 1e-21. (From
# 2^10 elements on, rows of the report show a bit more lost than is.)
MANY, FEWER = 2**16, 4
# Where a result has at most so many bits, 53 bits tell the changes first: to such a share of a that more bits
# would change its logarithm by less than 0.01.
ROUGH_DIGITS, ROUGH_SHARE, SHARE = 24, 2.0**-8, 2.0**-4
TIMES = 16
POINTS = (How.DOUBLES, How.POINTS)
ENOUGH = 8  # where the work does not suffice for more
MUCH = 30  # bits by which something is far below the last digit of a dtype
FEW_DRAWN = 2**12  # elements, of whose perturbations the signs are kept: half a megabyte
AT_ONCE = 2**16  # elements of all perturbations that are looked at together


def attainable(
    program: Program,
    inputs: Sequence[Array],
    wrt: Sequence[int],
    truth: Sequence[Enclosure],
    cotangents: int = 1,
    work: Work | None = None,
    narrowest: tuple[Sequence[str], Sequence[str]] = ((), ()),
    fully: bool = False,
) -> Sampled:
    """The attainable error of every element, and where the truth is 0 whatever the perturbation.

    Args:
        program: The program of the gradient; what it gives beside that does not count.
        inputs: The numbers of its inputs, the cotangents last. The floating ones are moved; those that are
            not differentiated only if that turns no comparison (labels that are read by argmax).
        wrt: Which inputs are differentiated.
        truth: The enclosures at these numbers.
        cotangents: How many inputs are cotangents.
        narrowest: For the inputs, and for the outputs, the format to which each is known: narrower ones than
            their own, where the function casts; "" or nothing for their own.
        fully: Whether all sixteen perturbations are made, however many elements there are.

    Raises:
        Exhausted: The work was done before enough perturbations.
    """
    formats, results = (
        [known or v.dtype for known, v in zip(given or ("",) * len(own), own, strict=True)]
        for given, own in zip(narrowest, (program.inputs, program.outputs[: len(truth)]), strict=True)
    )
    bits = max((t.bits for t in truth), default=64)
    moving = [i for i in _moving(program, inputs, wrt, cotangents, bits, work) if np.size(inputs[i])]
    count = PERTURBATIONS if fully or not are_many(truth) else FEWER
    seeds = range(count) if moving else range(0)
    steps = {i: _halves(inputs[i], formats[i]) for i in moving}
    quick = _by_plan(program, inputs, steps, truth, seeds, work)
    if quick is None and len(program.outputs) > len(truth):
        program = program.giving(slice(len(truth)))  # it may be the others that are not decided
        quick = _by_plan(program, inputs, steps, truth, seeds, work)
    largest, zero = quick or _by_arb(program, inputs, steps, truth, seeds, bits, work)
    found = []
    for change, here, dtype in zip(largest, truth, results, strict=True):
        half = format_of(dtype).ulp(here.mid) / 2
        found.append(change + np.maximum(half, 2.0**-1074))
    return found, zero


def are_many(truth: Sequence[Enclosure]) -> bool:
    """Whether these are so many elements that few perturbations are made at first."""
    return sum(math.prod(t.shape) for t in truth) >= MANY


def _by_plan(
    program: Program,
    inputs: Sequence[Array],
    steps: Mapping[int, Numbers],
    truth: Sequence[Enclosure],
    seeds: range,
    work: Work | None,
) -> tuple[list[Numbers], list[Mask]] | None:
    """By the fast core; where that does not tell a to a sixteenth, by Arb: if for few elements, else None."""
    plan = planned(program) if work is None or work.pays_plan(program, len(seeds)) else None
    if plan is None or not (work is None or work.pays(len(seeds) * plan.by_arb)):
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
    ways = [How.ROUGH, How.PAIRS] if few_bits else [How.PAIRS]
    if seeds and any(t.pairs is None for t in truth):  # pairs did not tell the truth here, so nor nearby
        ways = [How.DOUBLES, How.POINTS, How.PAIRS] if few_bits else [How.POINTS, How.PAIRS]
    if any(t.kinks for t in truth):
        ways = [How.PAIRS]

    @cache
    def near() -> list[Pairs] | None:
        """The truth at the first of the points, by Arb; None where it does not tell."""
        bits = max(t.bits for t in truth)
        if not (work is None or work.affords(program, bits)):
            return None
        with suppress(Undecided):
            found, kinks = Nearby(program, inputs, steps, work).at(seeds[0], bits)
            if not (kinks or _are_blurred(found[:count], [t.balls for t in truth])):
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
        moving = {i: _both(given[i], own[i]) for i in halves}
        size = max(sum(up.h.size for up, _ in moving.values()), sum(t.size for t in around.here), 1)
        at_once = max(1, AT_ONCE // size)
        share = SHARE if how is How.PAIRS else ROUGH_SHARE
        for first in range(0, len(seeds), at_once):
            some = seeds[first : first + at_once]
            with KINKS.collected() as kinks:
                runs = block.around(given, _shifted(moving, some), len(some), how)
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
        for how in ways:
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
        moving = {i: _both(numbers[i], half) for i, half in halves.items()}
        _by_elements(elements, numbers, moving, seeds, max(t.bits for t in truth), here, largest, zero)
        if work is not None:
            work.left -= len(seeds) * elements.cost
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
    seeds: range,
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
    for seed in seeds:
        there = {
            i: Pairs(high[0], low[0], np.zeros(high[0].size))
            for i, (high, low) in _shifted(moving, range(seed, seed + 1)).items()
        }
        moved = [there.get(i, x) for i, x in enumerate(numbers)]
        try:
            around = ladder.told(partial(elements.at, moved), lambda found: not _are_blurred(found, true))
        except Undecided:
            continue  # across a branch: another program than the one that is asked about
        with precision(ladder.bits):
            for k, balls in enumerate(around):
                np.maximum(far[k], _distance(balls, true[k]), out=far[k])
                still[k] &= np.array([ball.contains(0) for ball in balls], bool)
    for k, mask in enumerate(elements.wanted):
        largest[k][mask], zero[k][mask] = far[k], still[k]


@dataclass
class Ladder:
    """How many bits tell how far points nearby are: more, as they are needed, unless the most do not do."""

    fewest: int
    most: int
    bits: int

    @staticmethod
    def from_(bits: int) -> Ladder:
        """Begins with these, those of the truth, which may have been told by more than it has now."""
        return Ladder(bits, max(FEW * bits, Limits().bits), bits)

    def told(
        self,
        near: Callable[[int], Found],
        is_told: Callable[[Found], bool],
        affords: Callable[[int], bool] = lambda bits: True,
    ) -> Found:
        """What is `near` one point, by as many bits as tell it and are afforded."""
        found = near(self.bits)
        while self.bits < self.most and not is_told(found) and affords(2 * self.bits):
            self.bits *= 2
            found = near(self.bits)
            if self.bits >= self.most and not is_told(found):
                self.bits = self.most = self.fewest  # they would not tell it at the other points
        return found


def _are_blurred(around: Sequence[Array], true: Sequence[Array]) -> bool:
    """Whether some ball is too wide to tell how far it is from the truth."""
    pairs = (
        (b, t)
        for found, own in zip(around, true, strict=True)
        for b, t in zip(found.ravel().tolist(), own.ravel().tolist(), strict=True)
    )
    return any(
        not b.is_finite() or (b.rad() > abs(t) * 2.0**-60 and 16 * b.rad() > abs(b - t))
        for b, t in pairs
        if not t.contains(0)
    )


def _both(numbers: Array, half: Numbers) -> tuple[Pairs, Pairs]:
    """Numbers half an ulp up, and down, exactly."""
    x = np.asarray(numbers, np.float64)
    return sum_of_numbers(x, half), sum_of_numbers(x, -half)


def _shifted(moving: Mapping[int, tuple[Pairs, Pairs]], seeds: range) -> dict[int, tuple[Numbers, Numbers]]:
    """Numbers that go up or down: the high parts and the low ones, a row for each seed."""
    shapes = tuple(up.shape for up, _ in moving.values())
    few = sum(map(math.prod, shapes)) <= FEW_DRAWN
    draws = (_few_rows if few else _rows)(seeds.start, seeds.stop, shapes)
    found = {}
    for (i, (up, down)), goes_up in zip(moving.items(), draws, strict=True):
        if up.l.any() or down.l.any():  # of float64
            found[i] = np.where(goes_up, up.h, down.h), np.where(goes_up, up.l, down.l)
        else:  # so few bits that the sum is exact, and a third of the time
            high = goes_up * (up.h - down.h)
            found[i] = np.add(high, down.h, out=high), np.broadcast_to(up.l, high.shape)
    return found


def _rows(first: int, last: int, shapes: tuple[Shape, ...]) -> list[Numbers]:
    """For each of several arrays, which numbers go up: 1 for these, a row for each seed."""
    draws = zip(*(_ups(seed, shapes) for seed in range(first, last)), strict=True)
    return [np.array(drawn, np.float64) for drawn in draws]


_few_rows = lru_cache(maxsize=32)(_rows)


@dataclass
class Changes:
    """The largest changes so far of some elements of the truth, which stay 0, and which are open.

    Of `hulls` at a kink it is the middles that count, whatever holds them. A change is known up to `blurred`.
    What is 0 here is still 0 where its ball holds 0 and is at most `nothing`, a number for each output.
    """

    here: Sequence[Pairs]
    largest: Sequence[Numbers]
    zero: Sequence[Mask]
    open: Sequence[Mask]
    hulls: Sequence[Mask]
    blurred: Sequence[Numbers]
    nothing: Sequence[float]

    @staticmethod
    def none(here: Sequence[Pairs], hulls: Sequence[Mask], nothing: Sequence[float]) -> Changes:
        """Before the first."""
        largest, blurred = ([np.zeros(t.size) for t in here] for _ in range(2))
        zero = [t.contains(np.zeros(t.size)) for t in here]
        closed = [np.zeros(t.size, bool) for t in here]
        return Changes(here, largest, zero, closed, hulls, blurred, nothing)

    def trust(self, runs: Sequence[Pairs], first: Sequence[Pairs]) -> None:
        """Midpoints alone are off everywhere by about what they are off in the `first` of these runs.

        Rounding's errors at points that are half an ulp apart are of one size: `TIMES` as much is taken.
        """
        for k, known in enumerate(first):
            off = np.abs((runs[k].h[0] - known.h) + (runs[k].l[0] - known.l))
            self.blurred[k][:] = np.where(runs[k].r[0] < np.inf, TIMES * off, np.inf)

    def take(self, block: Block, found: Changes) -> None:
        """Put in what was found of the elements that a block makes."""
        for own, made in ((self.largest, found.largest), (self.zero, found.zero), (self.open, found.open)):
            for place, numbers in zip(block.made(own), made, strict=True):
                place[...] = numbers

    @property
    def is_open(self) -> bool:
        """Whether some change is not known well enough."""
        return any(mask.any() for mask in self.open)

    def ulps(self, formats: Sequence[Format]) -> list[Numbers]:
        """Those of the truth."""
        return [kind.ulp(own.h) for own, kind in zip(self.here, formats, strict=True)]

    def add(self, around: Sequence[Pairs], blurs: Sequence[Numbers] | None) -> None:
        """Take in more truths nearby, a row each. Whether a ball around 0 is 0 is for more bits to say.

        Where some of these are at a kink, balls that are wider than any of `blurs` are hulls there, which say
        nothing of an element that has one slope here.
        """
        for k, there in enumerate(around):
            own = self.here[k]
            far = there.h - own.h
            far += there.l - own.l
            far = np.abs(far, out=far)
            kink, wide = self.hulls[k], there.r > 2.0**-KNOWN_BITS * np.abs(there.h)
            hull = kink & wide if blurs is None else wide & (kink | (there.r > blurs[k]))
            errors = np.where(hull, 0.0, there.r).max(0) + np.where(kink, 0.0, own.r)
            np.maximum(self.blurred[k], errors, out=self.blurred[k])
            far[hull & ~kink] = 0.0
            if self.zero[k].any():
                holds = ~(np.abs(there.h) > there.r)
                still = holds & ~kink & (there.r <= self.nothing[k])
                far[still & self.zero[k]] = 0.0
                nothing = there.is_zero() | still | (holds & (kink | hull))
                self.open[k] |= (self.zero[k] & ~nothing & holds).any(0)
                self.zero[k] &= nothing.all(0)
            np.maximum(self.largest[k], far.max(0), out=self.largest[k])

    @property
    def open_zeros(self) -> list[Mask]:
        """What is 0 here, and not known to be 0 nearby."""
        return [mask & own.is_zero() for mask, own in zip(self.open, self.here, strict=True)]

    def close(self, zeros: Sequence[Mask]) -> None:
        """Some that are 0 everywhere."""
        for k, mask in enumerate(zeros):
            self.largest[k][mask], self.zero[k][mask], self.open[k][mask] = 0.0, True, False

    def see(self, formats: Sequence[Format], share: float) -> None:
        """Which changes are not known to this share of a."""
        for k, ulps in enumerate(self.ulps(formats)):
            told = self.blurred[k] <= (self.largest[k] + ulps / 2) * share
            still = self.zero[k] & (self.blurred[k] <= 2 * self.nothing[k])
            self.open[k] |= ~(told | still)


def _by_arb(
    program: Program,
    numbers: Sequence[Array],
    halves: Mapping[int, Numbers],
    truth: Sequence[Enclosure],
    seeds: range,
    bits: int,
    work: Work | None,
) -> tuple[list[Numbers], list[Mask]]:
    """By balls of as many bits as they need.

    Raises:
        Exhausted: The work was done before enough perturbations.
    """
    largest = [np.zeros(t.shape) for t in truth]
    zero = [t.contains(np.zeros(t.shape)) for t in truth]
    ladder, true = Ladder.from_(bits), [t.balls for t in truth]
    zeros = vanishing(program, numbers, zero)
    nearby = Nearby(program, numbers, halves, work)

    def near(seed: int, bits: int) -> tuple[list[Array], list[str]]:
        found, kinks = nearby.at(seed, bits)
        for balls, mask in zip(found, zeros, strict=False):
            balls[mask] = ZERO
        return found, kinks

    def is_told(found: tuple[list[Array], list[str]]) -> bool:
        return bool(found[1]) or not _are_blurred(found[0], true)

    def affords(bits: int) -> bool:
        return work is None or work.affords(program, bits)

    for seed in seeds:
        try:
            around, kinks = ladder.told(partial(near, seed), is_told, affords)
        except Exhausted as reason:
            if seed < (enough := min(ENOUGH, len(seeds))):
                done = f"after {seed} of {enough} perturbations for the attainable error"
                raise Exhausted(f"out of work {done}") from reason
            break
        except Undecided:
            continue  # across a branch: another program than the one that is asked about
        with precision(ladder.bits):
            for k, (there, here) in enumerate(zip(around, truth, strict=True)):
                far = _distance(there, here.balls)
                if kinks:  # still on one: its hull says nothing of an element that has one slope
                    far[_are_hulls(there) & ~here.wide] = 0.0
                np.maximum(largest[k], far, out=largest[k])
                if zero[k].any():
                    still = [b.contains(0) for b in there.ravel().tolist()]
                    zero[k] &= np.array(still, bool).reshape(there.shape)
    return largest, zero


class Nearby:
    """The truth at points nearby, by Arb."""

    def __init__(
        self, program: Program, numbers: Sequence[Array], halves: Mapping[int, Numbers], work: Work | None
    ) -> None:
        self.program, self.numbers, self.halves, self.work = program, numbers, halves, work
        self._given = lru_cache(maxsize=1)(self._exactly)  # of the last number of bits

    def at(self, seed: int, bits: int) -> tuple[list[Array], list[str]]:
        """The outputs at one of them, and the kinks that it lies on.

        Raises:
            Undecided: As `evaluate`.
        """
        with KINKS.collected() as kinks:
            found = evaluate(self.program, _moved(*self._given(bits), seed), bits, self.work)
        return found, kinks

    def _exactly(self, bits: int) -> tuple[list[Array], dict[int, tuple[Array, Array]]]:
        with precision(bits):
            inputs = [exact(x) for x in self.numbers]
            return inputs, {i: _ends(inputs[i], h) for i, h in self.halves.items()}


def _moving(
    program: Program,
    inputs: Sequence[Array],
    wrt: Sequence[int],
    cotangents: int,
    bits: int,
    work: Work | None,
) -> list[int]:
    """The inputs to perturb: all floating ones, or where that turns a comparison, not the fixed ones."""
    floating = [i for i, v in enumerate(program.inputs) if v.dtype in FORMATS]
    least = [i for i in floating if i in wrt or i >= len(program.inputs) - cotangents]
    fixed = [i for i in floating if i not in least]
    asked = _decisions(program, {program.inputs[i] for i in fixed})
    if not asked.outputs:
        return floating
    used = {v for e in asked.equations for v in e.operands}
    read = [i for i, v in enumerate(program.inputs) if v in used]
    asked = Program(tuple(program.inputs[i] for i in read), asked.equations, asked.outputs)
    given, at = [inputs[i] for i in read], {i: k for k, i in enumerate(read) if i in fixed}
    try:
        here = evaluate(asked, given, bits, work)
        with precision(bits):
            steps = {
                k: _ends(exact(inputs[i]), _halves(inputs[i], program.inputs[i].dtype)) for i, k in at.items()
            }
        for seed in range(PERTURBATIONS):
            there = evaluate(asked, _moved(given, steps, seed), bits, work)
            if not all(map(np.array_equal, here, there)):
                return least
    except Undecided:
        return least
    return floating


def _decisions(program: Program, fixed: set[Var]) -> Program:
    """The comparisons and orders that depend on these inputs, and the equations that they need."""
    depends = set(fixed)
    for equation in program.equations:
        if depends.intersection(equation.operands):
            depends.add(equation.output)
    decided = [e.output for e in program.equations if e.output in depends and not e.output.is_float]
    return Program(program.inputs, program.equations, tuple(decided)).giving(slice(None))


def _distance(there: Array, here: Array) -> NDArray[np.float64]:
    """The distances of midpoints; infinite where nothing is known."""
    apart = np.asarray(there - here).ravel().tolist()
    gap = np.abs(np.fromiter(map(float, apart), np.float64, len(apart))).reshape(here.shape)
    return np.where(np.isnan(gap), np.inf, gap)


def _are_hulls(balls: Array) -> NDArray[np.bool_]:
    return np.array([not is_known(b) for b in balls.ravel().tolist()], bool).reshape(balls.shape)


def _halves(x: Array, dtype: str) -> Numbers:
    """Half an ulp of every number of an input; an infinity is no rounded number."""
    numbers = np.asarray(x, np.float64)
    return np.where(np.isinf(numbers), 0.0, FORMATS[dtype].ulp(numbers) / 2)


def _ends(x: Array, half: Numbers) -> tuple[Array, Array]:
    """Every number half an ulp down, and half an ulp up."""
    return np.asarray(x - exact(half)), np.asarray(x + exact(half))


def _moved(inputs: Sequence[Array], steps: Mapping[int, tuple[Array, Array]], seed: int) -> list[Array]:
    """The inputs with every number of those that have steps half an ulp up or down."""
    moved = list(inputs)
    ups = _ups(seed, tuple(up.shape for _, up in steps.values()))
    for (i, (down, up)), goes_up in zip(steps.items(), ups, strict=True):
        moved[i] = np.where(goes_up, up, down)
    return moved


@lru_cache(maxsize=256)  # of small arrays, drawing takes longer than moving
def _ups(seed: int, shapes: tuple[Shape, ...]) -> list[NDArray[np.bool_]]:
    """Which numbers of arrays of these shapes go up."""
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.integers(0, 2, shape), bool) for shape in shapes]
