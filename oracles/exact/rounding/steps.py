"""What a program computes on the way: the middle of each value, how far off it may be, and what it adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core import library
from oracles.exact.core.arena import integers_at, pairs_at
from oracles.exact.core.blocks import NARROWED, flat
from oracles.exact.core.layout import Layout
from oracles.exact.core.nodes import Node, Value
from oracles.exact.program.balls import precision
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.formats import radii
from oracles.exact.program.program import Array, Equation, Program, Var
from oracles.exact.rounding.bound import BITS, Bound, RoundingModel, Run, leaving
from oracles.exact.rounding.quick import BoundPlan, stored

Numbers: TypeAlias = NDArray[np.float64]
MOST = 2**24  # words that all values of a program may take at once
# The instructions that make a ball wider for what rounding does, and which of their operands is that ball;
# and those that take away what it cannot be, which is no rounding, of their first.
GROWING = {**dict.fromkeys(("grow", "spread", "pad", "widen"), 0), "sum_grows": 1, "matmul_grows": 2}
NARROWING = dict.fromkeys(NARROWED, 0)


class Steps(NamedTuple):
    """A bound with all that it was computed from.

    Attributes:
        middle, radius: Those of a floating value.
        own: How much wider each ball became at its own equation.
    """

    middle: Callable[[Var], Numbers]
    radius: Callable[[Var], Numbers]
    own: Mapping[Var, Numbers]


def of_bound(found: Bound) -> Steps:
    """Those of a bound by Arb, with its values kept; nothing is known of what it did not come to."""

    @cache
    def middle(v: Var) -> Numbers:
        if v not in found.values:
            return np.full(v.shape, np.nan)
        balls = found.values[v]
        return np.array([float(ball) for ball in balls.ravel().tolist()]).reshape(balls.shape)

    @cache
    def radius(v: Var) -> Numbers:
        return radii(found.values[v]) if v in found.values else np.full(v.shape, np.inf)

    return Steps(middle, radius, found.local)


def by_plan(program: Program, inputs: Sequence[Array], model: RoundingModel) -> Steps | None:
    """The same by the fast core; None where that does not decide everything."""
    if library.problem() or not stored(program, model, inputs):
        return None
    try:
        plan = _Watched(program, model)
    except Unsupported:
        return None
    if sum(node.words for node in plan.nodes) > MOST:
        return None
    layout, given = Layout(plan.nodes, plan.nodes), [value.node for value in plan.inputs]
    with layout.arena() as arena, np.errstate(invalid="ignore"):  # of what is unbounded
        if not (layout.given(arena, zip(given, map(flat, inputs), strict=True)) and layout.run(arena)):
            return None
        if not all(np.array_equal(integers_at(arena, v), expected) for v, expected in plan.guards):
            return None
        made = {**dict(zip(program.inputs, plan.inputs, strict=True)), **plan.made}
        balls = {v: pairs_at(arena, value) for v, value in made.items() if v.is_float}
        integers = {v: integers_at(arena, value) for v, value in made.items() if not v.is_float}
        rounded = {v: _below(plan.made[v], NARROWING) for v in plan.first.values()}
        before = {v: _below(value, GROWING | NARROWING) for v, value in rounded.items()}
        by_arb = {v for v, value in before.items() if value.node.operation == "detour"}
        own = {
            v: np.minimum(balls[v].r, pairs_at(arena, rounded[v]).r - pairs_at(arena, value).r)
            for v, value in before.items()
            if v not in by_arb
        }
    run, by_output = Run(program, model), {e.output: e for e in program.equations}
    run.growth.keeping = True
    try:
        with precision(BITS):
            for v in by_arb:
                operands = [balls[o].balls if o in balls else integers[o] for o in by_output[v].operands]
                run.rounded(by_output[v], operands)
    except Undecided:
        return None
    return Steps(lambda v: balls[v].h, lambda v: balls[v].r, own | run.growth.local)


class _Watched(BoundPlan):
    """A plan that remembers what it wrote for each equation.

    Attributes:
        made: What that is.
        first: The first of all floating values that are one, by its node: the others only move it.
    """

    def __init__(self, program: Program, model: RoundingModel) -> None:
        self.made: dict[Var, Value] = {}
        self.first: dict[int, Var] = {}
        super().__init__(program, model, leaving(program))

    def _emitted(self, equation: Equation) -> Value:
        found = super()._emitted(equation)
        self.made[equation.output] = self.as_balls(found) if equation.output.is_float else found
        if equation.output.is_float:
            self.first.setdefault(id(self.made[equation.output].node), equation.output)
        return found


def _below(value: Value, instructions: Mapping[str, int]) -> Value:
    """A value before these instructions at its end. A detour is Arb's, which does all in one step."""
    node: Node = value.node
    while node.operation in instructions:
        node = node.operands[instructions[node.operation]][0]
    return Value(node, value.shape, value.whole)
