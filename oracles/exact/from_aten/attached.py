"""Gradients that a custom function attaches to what was computed without one: under no_grad, or detached.

`Attach.apply(x, z)`, where z = solve(x) was computed under no_grad and the function returns z, has two
readings. Held fixed, z does not move with x, as where `Attach` hands something on beside x. Or its backward
is meant for the derivative of z: then the solver is part of the forward, as if it ran inside the function.
"""

from __future__ import annotations

from collections.abc import Container

from oracles.exact.program.alike import HOLDS
from oracles.exact.program.program import Builder, Equation, Program, Var


def followed(program: Program, attached: Container[Var]) -> Program:
    """The program in which these values, which are held fixed, move as what they were computed from."""
    builder = Builder()
    plain = {v: builder.input(v.shape, v.dtype) for v in program.inputs}
    whole = dict(plain)  # the same where what was held fixed last moves; what was before that, stays

    def anew(equation: Equation, known: dict[Var, Var]) -> Var:
        builder.origin, out = equation.origin, equation.output
        operands = tuple(known[v] for v in equation.operands)
        return builder.emit(equation.primitive, operands, out.shape, out.dtype, **equation.params)

    for equation in program.equations:
        out, operands = equation.output, equation.operands
        if out in attached:
            plain[out] = whole[out] = whole[operands[0]]
            continue
        plain[out] = anew(equation, plain)
        if equation.primitive in HOLDS:
            whole[out] = plain[operands[0]]
        else:
            moves = any(whole[v] is not plain[v] for v in operands)
            whole[out] = anew(equation, whole) if moves else plain[out]
    builder.guards = [(plain[v], value) for v, value in program.guards]
    return builder.program(plain[v] for v in program.outputs)
