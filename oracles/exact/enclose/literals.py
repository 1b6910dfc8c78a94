"""Numbers that stand in a program: what else a written number, or an array of data, may stand for.

`0.1` and `sqrt(2 / pi)` are meant, and what is written is rounded. So whether two programs are the same
function is asked again with their numbers as balls, or moved.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.program.balls import as_balls, filled, precision
from oracles.exact.program.formats import FORMATS, format_of
from oracles.exact.program.primitives.arithmetic import constant
from oracles.exact.program.program import Array, Equation, Program, Var
from oracles.exact.program.residues import GOLDEN, mixed

# Two float64 ulps, since what stands there was often computed: 1 / sqrt(2 pi) is rounded three times.
ULPS = 2
SHORT = 26  # bits: 0.5, 1.125 and 1000 are meant as they are
LEAST_DIGITS = 7  # 0.7978846 is rounded from a longer number; 0.707 and 3.1416 may be a mistake
BITS = 200  # for decimals, far beyond any dtype

Change = Callable[[arb, str], arb]  # another number for one that stands there, of that dtype


def literals(program: Program) -> list[tuple[arb, str]]:
    """The numbers that stand in the program, each with its dtype."""
    return [(number_of(e), e.output.dtype) for e in program.equations if is_literal(e)]


def replaced(program: Program, change: Change) -> Program:
    """The program with other numbers for those that stand in it."""
    equations = [
        e._replace(params={"value": _changed(e, change)}) if is_literal(e) else e for e in program.equations
    ]
    return Program(program.inputs, equations, program.outputs, program.guards)


def decided(program: Program, change: Change) -> Program:
    """The same, with every comparison decided by the numbers that stand there.

    `x * c < c` at x = 1 is false, and of balls in the place of c nobody can tell.
    """
    equations, moved = [], dict[Var, Var]()
    for e in program.equations:
        equations.append(e)
        if e.output.is_float:
            out = e.output
            moved[out] = Var(out.builder, out.shape, out.dtype, out.linear)
            params = {"value": _changed(e, change)} if is_literal(e) else e.params
            operands = tuple(moved.get(v, v) for v in e.operands)
            equations.append(e._replace(operands=operands, output=moved[out], params=params))
    outputs = tuple(moved.get(v, v) for v in program.outputs)
    return Program(program.inputs, equations, outputs, program.guards).giving(slice(None))


def changes(program: Program, change: Change) -> bool:
    """Whether it has a number for which `change` has another one."""
    return any(change(ball, dtype) is not ball for ball, dtype in literals(program))


def rounded(ball: arb, dtype: str) -> arb:
    """A longer literal as a ball of two float64 ulps: what a computation that was rounded stands for."""
    if not ball.is_exact() or not ball.is_finite() or _bits(ball) <= SHORT:
        return ball
    return ball + arb(0, ULPS * float(np.spacing(abs(float(ball)))))


def moved_literals(seed: int) -> Change:
    """Each longer literal moved by two float64 ulps: from 0 for seed 0, or to a side drawn for its number.

    The same number, and its negative, is one that was written: sqrt(5) d and -sqrt(5) d may have to cancel.
    """

    def change(ball: arb, dtype: str) -> arb:
        if rounded(ball, dtype) is ball:
            return ball
        number = np.array([abs(float(ball))])
        side = float(sides(number, seed)[0]) if seed else 1.0
        side = -side if ball < 0 else side
        with precision(BITS):
            return ball + side * ULPS * float(np.spacing(number)[0])

    return change


def moved_casts(seed: int) -> Change:
    """Each longer number of a narrow dtype, as code casts it, moved by half an ulp of that (see `mover`)."""

    def change(ball: arb, dtype: str) -> arb:
        if not _decimal(ball, dtype) or not _is_cast(ball, dtype):
            return ball
        found: arb = mover(filled([ball], ()), dtype)(seed).item()
        return found

    return change


def written(ball: arb, dtype: str) -> arb:
    """A literal with a fraction as every number that is written so.

    That is what rounds to it in its last digit, if it has seven digits or more. Two that differ in the last
    digit do not touch. A number of a narrower dtype, with more than half of its bits, also stands for its
    shortest decimal in that dtype, and for what rounds to it there: the code may have computed and cast it.
    """
    if not (text := _decimal(ball, dtype)):
        return ball
    _, digits, exponent = Decimal(text).normalize().as_tuple()
    assert isinstance(exponent, int)
    if exponent >= 0:
        return rounded(ball, dtype)
    with precision(BITS):
        ends = arb(text)
        if len(digits) >= LEAST_DIGITS:
            ends += arb(0, arb("4.9999") * arb(10) ** (exponent - 1))
        found = rounded(ball, dtype).union(ends)
        return found.union(ball + arb(0, _half_ulp(ball, dtype))) if _is_cast(ball, dtype) else found


def spelled(ball: arb, dtype: str) -> arb:
    """A literal as its shortest decimal, which is what was written, if it is one of a narrow dtype too."""
    if not (text := _decimal(ball, dtype)):
        return ball
    with precision(BITS):
        return arb(text)


def _decimal(ball: arb, dtype: str) -> str:
    """The shortest decimal of a number with more bits than one that is meant as it is; "" of any other."""
    if not ball.is_exact() or not ball.is_finite() or ball != float(ball):
        return ""
    if _bits(ball) > SHORT:
        return repr(float(ball))
    narrow = dtype != "float64" and dtype in FORMATS and _bits(ball) > format_of(dtype).digits // 2
    return format_of(dtype).shortest(float(ball)) if narrow else ""


def may_change(ball: arb, dtype: str) -> bool:
    """Whether any of these changes has another number for a literal."""
    return rounded(ball, dtype) is not ball or bool(_decimal(ball, dtype))


def is_rounded(array: Array, dtype: str) -> bool:
    """Whether any of these numbers has more than half of the bits of its dtype; 1, 0.5 and masks have not."""
    return is_finite(array) and bool(are_long(as_balls(array).ravel().tolist(), dtype).any())


def mover(array: Array, dtype: str) -> Callable[[int], Array]:
    """What moves every number that is rounded by half an ulp: up, for seed 0, or to a side drawn for it.

    The side depends on the number alone. So equal numbers, which were rounded alike, move alike, wherever
    they stand. An array with an infinite number in it is a mask, and stays.
    """
    if not is_finite(array):
        return lambda seed: array
    balls = as_balls(array)
    flat = balls.ravel().tolist()
    numbers, long = np.array([float(b.mid()) for b in flat]), are_long(flat, dtype).tolist()
    halves = format_of(dtype).ulp(numbers) / 2

    def move(seed: int) -> Array:
        steps = halves * (sides(numbers, seed) if seed else 1.0)
        with precision(BITS):
            found = [b + arb(by) if yes else b for b, by, yes in zip(flat, steps.tolist(), long, strict=True)]
        return filled(found, balls.shape)

    return move


def sides(numbers: NDArray[Any], seed: int) -> NDArray[Any]:
    """1 or -1 for each number, by a hash of it."""
    hashed = mixed(numbers.view(np.uint64) + np.uint64(seed * int(GOLDEN) % 2**64))
    return np.where((hashed >> np.uint64(63)).astype(bool), 1.0, -1.0)


def are_long(balls: list[arb], dtype: str) -> NDArray[Any]:
    """Which of these have more than half of the bits of their dtype."""
    most = format_of(dtype).digits // 2
    return np.array([b.is_exact() and b.is_finite() and _bits(b) > most for b in balls], bool)


def is_finite(array: Array) -> bool:
    """Whether all numbers of an array of balls, or of floats, are finite."""
    return array.dtype == object or bool(np.isfinite(array.astype(np.float64)).all())


def _bits(ball: arb) -> int:
    return abs(int(ball.man_exp()[0])).bit_length()


def is_literal(equation: Equation) -> bool:
    """A number that was written; the unbounded rate of a declared edge (see `recording`) is none."""
    out = equation.output
    return (
        equation.primitive is constant and out.is_float and not out.ndim and number_of(equation).is_finite()
    )


def _changed(equation: Equation, change: Change) -> Array:
    return filled([change(number_of(equation), equation.output.dtype)], ())


def is_data(equation: Equation) -> bool:
    """Whether it is an array of numbers that stands in the code."""
    out = equation.output
    return equation.primitive is constant and out.is_float and out.ndim > 0 and out.dtype in FORMATS


def _is_cast(ball: arb, dtype: str) -> bool:
    """Whether a number is one of a narrow dtype, as np.float32(1 / 7) is; whole ones are counts."""
    if dtype == "float64" or ball.is_integer():
        return False
    return bool(ball == format_of(dtype).rounded(float(ball)))


def _half_ulp(ball: arb, dtype: str) -> float:
    """A little less, so that neighbours do not touch."""
    return 0.4999 * float(format_of(dtype).ulp(np.abs(np.array([float(ball)])))[0])


def number_of(equation: Equation) -> arb:
    """The number that a literal is."""
    ball: arb = as_balls(np.asarray(equation.params["value"])).item()
    return ball
