"""Sums, extremes, orders and running sums along axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.program.balls import ONE, certain_extreme, filled, note_kink, unit, zeros
from oracles.exact.program.errors import Undecided
from oracles.exact.program.primitives.arrays import (
    bare,
    concatenate,
    index,
    keeping,
    permute,
    reduced,
    reshape,
    spread,
    take,
    without,
)
from oracles.exact.program.primitives.elementwise import scale
from oracles.exact.program.primitives.linear import Tangents, jointly_linear, linear
from oracles.exact.program.program import Array, Equation, Primitive, Var, define


def _last_axis(x: Array, axes: tuple[int, ...]) -> Array:
    """x with the axes joined into one at the end."""
    moved = np.moveaxis(x, axes, range(-len(axes), 0))
    return moved.reshape(*without(x.shape, axes), -1)


def _extreme(choose: str, integers: np.ufunc) -> Callable[..., Array]:
    pairwise = np.frompyfunc(certain_extreme(choose), 2, 1)

    def evaluate(x: Array, *, axes: tuple[int, ...]) -> Array:
        if x.dtype != object:
            return np.asarray(integers.reduce(x, axis=axes))
        return bare(pairwise.reduce(_last_axis(x, axes), axis=-1))

    return evaluate


def _candidates(row: Any) -> list[int]:
    """Which may be the largest: the elements whose upper end reaches the best lower end."""
    best = row[0]
    for ball in row[1:]:
        if not ball.lower() <= best.lower():
            best = ball
    found = [k for k, ball in enumerate(row) if not ball < best.lower()]
    if len(found) > 1:
        note_kink(f"{len(found)} elements may be the extreme one, {best.str(8)}")
    return found


def _rows(x: Array, axes: tuple[int, ...], largest: bool) -> list[list[int]]:
    rows = _last_axis(x if largest else -x, axes)
    return [_candidates(row) for row in rows.reshape(-1, rows.shape[-1])]


def _weights(x: Array, *, axes: tuple[int, ...], largest: bool) -> Array:
    """1 at a certain extreme; [0, 1] at each of several candidates; 0 elsewhere."""
    rows = _last_axis(x, axes)
    out = zeros((rows.size // rows.shape[-1], rows.shape[-1]))
    for i, found in enumerate(_rows(x, axes, largest)):
        out[i, found] = [ONE] if len(found) == 1 else [unit() for _ in found]
    moved = out.reshape(*rows.shape[:-1], *(x.shape[a] for a in axes))
    return np.moveaxis(moved, range(-len(axes), 0), axes)


def _mixture(x: Array, t: Array, *, axes: tuple[int, ...], largest: bool) -> Array:
    """t where x is extreme; the hull of the t at several candidates, of which every mixture is legal."""
    rows = _last_axis(t, axes)
    flat = rows.reshape(-1, rows.shape[-1])
    found = []
    for row, which in zip(flat, _rows(x, axes, largest), strict=True):
        hull = row[which[0]]
        for k in which[1:]:
            hull = hull.union(row[k])
        found.append(hull)
    return filled(found, rows.shape[:-1])


weights = define(Primitive("weights", _weights))


def _mixture_transpose(equation: Equation, k: int, ct: Var) -> Var:
    """Each candidate has a share of it between 0 and 1."""
    (x, _), params = equation.operands, equation.params
    w = x.builder.emit(weights, (x,), x.shape, x.dtype, **params)
    return scale(spread(ct, params["axes"], x.shape), w)


mixture = define(Primitive("mixture", _mixture, jointly_linear(1), _mixture_transpose))


def _extreme_jvp(equation: Equation, tangents: Tangents) -> Var:
    """The tangent of the extreme element."""
    (x,), (tx,), out = equation.operands, tangents, equation.output
    assert tx is not None
    largest = equation.primitive.name == "reduce_max"
    return x.builder.emit(
        mixture, (x, tx), out.shape, out.dtype, axes=equation.params["axes"], largest=largest
    )


reduce_max_ = define(Primitive("reduce_max", _extreme("max", np.maximum), _extreme_jvp))
reduce_min_ = define(Primitive("reduce_min", _extreme("min", np.minimum), _extreme_jvp))


def reduce_max(x: Var, axes: Sequence[int], keepdims: bool = False) -> Var:
    """The largest over axes."""
    return reduced(reduce_max_, x, axes, keepdims)


def reduce_min(x: Var, axes: Sequence[int], keepdims: bool = False) -> Var:
    """The smallest over axes."""
    return reduced(reduce_min_, x, axes, keepdims)


def _logical(name: str, function: np.ufunc) -> Primitive:
    return define(Primitive(name, lambda x, *, axes: np.asarray(function.reduce(x, axis=axes))))


reduce_and = _logical("reduce_and", np.bitwise_and)
reduce_or = _logical("reduce_or", np.bitwise_or)


# -- orders -----------------------------------------------------------------------------------------------


class _Ordered:
    """A ball that sorts only where the order is certain; equal numbers keep their own order."""

    def __init__(self, ball: arb) -> None:
        self.ball = ball

    def __lt__(self, other: _Ordered) -> bool:
        if self.ball < other.ball:
            return True
        if self.ball >= other.ball:
            return False
        raise Undecided(f"cannot order {self.ball} and {other.ball}")


def _argsort(x: Array, *, axis: int) -> Array:
    if x.dtype != object:
        return np.argsort(x, axis=axis, kind="stable")
    rows = np.moveaxis(x, axis, -1)
    out = np.empty(rows.shape, np.int64)
    for where in np.ndindex(rows.shape[:-1]):
        ordered = [_Ordered(ball) for ball in rows[where]]
        out[where] = sorted(range(len(ordered)), key=ordered.__getitem__)
    return np.moveaxis(out, -1, axis)


argsort_ = define(Primitive("argsort", _argsort))


def argsort(x: Var, axis: int) -> Var:
    """The order that sorts x along an axis, smallest first, equal elements in their own order."""
    return x.builder.emit(argsort_, (x,), x.shape, "int64", axis=axis % x.ndim)


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
            if not (ball < row[best] if i < best else i == best or ball <= row[best]):
                raise Undecided(f"cannot tell which is larger: {ball} or {row[best]}")
        out[where] = best
    return out


# The second operand is what the program itself compares: rounded, other elements may tie (see `rounding`).
argmax_ = define(Primitive("argmax", _argmax))


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
    name, first, last = equation.primitive.name, equation.operands[0], equation.operands[-1]
    if name == "permute":
        inner, axes = _ordered_by(first, equation.params["axes"][axis]), equation.params["axes"]
        return None if inner is None else (permute(inner[0], axes), inner[1])
    if name == "neg" or (name == "sub" and _same_along(first, axis)):
        return last, False
    if name == "detach" or (name == "convert" and x.is_float and first.is_float) or _is_exp(equation):
        return first, True
    if name == "add" and _same_along(first, axis):
        return last, True
    shifted = name in {"add", "sub"} or (name == "div" and _positive(last))
    return (first, True) if shifted and _same_along(last, axis) else None


def _is_exp(equation: Equation) -> bool:
    params = equation.params
    return equation.primitive.name == "taylor" and params["function"] == "exp" and params["order"] == 0


def _same_along(x: Var, axis: int) -> bool:
    """Whether x is certainly the same all along the axis."""
    equation = x.builder.definitions.get(x)
    if equation is None or equation.primitive.name != "broadcast":
        return False
    before = equation.operands[0].shape
    axis -= x.ndim - len(before)
    return axis < 0 or before[axis] == 1


def _positive(x: Var) -> bool:
    """Whether x is certainly above 0: an exponential, or a sum of them."""
    kept = {"broadcast", "reshape", "detach", "permute", "reduce_sum"}
    equation = x.builder.definitions.get(x)
    while equation and equation.primitive.name in kept and equation.operands[0].size:
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


def sort(x: Var, axis: int) -> Var:
    """x in order along an axis."""
    return take_along(x, argsort(x, axis), axis)


# -- running sums -----------------------------------------------------------------------------------------


def _cumsum(x: Array, *, axis: int) -> Array:
    return np.add.accumulate(x, axis=axis) if x.size else x


cumsum_ = define(
    Primitive("cumsum", _cumsum, linear(0), lambda e, k, ct: cumsum(ct, e.params["axis"], reverse=True))
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


# -- running and whole products and extremes, composed: exact at zeros, and every derivative follows ------


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


def reduce_prod(x: Var, axes: Sequence[int], keepdims: bool = False) -> Var:
    """The product over axes, by halves: no division, so zeros are no exception."""
    axes = tuple(sorted(a % x.ndim for a in axes))
    kept = keeping(x.shape, axes)
    rest = [i for i in range(x.ndim) if i not in axes]
    y = index(x, lambda p: p.transpose(*rest, *axes).reshape(*without(x.shape, axes), -1))
    if y.shape[-1] == 0:
        return x.builder.broadcast(x.builder.constant(1.0, x.dtype), kept if keepdims else y.shape[:-1])
    while (n := y.shape[-1]) > 1:
        half = n // 2
        product = y[..., :half] * y[..., half : 2 * half]
        if n % 2:
            product = concatenate([product, y[..., -1:]], -1)
        y = product
    return reshape(y, kept if keepdims else y.shape[:-1])
