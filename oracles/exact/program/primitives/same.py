"""Elements that are one number, moved to two places: of z[:, None] - z[None, :] the diagonal is 0.

Balls of two are two numbers, and their difference is a ball around 0, however narrow: no comparison with 0 is
decided there, and no root has a slope. In floating point the difference is 0, too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from oracles.exact.program.primitives.arrays import SHAPES, take_
from oracles.exact.program.program import Array, Builder, Equation, Var

NOWHERE = -1  # what a take puts in is no element


def same_elements(
    builder: Builder, x: Var, y: Var, number: Callable[[Var], object], unmoved: bool = True
) -> Array | None:
    """Where x and y have the same element of one value; None if nowhere.

    Args:
        builder: Which they belong to.
        x, y: Of one shape.
        number: The same for values that are computed alike.
        unmoved: Whether it is said of values that were not moved: `x != x` asks for NaN.
    """
    (one, moves), (other, others) = moved(builder, x), moved(builder, y)
    if not (moves or others or unmoved) or one.shape != other.shape or number(one) != number(other):
        return None
    here, elsewhere = (places(builder, one, own) for own in (moves, others))
    found = np.asarray((here == elsewhere) & (here != NOWHERE))
    return found if found.any() else None


def moved(builder: Builder, x: Var) -> tuple[Var, list[Equation]]:
    """The value of which x has the elements, and the moves from it to x."""
    moves: list[Equation] = []
    while (e := builder.definitions.get(x)) is not None:
        if not (e.primitive in SHAPES or (e.primitive is take_ and builder.known(e.operands[1]) is not None)):
            break
        moves.append(e)
        x = e.operands[0]
    return x, moves[::-1]


def places(builder: Builder, source: Var, moves: list[Equation]) -> Array:
    """Which element of the source stands where."""
    found = np.arange(source.size).reshape(source.shape)
    for e in moves:
        if e.primitive is take_:
            known = builder.known(e.operands[1])
            assert known is not None
            found = np.where(known < 0, NOWHERE, found.reshape(-1)[known])
        else:
            found = np.asarray(e.primitive.evaluate(found, **e.params))
    return found
