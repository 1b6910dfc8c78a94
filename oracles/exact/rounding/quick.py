"""B by the fast core: the plan of a program in which every ball grows as its dtype rounds.

Each rule here is that of the primitive's `rounded`, on pairs; where one is missing, that equation is Arb's;
where a number may overflow, or where a comparison that may turn decides more than a choice, all of B is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, reduce
from typing import Any, TypeAlias

import numpy as np

from oracles.exact.core.functions import known_integer
from oracles.exact.core.nodes import HULL, Node, Value
from oracles.exact.core.plan import Plan
from oracles.exact.core.plans import once
from oracles.exact.core.rules import STEPPED, best, compared, rule, step
from oracles.exact.program.balls import ZERO, precision
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.formats import FORMATS, WIDE_HALF, Format, Growth, RoundingModel, format_of
from oracles.exact.program.maxima import Fact, Limit, Maxima
from oracles.exact.program.primitives.orders import argmax_, first_of_the_best
from oracles.exact.program.primitives.sums import sum_units
from oracles.exact.program.program import Array, Equation, Program
from oracles.exact.program.scalars import (
    CALLS,
    LOGISTIC,
    QUOTIENT_UNITS,
    SCALARS,
    SIGMOID_FLOOR,
    SLACKS,
    SLOPE_ULPS,
    TWICE_UNITS,
)

BITS = 96
MOST_KINDS = 64  # of places, by how many terms they get
SCALED, COUNTED, INTEGERS = 1, 2, 3  # what keeps an operation from rounding, as core.c calls it
EXACT = """
    neg abs maximum minimum blend select detach no_grad edged edge_rate broadcast reshape permute take
    concatenate weights mixture reduce_max reduce_min
"""
Rounded: TypeAlias = Callable[["BoundPlan", Equation, tuple[Value, ...], Format], Value]


class BoundPlan(Plan):
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
        return self._with("at_most" if limit.at_most else "at_least", found, [only])

    def _rounded(self, equation: Equation, values: tuple[Value, ...]) -> Value:
        growth, leaves = self.growth, equation.output in self.leaving
        target, name = growth.format(equation), growth.library(equation)
        accuracy = CALLS.get(equation.called) if equation.origin else None
        if accuracy is not None:
            result = self.exactly(equation, values)
            if not leaves:
                return result
            if accuracy is LOGISTIC:  # in [0, 1] of whatever
                result = self._with("share", result, [0.0])
            result = self.grown(result, target, 2 * accuracy.ulps(name, target.name), True)
            if accuracy is LOGISTIC and SIGMOID_FLOOR[name]:
                result = self._with("pad", result, [_above(SIGMOID_FLOOR[name] / float(target.overflow))])
            return result
        own = ROUNDED.get(equation.primitive.name, _by_arb)
        try:
            result = own(self, equation, values, target)
        except Unsupported:
            result = _by_arb(self, equation, values, target)
        if target is WIDE_HALF and leaves:
            return self.grown(result, format_of(equation.output.dtype), 0, True)
        return result

    def exactly(self, equation: Equation, values: tuple[Value, ...]) -> Value:
        """What exact arithmetic gives.

        Raises:
            Unsupported: It has no instruction; for the rounding Arb has a narrower rule.
        """
        found = rule(self, equation, values)
        if found is None:
            raise Unsupported(f"no instruction for {equation.primitive.name}")
        return found

    # -- what rules write with ------------------------------------------------------------------------------

    def _with(
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
        lost = flushed or (_above(least / 2 * max(units, 1)) if inexact else 0.0)
        overflow = float(target.overflow) if target.name != "float64" else 1.7976931348623157e308
        numbers = [
            units * target.unit, 2.0 ** (target.greatest_exponent - 1), 8 * target.normal,
            target.normal, overflow, lost, float(once),
        ]  # fmt: skip
        value = self.as_balls(value)
        return self._with("grow", value, numbers, *map(self.as_balls, operands), number=unless)

    def stored(self, value: Value, target: Format) -> Value:
        """The factors of a product of matrices, as it finds them (`Growth.stored`)."""
        normal = self.growth.flushed(target, product=True)
        return self._with("stored", self.as_balls(value), [normal]) if normal else value

    def widened(self, value: Value, by: float) -> Value:
        """x (1 +- by)."""
        return self._with("widen", value, [_above(by)])

    def padded(self, value: Value, by: float) -> Value:
        """x +- by."""
        return self._with("pad", value, [_above(by)]) if by else value

    def not_negative(self, value: Value) -> Value:
        """What is not below 0."""
        return self._with("nonnegative", value, [0.0])


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


def _above(number: float) -> float:
    return math.nextafter(number * (1 + 2.0**-50), math.inf) if number else 0.0


def _basic(units: float, inexact: bool = True) -> Rounded:
    def rounded(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
        return plan.grown(plan.exactly(equation, values), target, units, inexact)

    return rounded


def _add(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """A sum of small integers is exact in every format."""
    return plan.grown(plan.exactly(equation, values), target, 1, False, unless=COUNTED, operands=values)


def _mul(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    x, y = values
    product = plan.exactly(equation, values)
    if x.key == y.key:
        product = plan.not_negative(product)
    return plan.grown(product, target, 1, True, unless=SCALED, operands=values)


def _scale(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """A product that is 0 where its first factor is, whatever the other is: that of a branch not taken."""
    z, product = values[0], plan.exactly(equation, values)
    zero = plan.number(ZERO, len(product.whole))
    product = plan.elementwise("select", compared(plan, "eq", z, zero), zero, product)
    return plan.grown(product, target, 1, True)


def _constant(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    with precision(BITS):
        assert equation.primitive.rounded is not None
        return plan.constant(equation.primitive.rounded(plan.growth, equation, [], target))


def _convert(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    source = FORMATS.get(equation.operands[0].dtype)
    found = plan.exactly(equation, values)
    if source is None:
        known = values[0].node.known
        largest = int(np.abs(known).max(initial=0)) if isinstance(known, np.ndarray) else None
        boolean = equation.operands[0].dtype == "bool"
        if boolean or (largest is not None and largest <= 2**target.digits and largest < target.overflow):
            return found
        return plan.grown(found, target, 1, True, unless=INTEGERS, operands=(found,))
    if source.digits <= target.digits and source.greatest_exponent <= target.greatest_exponent:
        return found
    return plan.grown(found, target, 1, True)


def _taylor(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    function, order = equation.params["function"], equation.params["order"]
    entry, name = SCALARS[function], plan.growth.library(equation)
    if function == "power":
        return _power(plan, equation, values, target)
    if entry.loss is not None:
        raise Unsupported("a loss that Arb bounds, point by point")
    units = 2 * entry.accuracy.ulps(name, target.name)
    x, *parameters = values
    if order and not entry.own_slope:
        x = plan.widened(x, SLOPE_ULPS * target.unit)
        units += 2 * SLOPE_ULPS
    elif not order and entry.accuracy.argument:
        x = plan.widened(x, entry.accuracy.argument * target.unit)
    found = plan.exactly(equation, (x, *parameters))
    if not order:
        found = plan.padded(found, entry.accuracy.of_one(name, target.name) * target.unit)
    slack = SLACKS.get((name, equation.called, function))
    if slack and not order:
        ones = slack.float32_units if target.name == "float32" else slack.units
        found = plan.padded(found, ones * target.unit)
        units += 2 * slack.ulps
    if order and entry.levels:
        found = plan.padded(found, SLOPE_ULPS * target.unit)
    if order == 0 and entry.positive:
        found = plan.not_negative(found)
    return plan.grown(found, target, units, True, once=True)


def _power(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    order, n = equation.params["order"], known_integer(values[1])
    found = plan.exactly(equation, values)
    if n < 0:
        raise Unsupported("a power that is divided by")
    if (n - order) % 2 == 0 and n - order >= 0:
        found = plan.not_negative(found)
    return plan.grown(found, target, 2 * n + 2 if n > 2 else 1 if not order else 2, True)


def _sum(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    return _summed(plan, values[0], plan.exactly(equation, values), equation.params["axes"], target)


def _summed(plan: BoundPlan, terms: Value, total: Value, axes: tuple[int, ...], target: Format) -> Value:
    """The total of terms along axes, as far off as these many may be in any order."""
    whole = plan.written(terms)
    count = math.prod(whole.shape[a] for a in axes)
    below = plan.growth.flushed(target) * max(count - 1, 0)
    lost = _terms(plan, target, np.asarray(count), below)
    inside, after = plan.in_one_piece(whole, axes)
    operands = ((inside.node, 0, 1), (total.node, 0, 1), (lost.node, 0, 0))
    size = total.node.size
    node = plan.node("sum_grows", operands, size, size, False, (count, after, 0))
    return plan.grown(Value(node, total.shape, total.whole), target, 0, False)


def _cumsum(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """Each element is a sum of all up to it, as far off as these may be in any order."""
    (x,), axis = values, equation.params["axis"]
    total = plan.exactly(equation, values)
    sizes = plan.along("cumsum", plan.elementwise("upper", plan.elementwise("abs", x)), (axis,))
    counts = np.arange(1, x.whole[axis] + 1)
    lost = sum_units(counts, target)
    plan.grown(plan.widened(sizes, float(lost.max())), target, 0, False)  # none so far may overflow

    def each(numbers: Array) -> Value:
        return plan.constant(numbers.reshape(-1, *(1,) * (len(x.whole) - axis - 1))[(None,) * axis])

    share = plan.elementwise("mul", sizes, each(lost))
    if flushed := plan.growth.flushed(target):  # each sum so far, but of zeros
        below = plan.elementwise("add", share, each(flushed * (counts - 1)))
        some = compared(plan, "gt", sizes, plan.constant(np.zeros((1,) * len(x.whole))))
        share = plan.elementwise("select", some, below, share)
    found = plan.elementwise("spread", total, share)
    return plan.grown(found, target, 0, False)


def _terms(plan: BoundPlan, target: Format, count: Array, below: float) -> Value:
    overflow = float(target.overflow) if target.name != "float64" else math.inf
    lost = float(sum_units(count, target))
    return plan.constant(np.array([_above(lost), _above(below), min(overflow, 1.7976931348623157e308)]))


def _matmul(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    growth = plan.growth
    inner = FORMATS["float32"] if growth.model.wide_products and target.name == "bfloat16" else target
    x, y = (plan.written(plan.stored(v, target)) for v in values)
    product = plan.exactly(equation, (x, y))
    count, (rows, columns) = x.whole[-1], product.whole[-2:]
    least = float(inner.least) if inner.name != "float64" else 5e-324
    below = 2 * growth.flushed(inner, product=True) or least  # of each product that is not 0, and of a sum
    terms = _terms(plan, inner, np.asarray(count + 1), below)
    operands = (*((v.node, 0, 1) for v in (x, y, product)), (terms.node, 0, 0))
    node = plan.node("matmul_grows", operands, product.node.size, columns, False, (count, 0, rows))
    found = plan.grown(Value(node, product.shape, product.whole), inner, 0, False)
    return found if inner is target else plan.grown(found, target, 1, True)


def _scatter(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """What goes to one place is a sum: places that get as many terms are the rows of one."""
    positions = plan.known(values[1], "int64")
    if positions is None:
        raise Unsupported("positions that are computed")
    total, terms = plan.exactly(equation, values), plan.written(values[0])
    places = np.arange(math.prod(total.whole))
    found, rest = [], places.copy()
    for at, table in _terms_of(positions, len(places)):
        sums = _summed(plan, plan.moved(terms, table), plan.moved(total, at), (1,), target)
        back = np.full(len(places), -1)
        back[at], rest[at] = np.arange(len(at)), -1
        found.append(plan.moved(sums, back))
    if not found:
        return total
    whole = plan.moved(total, rest)
    for one in found:
        whole = plan.elementwise("add", whole, one)  # to zeros
    return plan.reshaped(whole, total.whole)


def _terms_of(positions: Array, places: int) -> list[tuple[Array, Array]]:
    """Places to which so many terms go, two at the least, and these terms, a row for each place.

    Raises:
        Unsupported: They are of too many kinds.
    """
    where = positions.ravel()
    order = np.argsort(where, kind="stable")[np.count_nonzero(where < 0) :]
    counts = np.bincount(where[order], minlength=places)
    ends, kinds = np.cumsum(counts), [int(n) for n in np.unique(counts) if n > 1]
    if len(kinds) > MOST_KINDS:
        raise Unsupported("positions that repeat in very many ways")
    rows = ((n, np.flatnonzero(counts == n)) for n in kinds)
    return [(at, order[ends[at, None] - n + np.arange(n)]) for n, at in rows]


def _rough(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """As `roughness`: the value, and around it so many units of what is added up."""
    (value, *terms), params = values, dict(equation.params)
    kind, units = params.pop("kind"), params.pop("units")
    if math.isinf(units) or kind not in SIZES:
        raise Unsupported(f"a kernel that is rough by {kind}")
    size = SIZES[kind](plan, *terms, **params)
    by = plan.constant(np.full((1,) * len(size.whole), _above(units * target.unit)))
    return plan.elementwise("spread", value, plan.elementwise("mul", size, by))


def _sizes(plan: BoundPlan, *values: Value) -> Value:
    return reduce(partial(plan.elementwise, "add"), (plan.elementwise("abs", v) for v in values))


def _spectrum(plan: BoundPlan, *parts: Value, axis: int) -> Value:
    sizes = _sizes(plan, *parts)
    whole = tuple(1 if k == axis % len(sizes.whole) else n for k, n in enumerate(sizes.whole))
    return plan.reshaped(plan.reduced("sum", sizes, (axis % len(whole),)), whole)


def _quotient(plan: BoundPlan, a: Value, b: Value, c: Value, d: Value) -> Value:
    below = plan.elementwise("add", *(plan.not_negative(_sizes(plan, v)) for v in (c, d)))
    found = plan.elementwise("div", _sizes(plan, a, b), below)
    return plan.elementwise("mul", found, plan.constant(np.full((1,) * len(found.whole), 1.5)))


SIZES: dict[str, Callable[..., Value]] = {"itself": _sizes, "spectrum": _spectrum, "quotient": _quotient}


def _by_arb(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """The primitive's own rule, between two calls into C.

    Raises:
        Unsupported: It has none.
    """
    rounded, model = equation.primitive.rounded, plan.growth.model
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
    return plan.detour(f"rounded {id(equation)}", equation, values, evaluated)


def _step(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """Everything between the steps at the two ends."""
    (x,) = values
    found = step(plan, equation, x, HULL)
    if found is None:
        raise Unsupported("a step of integers")
    return found


def _exact(plan: BoundPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """Moves and choices do not round."""
    return plan.exactly(equation, values)


ROUNDED: dict[str, Rounded] = {
    **dict.fromkeys(EXACT.split(), _exact),
    "constant": _constant,
    **dict.fromkeys(("pi", "cosines"), _basic(1)),
    **dict.fromkeys(STEPPED, _step),
    "add": _add,
    "sub": _basic(1, inexact=False),
    "mul": _mul,
    "div": _basic(QUOTIENT_UNITS),
    "scale": _scale,
    "convert": _convert,
    "taylor": _taylor,
    "reduce_sum": _sum,
    "matmul": _matmul,
    "scatter_add": _scatter,
    "cumsum": _cumsum,
    "rough": _rough,
}


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
