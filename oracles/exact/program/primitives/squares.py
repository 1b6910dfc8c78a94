"""Sums of squares, as they are written: seen where their root is taken, or where one divides by that."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from oracles.exact.program.primitives.arithmetic import add, convert, convert_, mul, neg, sub
from oracles.exact.program.primitives.arrays import (
    constant_value,
    permute,
    permute_,
    reduce_sum_,
    reshape,
    reshape_,
    spread,
)
from oracles.exact.program.primitives.choices import select_
from oracles.exact.program.primitives.same import same_elements
from oracles.exact.program.program import Array, Equation, Var

SUMS = (add, sub)
KEPT = (reshape_, permute_, convert_, reduce_sum_)  # sums of squares stay such
MOST = 256  # equations that are looked through


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
        elif made.primitive in SUMS:
            waiting += zip(made.operands, signs(made, sign), strict=True)
        elif not is_zero(v) and squared(made, sign) is None:
            return False
    return True


def signs(made: Equation, sign: int) -> tuple[int, int]:
    """Those with which a sum or a difference has its terms."""
    return sign, sign if made.primitive is add else -sign


def is_zero(x: Var) -> bool:
    """Whether it is zeros that stand in the code, or a choice of such; Python's sum begins with one."""
    made = x.builder.definitions.get(x)
    if made is not None and made.primitive is select_:
        return all(map(is_zero, made.operands[1:]))
    value = constant_value(x)
    return value is not None and value.dtype != object and not value.any()


def squared(made: Equation, sign: int) -> Var | None:
    """What is squared in v^2 or v v; with sign -1 in v (-v), as a number times its conjugate has it."""
    if made.primitive is mul:
        x, y = made.operands
        if sign > 0:
            return x if are_one(x, y) else None
        return x if are_opposite(x, y) else y if are_opposite(y, x) else None
    if sign > 0 and (made.params.get("function"), made.params.get("order")) == ("power", 0):
        known = constant_value(made.operands[1])
        whole = known is not None and known.dtype != object and bool((known == 2).all())
        return made.operands[0] if whole else None
    return None


def are_one(x: Var, y: Var) -> bool:
    """Whether both are one value, though it may have been read twice."""
    if x is y or x.shape != y.shape:
        return x is y
    same = same_elements(x.builder, x, y, id)
    return same is not None and bool(same.all())


def are_opposite(x: Var, y: Var) -> bool:
    """Whether y is written as -x."""
    made = y.builder.definitions.get(y)
    return made is not None and made.primitive is neg and are_one(x, made.operands[0])


def parts(total: Var, places: Array | None = None, sign: int = 1) -> Iterator[tuple[Var, Array]]:
    """What is squared in a sum of squares, and where in the total each of its elements is a part."""
    made = total.builder.definitions[total]
    places = np.arange(total.size).reshape(total.shape) if places is None else places
    if made.primitive in SUMS:
        for v, own_sign in zip(made.operands, signs(made, sign), strict=True):
            yield from parts(v, places, own_sign)
    elif made.primitive in KEPT:
        known = made.output.builder.known(before(made, total.builder.constant(places)))
        assert known is not None
        yield from parts(made.operands[0], known, sign)
    elif (own := squared(made, sign)) is not None:
        yield own, places


def before(made: Equation, size: Var) -> Var:
    """For each element of what was moved or added up, the length that it is a part of."""
    (inner,) = made.operands
    if made.primitive is reduce_sum_:
        return spread(size, made.params["axes"], inner.shape)
    if made.primitive is permute_:
        return permute(size, np.argsort(made.params["axes"]).tolist())
    if made.primitive is convert_ and size.is_float:
        return convert(size, inner.dtype)
    return reshape(size, inner.shape)
