"""Missing data: where a value is NaN since a number that stands in the code is, whatever else is.

Arb's NaN says that nothing is known of a number: more bits may give one. So it is not asked. But NaN that was
written makes NaN of what is computed with it, and a choice (`where(mask, x, nan)`) may take it.
"""

from __future__ import annotations

from functools import partial, reduce

import numpy as np

from oracles.exact.program.balls import as_balls
from oracles.exact.program.primitives import comparisons
from oracles.exact.program.primitives.arithmetic import add, constant, convert_, div, mul, neg, sub
from oracles.exact.program.primitives.arrays import MOVES
from oracles.exact.program.primitives.choices import abs_, select, select_
from oracles.exact.program.primitives.predicates import is_nan
from oracles.exact.program.primitives.taylor import taylor
from oracles.exact.program.program import PRIMITIVES, Array, Equation, Operand, Primitive, Var

SPREADS = (select_, neg, abs_, taylor, add, sub, mul, div)


def missing(x: Var) -> Var | None:
    """Where x is NaN for that reason; None if that is nowhere."""
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
            known[v] = _missing(made, [known[w] for w in made.operands])
        waiting.pop()
    return known[x]


def _missing(equation: Equation, each: list[Var | None]) -> Var | None:
    primitive, out, operands = equation.primitive, equation.output, equation.operands
    if primitive is constant:
        found = _written(np.asarray(equation.params["value"]))
        return out.builder.constant(np.broadcast_to(found, out.shape)) if found.any() else None
    if all(own is None for own in each):
        return None
    if primitive is convert_:
        return each[0]
    if primitive in MOVES and each[0] is not None:
        moved = (each[0], *operands[1:])  # what is moved, and where to
        return out.builder.emit(primitive, moved, out.shape, "bool", **equation.params)
    if primitive is PRIMITIVES["reduce_sum"] and each[0] is not None:
        return out.builder.emit(PRIMITIVES["reduce_or"], (each[0],), out.shape, "bool", **equation.params)
    if primitive in SPREADS:
        some = [_whole(w, own) for w, own in zip(operands, each, strict=True) if w.is_float]
        if primitive is select_:
            return select(operands[0], *some)
        return reduce(partial(out.builder.elementwise, "or", dtype="bool"), some)
    return None


def _written(value: Array) -> Array:
    if value.dtype != object:
        return np.isnan(value) if value.dtype.kind == "f" else np.zeros(value.shape, bool)
    return np.array([ball.is_nan() for ball in as_balls(value).ravel().tolist()], bool).reshape(value.shape)


def _whole(x: Var, own: Var | None) -> Var:
    return x.builder.constant(np.zeros(x.shape, bool)) if own is None else own


def asked(kind: Primitive, x: Var) -> Var:
    """Whether x is NaN, or infinite; what is missing is the one and not the other."""
    found = x.builder.emit(kind, (there(x),), x.shape, "bool")
    gone = missing(x)
    if gone is None or kind is not is_nan:
        return found
    return x.builder.elementwise("or", gone, found, dtype="bool")


def there(x: Var) -> Var:
    """x, with 0 for what is missing."""
    gone = missing(x)
    return x if gone is None else select(gone, 0.0, x)


def compare(name: str, x: Operand, y: Operand) -> Var:
    """x < y and its kin, as booleans: what is missing is another number, and neither larger nor smaller."""
    gone = [own for v in (x, y) if isinstance(v, Var) and (own := missing(v)) is not None]
    if not gone:
        return comparisons.compare(name, x, y)
    builder = gone[0].builder
    either = reduce(partial(builder.elementwise, "or", dtype="bool"), gone)
    if x is y:
        answers = builder.constant(np.full(either.shape, name in ("eq", "le", "ge")))
    else:
        answers = comparisons.compare(name, *(there(v) if isinstance(v, Var) else v for v in (x, y)))
    if name == "ne":
        return builder.elementwise("or", either, answers, dtype="bool")
    return builder.elementwise("and", builder.elementwise("not", either, dtype="bool"), answers, dtype="bool")
