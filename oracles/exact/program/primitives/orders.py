"""Orders along an axis: argsort and argmax, which are certain or undecided; take_along follows.

And running sums and running combinations: exact at zeros, with every derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from flint import arb

from oracles.exact.program.balls import as_balls, as_doubles, filled
from oracles.exact.program.derive import linear
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import Format, Growth
from oracles.exact.program.primitives.arithmetic import add, convert, convert_, detach_, div, neg, sub
from oracles.exact.program.primitives.arrays import (
    broadcast_,
    concatenate,
    index,
    permute,
    permute_,
    reduce_sum_,
    reduced,
    reshape,
    reshape_,
    spread,
    take,
    without,
)
from oracles.exact.program.primitives.choices import either, select
from oracles.exact.program.primitives.comparisons import compare
from oracles.exact.program.primitives.reductions import reduce_max, reduce_or
from oracles.exact.program.primitives.sums import not_negative, sizes_of, sum_of_terms
from oracles.exact.program.primitives.taylor import taylor
from oracles.exact.program.program import Array, Equation, Primitive, Var

NARROW = 50  # bits


class _Ordered:
    """A ball that sorts only where the order is certain; equal numbers keep their own order."""

    def __init__(self, ball: arb) -> None:
        self.ball = ball

    def __lt__(self, other: _Ordered) -> bool:
        if self.ball < other.ball:
            return True
        if self.ball >= other.ball or _are_one(self.ball, other.ball):
            return False
        raise Undecided(f"cannot order {self.ball.str(8)} and {other.ball.str(8)}")


def _are_one(a: arb, b: arb) -> bool:
    """Whether it is one element that was taken twice: the same ball, so narrow that it is no hull of many."""
    return a is b and a.rel_accuracy_bits() > NARROW


def _argsort(x: Array, *, axis: int) -> Array:
    if x.dtype != object:
        return np.argsort(x, axis=axis, kind="stable")
    exact = as_doubles(x)
    if exact is not None:
        return np.argsort(exact, axis=axis, kind="stable")
    rows = np.moveaxis(x, axis, -1)
    out = np.empty(rows.shape, np.int64)
    for where in np.ndindex(rows.shape[:-1]):
        ordered = [_Ordered(ball) for ball in rows[where]]
        out[where] = sorted(range(len(ordered)), key=ordered.__getitem__)
    return np.moveaxis(out, -1, axis)


def _neighbours(equation: Equation) -> list[Var]:
    """How far each element is above the one before it, in order."""
    x, axis = equation.operands[0], equation.params["axis"]
    if x.shape[axis] < 2:
        return []
    lead, ordered = (slice(None),) * axis, take_along(x, equation.output, axis)
    above = index(ordered, lambda p: p[*lead, 1:])
    return [above - index(ordered, lambda p: p[*lead, :-1])]


def beyond(x: Var, gone: Var, axis: int, falling: bool = False) -> Var:
    """x, with numbers larger than all others of its row where `gone`; they rise, or fall."""
    others = select(gone, 0.0, x)
    top = x.builder.broadcast(reduce_max(others, (axis,), keepdims=True), x.shape)
    at = np.indices(x.shape)[axis] + 1.0
    return select(gone, top + (x.shape[axis] - at if falling else at), x)


argsort_ = Primitive(
    "argsort",
    _argsort,
    edge=_neighbours,
    jumps=True,
    apart=lambda operands, gone, *, axis: ([beyond(operands[0], gone[0], axis)], None),
)


def argsort(x: Var, axis: int, first: Array | None = None) -> Var:
    """The order that sorts x along an axis, smallest first; equal elements as they stand in x or `first`."""
    if first is None:
        return x.builder.emit(argsort_, (x,), x.shape, "int64", axis=axis % x.ndim)
    known = x.builder.constant(first)
    return take_along(known, argsort(take_along(x, known, axis), axis), axis)


def as_it_ran(elements: Array, found: Array, axis: int, start: int = 0) -> Array | None:
    """The order in which a run found elements, smallest first; None where no two are equal.

    A library that sorts need not keep equal elements in order: which comes first is known by running it.

    Args:
        elements: What was sorted, as float64.
        found: Where the elements stood that it found, along the axis.
        axis: The axis.
        start: The place in order of the first of these.
    """
    rows, places = (np.moveaxis(a, axis, -1) for a in (elements, found))
    stable = np.argsort(rows, -1, kind="stable")
    in_order = np.take_along_axis(rows, stable, -1)
    if not (in_order[..., 1:] == in_order[..., :-1]).any():
        return None
    taken = np.zeros(rows.shape, bool)
    np.put_along_axis(taken, places, True, -1)
    if (taken.sum(-1) != places.shape[-1]).any():
        return None
    left = rows.shape[-1] - places.shape[-1]
    rest = stable[~np.take_along_axis(taken, stable, -1)].reshape(*rows.shape[:-1], left)
    order = np.concatenate([rest[..., :start], places, rest[..., start:]], -1)
    same = np.array_equal(np.take_along_axis(rows, order, -1), in_order)
    return np.moveaxis(order, -1, axis) if same else None


def _argmax(x: Array, scores: Array, *, axis: int) -> Array:
    if x.dtype != object:
        return np.asarray(np.argmax(x, axis))
    rows = np.moveaxis(x, axis, -1)
    out = np.empty(rows.shape[:-1], np.int64)
    for where in np.ndindex(out.shape):
        row = rows[where].tolist()
        best = 0
        for i, ball in enumerate(row):
            if ball.mid() > row[best].mid():
                best = i
        for i, ball in enumerate(row):
            is_less = ball < row[best] if i < best else ball <= row[best] or _are_one(ball, row[best])
            if not (i == best or is_less):
                raise Undecided(f"cannot tell which is larger: {ball.str(8)} or {row[best].str(8)}")
        out[where] = best
    return out


def first_of_the_best(x: Array, scores: Array, axis: int) -> Array:
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


def _lead(equation: Equation) -> list[Var]:
    """How far the largest is above all others."""
    x, out, axis = equation.operands[0], equation.output, equation.params["axis"]
    if x.shape[axis] < 2:
        return []
    kept = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    places = np.arange(x.shape[axis]).reshape(-1, *(1,) * (x.ndim - axis - 1))
    best = compare("eq", x.builder.broadcast(reshape(out, kept), x.shape), np.broadcast_to(places, x.shape))
    others = select(best, x.builder.constant(filled([arb("-inf")], ()), x.dtype), x)
    return [reduce_max(x, (axis,)) - reduce_max(others, (axis,))]


def _argmax_apart(operands: Sequence[Var], gone: Sequence[Var], *, axis: int) -> tuple[list[Var], None]:
    """The first that is missing is taken for the largest."""
    some, shape = either(gone), operands[0].shape
    rows = spread(reduced(reduce_or, some, (axis,), False), (axis,), shape)
    at = np.indices(shape)[axis].astype(float)
    first = select(some, operands[0].builder.constant(shape[axis] - at, operands[0].dtype), -1.0 - at)
    return [select(rows, first, v) for v in operands], None


# The second operand is what the program itself compares: rounded, other elements may tie (see `bound`).
argmax_ = Primitive("argmax", _argmax, edge=_lead, jumps=True, apart=_argmax_apart)


def argmax(x: Var, axis: int) -> Var:
    """Where along an axis the largest element is, the first of several equal ones."""
    axis %= x.ndim
    ordered = _in_this_order(x, axis)
    return x.builder.emit(argmax_, (ordered, x), without(x.shape, (axis,)), "int64", axis=axis)


def _in_this_order(x: Var, axis: int) -> Var:
    """What x is an increasing function of along the axis, as softmax is of its scores.

    There equal elements are often equal numbers, which compare; their softmax is only known within a radius.
    """
    rising = True
    while inner := _ordered_by(x, axis):
        x, same = inner
        rising = rising == same
    return x if rising else -x


def _ordered_by(x: Var, axis: int) -> tuple[Var, bool] | None:
    """The operand that x rises (or falls) with along the axis, if its definition shows one."""
    equation = x.builder.definitions.get(x)
    if equation is None or not equation.operands:
        return None
    primitive, first, last = equation.primitive, equation.operands[0], equation.operands[-1]
    if primitive is permute_:
        inner, axes = _ordered_by(first, equation.params["axes"][axis]), equation.params["axes"]
        return None if inner is None else (permute(inner[0], axes), inner[1])
    if primitive is neg or (primitive is sub and _same_along(first, axis)):
        return last, False
    if primitive is detach_ or (primitive is convert_ and x.is_float and first.is_float) or _is_exp(equation):
        return first, True
    if primitive is add and _same_along(first, axis):
        return last, True
    shifted = primitive in (add, sub) or (primitive is div and _positive(last))
    return (first, True) if shifted and _same_along(last, axis) else None


def _is_exp(equation: Equation) -> bool:
    params = equation.params
    return equation.primitive is taylor and params["function"] == "exp" and params["order"] == 0


def _same_along(x: Var, axis: int) -> bool:
    """Whether x is certainly the same all along the axis."""
    equation = x.builder.definitions.get(x)
    if equation is None or equation.primitive is not broadcast_:
        return False
    before = equation.operands[0].shape
    axis -= x.ndim - len(before)
    return axis < 0 or before[axis] == 1


def _positive(x: Var) -> bool:
    """Whether x is certainly above 0: an exponential, or a sum of them."""
    kept = (broadcast_, reshape_, detach_, permute_, reduce_sum_, convert_)
    equation = x.builder.definitions.get(x)
    while equation and equation.primitive in kept and equation.operands[0].size:
        if not (equation.output.is_float and equation.operands[0].is_float):
            return False  # 0.5 is 0 as an integer
        equation = x.builder.definitions.get(equation.operands[0])
    return equation is not None and _is_exp(equation)


def take_along(x: Var, order: Var, axis: int) -> Var:
    """x[..., order, ...] along an axis, as `np.take_along_axis`; `order` holds integers."""
    axis %= x.ndim
    stride = int(np.prod(x.shape[axis + 1 :], dtype=int))
    grid = [slice(None)] * x.ndim
    grid[axis] = slice(0, 1)
    base = np.arange(x.size).reshape(x.shape)[tuple(grid)]
    base = base[tuple(slice(0, n) for n in (*order.shape[:axis], 1, *order.shape[axis + 1 :]))]
    return take(x, order * stride + np.broadcast_to(base, order.shape))


# -- running along an axis --------------------------------------------------------------------------------


def _cumsum_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    (x,), axis = operands, equation.params["axis"]
    sizes = np.add.accumulate(sizes_of(x), axis=axis)
    signs = np.logical_and.accumulate(not_negative(x), axis=axis)
    counts = np.arange(1, x.shape[axis] + 1).reshape(-1, *(1,) * (x.ndim - axis - 1))
    return sum_of_terms(growth, equation, equation.primitive.evaluate(x, axis=axis), sizes, counts, signs)


cumsum_ = Primitive(
    "cumsum",
    lambda x, *, axis: np.add.accumulate(x, axis=axis, dtype=x.dtype) if x.size else x,  # integers wrap
    linear(0),
    lambda e, k, ct: cumsum(ct, e.params["axis"], reverse=True),
    _cumsum_rounded,
    apart=lambda operands, gone, *, axis: (
        [select(gone[0], 0.0, operands[0])],
        compare("gt", cumsum(convert(gone[0], "int64"), axis), 0),
    ),
)


def cumsum(x: Var, axis: int, reverse: bool = False) -> Var:
    """Running sums along an axis, from its end if reverse."""
    axis %= x.ndim
    if reverse:
        return flip(cumsum(flip(x, axis), axis), axis)
    return x.builder.emit(cumsum_, (x,), x.shape, x.dtype, axis=axis)


def flip(x: Var, axis: int) -> Var:
    """x backwards along an axis."""
    return index(x, lambda p: np.flip(p, axis))


def scan(combine: Callable[[Var, Var], Var], x: Var, axis: int, reverse: bool = False) -> Var:
    """Running combinations along an axis, in log2(n) steps (Hillis and Steele, 1986)."""
    if reverse:
        return flip(scan(combine, flip(x, axis), axis), axis)

    axis %= x.ndim
    step, lead = 1, (slice(None),) * axis
    while step < x.shape[axis]:
        moved = combine(x[*lead, slice(0, -step)], x[*lead, slice(step, None)])
        x = concatenate([x[*lead, slice(0, step)], moved], axis)
        step *= 2
    return x
