"""A gradient program in which what is divided by its own length has bounds: z / |z|, where |z| may be 0.

Gradients by hand divide so, and the signs of complex numbers do. Where a length is 0 but for rounding, such a
program has no value in exact arithmetic, though what follows may multiply by that length. Where the quotient
has a value it lies in [-1, 1] (see `lengths`), and so does the 0 that a guard puts in its place.
"""

from __future__ import annotations

import numpy as np

from oracles.exact.program.primitives.arithmetic import div
from oracles.exact.program.primitives.arrays import constant_value, reshape_
from oracles.exact.program.primitives.choices import select_
from oracles.exact.program.primitives.lengths import unit_
from oracles.exact.program.primitives.logic import and_
from oracles.exact.program.primitives.roughness import rough_
from oracles.exact.program.primitives.same import moved, places
from oracles.exact.program.primitives.squares import are_one, are_opposite, are_squares, is_zero, parts
from oracles.exact.program.program import Array, Equation, Program, Var


def bounded(program: Program) -> Program | None:
    """The program with bounds for such quotients; None where it has none."""
    units: dict[Var, Var] = {}  # and what is divided
    equations = []
    for e in program.equations:
        if e.primitive is div and (size := _own_length(*e.operands)):
            units[e.output] = e.operands[0]
            e = e._replace(primitive=unit_, operands=(e.operands[0], size))
        elif unit := _kept(e, units):
            units[e.output] = units[unit]
            e = e._replace(primitive=reshape_, operands=(unit,), params={"shape": e.output.shape})
        equations.append(e)
    found = Program(program.inputs, equations, program.outputs, program.guards)
    return found.giving(slice(None)) if units else None


def _own_length(x: Var, below: Var) -> Var | None:
    """The length that x is a part of, if it is divided by that, or where that is 0 by another number."""
    size = _unless_0(below)
    source, moves = moved(size.builder, size)
    total = _squares(source)
    if total is None or total is source:
        return None
    where = places(size.builder, source, moves)
    return size if _is_part(x, total, where) else None


def _is_part(x: Var, total: Var, where: Array) -> bool:
    """Whether each element of x, or its opposite, is squared in that element of the total."""
    return any((are_one(x, v) or are_opposite(v, x)) and np.array_equal(at, where) for v, at in parts(total))


def _unless_0(below: Var) -> Var:
    """The length, where it is chosen if it is not 0, and else some other number that is not 0."""
    made = below.builder.definitions.get(below)
    if made is None or made.primitive is not select_ or (guard := _guard(made)) is None:
        return below
    total, other, size = guard
    known = constant_value(other)
    is_other = known is not None and known.dtype != object and bool(known.all())
    return size if is_other and _squares(size) is total else below


def _kept(e: Equation, units: dict[Var, Var]) -> Var | None:
    """The quotient, if it is as it was, or chosen unless the length is 0, and else 0."""
    if e.primitive is rough_:
        return e.operands[0] if e.operands[0] in units else None
    if e.primitive is not select_ or (guard := _guard(e)) is None:
        return None
    total, other, unit = guard
    own = np.arange(unit.size).reshape(unit.shape)
    return unit if unit in units and is_zero(other) and _is_part(units[unit], total, own) else None


def _guard(e: Equation) -> tuple[Var, Var, Var] | None:
    """Of a choice by whether a sum of squares is 0: that sum, what is chosen where it is, and what else."""
    chosen, x, y = e.operands
    made = chosen.builder.definitions.get(chosen)
    if made is None:
        return None
    both = made.primitive is and_  # that both parts are 0, JAX asks: so one of them is
    made = chosen.builder.definitions.get(made.operands[0]) if both else made
    where = None if made is None else _says_of_0(made)
    if made is None or where is None or (both and not where) or not is_zero(made.operands[1]):
        return None
    total = _squares(made.operands[0])
    if total is None:
        return None
    return (total, x, y) if where else (total, y, x)


def _says_of_0(made: Equation) -> bool | None:
    """What it says of 0 and of no larger number, compared with 0; None for < and >=, which say one thing."""
    kind, says = made.primitive.comparison, bool(made.primitive.itself)
    return None if kind is None or kind.larger not in (None, int(says)) else says


def _squares(x: Var) -> Var | None:
    """The sum of squares that x is, or is the root of."""
    made = x.builder.definitions.get(x)
    if made is not None and (made.params.get("function"), made.params.get("order")) == ("length", 0):
        return made.operands[0]
    return x if are_squares(x) else None
