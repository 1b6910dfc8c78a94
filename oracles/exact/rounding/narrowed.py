"""A program as it rounds where all of its values are kept in one narrower format.

A function that casts to float32 on the way may keep float32 for its backward pass, and compute in it. Where
nobody can look into that, nothing says which of its values are narrow, so all of them are.
"""

from __future__ import annotations

from oracles.exact.program.formats import format_of
from oracles.exact.program.primitives.arithmetic import constant, convert_
from oracles.exact.program.program import Array, Equation, Program, Var


def narrowed(program: Program, dtype: str) -> Program:
    """The program with every floating value, its inputs and constants too, in no wider format than this."""
    narrow: dict[Var, Var] = {}

    def kept(v: Var) -> Var:
        if not v.is_float or format_of(v.dtype).digits <= format_of(dtype).digits:
            return v
        return narrow.setdefault(v, Var(v.builder, v.shape, dtype, v.linear))

    def cast(v: Var) -> list[Equation]:
        return [] if kept(v) is v else [Equation(convert_, (v,), {"to": dtype}, kept(v))]

    equations = [e for v in program.inputs for e in cast(v)]
    for e in program.equations:
        if e.primitive is constant and not _has(dtype, e.params["value"]):
            equations += e, *cast(e.output)
        else:
            operands = tuple(map(kept, e.operands))
            equations.append(e._replace(operands=operands, output=kept(e.output)))
    return Program(program.inputs, equations, tuple(map(kept, program.outputs)), program.guards)


def _has(dtype: str, value: Array) -> bool:
    """Whether a format has all of these numbers, so that no cast moves them: a 2 still counts exactly."""
    rounded = format_of(dtype).rounded
    return value.dtype != object and all(rounded(x) == x for x in value.ravel().tolist())
