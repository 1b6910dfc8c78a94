"""B and a: how far a program may be off at its own precision, and what no program can avoid.

B: balls that hold every value the program may compute, and the exact one.

A running error bound (Wilkinson, Rounding Errors in Algebraic Processes, 1963; Higham, Accuracy and Stability
of Numerical Algorithms, 2nd ed., 2002, chapters 2 to 4): after each operation the ball grows by what its
dtype may lose there (`rounded` of each primitive, `formats.Growth` at the ends of a dtype). Sums may be taken
in any order, products and sums may be fused or kept wider: all of these stay inside. Where a comparison may
go either way, both sides are inside (`opened`). Infinity is a value.

a: the error that no program can avoid, since its inputs are only known to half an ulp. The largest change of
the truth over sixteen (or eight) seeded, exact perturbations of the inputs and the cotangent by half an ulp
of their dtype, each number up or down, plus half an ulp of the truth itself. Sampled and not enclosed: a ball
forgets that two operands are the same number, and would be too generous by up to 2^35 for softmax.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.enclose.components import is_known
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.refine import Enclosure
from oracles.exact.program.balls import KINKS, as_balls, booleans, each, exact, is_open, precision, unit
from oracles.exact.program.errors import Exhausted, Undecided
from oracles.exact.program.formats import (
    FORMATS,
    ROUNDING_MODELS,
    UNKNOWN,
    WIDE_HALF,
    Growth,
    RoundingModel,
    format_of,
)
from oracles.exact.program.maxima import Maxima
from oracles.exact.program.primitives.arrays import scatter_add_, take_
from oracles.exact.program.primitives.orders import argmax_
from oracles.exact.program.program import Array, Equation, Program, Shape, Var
from oracles.exact.program.scalars import CALLS, LOGISTIC, SIGMOID_FLOOR

GROWING = 4  # times the work of an evaluation: each ball grows, too
BITS = 96  # float64 has 53: what the midpoints themselves lose is 2^-43 of what is bounded

__all__ = ["ROUNDING_MODELS", "Bound", "RoundingModel", "attainable", "bound"]


@dataclass(slots=True)
class Bound:
    """What a program may compute.

    Attributes:
        balls: One array per output: every possible result is inside, and the exact one.
        values: Those of every equation, if they were to be kept.
        local: Likewise how much each ball grew at its own equation.
        overflow, underflow: The first equation that may overflow, and the first that may lose a number that
            is not 0 to it.
        problem: Why the balls are unbounded, "" if they come from the evaluation.
    """

    balls: list[Array]
    values: dict[Var, Array] = field(default_factory=dict)
    local: dict[Var, Array] = field(default_factory=dict)
    overflow: Equation | None = None
    underflow: Equation | None = None
    problem: str = ""


def bound(
    program: Program,
    inputs: Sequence[Array],
    model: RoundingModel,
    work: Work | None = None,
    keep: bool = False,
) -> Bound:
    """Run a program as its own dtypes round; `keep` all values on the way (see `diagnosis`).

    Where it cannot be bounded (an operation without a model, an order that rounding may change) the balls are
    unbounded, and `problem` says why.

    Raises:
        ValueError: A value has a floating dtype that no rounding model is known for.
    """
    for v in (*program.inputs, *(e.output for e in program.equations)):
        if not v.dtype.startswith(("bool", "int", "uint")):
            format_of(v.dtype)
    with precision(BITS):
        run = Run(program, model)
        try:
            return run.all(inputs, work, keep)
        except Undecided as reason:
            wide = [np.full(v.shape, UNKNOWN, object) for v in program.outputs]
            return run.found(wide, str(reason))


class Run:
    """One evaluation."""

    def __init__(self, program: Program, model: RoundingModel) -> None:
        self.program, self.growth = program, Growth(model)
        self.values: dict[Var, Array] = {}
        largest = any(e.primitive.rows is Maxima.top for e in program.equations)
        self.maxima = Maxima(model.fuses) if largest else None
        self.leaving = _leaving(program)

    def all(self, inputs: Sequence[Array], work: Work | None, keep: bool) -> Bound:
        program, values, self.growth.keeping = self.program, self.values, keep
        for v, x in zip(program.inputs, inputs, strict=True):
            values[v] = self.growth.stored(exact(x), v.dtype)
        last = {} if keep else program.last_uses
        for number, equation in enumerate(program.equations):
            if work is not None:
                work.spend(GROWING * program.costs[number], "equation", number, len(program.equations))
            values[equation.output] = self._one(equation, [values[v] for v in equation.operands])
            for v in last.get(number, ()):
                del values[v]
        for v, expected in program.guards:
            if not np.array_equal(booleans(values[v]), expected):
                raise Undecided("rounding may take another branch than exact arithmetic")
        return self.found([values[v] for v in program.outputs])

    def found(self, balls: list[Array], problem: str = "") -> Bound:
        growth = self.growth
        return Bound(balls, self.values, growth.local, growth.overflow, growth.underflow, problem)

    def _one(self, equation: Equation, operands: list[Array]) -> Array:
        primitive, out = equation.primitive, equation.output
        if primitive.opened and (is_open(operands) or primitive.comparison):
            result = primitive.opened(*operands, **equation.params)
        elif is_open(operands) or (primitive in (take_, scatter_add_) and operands[1].dtype == object):
            raise Undecided(f"rounding decides what {equation.called} works on")
        elif primitive is argmax_:  # the program compares what it has, not what that is a function of
            result = _first_of_the_best(operands[0], operands[1], **equation.params)
        elif not out.is_float:
            result = primitive.evaluate(*operands, **equation.params)
        else:
            result = self._rounded(equation, operands)
        if primitive.rows and self.maxima:
            return primitive.rows(self.maxima, equation, operands, result)
        return result

    def _rounded(self, equation: Equation, operands: list[Array]) -> Array:
        primitive, growth, leaves = equation.primitive, self.growth, equation.output in self.leaving
        target, library = growth.format(equation), growth.model.library
        accuracy = CALLS.get(equation.called) if equation.origin else None
        if accuracy is not None:
            result = exact(primitive.evaluate(*operands, **equation.params))
            if not leaves:
                return result
            if accuracy is LOGISTIC:
                result = each(lambda b: b if b.is_finite() else unit(), result)
            found = growth.grown(equation, result, 2 * accuracy.ulps(library, target.name), True)
            if accuracy is LOGISTIC and SIGMOID_FLOOR[library]:
                found = np.asarray(found + arb(0, (SIGMOID_FLOOR[library] / target.overflow).upper()))
            return found
        if primitive.rounded is None:
            raise Undecided(f"no rounding model for {equation.called}")
        result = primitive.rounded(growth, equation, operands, target)
        if target is WIDE_HALF and leaves:
            return growth.grown(equation, result, 0, True, format_of(equation.output.dtype))
        return result


def _first_of_the_best(x: Array, scores: Array, axis: int) -> Array:
    """Where the largest score is. Rounding may tie or turn scores, but not those of equal numbers x.

    Raises:
        Undecided: Several may be the largest, and come from different numbers.
    """
    if scores.dtype != object:
        return np.asarray(np.argmax(scores, axis))
    rows, sources = (np.moveaxis(a, axis, -1) for a in (scores, as_balls(x)))
    found = np.empty(rows.shape[:-1], np.int64)
    for where in np.ndindex(found.shape):
        row, source = rows[where].tolist(), sources[where].tolist()
        best = max(row, key=lambda b: float(b.mid()))
        may = [k for k, ball in enumerate(row) if not ball < best]
        first = source[may[0]]
        if len(may) > 1 and not all(source[k].is_exact() and source[k] == first for k in may):
            raise Undecided("rounding may decide which of several elements is the largest")
        found[where] = may[0]
    return found


def _leaving(program: Program) -> set[Var]:
    """The values that are used outside the call that they belong to."""
    call = {e.output: e.origin.call if e.origin else None for e in program.equations}
    found = set(program.outputs)
    for e in program.equations:
        own = e.origin.call if e.origin else None
        found.update(v for v in e.operands if call.get(v) != own)
    return found


# -- a ----------------------------------------------------------------------------------------------------

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
    largest = [np.zeros(t.shape) for t in truth]
    zero = [t.contains(np.zeros(t.shape)) for t in truth]
    bits = max((t.bits for t in truth), default=64)
    with precision(bits):
        inputs = [exact(x) for x in inputs]
    formats, results = (
        [known or v.dtype for known, v in zip(given or ("",) * len(own), own, strict=True)]
        for given, own in zip(narrowest, (program.inputs, program.outputs), strict=True)
    )
    moving = _moving(program, inputs, wrt, cotangents, bits, work)
    steps = {i: _step(inputs[i], formats[i], bits) for i in moving}
    count = PERTURBATIONS if sum(change.size for change in largest) < MANY else FEWER
    for seed in range(count) if any(np.size(inputs[i]) for i in moving) else ():
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
    found = []
    for change, here, dtype in zip(largest, truth, results, strict=True):
        half = format_of(dtype).ulp(here.mid) / 2
        found.append(change + np.maximum(half, 2.0**-1074))
    return found, zero


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
        steps = {i: _step(inputs[i], program.inputs[i].dtype, bits) for i in fixed}
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


def _step(x: Array, dtype: str, bits: int) -> tuple[Array, Array]:
    """Every number of an input half an ulp down, and half an ulp up."""
    numbers = np.array(x.ravel().tolist(), float).reshape(x.shape)
    half = exact(FORMATS[dtype].ulp(numbers) / 2)
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
