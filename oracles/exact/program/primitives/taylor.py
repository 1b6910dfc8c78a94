"""Scalar functions: every derivative from the Taylor coefficients (see `scalars`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.program.balls import ONE, all_finite, as_balls, each, filled
from oracles.exact.program.derive import Tangents, zeros_like
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.formats import FORMATS, UNKNOWN, Format, Growth
from oracles.exact.program.maxima import Limit, Maxima
from oracles.exact.program.primitives.arithmetic import scale
from oracles.exact.program.primitives.choices import select
from oracles.exact.program.primitives.lengths import along, has_parts, length
from oracles.exact.program.primitives.squares import are_squares
from oracles.exact.program.primitives.staying import MINUS, Told, stay_equal, stays
from oracles.exact.program.program import Array, Equation, Operand, Primitive, Var, sum_of
from oracles.exact.program.scalars import HALVES, QUOTIENT_UNITS, SCALARS, SLACKS, SLOPE_ULPS, Scalar

# Where a function falls to -inf, as IEEE 754 has it; Arb has no value there.
ENDS = {"log": 0.0, "log2": 0.0, "log10": 0.0, "log1p": -1.0}
# These and others whose slope has no end where they have one: of what stays there, it is not asked for.
STEEP = frozenset({*ENDS, "sqrt", "length", "rsqrt", "cbrt", "reciprocal", "real_power"})


def _taylor_coefficient(*operands: Array, function: str, order: int, **static: Any) -> Array:
    return taylor_coefficients(operands, function, order, static)[order]


def taylor_coefficients(
    operands: Sequence[Array], function: str, order: int, static: dict[str, Any]
) -> Sequence[Array]:
    """The arrays c_0 to c_order of the function at every element, from one series each."""
    entry, x = SCALARS[function], as_balls(operands[0])
    if entry.arrays is not None:
        whole = entry.arrays(x, order, *operands[1:])
        if whole is not None:
            return whole
    parameters = list(map(as_balls, operands[1:]))
    if order == 0 and entry.value is not None and not static.get("along"):
        return [each(entry.value, x, *parameters)]
    columns = [p.ravel().tolist() for p in (x, *parameters)]
    rows = entry.rows(zip(*columns, strict=True), order, **static)
    return [filled([row[k] for row in rows], x.shape) for k in range(order + 1)]


def _taylor_jvp(equation: Equation, tangents: Tangents) -> Var:
    """d c_k = (k + 1) c_{k+1} dx, and likewise along each parameter where its derivatives are known."""
    (x, *parameters), (tx, *others) = equation.operands, tangents
    params = dict(equation.params)
    function, order, along = params.pop("function"), params.pop("order"), params.pop("along", 0)
    terms: list[Var | None] = [None]
    if function == "length" and order == 0 and has_parts(x):
        return _length_along(x, equation.output)
    if tx is not None:
        kept = {"along": along} if along else {}
        slope = scalar(function, x, *parameters, order=order + 1, **kept, **params)
        slope = slope if order == 0 else slope * float(order + 1)
        still = stays(x) if function in STEEP else False
        if still is not False:
            slope = select(_as_var(still, x), 0.0, slope)
        terms[0] = scale(tx, slope)
    for k, tangent in enumerate(others):
        if tangent is None:
            continue
        if SCALARS[function].mixed is None:
            raise Unsupported(f"{function} has no rule for the derivative with respect to its parameter")
        next_one, factor = _further(along, k, len(others))
        slope = scalar(function, x, *parameters, order=order, along=next_one, **params)
        terms.append(scale(tangent, slope if factor == 1 else slope * float(factor)))
    return sum_of(*terms)


def _length_along(total: Var, size: Var) -> Var:
    """By what is squared; where the sum stays what it is, nothing moves it."""
    still = stays(total)
    if still is False:
        return along(total, size) or zeros_like(size)
    there = _as_var(still, total)
    found = along(total, select(there, 1.0, size))
    return zeros_like(size) if found is None else select(there, zeros_like(size), found)


def _as_var(still: Var | bool, x: Var) -> Var:
    return still if isinstance(still, Var) else x.builder.constant(np.full(x.shape, still))


def at_ends(equation: Equation, operands: Sequence[Array], found: Array) -> Array:
    """The values of a function, at a point, with -inf where it falls to that: of a logarithm at 0."""
    end = ENDS.get(equation.params["function"])
    if end is None or equation.params["order"] or all_finite(found):
        return found
    return each(lambda x, value: MINUS if x == end else value, as_balls(operands[0]), found)


def _around(equation: Equation) -> Var:
    """In a derivative it has that value only where its operand stays at the end: else it has a pole there."""
    x, out = equation.operands[0], equation.output
    end = ENDS.get(equation.params["function"])
    if end is None or equation.params["order"]:
        return out
    there = stay_equal(x, x.builder.broadcast(x.builder.constant(end, x.dtype), x.shape))
    if there is None:
        return out
    found = select(there, filled([MINUS], ()), out)
    x.builder.staying[found] = Told(stays(x), there)
    return found


def _further(along: Any, which: int, count: int) -> tuple[Any, int]:
    """The order in the parameters, one more in one of them (a number where there is one), and that."""
    if count == 1:
        return along + 1, along + 1
    orders = list(along or (0,) * count)
    orders[which] += 1
    return tuple(orders), orders[which]


def _rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """A library function; its slopes are computed by each kernel in its own way."""
    params = dict(equation.params)
    function, order = params.pop("function"), params.pop("order")
    entry = SCALARS[function]
    library = growth.library(equation)
    units = 2 * entry.accuracy.ulps(library, target.name)
    x = as_balls(operands[0])
    if function == "power":
        return _power_rounded(growth, equation, operands, order)
    if order and not entry.own_slope:
        x = np.asarray(x * arb(1, SLOPE_ULPS * target.unit))
        units += 2 * SLOPE_ULPS
    elif not order and entry.accuracy.argument:
        x = np.asarray(x * arb(1, entry.accuracy.argument * target.unit))
    found = at_ends(equation, [x], taylor_coefficients([x, *operands[1:]], function, order, params)[order])
    if not order and (ones := entry.accuracy.of_one(library, target.name)):
        found = np.asarray(found + arb(0, ones * target.unit))
    if entry.loss is not None:
        found = _lossy(entry, library, target, [x, *operands[1:]], found, order, params.get("along", 0))
    slack = SLACKS.get((library, equation.called, function))
    if slack and not order:
        units_of_one = slack.float32_units if target.name == "float32" else slack.units
        found = np.asarray(found + arb(0, units_of_one * target.unit))
        units += 2 * slack.ulps
    if order and entry.levels:
        found = np.asarray(found + arb(0, SLOPE_ULPS * target.unit))
    if order == 0 and entry.positive:
        found = each(lambda b: b if b > 0 else b.nonnegative_part(), found)
    # exp(0), cos(0), sqrt(0), ... are exact in every library
    exactly = [b.is_exact() and (b.is_zero() or b == 1) for b in found.ravel().tolist()]
    grown = growth.grown(equation, found, units, True)
    return np.where(np.reshape(exactly, found.shape), found, grown) if any(exactly) else grown


def _lossy(
    entry: Scalar,
    library: str,
    target: Format,
    operands: list[Array],
    found: Array,
    order: int,
    along: Any,
) -> Array:
    """What a kernel of a function with a Loss gives; float16 and bfloat16 are computed in float32.

    An exponential inside may underflow, and with it what is below the normal numbers.
    """
    loss, wide = entry.loss, FORMATS["float32"] if target.name in HALVES else target
    assert loss is not None
    units = 2 * entry.accuracy.ulps(library, wide.name)

    def lossy(value: arb, *point: arb) -> arb:
        lost = wide.unit * (units + loss.further(*point, along=along)) * loss.whole(value, order, *point)
        return value + arb(0, lost.upper() + wide.normal) if lost.is_finite() else UNKNOWN

    return each(lossy, found, *map(as_balls, operands))


def _power_rounded(growth: Growth, equation: Equation, operands: list[Array], order: int) -> Array:
    """x^n by multiplications, and a division where n is negative."""
    x, n = as_balls(operands[0]), operands[1]
    found = taylor_coefficients([x, n], "power", order, {})[order]
    exponents = np.absolute(np.array([float(v) for v in n.ravel().tolist()]).reshape(n.shape))
    most = float(np.max(exponents, initial=0.0))
    even = n.dtype.kind in "iu" and bool(np.all((n - order) % 2 == 0))
    if even and (n - order >= 0).all():
        found = each(lambda b: b if b > 0 else b.nonnegative_part(), as_balls(found))
    units = 2 * most + 2 if most > 2 else 1 if not order else 2
    if np.all(n >= 0):
        return growth.grown(equation, as_balls(found), units, True)
    grown = growth.grown(equation, as_balls(found), units + QUOTIENT_UNITS, True)
    if order or not np.all(n == n.flat[0]):
        return grown
    # A power that overflows, or loses its bits below the normal numbers, before it is divided by.
    inner = Growth(growth.model)
    (below,) = taylor_coefficients([x, np.asarray(-n)], "power", 0, {})
    through = each(lambda b: ONE / b, inner.grown(equation, below, units, True))
    through = inner.grown(equation, through, QUOTIENT_UNITS, True)
    growth.overflow, growth.underflow = growth.overflow or inner.overflow, growth.underflow or inner.underflow
    return each(arb.union, grown, through)


def _rows(maxima: Maxima, equation: Equation, operands: list[Array], result: Array) -> Array | Limit:
    exp = equation.params["function"] == "exp"
    return maxima.exponential(equation, operands, result) if exp else result


taylor = Primitive(
    "taylor",
    _taylor_coefficient,
    _taylor_jvp,
    rounded=_rounded,
    rows=_rows,
    cost=lambda e: float(e.output.size * (16 + 64 * e.params["order"])),
    around=_around,
)


def scalar(function: str, x: Var, *parameters: Operand, order: int = 0, **static: Any) -> Var:
    """The Taylor coefficient of this order (0: the value) of a function in `scalars` at x, elementwise."""
    if function == "sqrt" and order == 0 and are_squares(x):
        return length(x)
    return x.builder.elementwise(
        "taylor", x, *parameters, dtype=x.dtype, function=function, order=order, **static
    )
