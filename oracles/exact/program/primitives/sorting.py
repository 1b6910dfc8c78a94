"""Sorting: the values in order, and what is moved with them, of which every legal mixture counts at ties.

Where numbers are equal, each of their orders is that of some point nearby, so any mixture of these
permutations is legal: a tangent, or a cotangent, of one of them may be that of any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.program.balls import KINKS, as_balls, as_doubles, filled
from oracles.exact.program.derive import Tangents, jointly_linear
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import exactly
from oracles.exact.program.primitives.arithmetic import convert
from oracles.exact.program.primitives.arrays import reduce_sum
from oracles.exact.program.primitives.comparisons import compare
from oracles.exact.program.primitives.orders import argsort, beyond, flip, take_along
from oracles.exact.program.program import Array, Equation, Kink, Primitive, Var

Row = list[Any]


def tied_blocks(row: Row) -> list[list[int]]:
    """The places of the elements in order, together where that is not certain; equal ones as they stand."""
    if any(ball.is_nan() for ball in row):
        raise Undecided("cannot order what is not known")
    found: list[list[int]] = []
    top = arb(0)
    for low, k in sorted((ball.lower(), k) for k, ball in enumerate(row)):
        if found and low <= top:
            found[-1].append(k)
            top = max(top, row[k].upper())
        else:
            found.append([k])
            top = row[k].upper()
    return found


def _along(axis: int, function: Callable[..., Row], *arrays: Array) -> Array:
    """A function of rows, along an axis."""
    rows = [np.moveaxis(as_balls(array), axis, -1) for array in arrays]
    shape = rows[0].shape
    flat = [row.reshape(-1, shape[-1]).tolist() if row.size else [] for row in rows]
    found = [element for own in zip(*flat, strict=True) for element in function(*own)]
    return np.moveaxis(filled(found, shape), -1, axis)


def _in_order(row: Row) -> Row:
    """The k-th smallest of balls lies between the k-th smallest of their lower and of their upper ends.

    Where its place is certain it is the ball itself, which is known to equal itself (see `comparison`).
    """
    found = []
    for block in tied_blocks(row):
        if len(block) == 1:
            found.append(row[block[0]])
            continue
        low, high = (sorted(end(row[k]) for k in block) for end in (arb.lower, arb.upper))
        found += [a if a == b else a.union(b) for a, b in zip(low, high, strict=True)]
    return found


def _arranged(x: Array, t: Array, mix: Callable[[Row], Row], axis: int, back: bool) -> Array:
    """Elements of t, moved as those of x are sorted, or `back`; of tied ones what `mix` makes of them."""
    rows, moving = (np.moveaxis(as_balls(a), axis, -1) for a in (x, t))
    known, found = as_doubles(rows), np.empty_like(moving)
    for at in np.ndindex(rows.shape[:-1]):
        if known is None:
            order, ties = _uncertain(rows[at].tolist())
        else:
            order = np.argsort(known[at], kind="stable")
            ties = _runs(known[at][order])
        here, there = (slice(None), order) if back else (order, slice(None))
        found[at][there] = moving[at][here]
        for tie in ties:
            here, there = (tie, order[tie]) if back else (order[tie], tie)
            found[at][there] = mix(moving[at][here].tolist())
    return np.moveaxis(found, -1, axis)


def _uncertain(row: Row) -> tuple[NDArray[np.int64], list[slice]]:
    """An order of balls, and which of them in it may have any."""
    blocks = tied_blocks(row)
    ends = np.cumsum([len(block) for block in blocks]).tolist()
    ties = [slice(end - len(own), end) for own, end in zip(blocks, ends, strict=True) if len(own) > 1]
    return np.array([k for block in blocks for k in block], np.int64), ties


def _runs(numbers: NDArray[np.float64]) -> list[slice]:
    """Where numbers in order are equal."""
    begins = (1 + np.flatnonzero(numbers[1:] > numbers[:-1])).tolist()
    return [slice(a, b) for a, b in pairwise([0, *begins, len(numbers)]) if b - a > 1]


def _any(tied: Row) -> Row:
    """Each of them may be any."""
    whole = tied[0]
    for ball in tied[1:]:
        whole = whole if whole.is_exact() and whole == ball else whole.union(ball)
    if not whole.is_exact():
        KINKS.say(f"{len(tied)} elements that are sorted are equal, or may be")
    return [whole] * len(tied)


def _mixed(share: float, x: Array, t: Array, *, axis: int, back: bool) -> Array:
    """The recorded order, and the opposite one."""

    def mix(tied: Row) -> Row:
        pairs = zip(tied, reversed(tied), strict=True)
        return tied if share == 1 else [share * a + (1 - share) * b for a, b in pairs]

    return _arranged(x, t, mix, axis, back)


def _tied(x: Array, t: Array, *, axis: int, back: bool) -> Array:
    none = np.full(x.shape, False, object)
    return _arranged(x, none, lambda tied: [True] * len(tied), axis, back).astype(bool)


def _row_of(x: Array, t: Array, *, axis: int, back: bool) -> Array:
    rows = np.arange(x.size // max(x.shape[axis], 1)).reshape(*x.shape[:axis], 1, *x.shape[axis + 1 :])
    return np.broadcast_to(rows, x.shape)


# What belongs to the elements of x, moved as they are sorted. Piecewise constant in x, linear in t.
arrange_ = Primitive(
    "arrange",
    lambda x, t, *, axis, back: _arranged(x, t, _any, axis, back),
    jointly_linear(1),
    lambda e, k, ct: _arrange(e.operands[0], ct, e.params["axis"], not e.params["back"]),
    exactly,
    kink=Kink(_tied, _row_of, _mixed),
)


def _arrange(x: Var, t: Var, axis: int, back: bool) -> Var:
    return x.builder.emit(arrange_, (x, t), t.shape, t.dtype, axis=axis, back=back)


def _sort_jvp(equation: Equation, tangents: Tangents) -> Var:
    assert tangents[0] is not None
    return _arrange(equation.operands[0], tangents[0], equation.params["axis"], back=False)


def _sort_apart(operands: Sequence[Var], gone: Sequence[Var], *, axis: int) -> tuple[list[Var], Var]:
    """What is missing stands at the end."""
    (x,) = operands
    left = x.shape[axis] - reduce_sum(convert(gone[0], "int64"), (axis,), keepdims=True)
    return [beyond(x, gone[0], axis)], compare("le", left, np.indices(x.shape)[axis])


sort_ = Primitive(
    "sort", lambda x, *, axis: _along(axis, _in_order, x), _sort_jvp, rounded=exactly, apart=_sort_apart
)


def sort(x: Var, axis: int, descending: bool = False) -> Var:
    """x in order along an axis."""
    axis %= x.ndim
    if not x.is_float:  # `~` falls, and does not wrap
        order = argsort(x.builder.elementwise("not", x) if descending else x, axis)
        return take_along(x, order, axis)
    if descending:  # backwards twice: equal elements keep their own order, and each stays the ball it is
        return flip(sort(flip(x, axis), axis), axis)
    return x.builder.emit(sort_, (x,), x.shape, x.dtype, axis=axis)
