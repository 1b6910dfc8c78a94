"""The memory of a run: each node has its place in one array of doubles; integers lie there as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.nodes import OPEN, Node, Value
from oracles.exact.core.orders import ORDERS
from oracles.exact.core.pairs import Pairs, of_balls, of_numbers
from oracles.exact.program.balls import KINKS, LOST, exact, precision
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.program import Array

BITS = 128  # of what takes a detour


def as_integers(array: Array) -> NDArray[np.int64]:
    """Integers and booleans in 64 bits.

    Raises:
        Unsupported: One does not fit.
    """
    if array.dtype == np.uint64 and array.size and int(array.max()) >= 2**63:
        raise Unsupported("an integer above 2^63")
    found = np.ascontiguousarray(array, np.int64)
    if (found == OPEN).any():
        raise Unsupported("the least integer")
    return found


def store(arena: NDArray[np.float64], node: Node, given: Any) -> None:
    """Write numbers into a node's place."""
    place = arena[node.at : node.at + node.words]
    if node.integers:
        place.view(np.int64)[:] = as_integers(np.asarray(given)).ravel()
        return
    pairs = given if isinstance(given, Pairs) else None
    if pairs is None:
        array = np.asarray(given)
        pairs = of_balls(array) if array.dtype == object else of_numbers(array)
    for k, plane in enumerate((pairs.h, pairs.l, pairs.r)):
        place[k * node.size : (k + 1) * node.size] = plane.ravel()


def midpoints(arena: NDArray[np.float64], node: Node) -> NDArray[np.float64]:
    """Where the two halves of a node's midpoints lie, a row each."""
    return arena[node.at : node.at + 2 * node.size].reshape(2, node.size)


def pairs_at(arena: NDArray[np.float64], value: Value, copied: bool = True) -> Pairs:
    """The balls of a value; not `copied`, as they stand there until the next run."""
    node = value.node
    planes = arena[node.at : node.at + node.words].reshape(3, *value.shape)
    if value.shape != value.whole:
        planes = np.broadcast_to(planes, (3, *value.whole))
    planes = planes.copy() if copied else planes
    return Pairs(*(planes[k, ...] for k in range(3)))  # of a single number, too, an array that is read later


def integers_at(arena: NDArray[np.float64], value: Value) -> NDArray[np.int64]:
    """The integers of a value."""
    node = value.node
    found = arena[node.at : node.at + node.size].view(np.int64).reshape(value.shape)
    return np.array(np.broadcast_to(found, value.whole))


def by_arb(arena: NDArray[np.float64], node: Node) -> bool:
    """One equation in Arb's balls, or in pairs that are only moved; whether it has a value and no kink."""
    assert node.equation is not None
    equation, values, evaluated = node.equation
    operands: list[Any] = []
    for v, value in zip(equation.operands, values, strict=True):
        if not value.node.integers:
            operands.append(pairs_at(arena, value))
            continue
        found = integers_at(arena, value)
        if (found == OPEN).any():
            return False
        operands.append(found if v.is_float else found.astype(v.dtype))
    moves = ORDERS.get(equation.primitive.name) if all(isinstance(x, Pairs) for x in operands) else None
    moved = moves and moves(*operands, **equation.params)
    if moved is not None:
        store(arena, node, moved)
        return True
    try:
        with precision(BITS), KINKS.collected() as kinks, LOST.collected() as lost:
            found = evaluated(*(x.balls if isinstance(x, Pairs) else x for x in operands))
            found = exact(found) if equation.output.is_float else np.asarray(found)
    except Undecided:
        return False
    if kinks or lost:
        return False
    store(arena, node, found)
    return True
