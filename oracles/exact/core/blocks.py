"""A plan in blocks: rows that know nothing of each other need not be in memory together.

Of a program over many rows (of a batch; or all elements, where nothing is summed) each node has so many
elements for each row, and computes them from the same row of its operands, or from all of what has no rows.
A block of rows fits into the cache, and blocks can run in several threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core import library
from oracles.exact.core.arena import integers_at, midpoints, pairs_at
from oracles.exact.core.layout import GIVEN, How, Layout
from oracles.exact.core.nodes import CODES, Node, Value
from oracles.exact.core.pairs import Numbers, Pairs
from oracles.exact.core.telling import tell
from oracles.exact.program.errors import Turned
from oracles.exact.program.program import Array

LARGE = 2**18  # words of a plan that is worth blocks
WORDS = 2**16  # of a block
BEFORE = 2**13  # words of what has no rows, and is computed for each block
NARROWED = frozenset({"nonnegative", "at_most", "at_least"})
T = TypeVar("T")
Guards: TypeAlias = Sequence[tuple[Value, Array]]


_threads: ContextVar[int] = ContextVar("threads", default=1)


class Read(NamedTuple):
    """How an instruction over rows reads an operand: row by row, or all of it for each row."""

    node: Node
    by_rows: bool


class Cut(NamedTuple):
    """Which nodes are computed row by row, with what they read, and which as a whole, before."""

    rows: int
    reads: dict[int, list[Read]]
    whole: set[int]


def in_blocks(
    nodes: Sequence[Node], inputs: Sequence[Value], outputs: Sequence[Value], guards: Guards
) -> Sequence[Block]:
    """A plan in blocks of rows; in one, where more are not worth it, or not possible."""
    words = sum(node.words for node in nodes)
    ends = [*outputs, *(v for v, _ in guards)]
    if words < LARGE or not outputs or any(v.shape != v.whole or not v.node.size for v in ends):
        return [at_once(nodes, inputs, outputs, guards)]
    shape = max((v.whole for v in outputs), key=math.prod)
    for axes in range(len(shape), 0, -1):
        rows = math.prod(shape[:axes])
        found = cut(nodes, [v.node for v in ends], rows) if rows > 1 else None
        if found is not None:
            size = -(-rows // min(-(-words // WORDS), rows))
            part = Part(nodes, found, size, inputs, outputs, guards)
            return [Rows(part, min(at, rows - size)) for at in range(0, rows, size)]
    return [at_once(nodes, inputs, outputs, guards)]


def at_once(
    nodes: Sequence[Node], inputs: Sequence[Value], outputs: Sequence[Value], guards: Guards
) -> Block:
    """All of a plan."""
    stay = [v.node for v in (*inputs, *outputs, *(v for v, _ in guards))]
    return Block(Layout(nodes, stay), [v.node for v in inputs], outputs, guards)


def cut(nodes: Sequence[Node], ends: Sequence[Node], rows: int) -> Cut | None:
    """The nodes in so many rows, if they can be."""
    if any(node.size % rows for node in ends):
        return None
    found = Cut(rows, {id(node): [] for node in ends}, set())
    for node in reversed(nodes):
        if id(node) in found.whole:
            found.whole.update(id(operand) for operand, _, _ in node.operands)
        if id(node) in found.reads and node.operation not in GIVEN:
            how = reads(node, rows)
            if how is None:
                return None
            found.reads[id(node)] = how
            for read in how:
                if read.by_rows:
                    found.reads.setdefault(id(read.node), [])
                else:
                    found.whole.add(id(read.node))
    before = [node for node in nodes if id(node) in found.whole]
    both = any(node.operation == "input" and id(node) in found.reads for node in before)
    detour = any(node.operation == "detour" for node in before)
    return None if both or detour or sum(node.words for node in before) > BEFORE else found


def reads(node: Node, rows: int) -> list[Read] | None:
    """How an instruction that computes so many rows reads its operands; None where it cannot be cut there."""
    if node.size % rows or node.operation not in CODES:
        return None
    own = node.size // rows  # elements of a row
    first, second, third = (*node.numbers, 0, 0, 0)[:3]
    match node.operation:
        case "sum" | "top" | "bottom" | "mixture" | "best" | "sum_grows":
            fits = own % second == 0
            by_rows = [True, node.operation in ("mixture", "best", "sum_grows")]
        case "cumsum" | "weights" | "attains":
            fits, by_rows = own % (first * second) == 0, [True, True]
        case "matmul" | "matmul_grows":
            matrix = third * node.columns
            one = node.size == matrix  # its rows are the rows; of several, whole matrices are
            fits, by_rows = own % (node.columns if one else matrix) == 0, [True, not one, True]
        case "take" | "scatter":
            return _moved(node, rows)
        case _:
            return _elementwise(node, own)
    if not fits:
        return None
    return [Read(o, k < len(by_rows) and by_rows[k]) for k, (o, _, _) in enumerate(node.operands)]


def _elementwise(node: Node, own: int) -> list[Read] | None:
    found = []
    for operand, outer, inner in node.operands:
        each = operand.size == node.size and inner == 1
        repeated = (outer, inner) == (1, 0)  # along the columns
        if not (each or (outer, inner) == (0, 0) or (own % node.columns == 0 and (repeated or outer == 0))):
            return None
        found.append(Read(operand, each or repeated))
    if node.operation == "grow" and len(found) > 2:  # the operands of what rounds, as that reads them
        rounds = node.operands[0][0]
        while rounds.operation in NARROWED:
            rounds = rounds.operands[0][0]
        how = {id(read.node): read for read in (found[0], *(_elementwise(rounds, own) or ()))}
        if any(id(read.node) not in how for read in found[2:]):
            return None
        found[2:] = [how[id(read.node)] for read in found[2:]]
    return found


def _moved(node: Node, rows: int) -> list[Read] | None:
    """By positions that are known, within each row, or from all of what has no rows."""
    source, where = (operand for operand, _, _ in node.operands)
    if not isinstance(where.known, np.ndarray) or where.size % rows:
        return None
    if node.operation == "scatter":
        fits = source.size % rows == 0 and _stay(where.known, rows, node.size)
        return [Read(source, True)] if fits else None
    return [Read(source, _stay(where.known, rows, source.size))]


def _stay(positions: NDArray[np.int64], rows: int, size: int) -> bool:
    """Whether the positions of each row are in the same row of so many elements, or nowhere."""
    if size % rows:
        return False
    flat = positions.reshape(rows, -1)
    return bool(((flat < 0) | (flat // (size // rows) == np.arange(rows)[:, None])).all())


class Part:
    """The instructions for so many neighbouring rows, wherever they begin."""

    def __init__(
        self,
        nodes: Sequence[Node],
        how: Cut,
        size: int,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        guards: Guards,
    ) -> None:
        self.rows, self.size = how.rows, size
        self.positions: list[tuple[Node, NDArray[np.int64], int]] = []
        before = {id(n): n for n in nodes if id(n) in how.whole}
        copies: dict[int, Node] = {}
        for node in before.values():
            operands = tuple((copies[id(o)], a, b) for o, a, b in node.operands)
            copies[id(node)] = replace(node, operands=operands)
        order: list[Node] = list(copies.values())
        own: dict[int, Node] = {}
        for node in nodes:
            if id(node) in how.reads:
                order += self._of_rows(node, how.reads[id(node)], own, copies)
                own[id(node)] = order[-1]
        self.known = [(own[id(n)], flat(n.known)) for n in nodes if n.known is not None and id(n) in own]
        self.by_rows = [id(v.node) in own for v in inputs]
        self.inputs = [own.get(id(v.node)) or copies.get(id(v.node)) for v in inputs]  # None: not read
        self.outputs = [own[id(v.node)] for v in outputs]
        self.guards = [(own[id(v.node)], np.ravel(expected)) for v, expected in guards]
        stay = [*copies.values(), *self.outputs, *(node for node, _ in self.guards)]
        self.layout = Layout(order, stay)

    def _of_rows(
        self, node: Node, how: Sequence[Read], own: Mapping[int, Node], whole: Mapping[int, Node]
    ) -> list[Node]:
        """The instruction for these rows, after the positions that it moves by."""
        n = self.slice(node.size)
        if node.operation in GIVEN:
            return [Node("input", (), n, n, node.integers)]
        columns, numbers = (n if node.columns == node.size else node.columns), node.numbers
        found = [(own if read.by_rows else whole)[id(read.node)] for read in how]
        strides = [(n if a == node.size else a, b) for _, a, b in node.operands]
        if node.operation in ("matmul", "matmul_grows") and node.size == numbers[2] * columns:
            numbers = (*numbers[:2], n // columns)
        if node.operation not in ("take", "scatter"):
            operands = tuple((o, *s) for o, s in zip(found, strides, strict=True))
            return [Node(node.operation, operands, n, columns, node.integers, numbers)]
        if node.operation == "scatter":
            numbers = (self.slice(numbers[0]),)
        where = node.operands[1][0]
        assert isinstance(where.known, np.ndarray)
        to = node.size if node.operation == "scatter" else node.operands[0][0].size
        positions = Node("input", (), self.slice(where.size), 1, True)
        self.positions.append((positions, where.known.ravel(), to // self.rows if how[0].by_rows else 0))
        operands = ((found[0], *strides[0]), (positions, *strides[1]))
        return [positions, Node(node.operation, operands, n, columns, node.integers, numbers)]

    def slice(self, size: int) -> int:
        """How many of so many elements are in these rows."""
        return size // self.rows * self.size


class Block:
    """What runs by itself: its arrays are flat, and parts of the flat arrays of all.

    Args:
        layout: The instructions.
        inputs: The nodes of what is read; None for an input that is not.
        outputs: What is made.
        guards: What must be as it was recorded.
    """

    def __init__(
        self, layout: Layout, inputs: Sequence[Node | None], outputs: Sequence[Value], guards: Guards
    ) -> None:
        self.layout, self.inputs, self.outputs, self.guards = layout, inputs, outputs, guards

    def given(self, numbers: Sequence[Any]) -> list[Any]:
        """What the block reads of each input."""
        return list(numbers)

    def made(self, arrays: Sequence[Any]) -> list[Any]:
        """What the block makes of each output, as views."""
        return list(arrays)

    def run(self, inputs: Sequence[Any], how: How = How.PAIRS) -> list[Pairs] | None:
        """The outputs; None where something is not decided.

        Raises:
            Turned: A branch is another than was recorded.
        """
        with self.layout.arena() as arena:
            if not self._begun(arena, inputs) or not self.layout.run(arena, how):
                return None
            if turned := self._turned(arena):
                expected, here = turned
                raise Turned.from_(expected, here.astype(np.asarray(expected).dtype))
            return [pairs_at(arena, v).flat for v in self.outputs]

    def around(
        self,
        inputs: Sequence[Any],
        moved: Mapping[int, tuple[Numbers, Numbers]],
        runs: int,
        how: How = How.PAIRS,
    ) -> list[Pairs] | None:
        """The outputs of several runs, one after another along a new first axis.

        Args:
            inputs: As for `run`.
            moved: For some of them the midpoints in each run instead, high parts and low ones.
            runs: How many.
            how: With which numbers.
        """
        found = [np.empty((3, runs, math.prod(v.whole))) for v in self.outputs]
        code = None if self.guards else self.layout.in_one_call(how)
        with self.layout.arena() as arena:
            if not self._begun(arena, inputs):
                return None
            places = [(node, *moved[i]) for i in moved if (node := self.inputs[i])]
            if code is not None and all(v.shape == v.whole for v in self.outputs):
                given = [(node.at, high, low) for node, high, low in places]
                made = [(v.node.at, own) for v, own in zip(self.outputs, found, strict=True)]
                well = library.run_around(code, arena, given, made)
                return [Pairs(*own) for own in found] if well else None
            rows = [(midpoints(arena, node), high, low) for node, high, low in places]
            outputs = [pairs_at(arena, v, copied=False) for v in self.outputs]
            for k in range(runs):
                for place, high, low in rows:
                    place[0], place[1] = high[k], low[k]
                if not self.layout.run(arena, how) or self._turned(arena):
                    return None
                for own, one in zip(found, outputs, strict=True):
                    own[0, k], own[1, k], own[2, k] = one.h.ravel(), one.l.ravel(), one.r.ravel()
        return [Pairs(*own) for own in found]

    def _begun(self, arena: Numbers, inputs: Sequence[Any]) -> bool:
        read = ((node, x) for node, x in zip(self.inputs, inputs, strict=True) if node is not None)
        return self.layout.given(arena, self._fixed()) and self.layout.given(arena, read)

    def _fixed(self) -> Iterator[tuple[Node, Any]]:
        """What is known before the inputs, and is not in each arena."""
        return iter(())

    def _turned(self, arena: Numbers) -> tuple[Array, Array] | None:
        """What was recorded of the first branch that is another here, and what it is."""
        taken = ((expected, integers_at(arena, v)) for v, expected in self.guards)
        return next((pair for pair in taken if not np.array_equal(*pair)), None)


class Rows(Block):
    """Some rows of a plan."""

    def __init__(self, part: Part, first: int) -> None:
        self.part, self.first = part, first
        guards = [(_row(node), self._own(expected)) for node, expected in part.guards]
        super().__init__(part.layout, part.inputs, [_row(node) for node in part.outputs], guards)

    def given(self, numbers: Sequence[Any]) -> list[Any]:
        """The rows of each input that has rows."""
        return [self._own(x) if own else x for own, x in zip(self.part.by_rows, numbers, strict=True)]

    def made(self, arrays: Sequence[Any]) -> list[Any]:
        """The rows of each output."""
        return [self._own(x) for x in arrays]

    def _own(self, x: Any) -> Any:
        each = x.size // self.part.rows
        return x[self.first * each : (self.first + self.part.size) * each]

    def _fixed(self) -> Iterator[tuple[Node, Any]]:
        """Constants, and positions counted from the block's first row."""
        for node, known in self.part.known:
            yield node, self._own(known)
        for node, where, apart in self.part.positions:
            own = self._own(where)
            yield node, np.where(own < 0, own, own - self.first * apart) if apart else own


def _row(node: Node) -> Value:
    return Value(node, (node.size,), (node.size,))


@contextmanager
def in_threads(count: int | None) -> Iterator[None]:
    """Blocks run in so many threads inside; in one, unless somebody says more; None says nothing."""
    token = _threads.set(_threads.get() if count is None else count)
    try:
        yield
    finally:
        _threads.reset(token)


def every(blocks: Sequence[Block], work: Callable[[Block], bool], what: str) -> bool:
    """Whether all blocks come out well; none is begun after one that does not. `what` is told meanwhile.

    In threads the last one waits for all others: some of its rows are those of the one before.
    """
    count = min(_threads.get(), len(blocks))
    if count <= 1:
        return all(map(work, _told(blocks, what)))
    with ThreadPoolExecutor(count) as pool:
        running = [pool.submit(work, block) for block in blocks[:-1]]
        well = all(one.result() for one in _told(running, what))
        pool.shutdown(cancel_futures=True)
    return well and work(blocks[-1])


def _told(steps: Sequence[T], what: str) -> Iterator[T]:
    for done, step in enumerate(steps):
        tell(what, done, len(steps))
        yield step


def flat(numbers: Any) -> Any:
    """The numbers of an input in one row."""
    return numbers.flat if isinstance(numbers, Pairs) else np.ascontiguousarray(numbers).reshape(-1)
