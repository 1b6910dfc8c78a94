"""What rules write instructions with.

The same value is written once (value numbering), and a repeated axis is never written out for what works
element by element.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.core.arena import as_integers
from oracles.exact.core.nodes import Node, Value, groups_of, strides
from oracles.exact.core.pairs import Pairs, of_balls, of_numbers
from oracles.exact.program.balls import filled
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import Array, Shape, broadcast

LOGIC = frozenset({"and", "or", "xor", "not", "integer"})


class Writer:
    """Nodes in the order in which they run.

    Attributes:
        opened: Whether comparisons that are not certain are open, and not undecided.
        extremes: What is the larger or the smaller of which two values, by its key.
    """

    opened = False

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.extremes: dict[Hashable, tuple[str, Value, Value]] = {}
        self._numbered: dict[Hashable, Node] = {}

    def elementwise(
        self, operation: str, *values: Value, integers: bool = False, numbers: tuple[int, ...] = ()
    ) -> Value:
        """One operation, element by element, on values that are repeated to one shape."""
        if operation not in LOGIC:
            values = tuple([
                self.as_balls(v) if v.node.integers and not (operation == "select" and k == 0) else v
                for k, v in enumerate(values)
            ])  # fmt: skip
        own = [v.shape for v in values]
        whole, shape = broadcast([v.whole for v in values]), broadcast(own)
        groups = groups_of(shape, own)
        if len(groups) > 2:
            values = tuple(v if v.shape == shape else self.written(v, shape) for v in values)
            groups = groups_of(shape, [v.shape for v in values])
        columns = groups[-1][0] if groups else 1
        operands = tuple([
            (v.node, *strides([(n, has[k]) for n, has in groups])) for k, v in enumerate(values)
        ])  # fmt: skip
        node = self.node(operation, operands, math.prod(shape), columns, integers, numbers)
        return Value(node, shape, whole)

    @staticmethod
    def need_balls(*values: Value) -> None:
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

    def moved(self, value: Value, positions: Array) -> Value:
        """The elements at these positions (-1: a zero), of what is written out."""
        return self._taken(self.written(value), positions, positions.shape)

    def _taken(self, value: Value, positions: Array, whole: Shape) -> Value:
        self.need_balls(value)
        where = self.constant(np.ascontiguousarray(positions, np.int64))
        operands = ((value.node, 0, 1), (where.node, 0, 1))
        return Value(self.node("take", operands, positions.size, positions.size), positions.shape, whole)

    def reduced(
        self,
        operation: str,
        value: Value,
        axes: Sequence[int],
        *others: Value,
        sign: int = 0,
        integers: bool = False,
    ) -> Value:
        """A reduction over axes; those that are not side by side are brought together."""
        self.need_balls(value, *others)
        shape, axes = value.whole, tuple(axes)
        kept = tuple(n for i, n in enumerate(shape) if i not in axes)
        count = math.prod(shape[a] for a in axes)
        if not count:
            raise Unsupported("a reduction of nothing")
        values = [self.written(v) for v in (value, *others)]
        pieces = [self.in_one_piece(v, axes) for v in values]
        values, after = [v for v, _ in pieces], pieces[0][1]
        size = math.prod(kept)
        node = self.node(
            operation, tuple((v.node, 0, 1) for v in values), size, size, integers, (count, after, sign)
        )
        return Value(node, kept, kept)

    def in_one_piece(self, value: Value, axes: tuple[int, ...]) -> tuple[Value, int]:
        """What is written out, with these axes side by side, and how far elements along them are apart."""
        shape = value.shape
        if axes and axes[-1] - axes[0] + 1 != len(axes):
            order = (*(i for i in range(len(shape)) if i not in axes), *axes)
            return self.permuted(value, order), 1
        return value, math.prod(shape[axes[-1] + 1 :]) if axes else 1

    def as_balls(self, value: Value) -> Value:
        """Integers as balls."""
        return self.elementwise("integer", value) if value.node.integers else value

    def along(self, operation: str, value: Value, axes: Sequence[int], sign: int = 0) -> Value:
        """What has one result for each element of its rows along axes that lie side by side."""
        self.need_balls(value)
        axes = tuple(axes)
        if not axes or axes[-1] - axes[0] + 1 != len(axes) or not math.prod(value.whole):
            raise Unsupported("axes that lie apart")
        value = self.written(value)
        shape = value.shape
        count, after = math.prod(shape[a] for a in axes), math.prod(shape[axes[-1] + 1 :])
        size = math.prod(shape)
        node = self.node(operation, ((value.node, 0, 1),), size, size, False, (count, after, sign))
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
        self.need_balls(value)
        operands = ((self.written(value).node, 0, 1), (self.as_written(positions), 0, 1))
        size = math.prod(shape)
        return Value(
            self.node("scatter", operands, size, size, False, (math.prod(value.whole),)), shape, shape
        )

    def as_written(self, positions: Value) -> Node:
        """The node of integers, each with a place of its own."""
        if positions.shape != positions.whole:
            raise Unsupported("positions that are repeated")
        return positions.node

    def taken(self, value: Value, positions: Value) -> Value:
        """The elements at positions that are computed."""
        self.need_balls(value)
        operands = ((self.written(value).node, 0, 1), (self.as_written(positions), 0, 1))
        shape = positions.whole
        return Value(self.node("take", operands, math.prod(shape), math.prod(shape)), shape, shape)

    def product(self, x: Value, y: Value) -> Value:
        """The product of the last two axes, batch by batch."""
        self.need_balls(x, y)
        (*batch, rows, inner), columns = x.whole, y.whole[-1]
        shape = (*batch, rows, columns)
        if not math.prod(shape) or not inner:
            raise Unsupported("a product of nothing")
        operands = ((self.written(x).node, 0, 1), (self.written(y).node, 0, 1))
        node = self.node("matmul", operands, math.prod(shape), columns, False, (inner, 0, rows))
        return Value(node, shape, shape)

    def constant(self, value: Any) -> Value:
        """Numbers, integers or Arb's balls that are given."""
        array = np.asarray(value)
        balls, integers = (array if array.dtype == object else None), array.dtype.kind in "iub"
        if balls is not None:
            known: Any = of_balls(balls)
            key: Hashable = ("balls", known.h.tobytes(), known.l.tobytes(), known.r.tobytes())
        elif integers:
            known = as_integers(array)
            key = ("integers", known.tobytes())
        else:
            known, key = None, (array.dtype.name, array.tobytes())
        node = self._numbered.get(key)
        if node is None:
            known = of_numbers(array) if known is None else known
            node = Node("constant", (), array.size, array.size, integers, known=known, balls=balls)
            self.numbered(key, node)
        return Value(node, array.shape, array.shape)

    def number(self, ball: arb, ndim: int) -> Value:
        """One of Arb's balls, for values with so many axes."""
        node = self.constant(filled([ball], ())).node
        return Value(node, (1,) * ndim, (1,) * ndim)

    def known(self, value: Value, dtype: str) -> Array | None:
        """The numbers of a constant: integers, or balls."""
        known = value.node.known
        if known is None:
            return None
        numbers = known.balls if isinstance(known, Pairs) else known.astype(dtype)
        return np.broadcast_to(numbers.reshape(value.shape), value.whole)

    def node(
        self,
        operation: str,
        operands: Any,
        size: int,
        columns: int,
        integers: bool = False,
        numbers: Any = (),
    ) -> Node:
        """What this operation makes of these operands, each with its strides."""
        key = (operation, tuple([(id(n), a, b) for n, a, b in operands]), size, columns, numbers)
        return self.numbered(key, Node(operation, operands, size, columns, integers, numbers))

    def numbered(self, key: Hashable, new: Node) -> Node:
        """The node of this key, which is the new one if there was none."""
        if key not in self._numbered:
            self._numbered[key] = new
            self.nodes.append(new)
        return self._numbered[key]
