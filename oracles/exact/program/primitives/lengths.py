"""Lengths, roots of sums of squares: their slopes by what is squared, which have an end where a length is 0.

The slope of r = sqrt(v_1^2 + ... + v_n^2) along v_k is v_k / r, and |v_k| <= r: it lies in [-1, 1] wherever
r > 0, and so do the limits that are legal at 0 (Clarke, Optimization and Nonsmooth Analysis, 1983, 2.5.1). By
the chain rule it is the product of 1 / (2 r), which has no end there, and 2 v_k: of balls that contain 0, as
those of an amplitude that vanishes but for rounding, that says nothing. What follows often multiplies by r
itself, as |z|^2 does, and that makes a slope with an end as small as r is.
"""

from __future__ import annotations

import numpy as np
from flint import arb

from oracles.exact.program.balls import KINKS, as_balls, each
from oracles.exact.program.derive import Tangents, again
from oracles.exact.program.formats import Format, Growth
from oracles.exact.program.primitives.arithmetic import (
    add,
    convert,
    convert_,
    div,
    mul,
    neg,
    reciprocal,
    scale,
    sub,
)
from oracles.exact.program.primitives.arrays import (
    constant_value,
    permute,
    permute_,
    reduce_sum_,
    reshape,
    reshape_,
    spread,
)
from oracles.exact.program.primitives.same import same_elements
from oracles.exact.program.program import Array, Equation, Kink, Primitive, Var, sum_of

KEPT = (reshape_, permute_, convert_, reduce_sum_)  # sums of squares stay such
MOST = 256  # equations that are looked through


def _unit(v: Array, size: Array) -> Array:
    def one(v: arb, size: arb) -> arb:
        if size > 0 or not size.is_finite():
            return v / size
        KINKS.say("a length is 0, or may be")
        return arb(0, 1)

    return each(one, as_balls(v), as_balls(size))


def _unit_jvp(equation: Equation, tangents: Tangents) -> Var:
    """d(v / r) = (dv - (v / r) dr) / r."""
    (_, size), (moved, lengthened) = equation.operands, tangents
    turned = None if lengthened is None else -scale(lengthened, equation.output)
    return scale(sum_of(moved, turned), reciprocal(size))


def _rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """A division: squares may underflow, so a computed length may be 0 where what is squared is not."""
    assert div.rounded is not None
    return div.rounded(growth, equation._replace(primitive=div), operands, target)


def _may_be_0(v: Array, size: Array) -> Array:
    return ~np.asarray(as_balls(size) > 0, bool)


# v / r, of a number and a length that it is a part of: any number in [-1, 1] where the length may be 0
unit_ = Primitive(
    "unit",
    _unit,
    _unit_jvp,
    rounded=_rounded,
    kink=Kink(
        _may_be_0,
        lambda v, size: as_balls(v),
        lambda share, v, size: np.full(np.shape(v), arb(1 - share), object),
    ),
)


def are_squares(total: Var) -> bool:
    """Whether it is written as a sum of squares."""
    waiting, seen = [(total, 1)], set[tuple[Var, int]]()
    while waiting:
        v, sign = one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        made = v.builder.definitions.get(v)
        if made is None or not v.is_float or len(seen) > MOST:
            return False
        if made.primitive in KEPT:
            waiting.append((made.operands[0], sign))
        elif made.primitive in (add, sub):
            waiting += zip(made.operands, _signs(made, sign), strict=True)
        elif not _is_zero(v) and _squared(made, sign) is None:
            return False
    return True


def _signs(made: Equation, sign: int) -> tuple[int, int]:
    """Those with which a sum or a difference has its terms."""
    return sign, sign if made.primitive is add else -sign


def _is_zero(x: Var) -> bool:
    """Whether it is a zero that stands in the code, as Python's sum begins with."""
    value = constant_value(x)
    return value is not None and value.dtype != object and not value.any()


def _squared(made: Equation, sign: int) -> Var | None:
    """What is squared in v^2 or v v; with sign -1 in v (-v), as a number times its conjugate has it."""
    if made.primitive is mul:
        x, y = made.operands
        if sign > 0:
            return x if _are_one(x, y) else None
        return x if _are_opposite(x, y) else y if _are_opposite(y, x) else None
    if sign > 0 and (made.params.get("function"), made.params.get("order")) == ("power", 0):
        known = constant_value(made.operands[1])
        whole = known is not None and known.dtype != object and bool((known == 2).all())
        return made.operands[0] if whole else None
    return None


def _are_one(x: Var, y: Var) -> bool:
    """Whether both are one value, though it may have been read twice."""
    if x is y:
        return True
    same = same_elements(x.builder, x, y, id)
    return same is not None and bool(same.all())


def _are_opposite(x: Var, y: Var) -> bool:
    made = y.builder.definitions.get(y)
    return made is not None and made.primitive is neg and _are_one(x, made.operands[0])


def has_parts(total: Var) -> bool:
    """Whether the tangents of what is squared are at hand."""
    return total.builder.tangents is not None and are_squares(total)


def length(total: Var) -> Var:
    """The root of a sum of squares."""
    return total.builder.elementwise("taylor", total, dtype=total.dtype, function="length", order=0)


def along(total: Var, size: Var, sign: int = 1) -> Var | None:
    """The tangent of a length, the root of this total, by the tangents of what is squared; None for 0."""
    made = total.builder.definitions[total]
    if made.primitive in (add, sub):
        terms = [along(v, size, s) for v, s in zip(made.operands, _signs(made, sign), strict=True)]
        return sum_of(*terms) if any(t is not None for t in terms) else None
    if made.primitive not in KEPT:
        v = _squared(made, sign)
        moved = (total.builder.tangents or {}).get(v) if v is not None else None
        return None if v is None or moved is None else scale(moved, v.builder.elementwise("unit", v, size))
    found = along(made.operands[0], _before(made, size), sign)
    return None if found is None else again(made, [found])


def _before(made: Equation, size: Var) -> Var:
    """For each element of what was moved or added up, the length that it is a part of."""
    (inner,) = made.operands
    if made.primitive is reduce_sum_:
        return spread(size, made.params["axes"], inner.shape)
    if made.primitive is permute_:
        return permute(size, np.argsort(made.params["axes"]).tolist())
    return convert(size, inner.dtype) if made.primitive is convert_ else reshape(size, inner.shape)
