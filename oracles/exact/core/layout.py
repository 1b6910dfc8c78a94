"""Where the nodes of a plan lie in memory, and the calls into C that compute them.

A buffer serves again once nothing needs what is in it. What has no instruction is computed by Arb, between
two calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core import library
from oracles.exact.core.arena import by_arb, store
from oracles.exact.core.nodes import CODES, ROUGH, Node, instruction, point
from oracles.exact.program.errors import Unsupported

KEPT = 2**20  # words of an arena that is kept for the next run
GIVEN = ("constant", "input")
Calls: TypeAlias = list[NDArray[np.int64] | Node]


class How(Enum):
    """With which numbers a plan runs.

    Attributes:
        PAIRS: Balls around pairs of doubles.
        ROUGH: Balls around doubles, where the core has that instruction so: 53 bits.
        POINTS: Pairs of doubles alone, whose errors nobody knows: each step takes its operands for exact.
        DOUBLES: Likewise doubles, where the core has that instruction so.
    """

    PAIRS = auto()
    ROUGH = auto()
    POINTS = auto()
    DOUBLES = auto()


class Layout:
    """Nodes in the order in which they run, each with its place in one array of doubles.

    Args:
        nodes: All of them; they learn where they lie.
        stay: Those whose numbers are read at the end, or kept for other nodes.
    """

    def __init__(self, nodes: Sequence[Node], stay: Sequence[Node]) -> None:
        self.constants = [node for node in nodes if node.operation == "constant" and node.known is not None]
        self.words = 0
        self._steps: list[list[Node] | Node] = []  # the instructions of each call, and detours between them
        self._calls: dict[How, Calls] = {}
        self._arenas: list[NDArray[np.float64]] = []
        self._place(nodes, {id(node) for node in stay})

    def _place(self, nodes: Sequence[Node], stays: set[int]) -> None:
        last = {id(operand): k for k, node in enumerate(nodes) for operand, _, _ in node.operands}
        free: dict[int, list[int]] = {}
        steps: list[Node] = []
        for number, node in enumerate(nodes):
            words = node.words
            spare = free.get(words) if node.operation not in GIVEN else None
            if spare:
                node.at = spare.pop()
            else:
                node.at, self.words = self.words, self.words + words
            if node.operation == "detour":
                self._steps += [steps, node] if steps else [node]
                steps = []
            elif node.operation in CODES:
                steps.append(node)
            for key, operand in {id(o): o for o, _, _ in node.operands}.items():
                if last[key] == number and key not in stays and operand.operation not in GIVEN:
                    free.setdefault(operand.words, []).append(operand.at)
        if steps:
            self._steps.append(steps)

    @contextmanager
    def arena(self) -> Iterator[NDArray[np.float64]]:
        """The memory of one run, with the constants, which nothing overwrites."""
        try:
            arena = self._arenas.pop()  # nobody else's, whichever thread asks
        except IndexError:
            arena = np.empty(max(self.words, 1))
            for node in self.constants:
                store(arena, node, node.known)
        try:
            yield arena
        finally:
            if self.words <= KEPT:
                self._arenas.append(arena)

    @staticmethod
    def given(arena: NDArray[np.float64], numbers: Iterable[tuple[Node, Any]]) -> bool:
        """Write what nodes are given; whether all of them have a place."""
        try:
            for node, x in numbers:
                store(arena, node, x)
        except Unsupported:
            return False
        return True

    def _called(self, how: How) -> Calls:
        if how not in self._calls:
            self._calls[how] = [one if isinstance(one, Node) else _code(one, how) for one in self._steps]
        return self._calls[how]

    def in_one_call(self, how: How) -> NDArray[np.int64] | None:
        """All instructions; None where there are none, or a detour is among them."""
        calls = self._called(how)
        return calls[0] if len(calls) == 1 and not isinstance(calls[0], Node) else None

    def run(self, arena: NDArray[np.float64], how: How = How.PAIRS) -> bool:
        """Compute all nodes; whether everything could be decided."""
        try:
            return all(
                by_arb(arena, call) if isinstance(call, Node) else library.run(call, arena)
                for call in self._called(how)
            )
        except Unsupported:
            return False


def _code(nodes: Sequence[Node], how: How) -> NDArray[np.int64]:
    code = []
    for node in nodes:
        code.append(instruction(node))
        if how in (How.ROUGH, How.DOUBLES):
            code[-1][0] = ROUGH.get(code[-1][0], code[-1][0])
        if how in (How.POINTS, How.DOUBLES) and not node.integers:
            code.append(point(node))
    return np.array(code, np.int64)
