"""A program compiled once into instructions over one arena: a few calls into C run it.

A buffer serves again once nothing needs what is in it. What has no instruction takes a detour through Arb,
equation by equation; where something cannot be decided at 106 bits (a comparison, a kink), the plan gives no
result, and the whole program is Arb's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core import library
from oracles.exact.core.arena import BITS, by_arb, integers_at, midpoints, pairs_at, store
from oracles.exact.core.nodes import CODES, Node, Value, instruction
from oracles.exact.core.pairs import Numbers, Pairs
from oracles.exact.core.writer import Writer
from oracles.exact.program.balls import precision
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.program import Equation, Program, Var

KEPT = 2**20  # words of an arena that is kept for the next run
GIVEN = ("constant", "input")


class Plan(Writer):
    """A program, compiled.

    Args:
        program: The program.
        rule: `rule(plan, equation, values)` writes an equation as instructions; None where it has none.
    """

    def __init__(
        self, program: Program, rule: Callable[[Writer, Equation, tuple[Value, ...]], Value | None]
    ) -> None:
        super().__init__()
        self.rule = rule
        self._values: dict[Var, Value] = {}
        self._arenas: list[NDArray[np.float64]] = []
        self.inputs = [self._input(v) for v in program.inputs]
        for equation in program.equations:
            self._values[equation.output] = self._emitted(equation)
        outputs = [self._values[v] for v in program.outputs]
        self.outputs = [self.elementwise("integer", v) if v.node.integers else v for v in outputs]
        self.guards = [(self._values[v], expected) for v, expected in program.guards]
        self._place()

    def _input(self, v: Var) -> Value:
        node = Node("input", (), v.size, v.size, not v.is_float)
        self.nodes.append(node)
        self._values[v] = Value(node, v.shape, v.shape)
        return self._values[v]

    def _emitted(self, equation: Equation) -> Value:
        values = tuple(self._values[v] for v in equation.operands)
        if not equation.output.is_float and (found := self._folded(equation, values)) is not None:
            return found
        return self.rule(self, equation, values) or self._detour(equation, values)

    def _folded(self, equation: Equation, values: tuple[Value, ...]) -> Value | None:
        """Integers that follow from constants; None where they do not."""
        known = [self.known(v, o.dtype) for v, o in zip(values, equation.operands, strict=True)]
        operands = [k for k in known if k is not None]
        if not operands or len(operands) < len(known):
            return None
        try:
            with precision(BITS):
                return self.constant(equation.primitive.evaluate(*operands, **equation.params))
        except (Undecided, Unsupported):
            return None

    def _detour(self, equation: Equation, values: tuple[Value, ...]) -> Value:
        out = equation.output
        key = ("detour", equation.primitive.name, out.dtype, _key(equation.params), *(v.key for v in values))
        operands = tuple((v.node, 0, 0) for v in values)
        node = Node("detour", operands, out.size, out.size, not out.is_float, equation=(equation, values))
        return Value(self.numbered(key, node), out.shape, out.shape)

    def _place(self) -> None:
        """Give each node its place in the arena, and write the instructions."""
        last: dict[int, int] = {}
        for number, node in enumerate(self.nodes):
            for operand, _, _ in node.operands:
                last[id(operand)] = number
        stays = {id(v.node) for v in (*self.inputs, *self.outputs, *(g for g, _ in self.guards))}
        free: dict[int, list[int]] = {}
        self.words = 0
        self.steps: list[NDArray[np.int64] | Node] = []
        code: list[list[int]] = []
        for number, node in enumerate(self.nodes):
            spare = free.get(node.words) if node.operation not in GIVEN else None
            if spare:
                node.at = spare.pop()
            else:
                node.at, self.words = self.words, self.words + node.words
            if node.operation == "detour":
                self._cut(code)
                self.steps.append(node)
            elif node.operation in CODES:
                code.append(instruction(node))
            for operand in {id(o): o for o, _, _ in node.operands}.values():
                gone = last[id(operand)] == number and id(operand) not in stays
                if gone and operand.operation not in GIVEN:
                    free.setdefault(operand.words, []).append(operand.at)
        self._cut(code)

    def _cut(self, code: list[list[int]]) -> None:
        if code:
            self.steps.append(np.array(code, np.int64))
            code.clear()

    def run(self, inputs: Sequence[Any]) -> list[Pairs] | None:
        """The outputs at numbers (floats, Arb's balls, or Pairs); None where something is not decided."""
        with self._arena() as arena:
            if not self._given(arena, inputs) or not self._decided(arena):
                return None
            return [pairs_at(arena, v) for v in self.outputs]

    def around(
        self, inputs: Sequence[Any], moved: Mapping[int, tuple[Numbers, Numbers]], runs: int
    ) -> list[Pairs] | None:
        """The outputs of several runs, one after another along a new first axis.

        Args:
            inputs: As for `run`.
            moved: For some of them the midpoints in each run instead, high parts and low ones.
            runs: How many.
        """
        found = [[np.empty((runs, *v.whole)) for _ in range(3)] for v in self.outputs]
        with self._arena() as arena:
            if not self._given(arena, inputs):
                return None
            places = [midpoints(arena, self.inputs[i].node) for i in moved]
            outputs = [pairs_at(arena, v, copied=False) for v in self.outputs]
            for k in range(runs):
                for place, (high, low) in zip(places, moved.values(), strict=True):
                    place[0], place[1] = high[k].ravel(), low[k].ravel()
                if not self._decided(arena):
                    return None
                for own, one in zip(found, outputs, strict=True):
                    own[0][k], own[1][k], own[2][k] = one.h, one.l, one.r
        return [Pairs(*own) for own in found]

    @contextmanager
    def _arena(self) -> Iterator[NDArray[np.float64]]:
        """An arena that is nobody else's meanwhile, whichever thread asks."""
        try:
            arena = self._arenas.pop()
        except IndexError:
            arena = self._new()
        try:
            yield arena
        finally:
            if self.words <= KEPT:
                self._arenas.append(arena)

    def _new(self) -> NDArray[np.float64]:
        """An arena with the constants, which nothing overwrites."""
        arena = np.empty(max(self.words, 1))
        for node in self.nodes:
            if node.operation == "constant":
                store(arena, node, node.known)
        return arena

    def _given(self, arena: NDArray[np.float64], inputs: Sequence[Any]) -> bool:
        """Write the inputs; whether all of them have a place."""
        try:
            for value, given in zip(self.inputs, inputs, strict=True):
                store(arena, value.node, given)
        except Unsupported:
            return False
        return True

    def _decided(self, arena: NDArray[np.float64]) -> bool:
        """Run the instructions; whether everything could be decided."""
        try:
            for step in self.steps:
                if not (by_arb(arena, step) if isinstance(step, Node) else library.run(step, arena)):
                    return False
        except Unsupported:
            return False
        return all(np.array_equal(integers_at(arena, v), expected) for v, expected in self.guards)


def _key(params: dict[str, Any]) -> Hashable:
    """The same for the same parameters, where they can be told apart; else like no others."""
    found = tuple(sorted(params.items()))
    try:
        hash(found)
    except TypeError:
        return object()
    return found
