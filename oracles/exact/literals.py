"""Numbers that stand in a program: `0.1` and `sqrt(2 / pi)` are meant, and what is written is rounded.

Whether two formulas are the same is asked with every longer literal as a ball of two float64 ulps: else a
right backward pass whose factor was multiplied out by hand would be disjoint from the truth. Two, since what
stands there was often computed: 1 / sqrt(2 pi) is rounded three times.
"""

from __future__ import annotations

import numpy as np
from flint import arb

from oracles.exact.balls import as_balls, filled
from oracles.exact.program import Array, Program

ULPS = 2
SHORT = 26  # bits: 0.5, 1.125 and 1000 are meant as they are


def widened(program: Program) -> Program:
    """The program with every longer literal as a ball of two float64 ulps."""
    equations = []
    for equation in program.equations:
        if equation.primitive.name == "constant" and equation.output.is_float and not equation.output.ndim:
            value = _wide(np.asarray(equation.params["value"]))
            equation = equation._replace(params={"value": value})
        equations.append(equation)
    return Program(program.inputs, equations, program.outputs, program.guards)


def has_literals(program: Program) -> bool:
    """Whether any literal is longer than what is taken as meant."""
    return any(
        e.primitive.name == "constant"
        and e.output.is_float
        and not e.output.ndim
        and not as_balls(_wide(np.asarray(e.params["value"]))).item().is_exact()
        for e in program.equations
    )


def _wide(value: Array) -> Array:
    ball = as_balls(value).item()
    if not ball.is_exact() or not ball.is_finite() or ball.is_zero():
        return value
    if abs(int(ball.man_exp()[0])).bit_length() <= SHORT:
        return value
    return filled([ball + arb(0, ULPS * float(np.spacing(abs(float(ball)))))], ())
