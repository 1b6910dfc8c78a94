"""B: balls that hold every value that a program may compute at its own precision, and the exact one.

A running error bound (Wilkinson, Rounding Errors in Algebraic Processes, 1963; Higham, Accuracy and Stability
of Numerical Algorithms, 2nd ed., 2002, chapters 2 to 4): after each operation the ball grows by what its
dtype may lose there (`rounded` of each primitive, `formats.Growth` at the ends of a dtype). Sums may be taken
in any order, products and sums may be fused or kept wider: all of these stay inside. Where a comparison may
go either way, both sides are inside (`opened`). Infinity is a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from flint import arb

from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.evaluate import Work
from oracles.exact.program.balls import booleans, each, exact, is_open, precision, unit
from oracles.exact.program.errors import Turned, Undecided, Unsupported
from oracles.exact.program.formats import (
    ROUNDING_MODELS,
    UNKNOWN,
    WIDE_HALF,
    Growth,
    RoundingModel,
    format_of,
)
from oracles.exact.program.maxima import Limit, Maxima
from oracles.exact.program.primitives.arrays import scatter_add_, take_
from oracles.exact.program.primitives.orders import argmax_, first_of_the_best
from oracles.exact.program.program import Array, Equation, Program, Var
from oracles.exact.program.scalars import CALLS, LOGISTIC, SIGMOID_FLOOR
from oracles.exact.rounding.quick import planned_bound, stored

SECONDS = 60.0  # of work, where nobody says how much
GROWING = 4  # times the work of an evaluation: each ball grows, too
BITS = 96  # float64 has 53: what the midpoints themselves lose is 2^-43 of what is bounded

__all__ = ["ROUNDING_MODELS", "Bound", "RoundingModel", "bound"]


@dataclass
class Bound:
    """What a program may compute.

    Attributes:
        found: One array per output, of Arb's balls or as pairs: every possible result is inside, and the
            exact one.
        values: Those of every equation, if they were to be kept.
        local: Likewise how much each ball grew at its own equation.
        overflow, underflow: The first equation that may overflow, and the first that may lose a number that
            is not 0 to it.
        problem: Why the balls are unbounded, "" if they come from the evaluation.
        undecided: The equation at which that is so, if it is one.
    """

    found: list[Array | Pairs]
    values: dict[Var, Array] = field(default_factory=dict)
    local: dict[Var, Array] = field(default_factory=dict)
    overflow: Equation | None = None
    underflow: Equation | None = None
    problem: str = ""
    undecided: Equation | None = None

    @cached_property
    def balls(self) -> list[Array]:
        """The same as Arb's balls."""
        return [one.balls if isinstance(one, Pairs) else one for one in self.found]


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
    for dtype in program.dtypes:
        if not dtype.startswith(("bool", "int", "uint")):
            format_of(dtype)
    work = work or Work(SECONDS)
    pairs = None if keep else quickly(program, inputs, model, work)
    if pairs is not None:
        return Bound(list(pairs))
    with precision(BITS):
        run = Run(program, model)
        try:
            return run.all(inputs, work, keep)
        except (Undecided, Unsupported) as reason:  # a power whose exponent is rounded has no rule
            wide = [np.full(v.shape, UNKNOWN, object) for v in program.outputs]
            return replace(run.found(wide, str(reason)), undecided=run.at)


def quickly(
    program: Program, inputs: Sequence[Array], model: RoundingModel, work: Work
) -> list[Pairs] | None:
    """The same by the fast core; None where it does not say of everything how far it reaches."""
    quick = stored(program, model, inputs) and work.pays_plan(program)
    plan = planned_bound(program, model, leaving) if quick else None
    if plan is None or not work.pays(GROWING * plan.by_arb):
        return None
    with suppress(Turned):
        pairs = plan.run(inputs)
        if pairs is not None and all(p.settled for p in pairs) and not _of_negative(program, pairs):
            return pairs
    return None


def _of_negative(program: Program, pairs: list[Pairs]) -> bool:
    """Whether what has no end may be a power of a negative number: Arb knows those that are whole."""
    powers = any(e.params.get("function") == "real_power" for e in program.equations)
    return powers and any(p.is_endless().any() for p in pairs)


class Run:
    """One evaluation."""

    def __init__(self, program: Program, model: RoundingModel) -> None:
        self.program, self.growth = program, Growth(model)
        self.values: dict[Var, Array] = {}
        largest = any(e.primitive.rows is Maxima.top for e in program.equations)
        self.maxima = Maxima(model.fuses) if largest else None
        self.leaving = leaving(program)
        self.at: Equation | None = None  # what is evaluated now

    def all(self, inputs: Sequence[Array], work: Work | None, keep: bool) -> Bound:
        program, values, self.growth.keeping = self.program, self.values, keep
        for v, x in zip(program.inputs, inputs, strict=True):
            values[v] = self.growth.stored(exact(x), v.dtype)
        last = {} if keep else program.last_uses
        for number, equation in enumerate(program.equations):
            if work is not None:
                work.spend(GROWING * program.costs[number], number, len(program.equations))
            self.at = equation
            found = self._one(equation, [values[v] for v in equation.operands])
            values[equation.output] = np.asarray(found)  # of no axes it may be a bare ball
            for v in last.get(number, ()):
                del values[v]
        self.at = None
        for v, expected in program.guards:
            if not np.array_equal(booleans(values[v]), expected):
                raise Undecided("rounding may take another branch than exact arithmetic")
        return self.found([values[v] for v in program.outputs])

    def found(self, balls: Sequence[Array], problem: str = "") -> Bound:
        growth = self.growth
        return Bound(list(balls), self.values, growth.local, growth.overflow, growth.underflow, problem)

    def _one(self, equation: Equation, operands: list[Array]) -> Array:
        primitive, out = equation.primitive, equation.output
        if primitive.opened and (is_open(operands) or primitive.comparison):
            result = primitive.opened(*operands, **equation.params)
        elif is_open(operands) or (primitive in (take_, scatter_add_) and operands[1].dtype == object):
            raise Undecided(f"rounding decides what {equation.called} works on")
        elif primitive is argmax_:  # the program compares what it has, not what that is a function of
            result = first_of_the_best(operands[0], operands[1], **equation.params)
        elif not out.is_float:
            result = primitive.evaluate(*operands, **equation.params)
        else:
            result = self.rounded(equation, operands)
        if primitive.rows and self.maxima:
            known = primitive.rows(self.maxima, equation, operands, result)
            return known.on(result) if isinstance(known, Limit) else np.asarray(known)
        return result

    def rounded(self, equation: Equation, operands: list[Array]) -> Array:
        """What a floating operation gives, as its dtype rounds."""
        primitive, growth, leaves = equation.primitive, self.growth, equation.output in self.leaving
        target, library = growth.format(equation), growth.library(equation)
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


def leaving(program: Program) -> set[Var]:
    """The values that are used outside the call that they belong to."""
    call = {e.output: e.origin.call if e.origin else None for e in program.equations}
    found = set(program.outputs)
    for e in program.equations:
        own = e.origin.call if e.origin else None
        found.update(v for v in e.operands if call.get(v) != own)
    return found
