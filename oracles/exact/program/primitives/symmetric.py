"""Symmetric matrices, of which one triangle is read: how they move where the other one does not follow.

A Cholesky factor, or eigenvalues, are those of the symmetric matrix with this triangle, so the derivative has
all of two equal numbers in the one that is read. Textbooks give half of it to each, or what the formula gives
for a matrix that is not symmetric. Along symmetric directions all of these are one: G + G^T is the same.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from oracles.exact.program.balls import as_balls
from oracles.exact.program.derive import Tangents
from oracles.exact.program.formats import exactly
from oracles.exact.program.primitives.arithmetic import scale
from oracles.exact.program.primitives.arrays import permute
from oracles.exact.program.primitives.choices import select
from oracles.exact.program.program import Array, Equation, Primitive, Program, Shape, Var


class Moves(StrEnum):
    """How the matrix moves with the one whose triangle it has."""

    TRIANGLE = "triangle"  # as what is read of it does
    MEAN = "mean"  # as its mean with its transpose
    WHOLE = "whole"  # as it does, though it be no longer symmetric then
    STILL = "still"  # not at all: what moves then does not move by it


def _turned(x: Var) -> Var:
    return permute(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _half(shape: Shape, lower: bool, strict: bool = False) -> Array:
    """Where a triangle is."""
    ones = np.ones(shape[-2:], bool)
    half = np.tril(ones, -int(strict)) if lower else np.triu(ones, int(strict))
    return np.broadcast_to(half, shape)


def _symmetric(x: Array, *, lower: bool, moves: Moves) -> Array:
    x = as_balls(x)
    return np.where(_half(x.shape, lower), x, np.swapaxes(x, -1, -2))


def _symmetric_jvp(equation: Equation, tangents: Tangents) -> Var:
    (t,), params = tangents, equation.params
    assert t is not None
    match params["moves"]:
        case Moves.TRIANGLE:
            return t.builder.emit(symmetric_, (t,), t.shape, t.dtype, **params)
        case Moves.MEAN:
            return scale(t + _turned(t), 0.5)
        case Moves.WHOLE:
            return t
        case _:
            return scale(t, 0.0)


def _symmetric_transpose(equation: Equation, k: int, ct: Var) -> Var:
    """Both of two numbers are that one which is read."""
    lower, constant = equation.params["lower"], ct.builder.constant
    own = select(constant(_half(ct.shape, lower)), ct, 0.0)
    return own + select(constant(_half(ct.shape, lower, strict=True)), _turned(ct), 0.0)


symmetric_ = Primitive("symmetric", _symmetric, _symmetric_jvp, _symmetric_transpose, exactly)


def symmetric(x: Var, lower: bool = True, moves: Moves = Moves.TRIANGLE) -> Var:
    """The symmetric matrix with this triangle."""
    return x.builder.emit(symmetric_, (x,), x.shape, x.dtype, lower=lower, moves=moves)


def reading(program: Program) -> list[Equation]:
    """What reads one triangle."""
    return [e for e in program.equations if e.primitive is symmetric_]


def moving(program: Program, moves: Moves) -> Program:
    """The program whose symmetric matrices move so."""
    equations = [
        e._replace(params={**e.params, "moves": moves}) if e.primitive is symmetric_ else e
        for e in program.equations
    ]
    return Program(program.inputs, equations, program.outputs, program.guards)
