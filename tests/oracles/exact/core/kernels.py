"""One instruction of the core at a time, on given balls, by the library or another build of it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core import library
from oracles.exact.core.nodes import Node, instruction
from oracles.exact.core.pairs import Pairs

Integers: TypeAlias = NDArray[np.int64]


def applied(
    operation: str,
    *operands: Pairs | Integers,
    size: int | None = None,
    columns: int | None = None,
    integers: bool = False,
    numbers: Sequence[int] = (0, 0, 0),
    core: ctypes.CDLL | None = None,
) -> Pairs | Integers | None:
    """What an instruction makes of these operands, all of which it walks from end to end.

    Args:
        operation: Its name in `plan.OPERATIONS`.
        operands: Flat balls or integers.
        size: How many elements come out; as many as go in, if it is not said.
        columns: How many of them are in a row; all, if it is not said.
        integers: Whether integers come out.
        numbers: The instruction's own three.
        core: The library; the one that was built for the package, if it is not said.

    Returns:
        What comes out; None where the core cannot decide.
    """
    size = _size(operands[0]) if size is None else size
    at, nodes = 0, []
    for operand in operands:
        known = isinstance(operand, np.ndarray)
        node = Node("input", (), _size(operand), _size(operand), known, known=operand, at=at)
        nodes.append(node)
        at += node.words
    read = tuple((node, node.size, 1) for node in nodes)
    made = Node(operation, read, size, columns or size, integers, tuple(numbers), at=at)
    arena = np.full(at + made.words, np.nan)
    for node in nodes:
        _write(arena, node)
    code = np.array([instruction(made)], np.int64)
    core = core or library.loaded()
    assert core is not None, library.problem()
    if core.run(code.ctypes.data, 1, arena.ctypes.data) > 0:
        return None
    if integers:
        return arena[at:].view(np.int64)
    return Pairs(*arena[at:].reshape(3, size))


def _size(operand: Pairs | Integers) -> int:
    return (operand if isinstance(operand, np.ndarray) else operand.h).size


def _write(arena: NDArray[np.float64], node: Node) -> None:
    place = arena[node.at : node.at + node.words]
    if isinstance(node.known, np.ndarray):
        place.view(np.int64)[:] = node.known
    elif node.known is not None:
        place[:] = np.concatenate([node.known.h, node.known.l, node.known.r])


def decided(
    operation: str,
    *operands: Pairs | Integers,
    rows: int,
    count: int = 1,
    integers: bool = False,
    numbers: Sequence[int] = (0, 0, 0),
    core: ctypes.CDLL | None = None,
) -> list[Pairs | Integers | None]:
    """What an instruction makes of each row of `count` elements by itself: None where it cannot decide."""

    def row(operand: Pairs | Integers, k: int) -> Pairs | Integers:
        part = slice(k * count, (k + 1) * count)
        if isinstance(operand, np.ndarray):
            return operand[part]
        return Pairs(operand.h[part], operand.l[part], operand.r[part])

    size = 1 if operation == "mixture" else count
    return [
        applied(
            operation,
            *(row(o, k) for o in operands),
            size=size,
            integers=integers,
            numbers=numbers,
            core=core,
        )
        for k in range(rows)
    ]
