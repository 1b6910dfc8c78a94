"""Where a function may jump: at a comparison of equal numbers, the edge of a step, a kink of its derivative.

An order (argmax, argsort) jumps at a tie, where it is used as a number: what it gathers does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.evaluate import Work, as_pairs, evaluate_quickly
from oracles.exact.program.primitives.arithmetic import convert_
from oracles.exact.program.primitives.orders import argmax_, argsort_
from oracles.exact.program.primitives.taylor import taylor
from oracles.exact.program.program import Array, Equation, Program, Var

BITS = 500
WIDE = 2.0**-32  # of a hull its radius


def is_at_an_edge(function: Program, values: Sequence[Array], wrt: Sequence[int], work: Work) -> bool:
    """Whether any comparison, step or kink that moves with the inputs may be at its edge here."""
    asked = _edges(function, wrt)
    if not asked:
        return False
    outputs = tuple(v for e in asked for v in _telling(e))
    asking = Program(function.inputs, function.equations, outputs).giving(slice(None))
    if not work.pays_plan(asking):
        return False
    found = evaluate_quickly(asking, values, BITS)
    pairs = map(as_pairs, found)
    at_edge = [_at_edge(e, pairs) for e in asked]  # each takes its own
    return any(at_edge)


def _edges(function: Program, wrt: Sequence[int]) -> list[Equation]:
    """Comparisons, steps, kinks of derivatives, and orders that are numbers: what moves with the inputs."""
    moving, found = {function.inputs[i] for i in wrt}, []
    orders: dict[Var, list[Equation]] = {}  # what integers come from
    for e in function.equations:
        if counted := [own for v in e.operands for own in orders.get(v, ())]:
            if not e.output.is_float:
                orders[e.output] = counted
            elif e.primitive is convert_:
                found += counted
        if any(v in moving for v in e.operands):
            compares = e.primitive.comparison is not None and e.primitive.comparison.larger is not None
            around = e.primitive.around is not None and e.primitive is not taylor
            steps = around and not (e.primitive is convert_ and e.output.is_float)
            if e.operands[0].is_float and (compares or steps or e.primitive.kink):
                found.append(e)
            elif e.primitive in (argmax_, argsort_):
                orders[e.output] = [e]
            if e.output.is_float and e.primitive.jvp is not None:
                moving.add(e.output)
    return found


def _telling(equation: Equation) -> tuple[Var, ...]:
    """The values that tell whether it is at its edge."""
    if equation.primitive.kink:
        return (equation.output,)
    return equation.operands[: 2 if equation.primitive.comparison else 1]


def _at_edge(equation: Equation, pairs: Iterator[Pairs]) -> bool:
    one = next(pairs)
    if equation.primitive.kink:  # there the result is the hull of both sides
        return bool(np.any(one.r > WIDE * np.abs(one.h)))
    if equation.primitive.around:  # steps have their edges at whole or half numbers
        return bool(np.any(np.floor(2 * one.h) == 2 * one.h))
    if equation.primitive.comparison:
        return bool(np.any(one.h == next(pairs).h))
    return np.unique(one.h).size < one.size
