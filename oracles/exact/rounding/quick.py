"""B by the fast core: the plan of a program in which every ball grows as its dtype rounds.

Each rule here is that of the primitive's `rounded`, on pairs; where one is missing, that equation is Arb's;
where a number may overflow, or where a comparison that may turn decides more than a choice, all of B is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from oracles.exact.core.nodes import Node, Value
from oracles.exact.core.plans import once
from oracles.exact.core.rules import best, rule
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.formats import FORMATS, WIDE_HALF, Growth, RoundingModel, format_of
from oracles.exact.program.maxima import Fact, Limit, Maxima
from oracles.exact.program.primitives.orders import argmax_, first_of_the_best
from oracles.exact.program.program import Array, Equation, Program
from oracles.exact.program.scalars import CALLS, LOGISTIC, SIGMOID_FLOOR, TWICE_UNITS
from oracles.exact.rounding.growing import GrowingPlan, above
from oracles.exact.rounding.growth_rules import ROUNDED


class BoundPlan(GrowingPlan):
    """A program as its dtypes round.

    Raises:
        Unsupported: An operation has no rule here.
    """

    what = "rounding bounds"
    opened = True

    def __init__(self, program: Program, model: RoundingModel, leaving: set[Any]) -> None:
        self.growth, self.leaving = Growth(model), leaving
        largest = any(e.primitive.name == "reduce_max" for e in program.equations)
        self.maxima = PlannedMaxima(self, model.fuses) if largest else None
        super().__init__(program, rule)
        self.maxima, self.leaving = None, set()  # what only writing needs, as large as arrays and programs

    def _emitted(self, equation: Equation) -> Value:
        values = tuple(self._values[v] for v in equation.operands)
        if equation.primitive is argmax_:
            try:
                found = best(self, equation, *values)
            except Unsupported:
                found = self.detour("best", equation, values, partial(first_of_the_best, **equation.params))
        elif not equation.output.is_float:
            found = super()._emitted(equation)
        else:
            found = self._rounded(equation, values)
        return self._limited(equation, values, found) if self.maxima else found

    def _limited(self, equation: Equation, values: tuple[Value, ...], found: Value) -> Value:
        """Narrowed by what is known of its rows."""
        primitive = equation.primitive
        if primitive.rows is None:
            return found
        assert self.maxima is not None
        facts = self.maxima.facts
        beside = primitive.rows is Maxima.larger and any(v in facts for v in equation.operands)
        known: list[Any] = [
            self.known(v, o.dtype) if beside or v.node.integers else None
            for v, o in zip(values, equation.operands, strict=True)
        ]
        self.maxima.operands = values
        limit = primitive.rows(self.maxima, equation, known, None)  # type: ignore[arg-type]
        if not isinstance(limit, Limit):
            return found
        if isinstance(limit.numbers, Value):
            return self.elementwise("smaller" if limit.at_most else "larger", found, limit.numbers)
        only = limit.only
        if only is None:
            raise Unsupported("limits that differ")
        return self.with_numbers("at_most" if limit.at_most else "at_least", found, [only])

    def _rounded(self, equation: Equation, values: tuple[Value, ...]) -> Value:
        growth, leaves = self.growth, equation.output in self.leaving
        target, name = growth.format(equation), growth.library(equation)
        accuracy = CALLS.get(equation.called) if equation.origin else None
        if accuracy is not None:
            result = self.exactly(equation, values)
            if not leaves:
                return result
            if accuracy is LOGISTIC:  # in [0, 1] of whatever
                result = self.with_numbers("share", result, [0.0])
            result = self.grown(result, target, 2 * accuracy.ulps(name, target.name), True)
            if accuracy is LOGISTIC and SIGMOID_FLOOR[name]:
                result = self.with_numbers(
                    "pad", result, [above(SIGMOID_FLOOR[name] / float(target.overflow))]
                )
            return result
        own = ROUNDED.get(equation.primitive.name, GrowingPlan.rounded_by_arb)
        try:
            result = own(self, equation, values, target)
        except Unsupported:
            result = self.rounded_by_arb(equation, values, target)
        if target is WIDE_HALF and leaves:
            return self.grown(result, format_of(equation.output.dtype), 0, True)
        return result


class PlannedMaxima(Maxima):
    """What largest elements say of their rows, where slack is computed by the plan itself.

    A number that is at most s is its own minimum with s, so it is in the minimum of its ball and s; likewise
    the maximum.

    Attributes:
        operands: Of the equation that is asked about, as the plan has them.
    """

    def __init__(self, plan: BoundPlan, fused: bool) -> None:
        super().__init__(fused)
        self.plan = plan
        self.operands: tuple[Value, ...] = ()

    def parted(self, equation: Equation, x: Any, fact: Fact) -> Any:
        """As `Maxima.parted`: x - x of a ball goes up to its diameter."""
        value = self.operands[0]
        if not self.fused or _is_given(value.node):
            return np.zeros(1 + int(fact.rows.max(initial=-1)))
        rows = np.argsort(fact.rows, axis=None, kind="stable").reshape(-1, fact.length)
        diameters = self.plan.moved(self.plan.elementwise("sub", value, value), rows)
        slack = self.plan.reduced("top", diameters, (1,))
        return self._upper(self.plan.widened(slack, 2 * format_of(equation.output.dtype).unit))

    def rounded(self, slack: Any, dtype: str) -> Any:
        """As `Maxima.rounded`; of a row that is exact, too, which is wider by these few roundings."""
        if not isinstance(slack, Value):
            return super().rounded(slack, dtype)
        units = TWICE_UNITS * format_of(dtype).unit
        return self._upper(self.plan.padded(self.plan.widened(slack, units), units))

    def limit(self, at_most: bool, slack: Any, rows: Array, power: int = 0) -> Limit:
        """As `Maxima.limit`."""
        if not isinstance(slack, Value):
            return super().limit(at_most, slack, rows, power)
        if power:
            slack = self.plan.elementwise("exp", slack if power > 0 else self.plan.elementwise("neg", slack))
        return Limit(at_most, self.plan.moved(slack, rows))

    def _upper(self, value: Value) -> Value:
        """The upper end of each ball: a wide one's exponential is far wider than it needs to be."""
        return self.plan.elementwise("upper", value)


def _is_given(node: Node) -> bool:
    """Whether it has numbers that are given, which nothing computes a second time."""
    return node.operation == "input" or (node.operation == "take" and _is_given(node.operands[0][0]))


def planned_bound(
    program: Program, model: RoundingModel, leaving: Callable[[Program], set[Any]]
) -> BoundPlan | None:
    """The plan of a program's bound, made once; None where the core cannot be used, or does not suffice."""

    def make() -> BoundPlan | None:
        try:
            return BoundPlan(program, model, leaving(program))
        except Unsupported:
            return None

    return once(model, program, make)


def stored(program: Program, model: RoundingModel, inputs: Any) -> bool:
    """Whether no input may be flushed before it is used."""
    growth = Growth(model)
    for v, x in zip(program.inputs, inputs, strict=True):
        normal = growth.flushed(FORMATS[v.dtype]) if v.dtype in FORMATS else 0.0
        sizes = np.abs(np.asarray(x, np.float64)) if normal else np.zeros(0)
        if ((sizes > 0) & (sizes < normal)).any():
            return False
    return True
