"""Missing data: where a value is NaN since a number that stands in the code is, whatever else is.

Arb's NaN says that nothing is known of a number: more bits may give one. So it is not asked. But NaN that was
written makes NaN of what is computed with it, and a choice (`where(mask, x, nan)`) may take it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from oracles.exact.program.balls import as_balls
from oracles.exact.program.primitives import comparisons
from oracles.exact.program.primitives.arithmetic import (
    add,
    constant,
    convert,
    convert_,
    detach_,
    div,
    mul,
    neg,
    no_grad_,
    sub,
)
from oracles.exact.program.primitives.arrays import MOVES, concatenate_, reduce_sum_, scatter_add
from oracles.exact.program.primitives.arrays import scatter_add_ as scatter_
from oracles.exact.program.primitives.choices import abs_, either, select, select_
from oracles.exact.program.primitives.reductions import reduce_or
from oracles.exact.program.primitives.taylor import taylor
from oracles.exact.program.program import Equation, Operand, Var

SPREADS = (select_, neg, abs_, taylor, add, sub, mul, div)
SAME = (convert_, detach_, no_grad_)


def missing(x: Var) -> Var | None:
    """Where x is NaN for that reason; None if that is nowhere, or not known (see `is_whole`)."""

    def found(made: Equation, each: list[Var | None]) -> Var | None:
        gone = if_any(_written(made) if made.primitive is constant else spread(made, each))
        if gone is None and (any(each) or not x.builder.unsure.isdisjoint(made.operands)):
            x.builder.unsure.add(made.output)
        return gone

    return followed(x, x.builder.missing, found)


def followed(
    x: Var, known: dict[Var, Var | None], found: Callable[[Equation, list[Var | None]], Var | None]
) -> Var | None:
    """What is found of x, from what is found of the operands of all that it is made of."""
    waiting = [x]
    while waiting:
        v = waiting[-1]
        made = v.builder.definitions.get(v) if v.is_float and v not in known else None
        if made is None:
            known.setdefault(v, None)
        elif others := [w for w in made.operands if w not in known]:
            waiting += others
            continue
        else:
            known[v] = found(made, [known[w] for w in made.operands])
        waiting.pop()
    return known[x]


def if_any(gone: Var | None) -> Var | None:
    """None for what is known to be nowhere."""
    value = None if gone is None else gone.builder.known(gone)
    return gone if value is None or value.any() else None


def is_whole(x: Var) -> bool:
    """Whether nothing of it is missing, for certain."""
    return missing(x) is None and x not in x.builder.unsure


def spread(equation: Equation, each: list[Var | None]) -> Var | None:
    """Where a value is NaN since its operands are, as far as that is known of each."""
    primitive, out, operands = equation.primitive, equation.output, equation.operands
    if all(own is None for own in each):
        return None
    if primitive in SAME:
        return each[0]
    if primitive in MOVES and each[0] is not None:
        moved = (each[0], *operands[1:])  # what is moved, and where to
        return out.builder.emit(primitive, moved, out.shape, "bool", **equation.params)
    if primitive is concatenate_:
        return out.builder.emit(primitive, _masks(operands, each), out.shape, "bool", **equation.params)
    if primitive is scatter_ and each[0] is not None:
        count = scatter_add(convert(each[0], "int64"), operands[1], out.shape)
        return comparisons.compare("gt", count, 0)
    if primitive is reduce_sum_ and each[0] is not None:
        return out.builder.emit(reduce_or, (each[0],), out.shape, "bool", **equation.params)
    if primitive is select_:
        return select(operands[0], *_masks(operands, each)[1:])
    return either([own for own in each if own is not None]) if primitive in SPREADS else None


def _written(made: Equation) -> Var | None:
    value = np.asarray(made.params["value"])
    if value.dtype == object:
        balls = as_balls(value).ravel().tolist()
        found = np.array([ball.is_nan() for ball in balls], bool).reshape(value.shape)
    else:
        found = np.isnan(value) if value.dtype.kind == "f" else np.zeros(value.shape, bool)
    return made.output.builder.constant(np.broadcast_to(found, made.output.shape)) if found.any() else None


def _masks(of: Sequence[Var], each: Sequence[Var | None]) -> tuple[Var, ...]:
    return tuple(
        v.builder.constant(np.zeros(v.shape, bool)) if own is None else own
        for v, own in zip(of, each, strict=True)
    )


def whole(x: Var) -> Var:
    """What of x is missing, as truth values; false where that is nowhere."""
    return _masks([x], [missing(x)])[0]


def mark(x: Var, gone: Var | None) -> Var:
    """x, of which it is known what is missing."""
    x.builder.missing[x] = gone
    return x


def there(x: Var, otherwise: float = 0.0) -> Var:
    """x, with 0 or another number for what is missing."""
    gone = missing(x)
    return x if gone is None else instead(x, gone, otherwise)


def instead(x: Var, gone: Var, otherwise: Operand) -> Var:
    """x, with another number for what is gone, so that nothing of it is missing."""
    return mark(select(gone, otherwise, x), None)
