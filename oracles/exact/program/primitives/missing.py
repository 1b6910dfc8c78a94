"""Missing data: where a value is NaN since a number that stands in the code is, whatever else is.

Arb's NaN says that nothing is known of a number: more bits may give one. So it is not asked. But NaN that was
written makes NaN of what is computed with it, and a choice (`where(mask, x, nan)`) may take it.
"""

from __future__ import annotations

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
from oracles.exact.program.primitives.predicates import is_nan
from oracles.exact.program.primitives.reductions import reduce_or
from oracles.exact.program.primitives.taylor import taylor
from oracles.exact.program.program import Array, Equation, Operand, Primitive, Var

SPREADS = (select_, neg, abs_, taylor, add, sub, mul, div)
SAME = (convert_, detach_, no_grad_)


def missing(x: Var) -> Var | None:
    """Where x is NaN for that reason; None if that is nowhere, or not known (see `is_whole`)."""
    known: dict[Var, Var | None] = x.builder.missing
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
            each = [known[w] for w in made.operands]
            known[v] = _if_any(_missing(made, each))
            if known[v] is None and (any(each) or not v.builder.unsure.isdisjoint(made.operands)):
                v.builder.unsure.add(v)
        waiting.pop()
    return known[x]


def _if_any(gone: Var | None) -> Var | None:
    value = None if gone is None else gone.builder.known(gone)
    return gone if value is None or value.any() else None


def is_whole(x: Var) -> bool:
    """Whether nothing of it is missing, for certain."""
    return missing(x) is None and x not in x.builder.unsure


def _missing(equation: Equation, each: list[Var | None]) -> Var | None:
    primitive, out, operands = equation.primitive, equation.output, equation.operands
    if primitive is constant:
        found = _written(np.asarray(equation.params["value"]))
        return out.builder.constant(np.broadcast_to(found, out.shape)) if found.any() else None
    if all(own is None for own in each):
        return None
    if primitive in SAME:
        return each[0]
    if primitive in MOVES and each[0] is not None:
        moved = (each[0], *operands[1:])  # what is moved, and where to
        return out.builder.emit(primitive, moved, out.shape, "bool", **equation.params)
    if primitive is concatenate_:
        return out.builder.emit(primitive, tuple(map(whole, operands)), out.shape, "bool", **equation.params)
    if primitive is scatter_ and each[0] is not None:
        count = scatter_add(convert(each[0], "int64"), operands[1], out.shape)
        return comparisons.compare("gt", count, 0)
    if primitive is reduce_sum_ and each[0] is not None:
        return out.builder.emit(reduce_or, (each[0],), out.shape, "bool", **equation.params)
    if primitive is select_:
        return select(operands[0], *map(whole, operands[1:]))
    return either([own for own in each if own is not None]) if primitive in SPREADS else None


def _written(value: Array) -> Array:
    if value.dtype != object:
        return np.isnan(value) if value.dtype.kind == "f" else np.zeros(value.shape, bool)
    return np.array([ball.is_nan() for ball in as_balls(value).ravel().tolist()], bool).reshape(value.shape)


def whole(x: Var) -> Var:
    """What of x is missing, as truth values; false where that is nowhere."""
    own = missing(x)
    return x.builder.constant(np.zeros(x.shape, bool)) if own is None else own


def mark(x: Var, gone: Var | None) -> Var:
    """x, of which it is known what is missing."""
    x.builder.missing[x] = gone
    return x


def asked(kind: Primitive, x: Var) -> Var:
    """Whether x is NaN, or infinite; what is missing is the one and not the other."""
    found = x.builder.emit(kind, (there(x),), x.shape, "bool")
    gone = missing(x)
    if gone is None or kind is not is_nan:
        return found
    return x.builder.elementwise("or", gone, found, dtype="bool")


def there(x: Var, otherwise: float = 0.0) -> Var:
    """x, with 0 or another number for what is missing."""
    gone = missing(x)
    return x if gone is None else mark(select(gone, otherwise, x), None)


def compare(name: str, x: Operand, y: Operand) -> Var:
    """x < y and its kin, as booleans: what is missing is another number, and neither larger nor smaller."""
    gone = [own for v in (x, y) if isinstance(v, Var) and (own := missing(v)) is not None]
    if not gone:
        return comparisons.compare(name, x, y)
    builder, some = gone[0].builder, either(gone)
    if x is y:
        answers = builder.constant(np.full(some.shape, name in ("eq", "le", "ge")))
    else:
        answers = comparisons.compare(name, *(there(v) if isinstance(v, Var) else v for v in (x, y)))
    if name == "ne":
        return builder.elementwise("or", some, answers, dtype="bool")
    return builder.elementwise("and", builder.elementwise("not", some, dtype="bool"), answers, dtype="bool")
