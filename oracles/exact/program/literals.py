"""Numbers that stand in a program: `0.1` and `sqrt(2 / pi)` are meant, and what is written is rounded.

Whether two formulas are the same is asked with every longer literal as a ball of two float64 ulps: else a
right backward pass whose factor was multiplied out by hand would be disjoint from the truth. Two, since what
stands there was often computed: 1 / sqrt(2 pi) is rounded three times.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import arb

from oracles.exact.program.balls import as_balls, filled
from oracles.exact.program.primitives.arithmetic import constant
from oracles.exact.program.program import Equation, Program

ULPS = 2
SHORT = 26  # bits: 0.5, 1.125 and 1000 are meant as they are


def widened(program: Program) -> Program:
    """The program with every longer literal as a ball of two float64 ulps."""
    return replaced(program, _wide)


def has_literals(program: Program) -> bool:
    """Whether any literal is longer than what is taken as meant."""
    return any(not _wide(ball).is_exact() for ball in literals(program))


def literals(program: Program) -> list[arb]:
    """The numbers that stand in the program."""
    return [_number(e) for e in program.equations if _is_literal(e)]


def replaced(program: Program, change: Callable[[arb], arb]) -> Program:
    """The program with other numbers for those that stand in it."""
    equations = [
        e._replace(params={"value": filled([change(_number(e))], ())}) if _is_literal(e) else e
        for e in program.equations
    ]
    return Program(program.inputs, equations, program.outputs, program.guards)


def _is_literal(equation: Equation) -> bool:
    """A number that was written; the unbounded rate of a declared edge (see `recording`) is none."""
    out = equation.output
    return equation.primitive is constant and out.is_float and not out.ndim and _number(equation).is_finite()


def _number(equation: Equation) -> arb:
    ball: arb = as_balls(np.asarray(equation.params["value"])).item()
    return ball


def _wide(ball: arb) -> arb:
    if not ball.is_exact() or not ball.is_finite() or ball.is_zero():
        return ball
    if abs(int(ball.man_exp()[0])).bit_length() <= SHORT:
        return ball
    return ball + arb(0, ULPS * float(np.spacing(abs(float(ball)))))
