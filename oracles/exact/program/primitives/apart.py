"""What operations make of operands of which something is missing: it is kept apart, and never asked.

A product with a row that is missing is missing in one row, and the others are numbers. So each of these is
computed of other numbers in its place, which nothing depends on, and what is missing of it is told beside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import arb

from oracles.exact.program.balls import as_balls, each
from oracles.exact.program.derive import linear
from oracles.exact.program.formats import exactly
from oracles.exact.program.primitives import orders
from oracles.exact.program.primitives.arrays import reduce_sum
from oracles.exact.program.primitives.choices import select
from oracles.exact.program.primitives.missing import mark, missing, whole
from oracles.exact.program.program import Builder, Primitive, Shape, Var, sum_of

NAN = arb("nan")


def emit(
    builder: Builder, primitive: Primitive, operands: tuple[Var, ...], shape: Shape, dtype: str, **params: Any
) -> Var:
    """Write an equation, with what is missing of the operands kept apart."""
    if primitive.apart is None or all(missing(v) is None for v in operands):
        return Builder.emit(builder, primitive, operands, shape, dtype, **params)
    others, gone = primitive.apart(operands, [whole(v) for v in operands], **params)
    others = [mark(v, None) for v in others]
    result = Builder.emit(builder, primitive, tuple(others), shape, dtype, **params)
    return result if gone is None else lacking(result, gone, *(v for v in operands if v.is_float))


def lacking(x: Var, gone: Var, *of: Var) -> Var:
    """x, and where `gone` what is missing, which is made `of` these: its slope is not known either."""
    known = x.builder.known(gone)
    if known is not None and not known.any():
        return x
    total = sum_of(*(reduce_sum(v, range(v.ndim)) for v in of)) + np.nan
    none = x.builder.broadcast(_sloped(total), x.shape)
    return mark(select(gone, none, x), gone)


def _sloped(x: Var) -> Var:
    return x.builder.emit(no_slope_, (x,), x.shape, x.dtype)


# x itself, where x is NaN: its tangent is unknown, but none of what does not move, or is not needed.
no_slope_ = Primitive(
    "no_slope",
    lambda x: each(lambda ball: ball if ball.is_zero() else NAN, as_balls(x)),
    linear(0),
    lambda e, k, ct: _sloped(ct),
    exactly,
)


def extreme_there(name: str, x: Var, y: Var) -> Var:
    """The larger of two (maximum) or the smaller, and where one is missing the other."""
    found = x.builder.elementwise(name, x, y)
    for one, other in ((x, y), (y, x)):
        if (gone := missing(one)) is not None:
            found = select(gone, other, found)
    return found


def first_in_order(x: Var, axis: int) -> Var:
    """x, with numbers for what is missing by which it comes first in a falling order, as it stands."""
    gone = missing(x)
    return x if gone is None else mark(orders.beyond(x, gone, axis, falling=True), None)
