"""Functions composed from primitives: definitions, as mathematics has them; their derivatives follow.

Exact arithmetic neither overflows nor cancels for good, so the plain formula is the right one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from oracles.exact.program.balls import filled
from oracles.exact.program.primitives import compare, convert, detach, pi, scalar, select
from oracles.exact.program.primitives.arrays import constant_value, index, reduce_sum
from oracles.exact.program.primitives.orders import cumsum, scan
from oracles.exact.program.primitives.reductions import reduce_max
from oracles.exact.program.primitives.staying import MINUS, surely_equal
from oracles.exact.program.program import PRIMITIVES, Builder, Operand, Var
from oracles.exact.program.signs import negative

# -- calls ------------------------------------------------------------------------------------------------


def as_one(name: str, compute: Callable[[Var], Var], x: Var) -> Var:
    """compute(x), which the kernel that is recorded computes as one library function of this name."""
    builder, outer = x.builder, x.builder.origin
    if outer is None:
        return compute(x)
    builder.calls(name, outer.place, outer.library)
    result = compute(x)
    builder.calls(outer.operation, outer.place, outer.library)
    return result


# -- sigmoids and soft functions --------------------------------------------------------------------------


def logistic(x: Var) -> Var:
    """1 / (1 + e^-x)."""
    return 1.0 / (1.0 + scalar("exp", -x))


def softplus(x: Var) -> Var:
    """log(1 + e^x)."""
    return scalar("log1p", scalar("exp", x))


def log_sigmoid(x: Var) -> Var:
    """log(1 / (1 + e^-x))."""
    return -softplus(-x)


def logaddexp(x: Var, y: Var) -> Var:
    """log(e^x + e^y), about the larger one, which is held fixed there."""
    top = _shift(maximum(x, y))
    return top + scalar("log", scalar("exp", x - top) + scalar("exp", y - top))


def logsumexp(x: Var, axes: Sequence[int], keepdims: bool = False) -> Var:
    """log(sum e^x) over axes, about the largest element, which is held fixed there."""
    top = _shift(reduce_max(x, axes, keepdims=True))
    total = scalar("log", reduce_sum(scalar("exp", x - top), axes, keepdims=True)) + top
    return total if keepdims else _squeeze(total, axes)


def _shift(top: Var) -> Var:
    """What the exponents are measured from: the largest one, but not one that is -inf, since all are."""
    builder, least = top.builder, filled([MINUS], ())
    return detach(select(builder.elementwise(surely_equal.name, top, least, dtype="bool"), 0.0, top))


def log_softmax(x: Var, axis: int) -> Var:
    """x - log(sum e^x)."""
    return x - logsumexp(x, (axis,), keepdims=True)


def softmax(x: Var, axis: int) -> Var:
    """e^x / sum e^x, about the largest element, which is held fixed there."""
    e = scalar("exp", x - detach(reduce_max(x, (axis,), keepdims=True)))
    return e / reduce_sum(e, (axis,), keepdims=True)


def _squeeze(x: Var, axes: Sequence[int]) -> Var:
    gone = {a % x.ndim for a in axes}
    return index(x, lambda p: p.reshape([n for i, n in enumerate(p.shape) if i not in gone]))


# -- two arguments ----------------------------------------------------------------------------------------


def maximum(x: Operand, y: Operand) -> Var:
    """The larger one; at a tie every mixture of the two slopes is legal."""
    return _builder_of(x, y).elementwise("maximum", x, y)


def minimum(x: Operand, y: Operand) -> Var:
    """The smaller one, likewise."""
    return _builder_of(x, y).elementwise("minimum", x, y)


def moved_by(x: Var, step: Operand, to: Var) -> Var:
    """x and a step towards a number that stays, as nextafter takes it; at that number it stays."""
    return select(compare("ne", x, to), x + step, detach(x))


def count_below(edges: Var, x: Var, or_at: bool) -> Var:
    """How many edges, which have one axis, lie below each element of x, `or_at` it."""
    below = compare("le" if or_at else "lt", edges, index(x, lambda p: p[..., None]))
    return reduce_sum(convert(below, "int64"), (x.ndim,))


def clamp(x: Var, low: Operand | None, high: Operand | None) -> Var:
    """x, not below `low` and then not above `high`."""
    x = x if low is None else maximum(x, low)
    return x if high is None else minimum(x, high)


def absolute(x: Var) -> Var:
    """|x|."""
    return x.builder.elementwise("abs", x)


def descending(x: Var) -> Var:
    """What falls where x rises: -x; of integers and booleans ~x, which does not wrap."""
    return -x if x.is_float else x.builder.elementwise("not", x)


def copysign(x: Var, y: Var) -> Var:
    """|x| with the sign of y."""
    size = absolute(x)
    return select(negative(y), -size, size)


def step(name: str, x: Var) -> Var:
    """sign, floor, ceil, round (halves to even) or trunc."""
    return x.builder.emit(PRIMITIVES[name], (x,), x.shape, x.dtype)


def remainder(x: Operand, y: Operand, rounding: str) -> Var:
    """x - y round(x / y): C's fmod with rounding "trunc", Python's % with "floor"."""
    x, y = _pair(x, y)
    if not x.is_float:
        return x.builder.elementwise("integer_rem" if rounding == "trunc" else "integer_floor_rem", x, y)
    return x - y * step(rounding, x / y)


def floor_divide(x: Operand, y: Operand) -> Var:
    """floor(x / y), Python's //."""
    x, y = _pair(x, y)
    return step("floor", x / y) if x.is_float else x.builder.elementwise("integer_floor_div", x, y)


def power(x: Operand, y: Operand) -> Var:
    """x^y: for exact integers y by powers, otherwise defined for x > 0, and at 0 where y > 0."""
    x, y = _pair(x, y)
    known = constant_value(y)
    if known is not None and np.all(known == np.round(known)):
        return scalar("power", x, convert(y, "int64"))
    return scalar("real_power", x, y)


def hypot(x: Operand, y: Operand) -> Var:
    """sqrt(x^2 + y^2)."""
    x, y = _pair(x, y)
    return scalar("sqrt", square(x) + square(y))


def square(x: Var) -> Var:
    """x^2."""
    return scalar("power", x, 2)


# Of |x| / |y|, where atan2 changes its formula. Not 1: on a diagonal, atan2(t, t), nothing would be decided.
BETWEEN = 91 / 128


def atan2(y: Operand, x: Operand) -> Var:
    """The angle of (x, y): from y/x where |x| is large, from x/y elsewhere: neither divides by zero."""
    y, x = _pair(y, x)
    x = _off_the_origin(y, x)
    turn = pi(x.builder, x.dtype)
    lies = compare("gt", absolute(detach(x)), absolute(detach(y)) * BETWEEN)
    # The sign of a zero says on which side of the cut it lies; far to the right of it, no matter which.
    side = negative(y, unless=compare("gt", detach(x), absolute(detach(y))))
    half = select(side, -0.5 * turn, 0.5 * turn)
    left = compare("lt", select(lies, x, 1.0), 0.0)
    flat = scalar("atan", y / x) + select(left, 2.0 * half, 0.0)
    return select(lies, flat, half - scalar("atan", x / y))


def _off_the_origin(y: Var, x: Var) -> Var:
    """x; where both are 0 and fixed, a 1 of its sign: that has the angle of these zeros (C11, F.10.1.4)."""
    if not (x.builder.is_fixed(x) and x.builder.is_fixed(y)):
        return x
    one = x.builder.constant(1.0, x.dtype)
    return select(compare("eq", absolute(x) + absolute(y), 0.0), select(negative(x), -one, one), x)


def xlogy(x: Operand, y: Operand) -> Var:
    """x log y, 0 where x is 0."""
    x, y = _pair(x, y)
    return select(compare("eq", x, 0.0), 0.0, x * scalar("log", y))


def xlog1py(x: Operand, y: Operand) -> Var:
    """x log(1 + y), 0 where x is 0."""
    x, y = _pair(x, y)
    return select(compare("eq", x, 0.0), 0.0, x * scalar("log1p", y))


def entr(x: Var) -> Var:
    """-x log x, 0 at 0."""
    return -xlogy(x, x)


# -- the normal distribution ------------------------------------------------------------------------------


def erfcx(x: Var) -> Var:
    """e^(x^2) erfc(x)."""
    return scalar("erfcx", x)


def ndtr(x: Var) -> Var:
    """erfc(-x / sqrt 2) / 2."""
    return scalar("erfc", -x / _root_two(x)) / 2.0


def log_ndtr(x: Var) -> Var:
    """log of `ndtr`."""
    return scalar("log", ndtr(x))


def ndtri(p: Var) -> Var:
    """The inverse of `ndtr`."""
    return -_root_two(p) * scalar("erfcinv", 2.0 * p)


def gelu(x: Var) -> Var:
    """x ndtr(x)."""
    return x * ndtr(x)


def _root_two(like: Var) -> Var:
    return scalar("sqrt", like.builder.constant(2.0, like.dtype))


# -- running ----------------------------------------------------------------------------------------------


# Products, maxima and minima: `cummax(x, axis, reverse=False)`.
cumprod = partial(scan, operator.mul)
cummax = partial(scan, maximum)
cummin = partial(scan, minimum)


def cumlogsumexp(x: Var, axis: int, reverse: bool = False) -> Var:
    """Running log(sum e^x), about the largest of all, which is held fixed there."""
    top = _shift(reduce_max(x, (axis,), keepdims=True))
    return top + scalar("log", cumsum(scalar("exp", x - top), axis, reverse))


# -- means ------------------------------------------------------------------------------------------------


def mean(x: Var, axes: Sequence[int], keepdims: bool = False) -> Var:
    """The sum over axes by the count."""
    count = int(np.prod([x.shape[a] for a in axes], dtype=int))
    return reduce_sum(x, axes, keepdims) / float(count)


def variance(x: Var, axes: Sequence[int], correction: float = 0.0, keepdims: bool = False) -> Var:
    """The mean squared distance from the mean, by the count less the correction."""
    count = int(np.prod([x.shape[a] for a in axes], dtype=int))
    return reduce_sum(square(x - mean(x, axes, keepdims=True)), axes, keepdims) / (count - correction)


def _pair(x: Operand, y: Operand) -> tuple[Var, Var]:
    like = next(v for v in (x, y) if isinstance(v, Var))
    return like.builder.as_var(x, like.dtype), like.builder.as_var(y, like.dtype)


def _builder_of(x: Operand, y: Operand) -> Builder:
    return next(v.builder for v in (x, y) if isinstance(v, Var))
