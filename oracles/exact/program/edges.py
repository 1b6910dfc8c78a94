"""Branches, masks and orders at their edge, declared: the recorded line knows one of the slopes only.

A choice `np.where(x > 0, a, b)` is recorded as such, and its derivative knows both sides. A comparison that
was decided (`if x > 0`, `y[x > 0]`), or is part of something larger (`(x > 0) & (x < 1)`), does not lead to
the other side, and neither do argmax and argsort at a tie. So each output passes through a choice by whether
all of these are away from their edges. It never changes a value; at an edge the derivative is unbounded, so
that it has to be told from the slopes around (see `kinks`), or is undecided.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import flint
import numpy as np

from oracles.exact.program.functions import absolute, minimum
from oracles.exact.program.primitives.arrays import index, reduce_sum, reshape
from oracles.exact.program.primitives.elementwise import BLENDED, compare, convert, detach, select
from oracles.exact.program.primitives.reductions import reduce_max, reduce_min, take_along
from oracles.exact.program.program import Array, Equation, Var
from oracles.exact.program.recording import Recorder

ORDERS = frozenset({"argmax", "argsort"})


def declare_edges(recorder: Recorder, outputs: Sequence[Var]) -> list[Var]:
    """The outputs, whose derivatives are unbounded where a comparison or an order is at its edge."""
    depends = {v: frozenset([v]) for v in recorder.inputs}
    gaps: dict[frozenset[Var], Var] = {}
    loose = _loose(recorder, outputs)
    for equation in list(recorder.equations):
        out = equation.output
        depends[out] = _moves_with(equation, depends)
        if out in loose and depends[out] and out.size and equation.operands[0].is_float:
            for gap in _gap(equation):
                least = reduce_min(convert(gap, "float64"), range(gap.ndim))
                key = depends[out]
                gaps[key] = minimum(gaps[key], least) if key in gaps else least
    found = list(outputs)
    for inputs, gap in gaps.items():
        unknown = _unknown(recorder, inputs)
        for i, v in enumerate(found):
            if v.is_float and v.size:
                away = compare("ge", recorder.broadcast(gap, v.shape), 0.0)
                found[i] = select(away, v, v + unknown)
    return found


def _moves_with(equation: Equation, depends: dict[Var, frozenset[Var]]) -> frozenset[Var]:
    """The inputs that move this value: floor, sign and what is held fixed stay where they are."""
    if equation.output.is_float and equation.primitive.jvp is None:
        return frozenset()
    moving = (depends.get(v, frozenset()) for v in equation.operands if v.is_float)
    return frozenset[Var]().union(*moving)


def _gap(equation: Equation) -> list[Var]:
    """How far each element is from its edge: 0 at the edge, above it elsewhere."""
    x, out, name = equation.operands[0], equation.output, equation.primitive.name
    if name in BLENDED:
        return [absolute(x - equation.operands[1])]
    axis = equation.params["axis"]
    lead, n = (slice(None),) * axis, x.shape[axis]
    if n < 2:
        return []
    if name == "argsort":
        ordered = take_along(x, out, axis)
        above = index(ordered, lambda p: p[*lead, 1:])
        return [above - index(ordered, lambda p: p[*lead, :-1])]
    kept = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    places = np.arange(n).reshape(-1, *(1,) * (x.ndim - axis - 1))
    best = compare("eq", x.builder.broadcast(reshape(out, kept), x.shape), np.broadcast_to(places, x.shape))
    others = select(best, x.builder.constant(_ball("-inf"), x.dtype), x)
    return [reduce_max(x, (axis,)) - reduce_max(others, (axis,))]


def _unknown(recorder: Recorder, inputs: Collection[Var]) -> Var:
    """A number that moves with the inputs at an unknown rate."""
    rate = recorder.constant(_ball("[+/- inf]"), "float64")
    ordered = [v for v in recorder.inputs if v in inputs]
    moves = [convert(reduce_sum(v - detach(v), range(v.ndim)), "float64") * rate for v in ordered]
    total = moves[0]
    for move in moves[1:]:
        total = total + move
    return total


def _ball(text: str) -> Array:
    ball = np.empty((), object)
    ball[()] = flint.arb(text)
    return ball


def _loose(recorder: Recorder, outputs: Sequence[Var]) -> set[Var]:
    """The orders that are needed, and the comparisons that do more than choose between two values."""
    needed = set(outputs) | {v for v, _ in recorder.guards}
    found = {v for v, _ in recorder.guards}
    for equation in reversed(recorder.equations):
        if equation.output in needed:
            needed.update(equation.operands)
            found.update(equation.operands[1:] if equation.primitive.name == "select" else equation.operands)
    names = {v: recorder.definitions[v].primitive.name for v in found if v in recorder.definitions}
    return {v for v, name in names.items() if name in BLENDED or name in ORDERS}
