"""What each primitive loses when a program rounds: one rule for each (see `rounding`)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.program.balls import ONE, as_balls, each, exact, filled
from oracles.exact.program.primitives.elementwise import taylor_coefficients
from oracles.exact.program.program import Array, Equation
from oracles.exact.rounding import truths
from oracles.exact.rounding.formats import FORMATS, Format
from oracles.exact.rounding.growth import INFINITY, UNKNOWN, Growth
from oracles.exact.rounding.library import QUOTIENT_UNITS, SLACKS, SLOPE_ULPS, ulps

MOVES = frozenset({"reshape", "permute", "broadcast", "take", "concatenate", "detach", "neg"})
CHOICES = frozenset(
    {"abs", "maximum", "minimum", "reduce_max", "reduce_min", "select", "blend", "weights", "mixture"}
)
STEPS = frozenset({"sign", "floor", "ceil", "round", "trunc"})
MARGIN = 2.0**-40  # for bounds that are computed in float64
LEVELLING = frozenset({"tanh", "erf", "erfc", "logistic"})
SAME_SLOPE = frozenset({"exp", "power"})
POSITIVE = frozenset({"exp", "exp2", "sqrt", "rsqrt", "cosh", "erfc", "logistic", "real_power"})

Rule = Callable[[Growth, Equation, list[Array], Format], Array]


def _exactly(run: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """Moves and choices do not round."""
    return exact(equation.primitive.evaluate(*operands, **equation.params))


def _constant(run: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """A literal is the number that is written, or what the program makes of it."""
    value = as_balls(equation.primitive.evaluate(**equation.params))
    if not value.ndim:
        ball = value.item()
        number = float(ball.mid()) if ball.is_finite() else math.nan
        rounded = target.rounded(number)
        if math.isfinite(rounded) and arb(rounded) != ball:
            value = filled([ball.union(arb(rounded))], ())
    return run.stored(value, equation.output.dtype)


def _basic(units: float, inexact: bool = True) -> Rule:
    def rule(run: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
        x, y = map(as_balls, operands)
        return run.grown(equation, equation.primitive.evaluate(x, y), units, inexact)

    return rule


def _mul(run: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """A number times itself is not negative."""
    x, y = map(as_balls, operands)
    same = equation.operands[0] is equation.operands[1]
    product = _squared(x) if same else equation.primitive.evaluate(x, y)
    return run.grown(equation, product, _power_of_two(equation, operands), True)


def _power_of_two(equation: Equation, operands: list[Array]) -> float:
    """0 where one factor is a power of two all over, which is exact above the subnormal numbers; else 1."""
    return 0 if any(map(_is_power_of_two, operands)) else 1


def _is_power_of_two(x: Array) -> bool:
    first = x.flat[0] if x.size else None
    if not isinstance(first, arb) or not first.is_exact() or not first.is_finite() or first.is_zero():
        return False
    return bool(abs(first).man_exp()[0] == 1) and all(b == first for b in x.ravel().tolist())


def _squared(x: Array) -> Array:
    return each(lambda b: (b * b) if b.rel_accuracy_bits() > 2 else (b * b).nonnegative_part(), x)


def _convert(run: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """Rounding to a narrower format, and of integers beyond its digits."""
    source = FORMATS.get(equation.operands[0].dtype)
    result = truths.as_numbers(operands[0])
    if source is None:
        fits = all(abs(b) <= 2**target.digits and abs(b) < target.overflow for b in result.ravel().tolist())
    else:
        fits = source.digits <= target.digits and source.greatest_exponent <= target.greatest_exponent
    return result if fits else run.grown(equation, result, 1, True)


def _sum_units(counts: Array, target: Format) -> Array:
    """What sums of so many terms lose of the sum of their sizes, in any order: (count - 1) u.

    Jeannerod and Rump, Improved Error Bounds for Inner Products in Floating-Point Arithmetic (2013), for any
    count. The sizes themselves are summed in float64.
    """
    return np.asarray(np.maximum(counts - 1, 0) * target.unit * (1 + MARGIN + counts * 2.0**-52))


def _sizes(x: Array) -> NDArray[np.float64]:
    """At least the largest magnitude in each ball."""
    found = np.array([float(b.abs_upper()) for b in x.ravel().tolist()], float).reshape(x.shape)
    return np.where(np.isnan(found), np.inf, found) * (1 + MARGIN)


def _summed(
    run: Growth, equation: Equation, result: Array, sizes: Array, lost: Array, below: Array, same_sign: Array
) -> Array:
    """A sum with its error, `lost` of the sum of the terms' `sizes`; one of numbers of one sign keeps it.

    `below` is what it loses of products and partial sums that are below the normal numbers.
    """
    target = run.format(equation)
    overflow = float(target.overflow) if target.name != "float64" else math.inf

    def grow(total: arb, size: float, lost: float, below: float, one_sign: bool) -> arb:
        if not size * (1 + lost) < overflow and total.is_finite():
            run.overflow = run.overflow or equation
            certain = total > target.overflow and one_sign and not run.machine.fuses
            return INFINITY if certain else UNKNOWN
        error = lost * size + below
        ball = total + arb(0, error) if error else total
        return ball.nonnegative_part() if one_sign and not ball > 0 else ball

    grown = each(grow, result, sizes * (1 + MARGIN), lost, below, same_sign)
    if run.keeping:
        run.local[equation.output] = lost * np.where(lost > 0, sizes, 0.0)
    return run.grown(equation, grown, 0, False)


def _partial(run: Growth, target: Format, sizes: Array, counts: Array) -> Array:
    """What so many partial sums lose below the normal numbers; of zeros alone nothing."""
    return np.asarray((sizes > 0) * (run.flushed(target) * np.maximum(counts - 1, 0)))


def _reduce_sum(run: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    (x,), axes = operands, equation.params["axes"]
    result = exact(equation.primitive.evaluate(x, axes=axes))
    sizes = np.asarray(np.add.reduce(_sizes(x), axis=axes))
    signs = np.asarray(np.logical_and.reduce(_not_negative(x), axis=axes))
    count = np.asarray(math.prod(x.shape[a] for a in axes))
    below = _partial(run, target, sizes, count)
    return _summed(run, equation, result, sizes, _sum_units(count, target), below, signs)


def _cumsum(run: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    (x,), axis = operands, equation.params["axis"]
    sizes = np.add.accumulate(_sizes(x), axis=axis)
    signs = np.logical_and.accumulate(_not_negative(x), axis=axis)
    counts = np.arange(1, x.shape[axis] + 1).reshape(-1, *(1,) * (x.ndim - axis - 1))
    below = _partial(run, target, sizes, counts)
    result = equation.primitive.evaluate(x, axis=axis)
    return _summed(run, equation, result, sizes, _sum_units(counts, target), below, signs)


def _not_negative(x: Array) -> NDArray[np.bool_]:
    return np.array([b >= 0 for b in x.ravel().tolist()], bool).reshape(x.shape)


def _not_zero(x: Array) -> NDArray[np.float64]:
    return np.array([not b.is_zero() for b in x.ravel().tolist()], float).reshape(x.shape)


def _scatter_add(run: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    x, positions = as_balls(operands[0]), operands[1]
    where = positions.ravel()
    inside = where >= 0
    shape = equation.params["shape"]
    result = equation.primitive.evaluate(x, positions, shape=shape)
    counts = np.bincount(where[inside], minlength=math.prod(shape)).reshape(shape)
    if not (counts > 1).any():
        return np.asarray(result)
    sizes = np.zeros(math.prod(shape))
    np.add.at(sizes, where[inside], _sizes(x).ravel()[inside])
    sizes = sizes.reshape(shape)
    below = _partial(run, target, sizes, counts)
    return _summed(run, equation, result, sizes, _sum_units(counts, target), below, np.asarray(False))


def _matmul(run: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """|error| <= k u |x| |y| for k products, summed in any order (see `_sum_units`)."""
    x, y = (run.stored(as_balls(o), target.name, product=True) for o in operands)
    count, inner = x.shape[-1], target
    if run.machine.wide_products and target.name == "bfloat16":
        inner = FORMATS["float32"]
    with np.errstate(all="ignore"):
        sizes = np.matmul(_sizes(x), _sizes(y))
    sizes = np.where(np.isnan(sizes), np.inf, sizes)
    # Each product that is not 0 may lie below the normal numbers, and each partial sum be flushed there.
    some = np.matmul(_not_zero(x), _not_zero(y))
    below = some * (2 * run.flushed(inner, product=True) or float(inner.least))
    result = equation.primitive.evaluate(x, y)
    grown = _summed(
        run, equation, result, sizes, _sum_units(np.asarray(count + 1), inner), below, np.asarray(False)
    )
    return grown if inner is target else run.grown(equation, grown, 1, True)


def _taylor(run: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """A library function; its slopes are computed by each kernel in its own way."""
    params = dict(equation.params)
    function, order = params.pop("function"), params.pop("order")
    units = 2 * ulps(run.machine.library, function, target.name)
    x = as_balls(operands[0])
    if function == "power":
        return _power(run, equation, operands, order)
    if order and function not in SAME_SLOPE:
        x = np.asarray(x * arb(1, SLOPE_ULPS * target.unit))
        units += 2 * SLOPE_ULPS
    found = taylor_coefficients([x, *operands[1:]], function, order, params)[order]
    slack = SLACKS.get((run.machine.library, named(equation), function))
    if slack and not order:
        units_of_one = slack.float32_units if target.name == "float32" else slack.units
        found = np.asarray(found + arb(0, units_of_one * target.unit))
        units += 2 * slack.ulps
    if order and function in LEVELLING:
        found = np.asarray(found + arb(0, SLOPE_ULPS * target.unit))
    if order == 0 and function in POSITIVE:
        found = each(lambda b: b if b > 0 else b.nonnegative_part(), found)
    # exp(0), cos(0), sqrt(0), ... are exact in every library
    exactly = [b.is_exact() and (b.is_zero() or b == 1) for b in found.ravel().tolist()]
    grown = run.grown(equation, found, units, True)
    return np.where(np.reshape(exactly, found.shape), found, grown) if any(exactly) else grown


def _power(run: Growth, equation: Equation, operands: list[Array], order: int) -> Array:
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
        return run.grown(equation, as_balls(found), units, True)
    grown = run.grown(equation, as_balls(found), units + QUOTIENT_UNITS, True)
    if order or not np.all(n == n.flat[0]):
        return grown
    # A power that overflows, or loses its bits below the normal numbers, before it is divided by.
    inner = Growth(run.machine)
    (below,) = taylor_coefficients([x, np.asarray(-n)], "power", 0, {})
    through = each(lambda b: ONE / b, inner.grown(equation, below, units, True))
    through = inner.grown(equation, through, QUOTIENT_UNITS, True)
    run.overflow, run.underflow = run.overflow or inner.overflow, run.underflow or inner.underflow
    return each(arb.union, grown, through)


def _step(run: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """Everything between the steps at the two ends."""
    evaluate = equation.primitive.evaluate

    def one(b: arb) -> arb:
        if not b.is_finite():
            return UNKNOWN
        low, high = evaluate(filled([b.lower(), b.upper()], (2,))).tolist()
        whole: arb = low.union(high) if low != high else low
        return whole

    return each(one, as_balls(operands[0]))


def _scale(run: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    return run.grown(equation, equation.primitive.evaluate(*map(as_balls, operands)), 1, True)


RULES: dict[str, Rule] = {
    **dict.fromkeys(MOVES | CHOICES, _exactly),
    "constant": _constant,
    "pi": lambda run, e, o, t: run.grown(e, as_balls(e.primitive.evaluate()), 1, True),
    "add": _basic(1, inexact=False),
    "sub": _basic(1, inexact=False),
    "mul": _mul,
    "scale": _scale,
    "div": _basic(QUOTIENT_UNITS),
    "convert": _convert,
    "reduce_sum": _reduce_sum,
    "cumsum": _cumsum,
    "scatter_add": _scatter_add,
    "matmul": _matmul,
    "taylor": _taylor,
    **dict.fromkeys(STEPS, _step),
}


def named(equation: Equation) -> str:
    """The operation as it was called."""
    return equation.origin.operation if equation.origin else equation.primitive.name
