"""A program compiled once into instructions over one arena: a few calls into C run it.

The same value is computed once (value numbering), a repeated axis is never written out for what works element
by element, and a buffer serves again once nothing needs what is in it. What has no instruction takes a detour
through Arb, equation by equation; where something cannot be decided at 106 bits (a comparison, a kink), the
plan gives no result, and the whole program is Arb's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core import library
from oracles.exact.core.pairs import Pairs, of_balls, of_numbers
from oracles.exact.program.balls import KINKS, LOST, exact, precision
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.program import Array, Equation, Program, Shape, Var

# As the enumeration of core.c, and the list of smooth.h.
SMOOTH = (
    "erf erfc sin cos expm1 log1p atan tan sinh cosh asinh acosh atanh asin acos cbrt lgamma digamma trigamma"
)
OPERATIONS = (
    "add sub mul div neg abs larger smaller exp log sqrt tanh select blend lt le gt ge eq ne "
    "and or xor not integer copy grow widen pad nonnegative at_most at_least "
    "sum top bottom weights mixture take scatter cumsum matmul sum_grows matmul_grows"
)
CODES = {name: code for code, name in enumerate(f"{OPERATIONS} {SMOOTH}".split())}
FUNCTIONS = frozenset({"exp", "log", "sqrt", "tanh", *SMOOTH.split()})
WIDTH = 5 + 4 * 4 + 3  # 64-bit words of an instruction
LOGIC = frozenset({"and", "or", "xor", "not", "integer"})
BITS = 128  # of a detour
KEPT = 2**20  # words of an arena that is kept for the next run
NOWHERE = -1


@dataclass(eq=False, slots=True)
class Node:
    """What one instruction makes: so many elements, balls or integers.

    Attributes:
        operation: Its name, or "constant", "input", "detour".
        operands: With the strides along rows and columns that they are read with.
        size, columns: How many elements, and how many in a row.
        integers: Whether they are integers and booleans, and no balls.
        numbers: The instruction's own three.
        known: Of a constant.
        equation: Of a detour.
        at: Where its elements lie in the arena, once it is known.
    """

    operation: str
    operands: tuple[tuple[Node, int, int], ...]
    size: int
    columns: int
    integers: bool = False
    numbers: tuple[int, ...] = ()
    known: Pairs | NDArray[np.int64] | None = None
    equation: tuple[Equation, tuple[Value, ...]] | None = None
    at: int = NOWHERE

    @property
    def words(self) -> int:
        """How much of the arena it takes."""
        return self.size if self.integers else 3 * self.size


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the program: elements in C order, in a shape with 1 along the axes that repeat them."""

    node: Node
    shape: Shape
    whole: Shape

    @property
    def key(self) -> Hashable:
        """The same for the same value."""
        return id(self.node), self.shape


@dataclass(eq=False)
class Plan:
    """A program, compiled.

    Attributes:
        program: The program.
        rule: `rule(plan, equation, values)` writes an equation as instructions; None where it has none.
    """

    program: Program
    rule: Callable[[Plan, Equation, tuple[Value, ...]], Value | None]
    nodes: list[Node] = field(default_factory=list)
    _numbered: dict[Hashable, Node] = field(default_factory=dict)
    _values: dict[Var, Value] = field(default_factory=dict)
    _arenas: list[NDArray[np.float64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inputs = [self._input(v) for v in self.program.inputs]
        for equation in self.program.equations:
            self._values[equation.output] = self._emitted(equation)
        outputs = [self._values[v] for v in self.program.outputs]
        self.outputs = [self.elementwise("integer", v) if v.node.integers else v for v in outputs]
        self.guards = [(self._values[v], expected) for v, expected in self.program.guards]
        self._place()

    # -- what rules write with ------------------------------------------------------------------------------

    def elementwise(self, operation: str, *values: Value, integers: bool = False, number: int = 0) -> Value:
        """One operation, element by element, on values that are repeated to one shape."""
        if operation not in LOGIC:
            values = tuple(
                self.elementwise("integer", v)
                if v.node.integers and not (operation == "select" and k == 0)
                else v
                for k, v in enumerate(values)
            )
        whole = np.broadcast_shapes(*(v.whole for v in values))
        shape = np.broadcast_shapes(*(v.shape for v in values))
        groups = _groups(shape, [v.shape for v in values])
        if len(groups) > 2:
            values = tuple(v if v.shape == shape else self.written(v, shape) for v in values)
            groups = _groups(shape, [v.shape for v in values])
        columns = groups[-1][0] if groups else 1
        operands = tuple(
            (v.node, *_strides([(n, has[k]) for n, has in groups])) for k, v in enumerate(values)
        )
        node = self._node(operation, operands, math.prod(shape), columns, integers, (number,))
        return Value(node, shape, whole)

    @staticmethod
    def _balls(*values: Value) -> None:
        """What moves elements here moves balls only.

        Raises:
            Unsupported: One is integers.
        """
        if any(v.node.integers for v in values):
            raise Unsupported("integers that are moved")

    def written(self, value: Value, shape: Shape | None = None) -> Value:
        """A value with all its repeated elements (along all axes, or to a shape) written out."""
        shape = value.whole if shape is None else shape
        if value.shape == shape:
            return value
        positions = np.arange(value.node.size).reshape(value.shape)
        return self._taken(value, np.broadcast_to(positions, shape), value.whole)

    def moved(self, value: Value, positions: Array, whole: Shape | None = None) -> Value:
        """The elements at these positions (-1: a zero), of what is written out."""
        return self._taken(self.written(value), positions, positions.shape if whole is None else whole)

    def _taken(self, value: Value, positions: Array, whole: Shape) -> Value:
        self._balls(value)
        where = self.constant(np.ascontiguousarray(positions, np.int64))
        operands = ((value.node, 0, 1), (where.node, 0, 1))
        return Value(self._node("take", operands, positions.size, positions.size), positions.shape, whole)

    def reduced(
        self, operation: str, value: Value, axes: Sequence[int], *others: Value, sign: int = 0
    ) -> Value:
        """A reduction over axes; those that are not side by side are brought together."""
        self._balls(value, *others)
        shape, axes = value.whole, tuple(axes)
        kept = tuple(n for i, n in enumerate(shape) if i not in axes)
        count = math.prod(shape[a] for a in axes)
        if not count:
            raise Unsupported("a reduction of nothing")
        values = [self.written(v) for v in (value, *others)]
        if axes and axes[-1] - axes[0] + 1 != len(axes):
            order = (*(i for i in range(len(shape)) if i not in axes), *axes)
            values = [self.permuted(v, order) for v in values]
            after = 1
        else:
            after = math.prod(shape[axes[-1] + 1 :]) if axes else 1
        size = math.prod(kept)
        node = self._node(
            operation, tuple((v.node, 0, 1) for v in values), size, size, False, (count, after, sign)
        )
        return Value(node, kept, kept)

    def along(self, operation: str, value: Value, axes: Sequence[int], sign: int = 0) -> Value:
        """What has one result for each element of its rows along axes that lie side by side."""
        self._balls(value)
        axes = tuple(axes)
        if not axes or axes[-1] - axes[0] + 1 != len(axes) or not math.prod(value.whole):
            raise Unsupported("axes that lie apart")
        value = self.written(value)
        shape = value.shape
        count, after = math.prod(shape[a] for a in axes), math.prod(shape[axes[-1] + 1 :])
        size = math.prod(shape)
        node = self._node(operation, ((value.node, 0, 1),), size, size, False, (count, after, sign))
        return Value(node, shape, shape)

    def permuted(self, value: Value, axes: Sequence[int]) -> Value:
        """The axes in another order."""
        whole = tuple(value.whole[a] for a in axes)
        shape = tuple(value.shape[a] for a in axes)
        long = [a for a in axes if value.shape[a] != 1]
        if long == sorted(long):
            return Value(value.node, shape, whole)
        return self._taken(value, np.arange(value.node.size).reshape(value.shape).transpose(*axes), whole)

    def reshaped(self, value: Value, shape: Shape) -> Value:
        """The elements in C order in another shape."""
        if math.prod(value.shape) == 1:
            return Value(value.node, (1,) * len(shape), shape)
        return Value(self.written(value).node, shape, shape)

    def repeated(self, value: Value, shape: Shape) -> Value:
        """The value repeated along new and one-element axes."""
        lead = (1,) * (len(shape) - len(value.shape))
        return Value(value.node, (*lead, *value.shape), shape)

    def scattered(self, value: Value, positions: Value, shape: Shape) -> Value:
        """Zeros of this shape with the elements added at their positions (-1: nowhere)."""
        self._balls(value)
        operands = ((self.written(value).node, 0, 1), (self.as_written(positions), 0, 1))
        size = math.prod(shape)
        return Value(
            self._node("scatter", operands, size, size, False, (math.prod(value.whole),)), shape, shape
        )

    def as_written(self, positions: Value) -> Node:
        """The node of integers, each with a place of its own."""
        if positions.shape != positions.whole:
            raise Unsupported("positions that are repeated")
        return positions.node

    def taken(self, value: Value, positions: Value) -> Value:
        """The elements at positions that are computed."""
        self._balls(value)
        operands = ((self.written(value).node, 0, 1), (self.as_written(positions), 0, 1))
        shape = positions.whole
        return Value(self._node("take", operands, math.prod(shape), math.prod(shape)), shape, shape)

    def product(self, x: Value, y: Value) -> Value:
        """The product of the last two axes, batch by batch."""
        self._balls(x, y)
        (*batch, rows, inner), columns = x.whole, y.whole[-1]
        shape = (*batch, rows, columns)
        if not math.prod(shape) or not inner:
            raise Unsupported("a product of nothing")
        operands = ((self.written(x).node, 0, 1), (self.written(y).node, 0, 1))
        node = self._node("matmul", operands, math.prod(shape), columns, False, (inner, 0, rows))
        return Value(node, shape, shape)

    def constant(self, value: Any) -> Value:
        """Numbers, integers or Arb's balls that are given."""
        array = np.asarray(value)
        if array.dtype.kind in "iub":
            known: Any = _as_integers(array)
            key: Hashable = ("integers", array.shape, known.tobytes())
        else:
            known = of_balls(array) if array.dtype == object else of_numbers(array)
            key = ("balls", array.shape, known.h.tobytes(), known.l.tobytes(), known.r.tobytes())
        if key not in self._numbered:
            node = Node("constant", (), array.size, array.size, array.dtype.kind in "iub", known=known)
            self._numbered[key] = node
            self.nodes.append(node)
        return Value(self._numbered[key], array.shape, array.shape)

    # -- writing --------------------------------------------------------------------------------------------

    def _input(self, v: Var) -> Value:
        node = Node("input", (), v.size, v.size, not v.is_float)
        self.nodes.append(node)
        self._values[v] = Value(node, v.shape, v.shape)
        return self._values[v]

    def _node(
        self,
        operation: str,
        operands: Any,
        size: int,
        columns: int,
        integers: bool = False,
        numbers: Any = (),
    ) -> Node:
        key = (operation, tuple((id(n), a, b) for n, a, b in operands), size, columns, numbers)
        if key not in self._numbered:
            self._numbered[key] = Node(operation, operands, size, columns, integers, numbers)
            self.nodes.append(self._numbered[key])
        return self._numbered[key]

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

    def known(self, value: Value, dtype: str) -> Array | None:
        """The numbers of a constant: integers, or balls."""
        known = value.node.known
        if known is None:
            return None
        numbers = known.balls if isinstance(known, Pairs) else known.astype(dtype)
        return np.broadcast_to(numbers.reshape(value.shape), value.whole)

    def _detour(self, equation: Equation, values: tuple[Value, ...]) -> Value:
        out = equation.output
        key = ("detour", equation.primitive.name, out.dtype, _key(equation.params), *(v.key for v in values))
        if key not in self._numbered:
            operands = tuple((v.node, 0, 0) for v in values)
            node = Node("detour", operands, out.size, out.size, not out.is_float, equation=(equation, values))
            self._numbered[key] = node
            self.nodes.append(node)
        return Value(self._numbered[key], out.shape, out.shape)

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
            spare = free.get(node.words) if node.operation not in ("constant", "input") else None
            if spare:
                node.at = spare.pop()
            else:
                node.at, self.words = self.words, self.words + node.words
            if node.operation == "detour":
                self._cut(code)
                self.steps.append(node)
            elif node.operation in CODES:
                code.append(_instruction(node))
            for operand in {id(o): o for o, _, _ in node.operands}.values():
                gone = last[id(operand)] == number and id(operand) not in stays
                if gone and operand.operation not in ("constant", "input"):
                    free.setdefault(operand.words, []).append(operand.at)
        self._cut(code)

    def _cut(self, code: list[list[int]]) -> None:
        if code:
            self.steps.append(np.array(code, np.int64))
            code.clear()

    # -- running --------------------------------------------------------------------------------------------

    def run(self, inputs: Sequence[Any]) -> list[Pairs] | None:
        """The outputs at numbers (floats, Arb's balls, or Pairs); None where something is not decided."""
        try:
            arena = self._arenas.pop()  # nobody else's, whichever thread asks
        except IndexError:
            arena = self._new()
        try:
            return self._run(arena, inputs)
        except Unsupported:
            return None
        finally:
            if self.words <= KEPT:
                self._arenas.append(arena)

    def _new(self) -> NDArray[np.float64]:
        """An arena with the constants, which nothing overwrites."""
        arena = np.empty(max(self.words, 1))
        for node in self.nodes:
            if node.operation == "constant":
                _store(arena, node, node.known)
        return arena

    def _run(self, arena: NDArray[np.float64], inputs: Sequence[Any]) -> list[Pairs] | None:
        for value, given in zip(self.inputs, inputs, strict=True):
            _store(arena, value.node, given)
        for step in self.steps:
            if isinstance(step, Node):
                if not _by_arb(arena, step):
                    return None
            elif not library.run(step, arena):
                return None
        for value, expected in self.guards:
            if not np.array_equal(_integers(arena, value), expected):
                return None
        return [_pairs(arena, v) for v in self.outputs]


def _instruction(node: Node) -> list[int]:
    words = [CODES[node.operation], node.size, node.columns, node.at, node.size]
    for operand, outer, inner in node.operands:
        words += [operand.at, operand.size, outer, inner]
    for _ in range(4 - len(node.operands)):
        words += [NOWHERE, 0, 0, 0]
    return [*words, *node.numbers, *([0] * (3 - len(node.numbers)))]


def _groups(shape: Shape, own: Sequence[Shape]) -> list[tuple[int, tuple[bool, ...]]]:
    """Neighbouring axes that every operand has, or repeats, alike: how many elements, and who has them."""
    found: list[tuple[int, tuple[bool, ...]]] = []
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        has = tuple(s[axis] == n for s in own)
        if found and found[-1][1] == has:
            found[-1] = (found[-1][0] * n, has)
        else:
            found.append((n, has))
    return found


def _strides(axes: list[tuple[int, bool]]) -> tuple[int, int]:
    """The steps from row to row and from column to column of an operand."""
    if not axes:
        return 1, 1
    if len(axes) == 1:
        n, has = axes[0]
        return (n, 1) if has else (0, 0)
    (_, rows), (columns, cols) = axes
    return (columns if cols else 1) if rows else 0, 1 if cols else 0


def _key(params: dict[str, Any]) -> Hashable:
    """The same for the same parameters, where they can be told apart; else like no others."""
    found = tuple(sorted(params.items()))
    try:
        hash(found)
    except TypeError:
        return object()
    return found


def _as_integers(array: Array) -> NDArray[np.int64]:
    if array.dtype == np.uint64 and array.size and int(array.max()) >= 2**63:
        raise Unsupported("an integer above 2^63")
    return np.ascontiguousarray(array, np.int64)


def _store(arena: NDArray[np.float64], node: Node, given: Any) -> None:
    """Write numbers into a node's place."""
    place = arena[node.at : node.at + node.words]
    if node.integers:
        place.view(np.int64)[:] = _as_integers(np.asarray(given)).ravel()
        return
    pairs = given if isinstance(given, Pairs) else None
    if pairs is None:
        array = np.asarray(given)
        pairs = of_balls(array) if array.dtype == object else of_numbers(array)
    for k, plane in enumerate((pairs.h, pairs.l, pairs.r)):
        place[k * node.size : (k + 1) * node.size] = plane.ravel()


def _pairs(arena: NDArray[np.float64], value: Value) -> Pairs:
    node = value.node
    planes = arena[node.at : node.at + node.words].reshape(3, *value.shape)
    h, low, r = (np.array(np.broadcast_to(p, value.whole)) for p in planes)
    return Pairs(h, low, r)


def _integers(arena: NDArray[np.float64], value: Value) -> NDArray[np.int64]:
    node = value.node
    found = arena[node.at : node.at + node.size].view(np.int64).reshape(value.shape)
    return np.array(np.broadcast_to(found, value.whole))


def _by_arb(arena: NDArray[np.float64], node: Node) -> bool:
    """One equation in Arb's balls; whether it has a value and no kink."""
    assert node.equation is not None
    equation, values = node.equation
    operands = []
    for v, value in zip(equation.operands, values, strict=True):
        if not value.node.integers:
            operands.append(_pairs(arena, value).balls)
        else:
            found = _integers(arena, value)
            operands.append(found if v.is_float else found.astype(v.dtype))
    try:
        with precision(BITS), KINKS.collected() as kinks, LOST.collected() as lost:
            found = equation.primitive.evaluate(*operands, **equation.params)
            found = exact(found) if equation.output.is_float else np.asarray(found)
    except Undecided:
        return False
    if kinks or lost:
        return False
    _store(arena, node, found)
    return True
