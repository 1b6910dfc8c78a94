"""Array primitives that move elements: all linear, each the transpose of another.

`take` with an array of positions is indexing of every kind: slices, gathers, padding, flips, windows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.program.balls import OPEN, as_balls, exact, filled, settled, zeros
from oracles.exact.program.derive import jointly_linear, linear
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import Format, Growth, exactly
from oracles.exact.program.maxima import Maxima
from oracles.exact.program.primitives.arithmetic import constant, convert_
from oracles.exact.program.primitives.sums import not_negative, sizes_of, sum_of_terms
from oracles.exact.program.program import Array, Equation, Primitive, Shape, Var

GROUP = 32  # parts that are put together at once


def _view(name: str, move: Callable[..., Array], transpose: Callable[[Equation, int, Var], Var]) -> Primitive:
    """A primitive that only moves elements."""

    def opened(x: Array, **params: Any) -> Array:
        return settled(np.asarray(move(x, **params)))

    return Primitive(name, move, linear(0), transpose, exactly, opened, Maxima.moved)


# -- views ------------------------------------------------------------------------------------------------

reshape_ = _view(
    "reshape", lambda x, *, shape: x.reshape(shape), lambda e, k, ct: reshape(ct, e.operands[0].shape)
)
permute_ = _view(
    "permute",
    lambda x, *, axes: x.transpose(axes),
    lambda e, k, ct: permute(ct, tuple(int(i) for i in np.argsort(e.params["axes"]))),
)


def _broadcast_transpose(equation: Equation, k: int, ct: Var) -> Var:
    """The sum over the repeated axes."""
    shape = equation.operands[0].shape
    lead = ct.ndim - len(shape)
    repeated = [i for i in range(ct.ndim) if i < lead or shape[i - lead] != ct.shape[i]]
    return reshape(reduce_sum(ct, tuple(repeated)), shape)


def _broadcast(x: Array, *, shape: Shape) -> Array:
    repeated = np.empty(shape, x.dtype)  # a fifth of the time of np.broadcast_to for a small array
    repeated[...] = x
    return repeated


broadcast_ = _view("broadcast", _broadcast, _broadcast_transpose)


def reshape(x: Var, shape: Sequence[int]) -> Var:
    """x in another shape of the same size, elements in C order."""
    shape = tuple(int(n) for n in shape)
    return x if x.shape == shape else x.builder.emit(reshape_, (x,), shape, x.dtype, shape=shape)


def permute(x: Var, axes: Sequence[int]) -> Var:
    """x with its axes in another order."""
    axes = tuple(int(a) for a in axes)
    if axes == tuple(range(x.ndim)):
        return x
    return x.builder.emit(permute_, (x,), tuple(x.shape[a] for a in axes), x.dtype, axes=axes)


def constant_value(x: Var) -> Array | None:
    """The numbers of a constant that was written as such (repeated or not), None if x is not one."""
    while (equation := x.builder.definitions.get(x)) is not None:
        if equation.primitive is constant:
            return np.asarray(equation.params["value"])
        if equation.primitive not in (broadcast_, convert_, reshape_):
            return None
        (x,) = equation.operands
    return None


# -- sums, the transposes of broadcasts -------------------------------------------------------------------


def without(shape: Shape, axes: Sequence[int]) -> Shape:
    """The shape once the axes are gone."""
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def keeping(shape: Shape, axes: Sequence[int]) -> Shape:
    """The shape with 1 along the axes."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def _reduce_sum(x: Array, *, axes: tuple[int, ...]) -> Array:
    if x.size == 0:
        shape = without(x.shape, axes)
        return zeros(shape) if x.dtype == object else np.zeros(shape, x.dtype)
    return bare(np.add.reduce(x, axis=axes, dtype=x.dtype))  # integers stay in their dtype, and wrap


def bare(result: Any) -> Array:
    """NumPy reduces an object array to a bare element; here it stays an array."""
    return filled([result], ()) if isinstance(result, arb) else np.asarray(result)


def spread(x: Var, axes: tuple[int, ...], shape: Shape) -> Var:
    """x, reduced over the axes of `shape`, repeated along them again."""
    return x.builder.broadcast(reshape(x, keeping(shape, axes)), shape)


def _reduce_sum_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    (x,), axes = operands, equation.params["axes"]
    result = exact(equation.primitive.evaluate(x, axes=axes))
    sizes = np.asarray(np.add.reduce(sizes_of(x), axis=axes))
    signs = np.asarray(np.logical_and.reduce(not_negative(x), axis=axes))
    count = np.asarray(math.prod(x.shape[a] for a in axes))
    return sum_of_terms(growth, equation, result, sizes, count, signs)


reduce_sum_ = Primitive(
    "reduce_sum",
    _reduce_sum,
    linear(0),
    lambda e, k, ct: spread(ct, e.params["axes"], e.operands[0].shape),
    _reduce_sum_rounded,
    rows=Maxima.total,
    terms=_reduce_sum,
)


def reduce_sum(x: Var, axes: Sequence[int], keepdims: bool = False) -> Var:
    """The sum over axes."""
    return reduced(reduce_sum_, x, axes, keepdims)


def reduced(primitive: Primitive, x: Var, axes: Sequence[int], keepdims: bool, dtype: str = "") -> Var:
    """A primitive that takes axes away, applied to x."""
    axes = tuple(sorted(a % x.ndim for a in axes))
    if not axes:
        return x
    out = x.builder.emit(primitive, (x,), without(x.shape, axes), dtype or x.dtype, axes=axes)
    return reshape(out, keeping(x.shape, axes)) if keepdims else out


# -- indexing ---------------------------------------------------------------------------------------------


def _inside(positions: Array, size: int) -> Array:
    """The positions, if all are in an array of this size: elsewhere than where a program was recorded."""
    if positions.max(initial=-1) >= size:
        raise Undecided(f"an index is beyond the {size} elements of an array")
    return positions


def _take(x: Array, positions: Array) -> Array:
    """x.flat[positions], zero where the position is -1."""
    flat = x.reshape(-1)
    if x.size == 0:
        return zeros(positions.shape) if x.dtype == object else np.zeros(positions.shape, x.dtype)
    found = flat[_inside(positions, x.size)]
    if (positions < 0).any():
        blank = zeros(()) if x.dtype == object else np.zeros((), x.dtype)
        found = np.where(positions < 0, blank, found)
    return np.asarray(found)


def _scatter_add(x: Array, positions: Array, *, shape: Shape) -> Array:
    """Zeros of this shape with x added at its positions; -1 is nowhere."""
    size = int(np.prod(shape, dtype=int))
    out = zeros((size,)) if x.dtype == object else np.zeros(size, x.dtype)
    values, where = x.reshape(-1), positions.reshape(-1)
    inside = where >= 0
    values, where = values[inside], _inside(where[inside], size)
    if len(np.unique(where)) == len(where):
        out[where] = values
    else:
        np.add.at(out, where, values)
    return out.reshape(shape)


def _take_opened(x: Array, positions: Array) -> Array:
    if positions.dtype == OPEN:
        raise Undecided("rounding decides which element is taken")
    found = x.reshape(-1)[_inside(positions, x.size)]
    return settled(np.where(positions < 0, OPEN.type(0), found))


def _scatter_add_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    x, positions = as_balls(operands[0]), operands[1]
    where = positions.ravel()
    inside = where >= 0
    shape = equation.params["shape"]
    result = equation.primitive.evaluate(x, positions, shape=shape)
    counts = np.bincount(where[inside], minlength=math.prod(shape)).reshape(shape)
    if not (counts > 1).any():
        return np.asarray(result)
    sizes = np.zeros(math.prod(shape))
    np.add.at(sizes, where[inside], sizes_of(x).ravel()[inside])
    return sum_of_terms(growth, equation, result, sizes.reshape(shape), counts, np.asarray(False))


take_ = Primitive(
    "take",
    _take,
    linear(0),
    lambda e, k, ct: scatter_add(ct, e.operands[1], e.operands[0].shape),
    exactly,
    _take_opened,
    Maxima.moved,
)

SHAPES = (broadcast_, reshape_, permute_)
MOVES = (*SHAPES, take_)  # they give the elements of a value, elsewhere
scatter_add_ = Primitive(
    "scatter_add", _scatter_add, linear(0), lambda e, k, ct: take(ct, e.operands[1]), _scatter_add_rounded
)


def take(x: Var, positions: Var | Array) -> Var:
    """The elements of x at these positions in C order (-1: a zero), in the shape of `positions`."""
    where = x.builder.as_var(positions, "int64")
    return x.builder.emit(take_, (x, where), where.shape, x.dtype)


def scatter_add(x: Var, positions: Var | Array, shape: Shape) -> Var:
    """Zeros of this shape with the elements of x added at their positions (-1: dropped)."""
    where = x.builder.as_var(positions, "int64")
    return x.builder.emit(scatter_add_, (x, where), shape, x.dtype, shape=tuple(shape))


def index(x: Var, pick: Callable[[Array], Any]) -> Var:
    """x indexed as `pick` indexes a NumPy array of positions: `index(x, lambda p: p[::-1, 2:])`."""
    return take(x, np.asarray(pick(np.arange(x.size).reshape(x.shape))))


def concatenate(parts: Sequence[Var], axis: int) -> Var:
    """The parts one after another along an axis.

    Many in groups, and these again: what is done for each part, to move it or to differentiate it, costs as
    much as all that it is put together with.
    """
    while len(parts) > GROUP:
        parts = [concatenate(parts[k : k + GROUP], axis) for k in range(0, len(parts), GROUP)]
    shape = list(parts[0].shape)
    axis %= len(shape)
    shape[axis] = sum(p.shape[axis] for p in parts)
    return parts[0].builder.emit(concatenate_, tuple(parts), tuple(shape), parts[0].dtype, axis=axis)


def _concatenate(*parts: Array, axis: int) -> Array:
    if any(p.dtype == object for p in parts):
        parts = tuple(map(as_balls, parts))
    return np.concatenate(parts, axis)


def _concatenate_transpose(equation: Equation, k: int, ct: Var) -> Var:
    axis = equation.params["axis"]
    start = sum(p.shape[axis] for p in equation.operands[:k])
    inside = slice(start, start + equation.operands[k].shape[axis])
    return index(ct, lambda p: p[(slice(None),) * axis + (inside,)])


concatenate_ = Primitive(
    "concatenate",
    _concatenate,
    jointly_linear(),
    _concatenate_transpose,
    exactly,
    lambda *parts, axis: np.concatenate([p.astype(OPEN) for p in parts], axis),
)
