"""What formulas of whole arrays (`program/jets`) are written with in a plan: expressions and functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.core.nodes import FUNCTIONS, Value
from oracles.exact.core.pairs import Pairs
from oracles.exact.core.writer import Writer
from oracles.exact.program.balls import precision
from oracles.exact.program.errors import Unsupported

BITS = 300  # of constants


@dataclass(frozen=True, slots=True)
class Expression:
    """A value of a plan, with the operators of a number."""

    plan: Writer
    value: Value

    def _with(self, operation: str, *others: Expression) -> Expression:
        values = (self.value, *(o.value for o in others))
        return Expression(self.plan, self.plan.elementwise(operation, *values))

    def __add__(self, other: Expression) -> Expression:
        return self._with("add", other)

    def __mul__(self, other: Expression) -> Expression:
        return self._with("mul", other)

    def __neg__(self) -> Expression:
        return self._with("neg")


class Functions:
    """The values of functions, as expressions. What is not here is Arb's."""

    def __init__(self, plan: Writer, ndim: int) -> None:
        self.plan, self.ndim = plan, ndim

    def _constant(self, ball: arb) -> Expression:
        return Expression(self.plan, self.plan.number(ball, self.ndim))

    def number(self, above: int, below: int = 1) -> Expression:
        """A fraction."""
        with precision(BITS):
            return self._constant(arb(above) / below)

    def two_over_root_pi(self, sign: int) -> Expression:
        """2 / sqrt(pi), with a sign."""
        with precision(BITS):
            return self._constant(2 * sign / arb.pi().sqrt())

    def magnitude(self, x: Expression) -> Expression:
        """|x|, or where 0 is in the ball either of x and -x."""
        return x._with("abs")

    def reciprocal(self, x: Expression) -> Expression:
        """1 / x."""
        return self.number(1)._with("div", x)

    def length(self, x: Expression) -> Expression:
        """The root of a sum of squares, of what of its ball is not below 0."""
        return x._with("nonnegative")._with("sqrt")

    def rsqrt(self, x: Expression) -> Expression:
        """1 / sqrt(x)."""
        return self.reciprocal(x._with("sqrt"))

    def logarithm(self, number: int, power: int) -> Expression:
        """log(number)^power."""
        with precision(BITS):
            return self._constant(arb(number).log() ** power)

    def exp2(self, x: Expression) -> Expression:
        """e^(x log 2)."""
        return (x * self.logarithm(2, 1))._with("exp")

    def log2(self, x: Expression) -> Expression:
        """log x / log 2."""
        return x._with("log") * self.logarithm(2, -1)

    def log10(self, x: Expression) -> Expression:
        """log x / log 10."""
        return x._with("log") * self.logarithm(10, -1)

    def __getattr__(self, name: str) -> Any:
        if name not in FUNCTIONS:
            raise Unsupported(f"{name} has no instruction")
        return lambda x: x._with(name)


def known_integer(parameters: Value) -> int:
    """The one integer, -64 to 64, that all of a parameter's elements are known to be.

    Raises:
        Unsupported: They are not.
    """
    known = parameters.node.known
    numbers = known.h if isinstance(known, Pairs) and not (known.l.any() or known.r.any()) else known
    if not isinstance(numbers, np.ndarray) or len(np.unique(numbers)) != 1:
        raise Unsupported("parameters that differ")
    number = float(numbers.flat[0])
    if abs(number) > 64 or number % 1:
        raise Unsupported("a parameter that is large, or no integer")
    return int(number)


def power(plan: Writer, x: Value, order: int, exponents: Value) -> Value:
    """The coefficient of x^n by multiplications, for one integer n that is known, -64 to 64."""
    n = known_integer(exponents)
    factor = math.prod(range(n, n - order, -1)) // math.factorial(order)  # a binomial coefficient: no rest
    of = Functions(plan, len(x.shape))
    left = n - order
    if factor == 0:
        return Value(of.number(0).value.node, (1,) * len(x.shape), x.whole)
    found, base, rest = None, Expression(plan, x), abs(left)
    while rest:
        if rest % 2:
            found = base if found is None else found * base
        base, rest = (base * base, rest // 2) if rest > 1 else (base, 0)
    one = of.number(1) if found is None else found
    whole = of.reciprocal(one) if left < 0 else one
    whole = whole if factor == 1 else whole * of.number(factor)
    return Value(whole.value.node, whole.value.shape, x.whole)


def real_power(plan: Writer, x: Value, order: int, y: Value, along: int = 0) -> Value:
    """The coefficient of t^order e^along of (x + t)^(y + e), for x > 0.

    (y + e over k) x^(y - k) e^(e log x): a polynomial in e, times x^y = e^(y log x), times that series.
    """
    of = Functions(plan, max(len(x.shape), len(y.shape)))
    base, exponent = Expression(plan, x), Expression(plan, y)
    logarithm = of.log(base)
    found: Expression = of.exp(exponent * logarithm)
    if not (order or along):
        return found.value
    terms = [of.number(1)]
    for k in range(order):
        factor = exponent + of.number(-k)
        longer = [t * factor for t in terms] + [of.number(0)]
        for j, t in enumerate(terms):
            longer[j + 1] = longer[j + 1] + t
        terms = [t * of.number(1, k + 1) for t in longer][: along + 1]
        found = found * of.reciprocal(base)
    total: Expression | None = None
    power = of.number(1)
    for j in range(along + 1):
        if along - j < len(terms):
            term = terms[along - j] * power * of.number(1, math.factorial(j))
            total = term if total is None else total + term
        power = power * logarithm
    assert total is not None
    return (found * total).value
