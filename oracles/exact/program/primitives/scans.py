"""Running sums, and running combinations composed from others: exact at zeros, with every derivative."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from oracles.exact.program.derive import linear
from oracles.exact.program.formats import Format, Growth
from oracles.exact.program.primitives.arrays import concatenate, index
from oracles.exact.program.primitives.sums import not_negative, partial_sums, sizes_of, sum_units, summed
from oracles.exact.program.program import Array, Equation, Primitive, Var, define


def _cumsum(x: Array, *, axis: int) -> Array:
    return np.add.accumulate(x, axis=axis) if x.size else x


def _cumsum_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    (x,), axis = operands, equation.params["axis"]
    sizes = np.add.accumulate(sizes_of(x), axis=axis)
    signs = np.logical_and.accumulate(not_negative(x), axis=axis)
    counts = np.arange(1, x.shape[axis] + 1).reshape(-1, *(1,) * (x.ndim - axis - 1))
    below = partial_sums(growth, target, sizes, counts)
    result = equation.primitive.evaluate(x, axis=axis)
    return summed(growth, equation, result, sizes, sum_units(counts, target), below, signs)


cumsum_ = define(
    Primitive(
        "cumsum",
        _cumsum,
        linear(0),
        lambda e, k, ct: cumsum(ct, e.params["axis"], reverse=True),
        _cumsum_rounded,
    )
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
