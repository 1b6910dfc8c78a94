"""Where the elements lie that an index picks which is a value of a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from oracles.exact.program.primitives import compare, select
from oracles.exact.program.primitives.arrays import reshape, take
from oracles.exact.program.program import Array, Shape, Var


def positions_of(shape: Shape, key: Any, moving: Mapping[int, Var]) -> Var:
    """Where in C order each element of x[key] lies, x of this shape.

    Some integer indices are values of a program: `moving`, by their places in the key, which has any integers
    of their shapes instead. Indexing with the moving indices at 0 gives the fixed part. Each moving index
    adds its stride times itself; which of its elements goes where is found by indexing an axis of that many
    numbers instead.
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    axes = _axes(parts, len(shape))
    fixed = [np.zeros_like(p) if i in moving else p for i, p in enumerate(parts)]
    total = np.arange(int(np.prod(shape, dtype=int))).reshape(shape)[tuple(fixed)]
    builder = next(iter(moving.values())).builder
    found = builder.constant(total)
    for i, index in moving.items():
        axis, count = axes[i], index.size
        ramp = np.arange(count).reshape(-1, *(1,) * (len(shape) - axis - 1))
        ramp = np.broadcast_to(ramp, (*shape[:axis], count, *shape[axis + 1 :]))
        own = np.arange(count).reshape(index.shape)
        slots = ramp[tuple(own if j == i else p for j, p in enumerate(fixed))]
        wrapped = select(compare("lt", index, 0), index + shape[axis], index)
        stride = int(np.prod(shape[axis + 1 :], dtype=int))
        found = found + take(reshape(wrapped, (count,)), np.asarray(slots)) * stride
    return found


def _axes(parts: list[Any], ndim: int) -> list[int]:
    """Which axis each part of a key indexes."""
    used = [_consumes(p) for p in parts]
    axes, axis = [], 0
    for part, n in zip(parts, used, strict=True):
        axes.append(axis)
        axis += ndim - sum(used) if part is Ellipsis else n
    return axes


def _consumes(part: Array | Any) -> int:
    if part is None or part is Ellipsis:
        return 0
    mask = np.asarray(part).dtype == bool if not isinstance(part, slice) else False
    return np.ndim(part) if mask else 1
