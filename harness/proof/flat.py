"""What makes a forward flat: steps, as those of spikes and roundings, or an interval that is halved."""

from __future__ import annotations

from collections.abc import Container, Mapping

from oracles.exact.program.primitives.arithmetic import detach_, no_grad_
from oracles.exact.program.primitives.choices import select_
from oracles.exact.program.program import Equation, Program, Var


def steps(program: Program) -> bool:
    """Whether what has no derivative are steps of what moves (`x > threshold`, as a number).

    A search between constants keeps one end of an interval, or the other, by what it finds between them: the
    choice depends on the very numbers among which it is made.
    """
    varying, moving, found = set[Var](program.inputs), {v for v in program.inputs if v.is_float}, False
    made = {e.output: e for e in program.equations}
    for equation in program.equations:
        primitive, out, flat = equation.primitive, equation.output, varying & set(equation.operands)
        if not flat:
            continue
        varying.add(out)
        if not out.is_float:
            continue
        if primitive.jvp is not None and not moving.isdisjoint(flat):
            moving.add(out)
            continue
        chosen = {v for v in flat if v.is_float} - moving
        if primitive is select_ and chosen and _depends(equation.operands[0], chosen, made):
            return False
        found = found or not (chosen or primitive in (detach_, no_grad_))
    return found


def _depends(value: Var, on: Container[Var], made: Mapping[Var, Equation]) -> bool:
    """Whether one of these values is on the way to another."""
    waiting, seen = [value], set[Var]()
    while waiting:
        v = waiting.pop()
        if v in on:
            return True
        if v not in seen and v in made:
            waiting += made[v].operands
        seen.add(v)
    return False
