"""What a program holds constant in its derivative, and the program in which that moves."""

from __future__ import annotations

from oracles.exact.program.primitives.arithmetic import detach_, no_grad_
from oracles.exact.program.primitives.symmetric import Moves, symmetric_
from oracles.exact.program.program import PRIMITIVES, Equation, Program


def is_held(equation: Equation) -> bool:
    """Whether it holds constant what moves: `detach`, `no_grad`, `stop_gradient`.

    So does a matrix that is taken for symmetric: of others one triangle moves it.
    """
    if equation.primitive is symmetric_:
        return bool(equation.params["moves"] != Moves.TRIANGLE)
    return equation.primitive in (detach_, no_grad_)


def _released(equation: Equation) -> Equation:
    if equation.primitive is symmetric_:
        return equation._replace(params={**equation.params, "moves": Moves.TRIANGLE})
    return equation._replace(primitive=PRIMITIVES["reshape"], params={"shape": equation.output.shape})


def held(program: Program) -> list[Equation]:
    """What holds constant something that moves with an input, in order."""
    moving = {v for v in program.inputs if v.is_float}
    found = []
    for equation in program.equations:
        if moving.isdisjoint(equation.operands):
            continue
        if is_held(equation):
            found.append(equation)
        if equation.output.is_float and (is_held(equation) or equation.primitive.jvp is not None):
            moving.add(equation.output)
    return found


def released(program: Program, place: str = "") -> Program:
    """The program in which nothing is held constant; with a place, nothing there."""
    equations = [
        _released(e) if is_held(e) and place in {"", str(e.origin)} else e for e in program.equations
    ]
    return Program(program.inputs, equations, program.outputs, program.guards)
