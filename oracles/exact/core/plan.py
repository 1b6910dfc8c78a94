"""A program compiled once into instructions: a few calls into C run it.

What has no instruction takes a detour through Arb, equation by equation; where something cannot be decided at
106 bits (a comparison, a kink), the plan gives no result, and the whole program is Arb's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from oracles.exact.core.arena import BITS
from oracles.exact.core.blocks import Block, every, flat, in_blocks
from oracles.exact.core.elements import Elements, Mask
from oracles.exact.core.layout import How
from oracles.exact.core.nodes import Node, Value
from oracles.exact.core.pairs import Pairs, of_balls
from oracles.exact.core.writer import Writer
from oracles.exact.program.balls import precision
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.program import Array, Equation, Program, Var


class Plan(Writer):
    """A program, compiled.

    Args:
        program: The program.
        rule: `rule(plan, equation, values)` writes an equation as instructions; None where it has none.

    Attributes:
        by_arb: How much work is Arb's in each run, as `Equation.cost` counts it.
    """

    what = "exact values"

    def __init__(
        self, program: Program, rule: Callable[[Writer, Equation, tuple[Value, ...]], Value | None]
    ) -> None:
        super().__init__()
        self.rule = rule
        self.by_arb = 0.0
        self._values: dict[Var, Value] = {}
        self.inputs = [self._input(v) for v in program.inputs]
        for equation in program.equations:
            self._values[equation.output] = self._emitted(equation)
        outputs = [self._values[v] for v in program.outputs]
        self.outputs = [self.elementwise("integer", v) if v.node.integers else v for v in outputs]
        self.guards = [(self._values[v], expected) for v, expected in program.guards]
        for only_to_write in (self._values, self._numbered, self.extremes):
            only_to_write.clear()  # plans are kept

    def _input(self, v: Var) -> Value:
        node = Node("input", (), v.size, v.size, not v.is_float)
        self.nodes.append(node)
        self._values[v] = Value(node, v.shape, v.shape)
        return self._values[v]

    def _emitted(self, equation: Equation) -> Value:
        values = tuple(self._values[v] for v in equation.operands)
        if not equation.output.is_float and (found := self._folded(equation, values)) is not None:
            return found
        evaluate = partial(equation.primitive.evaluate, **equation.params)
        return self.rule(self, equation, values) or self.detour("exact", equation, values, evaluate)

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

    def detour(
        self, kind: str, equation: Equation, values: tuple[Value, ...], evaluated: Callable[..., Array]
    ) -> Value:
        """An equation by Arb, as `evaluated` says; the kinds of evaluation are told apart by a name."""
        out = equation.output
        self.by_arb += equation.cost
        read = tuple((v.key, v.whole) for v in values)
        key = (kind, equation.primitive.name, out.dtype, out.shape, _key(equation.params), read)
        operands = tuple((v.node, 0, 0) for v in values)
        own = (equation, values, evaluated)
        node = Node("detour", operands, out.size, out.size, not out.is_float, equation=own)
        return Value(self.numbered(key, node), out.shape, out.shape)

    def run(self, inputs: Sequence[Any], how: How = How.PAIRS) -> list[Pairs] | None:
        """The outputs at numbers (floats, Arb's balls, or Pairs); None where something is not decided.

        Raises:
            Turned: A branch is another than was recorded.
        """
        numbers = self.flat(inputs)
        if len(self.blocks) == 1:
            found = self.blocks[0].run(numbers, how)
            return found and [x.reshape(v.whole) for x, v in zip(found, self.outputs, strict=True)]
        whole = [Pairs(*np.empty((3, math.prod(v.whole)))) for v in self.outputs]

        def work(block: Block) -> bool:
            own = block.run(block.given(numbers), how)
            for to, what in zip(block.made(whole), own or (), strict=own is not None):
                to.h[:], to.l[:], to.r[:] = what.h, what.l, what.r
            return own is not None

        if not every(self.blocks, work, self.what):
            return None
        return [x.reshape(v.whole) for x, v in zip(whole, self.outputs, strict=True)]

    def flat(self, inputs: Sequence[Any]) -> list[Any]:
        """The numbers of each input in one row, as blocks read them, in threads no balls of Arb's."""
        numbers = [flat(x) for x in inputs]
        if len(self.blocks) == 1:
            return numbers
        return [x if isinstance(x, Pairs) or x.dtype != object else of_balls(x) for x in numbers]

    def elements(self, wanted: Sequence[Mask], most: float) -> Elements | None:
        """Some elements of the outputs, for Arb; None where that is more than so many operations."""
        if any(v.shape != v.whole for v in self.outputs):
            return None
        try:
            return Elements(self.nodes, self.inputs, self.outputs, wanted, most)
        except Unsupported:
            return None

    @cached_property
    def blocks(self) -> Sequence[Block]:
        """What runs by itself: rows of the program, or all of it."""
        return in_blocks(self.nodes, self.inputs, self.outputs, self.guards)


def _key(params: dict[str, Any]) -> Hashable:
    """The same for the same parameters, where they can be told apart; else like no others."""
    found = tuple(sorted(params.items()))
    try:
        hash(found)
    except TypeError:
        return object()
    return found
