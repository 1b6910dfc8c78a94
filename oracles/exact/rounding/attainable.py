"""a: the error that no program can avoid, since its inputs are only known to half an ulp.

The largest change of the truth over sixteen (or eight) seeded, exact perturbations of the inputs and the
cotangent by half an ulp of their dtype, each number up or down, plus half an ulp of the truth itself. Sampled
and not enclosed: a ball forgets that two operands are the same number, and would be too generous by up to
2^35 for softmax.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.pairs import of_balls, sum_of_numbers
from oracles.exact.core.plans import planned
from oracles.exact.enclose.components import is_known
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.refine import Enclosure
from oracles.exact.program.balls import KINKS, exact, precision
from oracles.exact.program.errors import Exhausted, Undecided
from oracles.exact.program.formats import FORMATS, format_of
from oracles.exact.program.program import Array, Program, Shape, Var

Numbers: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]
PERTURBATIONS = 16
# Eight where there are many elements: that all eight nearly cancel (below 1/16 of their spread) in one
# element has probability 4e-11.
MANY, FEWER = 2**16, 8
AT_ONCE = 2**14  # elements of all perturbations that are looked at together


def attainable(
    program: Program,
    inputs: Sequence[Array],
    wrt: Sequence[int],
    truth: Sequence[Enclosure],
    cotangents: int = 1,
    work: Work | None = None,
    narrowest: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.bool_]]]:
    """The attainable error of every element, and where the truth is 0 whatever the perturbation.

    Args:
        program: The program of the gradient.
        inputs: The numbers of its inputs, the cotangents last. The floating ones are moved; those that are
            not differentiated only if that turns no comparison (labels that are read by argmax).
        wrt: Which inputs are differentiated.
        truth: The enclosures at these numbers.
        cotangents: How many inputs are cotangents.
        narrowest: For the inputs, and for the outputs, the format to which each is known: narrower ones than
            their own, where the function casts; "" or nothing for their own.

    Raises:
        Exhausted: The work was done before enough perturbations.
    """
    formats, results = (
        [known or v.dtype for known, v in zip(given or ("",) * len(own), own, strict=True)]
        for given, own in zip(narrowest, (program.inputs, program.outputs), strict=True)
    )
    bits = max((t.bits for t in truth), default=64)
    moving = [i for i in _moving(program, inputs, wrt, cotangents, bits, work) if np.size(inputs[i])]
    count = PERTURBATIONS if sum(math.prod(t.shape) for t in truth) < MANY else FEWER
    seeds = range(count) if moving else range(0)
    steps = {i: _halves(inputs[i], formats[i]) for i in moving}
    quick = _by_plan(program, inputs, steps, truth, seeds, work)
    largest, zero = quick or _by_arb(program, inputs, steps, truth, seeds, bits, work)
    found = []
    for change, here, dtype in zip(largest, truth, results, strict=True):
        half = format_of(dtype).ulp(here.mid) / 2
        found.append(change + np.maximum(half, 2.0**-1074))
    return found, zero


def _by_plan(
    program: Program,
    inputs: Sequence[Array],
    steps: Mapping[int, Numbers],
    truth: Sequence[Enclosure],
    seeds: range,
    work: Work | None,
) -> tuple[list[Numbers], list[Mask]] | None:
    """By the fast core, where that can tell each change to a sixteenth of a; else None."""
    plan = planned(program)
    if plan is None or any(t.kinks for t in truth):
        return None
    here = [t.pairs or of_balls(t.balls) for t in truth]
    largest = [np.zeros(t.shape) for t in truth]
    blurred = [np.zeros(t.shape) for t in truth]
    zero = [t.contains(np.zeros(t.shape)) for t in truth]
    shapes = tuple(half.shape for half in steps.values())
    at_once = max(1, AT_ONCE // max(sum(map(math.prod, shapes)), sum(t.h.size for t in here), 1))
    for first in range(0, len(seeds), at_once):
        own_seeds = seeds[first : first + at_once]
        ups = zip(*(_ups(seed, shapes) for seed in own_seeds), strict=True)
        moved = {}
        for (i, half), up in zip(steps.items(), ups, strict=True):
            there = sum_of_numbers(np.asarray(inputs[i], np.float64), np.where(np.stack(up), half, -half))
            moved[i] = there.h, there.l
        paid = work is None or work.pays_runs(program, len(own_seeds))
        around = plan.around(inputs, moved, len(own_seeds)) if paid else None
        if around is None:
            return None
        for k, (there, own) in enumerate(zip(around, here, strict=True)):
            far = np.abs((there.h - own.h) + (there.l - own.l))
            np.maximum(largest[k], far.max(0), out=largest[k])
            np.maximum(blurred[k], (there.r + own.r).max(0), out=blurred[k])
            if zero[k].any():
                nothing = there.is_zero()
                if (zero[k] & ~nothing & ~(np.abs(there.h) > there.r)).any():
                    return None  # whether it is 0 is for more bits to say
                zero[k] &= nothing.all(0)
    for own, change, blur, v in zip(here, largest, blurred, program.outputs, strict=True):
        if not (blur <= (change + format_of(v.dtype).ulp(own.h) / 2) / 16).all():
            return None
    return largest, zero


def _by_arb(
    program: Program,
    numbers: Sequence[Array],
    halves: Mapping[int, Numbers],
    truth: Sequence[Enclosure],
    seeds: range,
    bits: int,
    work: Work | None,
) -> tuple[list[Numbers], list[Mask]]:
    """By balls of as many bits as the truth.

    Raises:
        Exhausted: The work was done before enough perturbations.
    """
    largest = [np.zeros(t.shape) for t in truth]
    zero = [t.contains(np.zeros(t.shape)) for t in truth]
    with precision(bits):
        inputs = [exact(x) for x in numbers]
        steps = {i: _ends(inputs[i], h) for i, h in halves.items()}
    for seed in seeds:
        moved = _moved(inputs, steps, seed)
        try:
            with KINKS.collected() as kinks:
                around = evaluate(program, moved, bits, work)
        except Exhausted as reason:
            if seed < FEWER:
                done = f"after {seed} of {FEWER} perturbations for the attainable error"
                raise Exhausted(f"out of work {done}") from reason
            break
        except Undecided:
            continue  # across a branch: another program than the one that is asked about
        with precision(bits):
            for k, (there, here) in enumerate(zip(around, truth, strict=True)):
                far = _distance(there, here.balls)
                if kinks:  # still on one: its hull says nothing of an element that has one slope
                    far[_are_hulls(there) & ~here.wide] = 0.0
                np.maximum(largest[k], far, out=largest[k])
                if zero[k].any():
                    still = [b.contains(0) for b in there.ravel().tolist()]
                    zero[k] &= np.array(still, bool).reshape(there.shape)
    return largest, zero


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
    try:
        here = evaluate(asked, inputs, bits, work)
        with precision(bits):
            steps = {i: _ends(exact(inputs[i]), _halves(inputs[i], program.inputs[i].dtype)) for i in fixed}
        for seed in range(PERTURBATIONS):
            there = evaluate(asked, _moved(inputs, steps, seed), bits, work)
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
    """Half an ulp of every number of an input."""
    return np.asarray(FORMATS[dtype].ulp(np.asarray(x, np.float64)) / 2)


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
def _ups(seed: int, shapes: tuple[Shape, ...]) -> list[Mask]:
    """Which numbers of arrays of these shapes go up."""
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.integers(0, 2, shape), bool) for shape in shapes]
