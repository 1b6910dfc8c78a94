"""The elements of a recorded value at given places, by the plainest primitive that takes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oracles.exact.program.primitives import compare
from oracles.exact.program.primitives.arrays import permute, reshape, take
from oracles.exact.program.program import Var

Places = NDArray[np.int64]


def gather(x: Var, places: Places) -> Var:
    """The elements of x at these places in C order (-1: a zero), by the plainest primitive that does it."""
    whole = _in_order(x, places)
    if whole and places.shape == x.shape:
        return x
    definition = x.builder.definitions.get(x)
    if definition and definition.primitive.edge and definition.primitive.comparison and places.min() >= 0:
        # A mask stays a comparison when it is moved, so that its edges are still known to be kinks.
        a, b = definition.operands
        return compare(definition.primitive.name, gather(a, places), gather(b, places))
    if whole:
        return reshape(x, places.shape)
    view = _as_view(x, places)
    return take(x, places) if view is None else view


def _in_order(x: Var, places: Places) -> bool:
    if places.size != x.size:
        return False
    flat = places.ravel()
    return flat.size == 0 or (flat[0] == 0 and bool((flat == np.arange(flat.size)).all()))


def _as_view(x: Var, places: Places) -> Var | None:
    """All of x, once, with its axes permuted and repeated along further axes; None if it is not that."""
    first = int(places.flat[0])
    corner = (0,) * places.ndim
    steps = [
        int(places[(*corner[:a], 1, *corner[a + 1 :])]) - first if n > 1 else 0
        for a, n in enumerate(places.shape)
    ]
    moving = sorted((a for a, step in enumerate(steps) if step), key=lambda a: -steps[a])
    expected = 1
    for a in reversed(moving):
        if steps[a] != expected:
            return None
        expected *= places.shape[a]
    if first != 0 or expected != x.size:
        return None
    ramps = np.ix_(*(np.arange(n) * step for n, step in zip(places.shape, steps, strict=True)))
    if not np.array_equal(places, np.broadcast_to(sum(ramps, np.zeros((), np.int64)), places.shape)):
        return None
    whole = reshape(x, [places.shape[a] for a in moving])
    whole = permute(whole, [moving.index(a) for a in sorted(moving)])
    whole = reshape(whole, [n if step else 1 for n, step in zip(places.shape, steps, strict=True)])
    return x.builder.broadcast(whole, places.shape)


def spread(x: Var, shape: tuple[int, ...]) -> Var:
    """x broadcast; a comparison stays one."""
    return gather(x, np.broadcast_to(np.arange(x.size).reshape(x.shape), shape))
