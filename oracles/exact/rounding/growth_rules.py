"""The rounding of each primitive, written into a plan: as the primitive's `rounded`, on pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, reduce
from typing import TypeAlias

import numpy as np

from oracles.exact.core.functions import known_integer
from oracles.exact.core.nodes import HULL, Value
from oracles.exact.core.rules import STEPPED, compared, step
from oracles.exact.program.balls import ZERO, precision
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.formats import FORMATS, Format
from oracles.exact.program.primitives.sums import sum_units
from oracles.exact.program.program import Array, Equation
from oracles.exact.program.scalars import QUOTIENT_UNITS, SCALARS, SLACKS, SLOPE_ULPS
from oracles.exact.rounding.growing import BITS, GrowingPlan, above

MOST_KINDS = 64  # of places, by how many terms they get
EXACT = """
    neg abs maximum minimum blend select detach no_grad edged edge_rate broadcast reshape permute take
    concatenate weights mixture reduce_max reduce_min
"""
SCALED, COUNTED, INTEGERS = 1, 2, 3  # what keeps an operation from rounding, as elementwise.h calls it
Rounded: TypeAlias = Callable[[GrowingPlan, Equation, tuple[Value, ...], Format], Value]


def _basic(units: float, inexact: bool = True) -> Rounded:
    def rounded(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
        return plan.grown(plan.exactly(equation, values), target, units, inexact)

    return rounded


def _add(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """A sum of small integers is exact in every format."""
    return plan.grown(plan.exactly(equation, values), target, 1, False, unless=COUNTED, operands=values)


def _mul(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    x, y = values
    product = plan.exactly(equation, values)
    if x.key == y.key:
        product = plan.not_negative(product)
    return plan.grown(product, target, 1, True, unless=SCALED, operands=values)


def _unit(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """As a division: where squares underflow, nothing bounds it."""
    return plan.grown(plan.elementwise("div", *values), target, QUOTIENT_UNITS, True)


def _scale(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """A product that is 0 where its first factor is, whatever the other is: that of a branch not taken."""
    z, product = values[0], plan.exactly(equation, values)
    zero = plan.number(ZERO, len(product.whole))
    product = plan.elementwise("select", compared(plan, "eq", z, zero), zero, product)
    return plan.grown(product, target, 1, True)


def _constant(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    with precision(BITS):
        assert equation.primitive.rounded is not None
        return plan.constant(equation.primitive.rounded(plan.growth, equation, [], target))


def _convert(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
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


def _taylor(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
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


def _power(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    order, n = equation.params["order"], known_integer(values[1])
    found = plan.exactly(equation, values)
    if n < 0:
        raise Unsupported("a power that is divided by")
    if (n - order) % 2 == 0 and n - order >= 0:
        found = plan.not_negative(found)
    return plan.grown(found, target, 2 * n + 2 if n > 2 else 1 if not order else 2, True)


def _sum(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    return _summed(plan, values[0], plan.exactly(equation, values), equation.params["axes"], target)


def _summed(plan: GrowingPlan, terms: Value, total: Value, axes: tuple[int, ...], target: Format) -> Value:
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


def _cumsum(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
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


def _terms(plan: GrowingPlan, target: Format, count: Array, below: float) -> Value:
    overflow = float(target.overflow) if target.name != "float64" else math.inf
    lost = float(sum_units(count, target))
    return plan.constant(np.array([above(lost), above(below), min(overflow, 1.7976931348623157e308)]))


def _matmul(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
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


def _scatter(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
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


def _rough(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """As `roughness`: the value, and around it so many units of what is added up."""
    (value, *terms), params = values, dict(equation.params)
    kind, units = params.pop("kind"), params.pop("units")
    if math.isinf(units) or kind not in SIZES:
        raise Unsupported(f"a kernel that is rough by {kind}")
    size = SIZES[kind](plan, *terms, **params)
    by = plan.constant(np.full((1,) * len(size.whole), above(units * target.unit)))
    return plan.elementwise("spread", value, plan.elementwise("mul", size, by))


def _sizes(plan: GrowingPlan, *values: Value) -> Value:
    return reduce(partial(plan.elementwise, "add"), (plan.elementwise("abs", v) for v in values))


def _spectrum(plan: GrowingPlan, *parts: Value, axis: int) -> Value:
    sizes = _sizes(plan, *parts)
    whole = tuple(1 if k == axis % len(sizes.whole) else n for k, n in enumerate(sizes.whole))
    return plan.reshaped(plan.reduced("sum", sizes, (axis % len(whole),)), whole)


def _quotient(plan: GrowingPlan, a: Value, b: Value, c: Value, d: Value, *, normal: float) -> Value:
    below = plan.elementwise("add", *(plan.not_negative(_sizes(plan, v)) for v in (c, d)))
    below = plan.elementwise("sub", below, plan.constant(np.full((1,) * len(below.whole), normal)))
    found = plan.elementwise("div", _sizes(plan, a, b), below)
    return plan.elementwise("mul", found, plan.constant(np.full((1,) * len(found.whole), 1.5)))


SIZES: dict[str, Callable[..., Value]] = {"itself": _sizes, "spectrum": _spectrum, "quotient": _quotient}


def _step(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
    """Everything between the steps at the two ends."""
    (x,) = values
    found = step(plan, equation, x, HULL)
    if found is None:
        raise Unsupported("a step of integers")
    return found


def _exact(plan: GrowingPlan, equation: Equation, values: tuple[Value, ...], target: Format) -> Value:
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
    "unit": _unit,
    "within": lambda plan, equation, values, target: values[0],
    "scale": _scale,
    "convert": _convert,
    "taylor": _taylor,
    "reduce_sum": _sum,
    "matmul": _matmul,
    "scatter_add": _scatter,
    "cumsum": _cumsum,
    "rough": _rough,
}
