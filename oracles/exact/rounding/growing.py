"""What rules of rounding write with: a plan in which balls grow."""

from __future__ import annotations

import math

import numpy as np

from oracles.exact.core.nodes import Value
from oracles.exact.core.plan import Plan
from oracles.exact.core.rules import rule
from oracles.exact.program.balls import precision
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.formats import Format, Growth
from oracles.exact.program.program import Array, Equation

BITS = 96


class GrowingPlan(Plan):
    """A program whose balls grow as its dtypes round.

    Attributes:
        growth: By how much, in the model of a library's kernels.
    """

    growth: Growth

    def exactly(self, equation: Equation, values: tuple[Value, ...]) -> Value:
        """What exact arithmetic gives.

        Raises:
            Unsupported: It has no instruction; for the rounding Arb has a narrower rule.
        """
        found = rule(self, equation, values)
        if found is None:
            raise Unsupported(f"no instruction for {equation.primitive.name}")
        return found

    def with_numbers(
        self, operation: str, value: Value, numbers: list[float], *others: Value, number: int = 0
    ) -> Value:
        """An operation with numbers of its own, element by element."""
        given = self.constant(np.array(numbers)).node
        operands = [(value.node, 0, 0), (given, 0, 0), *((o.node, 0, 0) for o in others)]
        size = value.node.size
        operands[0] = (value.node, size, 1)
        node = self.node(operation, tuple(operands), size, size, False, (number,))
        return Value(node, value.shape, value.whole)

    def grown(
        self,
        value: Value,
        target: Format,
        units: float,
        inexact: bool,
        once: bool = False,
        unless: int = 0,
        operands: tuple[Value, ...] = (),
    ) -> Value:
        """As `Growth.grown`: so many unit roundoffs, and what happens at the ends of the format.

        `unless` the operands are such that nothing rounds; `once`, an exact 1 stays one.
        """
        flushed = self.growth.flushed(target)
        least = float(target.least) if target.name != "float64" else 5e-324
        lost = flushed or (above(least / 2 * max(units, 1)) if inexact else 0.0)
        overflow = float(target.overflow) if target.name != "float64" else 1.7976931348623157e308
        numbers = [
            units * target.unit, 2.0 ** (target.greatest_exponent - 1), 8 * target.normal,
            target.normal, overflow, lost, float(once), float(target.largest),
            min(overflow, float(target.finite)) if units <= 1 else 0.0,
        ]  # fmt: skip
        value = self.as_balls(value)
        return self.with_numbers("grow", value, numbers, *map(self.as_balls, operands), number=unless)

    def stored(self, value: Value, target: Format) -> Value:
        """The factors of a product of matrices, as it finds them (`Growth.stored`)."""
        normal = self.growth.flushed(target, product=True)
        return self.with_numbers("stored", self.as_balls(value), [normal]) if normal else value

    def widened(self, value: Value, by: float) -> Value:
        """x (1 +- by)."""
        return self.with_numbers("widen", value, [above(by)])

    def padded(self, value: Value, by: float) -> Value:
        """x +- by."""
        return self.with_numbers("pad", value, [above(by)]) if by else value

    def not_negative(self, value: Value) -> Value:
        """What is not below 0."""
        return self.with_numbers("nonnegative", value, [0.0])

    def rounded_by_arb(self, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
        """The primitive's own rule, between two calls into C.

        Raises:
            Unsupported: It has none.
        """
        rounded, model = equation.primitive.rounded, self.growth.model
        if rounded is None:
            raise Unsupported(f"no rule for the rounding of {equation.primitive.name}")

        def evaluated(*operands: Array) -> Array:
            growth = Growth(model)
            with precision(BITS):
                found = rounded(growth, equation, list(operands), target)
            if growth.overflow:
                raise Undecided("a number that may overflow")
            return found

        # Which library's function it is, and whose argument, the origin says: no two equations share it here.
        return self.detour(f"rounded {id(equation)}", equation, values, evaluated)


def above(number: float) -> float:
    """A little more, so that it is a bound whatever rounded on the way; 0 stays 0."""
    return math.nextafter(number * (1 + 2.0**-50), math.inf) if number else 0.0
