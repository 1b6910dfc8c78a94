"""a: the error that no program can avoid, since its inputs are only known to half an ulp.

The largest change of the truth over sixteen (or eight) seeded, exact perturbations of the inputs and the
cotangent by half an ulp of their dtype, each number up or down, plus half an ulp of the truth itself. Sampled
and not enclosed: a ball forgets that two operands are the same number, and would be too generous by up to
2^35 for softmax.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.enclose.refine import Enclosure
from oracles.exact.program.balls import exact, precision
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import FORMATS, format_of
from oracles.exact.program.program import Array, Program, Shape, Var

PERTURBATIONS = 16
# Eight where there are many elements: that all eight nearly cancel (below 1/16 of their spread) in one
# element has probability 4e-11.
MANY, FEWER = 2**16, 8


def attainable(
    program: Program,
    inputs: Sequence[Array],
    wrt: Sequence[int],
    truth: Sequence[Enclosure],
    cotangents: int = 1,
    deadline: float = math.inf,
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.bool_]]]:
    """The attainable error of every element, and where the truth is 0 whatever the perturbation.

    Args:
        program: The program of the gradient.
        inputs: The numbers of its inputs, the cotangents last. The floating ones are moved; those that are
            not differentiated only if that turns no comparison (labels that are read by argmax).
        wrt: Which inputs are differentiated.
        truth: The enclosures at these numbers.
        cotangents: How many inputs are cotangents.

    Raises:
        Undecided: The deadline has passed before enough perturbations.
    """
    largest = [np.zeros(t.shape) for t in truth]
    zero = [t.contains(np.zeros(t.shape)) for t in truth]
    bits = max((t.bits for t in truth), default=64)
    with precision(bits):
        inputs = [exact(x) for x in inputs]
    moving = _moving(program, inputs, wrt, cotangents, bits, deadline)
    steps = {i: _step(inputs[i], program.inputs[i], bits) for i in moving}
    count = PERTURBATIONS if sum(change.size for change in largest) < MANY else FEWER
    for seed in range(count) if any(np.size(inputs[i]) for i in moving) else ():
        if time.monotonic() > deadline and seed < FEWER:
            raise Undecided(f"out of time after {seed} of {FEWER} perturbations for the attainable error")
        moved = _moved(inputs, steps, seed)
        try:
            around = evaluate(program, moved, bits, deadline)
        except Undecided:
            continue  # across a branch: another program than the one that is asked about
        with precision(bits):
            for k, (there, here) in enumerate(zip(around, truth, strict=True)):
                np.maximum(largest[k], _distance(there, here.balls), out=largest[k])
                if zero[k].any():
                    still = [b.contains(0) for b in there.ravel().tolist()]
                    zero[k] &= np.array(still, bool).reshape(there.shape)
    found = []
    for change, here, out in zip(largest, truth, program.outputs, strict=True):
        half = format_of(out.dtype).ulp(here.mid) / 2
        found.append(change + np.maximum(half, 2.0**-1074))
    return found, zero


def _moving(
    program: Program, inputs: Sequence[Array], wrt: Sequence[int], cotangents: int, bits: int, deadline: float
) -> list[int]:
    """The inputs to perturb: all floating ones, or where that turns a comparison, not the fixed ones."""
    floating = [i for i, v in enumerate(program.inputs) if v.dtype in FORMATS]
    least = [i for i in floating if i in wrt or i >= len(program.inputs) - cotangents]
    fixed = [i for i in floating if i not in least]
    asked = _decisions(program, {program.inputs[i] for i in fixed})
    if not asked.outputs:
        return floating
    try:
        here = evaluate(asked, inputs, bits, deadline)
        steps = {i: _step(inputs[i], program.inputs[i], bits) for i in fixed}
        for seed in range(PERTURBATIONS):
            there = evaluate(asked, _moved(inputs, steps, seed), bits, deadline)
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
    needed, kept = set(decided), []
    for equation in reversed(program.equations):
        if equation.output in needed:
            kept.append(equation)
            needed.update(equation.operands)
    return Program(program.inputs, kept[::-1], tuple(decided))


def _distance(there: Array, here: Array) -> NDArray[np.float64]:
    """The distances of midpoints; infinite where nothing is known."""
    gap = np.abs(np.array(np.asarray(there - here).ravel().tolist(), float)).reshape(here.shape)
    return np.where(np.isnan(gap), np.inf, gap)


def _step(x: Array, var: Var, bits: int) -> tuple[Array, Array]:
    """Every number of an input half an ulp down, and half an ulp up."""
    numbers = np.array(x.ravel().tolist(), float).reshape(x.shape)
    half = exact(FORMATS[var.dtype].ulp(numbers) / 2)
    with precision(bits):
        return np.asarray(x - half), np.asarray(x + half)


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
