"""Extremes, products and logic along axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.program.balls import KINKS, ONE, certain_extreme, filled, settled, unit, zeros
from oracles.exact.program.derive import Tangents, jointly_linear
from oracles.exact.program.formats import exactly
from oracles.exact.program.maxima import Maxima
from oracles.exact.program.primitives.arithmetic import scale
from oracles.exact.program.primitives.arrays import (
    bare,
    concatenate,
    index,
    keeping,
    reduced,
    reshape,
    spread,
    without,
)
from oracles.exact.program.primitives.choices import select
from oracles.exact.program.program import Array, Equation, Kink, Primitive, Var

GOLDEN = 0.618034  # its multiples are spread over [0, 1]


def _last_axis(x: Array, axes: tuple[int, ...]) -> Array:
    """x with the axes joined into one at the end."""
    moved = x.transpose(*(a for a in range(x.ndim) if a not in axes), *axes)
    return moved.reshape(*without(x.shape, axes), math.prod(x.shape[a] for a in axes))


def _extreme(choose: str, integers: np.ufunc) -> Callable[..., Array]:
    """The extreme; that of nothing is the infinity that every number beats."""
    pairwise = np.frompyfunc(certain_extreme(choose), 2, 1)
    neutral = arb("-inf" if choose == "max" else "inf")

    def evaluate(x: Array, *, axes: tuple[int, ...]) -> Array:
        if x.dtype != object:
            return np.asarray(integers.reduce(x, axis=axes))
        if x.size == 0:
            shape = without(x.shape, axes)
            return filled([neutral] * math.prod(shape), shape)
        return bare(pairwise.reduce(_last_axis(x, axes), axis=-1))

    return evaluate


def _candidates(row: Any) -> list[int]:
    """Which may be the largest: the elements whose upper end reaches the best lower end."""
    best, least = row[0], row[0].lower()
    for ball in row[1:]:
        low = ball.lower()
        if not low <= least:
            best, least = ball, low
    found = [k for k, ball in enumerate(row) if not ball < least]
    if len(found) > 1:
        KINKS.say(f"{len(found)} elements may be the extreme one, {best.str(8)}")
    return found


def _rows(x: Array, axes: tuple[int, ...], largest: bool) -> list[list[int]]:
    rows = _last_axis(x if largest else -x, axes)
    return [_candidates(row) for row in rows.reshape(-1, rows.shape[-1])]


def _weights(x: Array, *, axes: tuple[int, ...], largest: bool) -> Array:
    """1 at a certain extreme; [0, 1] at each of several candidates; 0 elsewhere."""
    if x.size == 0:
        return zeros(x.shape)
    rows = _last_axis(x, axes)
    out = zeros((rows.size // rows.shape[-1], rows.shape[-1]))
    for i, found in enumerate(_rows(x, axes, largest)):
        out[i, found] = [ONE] if len(found) == 1 else [unit() for _ in found]
    moved = out.reshape(*rows.shape[:-1], *(x.shape[a] for a in axes))
    return np.moveaxis(moved, range(-len(axes), 0), axes)


def _row_of(x: Array, axes: tuple[int, ...], reduced: bool = False) -> Array:
    """Which row each element of x is in, or each element of what is reduced to one per row."""
    shape, kept = without(x.shape, axes), keeping(x.shape, axes)
    rows = np.arange(int(np.prod(shape, dtype=int)))
    return rows.reshape(shape) if reduced else np.broadcast_to(rows.reshape(kept), x.shape)


def _shares(share: float, x: Array, *, axes: tuple[int, ...], largest: bool) -> Array:
    """The first of several candidates has this share, and the others have what is left, each another one."""
    rows = _last_axis(x, axes)
    out = zeros((rows.size // rows.shape[-1], rows.shape[-1]))
    for i, found in enumerate(_rows(x, axes, largest)):
        rest = 1 + np.arange(1, len(found)) * GOLDEN % 1  # so that no few of them add up to another
        left = (1 - share) * rest / max(float(rest.sum()), 1.0)
        out[i, found] = [ONE if len(found) == 1 else arb(v) for v in (share, *left.tolist())]
    moved = out.reshape(*rows.shape[:-1], *(x.shape[a] for a in axes))
    return np.moveaxis(moved, range(-len(axes), 0), axes)


def _shared(x: Array, *, axes: tuple[int, ...], largest: bool) -> Array:
    shares = _weights(x, axes=axes, largest=largest)
    return np.array([not b.is_exact() for b in shares.ravel().tolist()], bool).reshape(x.shape)


def _mixture(x: Array, t: Array, *, axes: tuple[int, ...], largest: bool) -> Array:
    """t where x is extreme; the hull of the t at several candidates, of which every mixture is legal."""
    rows = _last_axis(t, axes)
    if t.size == 0:
        return zeros(rows.shape[:-1])
    flat = rows.reshape(-1, rows.shape[-1])
    found = []
    for row, which in zip(flat, _rows(x, axes, largest), strict=True):
        hull = row[which[0]]
        for k in which[1:]:
            hull = hull.union(row[k])
        found.append(hull)
    return filled(found, rows.shape[:-1])


weights = Primitive(
    "weights",
    _weights,
    rounded=exactly,
    kink=Kink(_shared, lambda x, *, axes, largest: _row_of(x, axes), _shares),
)


def _mixture_transpose(equation: Equation, k: int, ct: Var) -> Var:
    """Each candidate has a share of it between 0 and 1."""
    (x, _), params = equation.operands, equation.params
    w = x.builder.emit(weights, (x,), x.shape, x.dtype, **params)
    return scale(spread(ct, params["axes"], x.shape), w)


def _mixture_tied(x: Array, t: Array, *, axes: tuple[int, ...], largest: bool) -> Array:
    several = [len(which) > 1 for which in _rows(x, axes, largest)]
    return np.array(several, bool).reshape(without(x.shape, axes))


def _mixed(share: float, x: Array, t: Array, *, axes: tuple[int, ...], largest: bool) -> Array:
    return np.asarray(np.add.reduce(t * _shares(share, x, axes=axes, largest=largest), axis=axes))


mixture = Primitive(
    "mixture",
    _mixture,
    jointly_linear(1),
    _mixture_transpose,
    exactly,
    kink=Kink(_mixture_tied, lambda x, t, *, axes, largest: _row_of(x, axes, True), _mixed),
)


def _extreme_jvp(equation: Equation, tangents: Tangents) -> Var:
    """The tangent of the extreme element."""
    (x,), (tx,), out = equation.operands, tangents, equation.output
    assert tx is not None
    largest = equation.primitive is reduce_max_
    return x.builder.emit(
        mixture, (x, tx), out.shape, out.dtype, axes=equation.params["axes"], largest=largest
    )


def _extreme_apart(
    operands: Sequence[Var], gone: Sequence[Var], *, axes: tuple[int, ...]
) -> tuple[list[Var], Var]:
    """A row is missing with any of its elements; no two that stand for it are a tie."""
    (x,), some = operands, reduced(reduce_or, gone[0], axes, False)
    return [select(spread(some, axes, x.shape), np.arange(x.size).reshape(x.shape), x)], some


reduce_max_ = Primitive(
    "reduce_max",
    _extreme("max", np.maximum),
    _extreme_jvp,
    rounded=exactly,
    rows=Maxima.top,
    apart=_extreme_apart,
)
reduce_min_ = Primitive(
    "reduce_min", _extreme("min", np.minimum), _extreme_jvp, rounded=exactly, apart=_extreme_apart
)


def reduce_max(x: Var, axes: Sequence[int], keepdims: bool = False) -> Var:
    """The largest over axes."""
    return reduced(reduce_max_, x, axes, keepdims)


def reduce_min(x: Var, axes: Sequence[int], keepdims: bool = False) -> Var:
    """The smallest over axes."""
    return reduced(reduce_min_, x, axes, keepdims)


def _logical(name: str, function: np.ufunc, opened: np.ufunc) -> Primitive:
    return Primitive(
        name,
        lambda x, *, axes: np.asarray(function.reduce(x, axis=axes)),
        opened=lambda x, *, axes: settled(np.asarray(opened.reduce(x, axis=axes))),
    )


reduce_and = _logical("reduce_and", np.bitwise_and, np.minimum)
reduce_or = _logical("reduce_or", np.bitwise_or, np.maximum)


def reduce_prod(x: Var, axes: Sequence[int], keepdims: bool = False) -> Var:
    """The product over axes, by halves: no division, so zeros are no exception."""
    axes = tuple(sorted(a % x.ndim for a in axes))
    kept = keeping(x.shape, axes)
    rest = [i for i in range(x.ndim) if i not in axes]
    count = math.prod(x.shape[a] for a in axes)
    y = index(x, lambda p: p.transpose(*rest, *axes).reshape(*without(x.shape, axes), count))
    if count == 0:
        return x.builder.broadcast(x.builder.constant(1.0, x.dtype), kept if keepdims else y.shape[:-1])
    while (n := y.shape[-1]) > 1:
        half = n // 2
        product = y[..., :half] * y[..., half : 2 * half]
        if n % 2:
            product = concatenate([product, y[..., -1:]], -1)
        y = product
    return reshape(y, kept if keepdims else y.shape[:-1])
