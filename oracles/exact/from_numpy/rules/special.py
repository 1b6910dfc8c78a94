"""Functions whose arguments are masks or positions that may depend on the data, and a few special cases.

Each takes the recording and the arguments of its function; NotImplemented means that nothing depends on the
data here and that the usual way will do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy import memory
from oracles.exact.from_numpy.array import TracedArray, any_moving, cast, lift, values, wrap
from oracles.exact.from_numpy.indexing import decided
from oracles.exact.from_numpy.tape import Tape, spread, unsupported
from oracles.exact.program.primitives import select


def _where(tape: Tape, condition: Any, *choices: Any) -> Any:
    if not choices:
        return np.nonzero(condition)
    if not (isinstance(condition, TracedArray) and any_moving(tape, condition)):
        return NotImplemented
    value = np.where(condition.value, *values(choices))
    shape, builder = value.shape, tape.recorder
    flags = condition if condition.dtype == bool else condition != 0
    x, y = (builder.broadcast(lift(tape, c, value.dtype).recorded, shape) for c in choices)
    return wrap(tape, value, select(spread(flags.recorded, shape), x, y))


def _select(tape: Tape, condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if not any_moving(tape, condlist):
        return NotImplemented
    dtype = np.select(*values((list(condlist), list(choicelist), default))).dtype
    result = default
    for condition, choice in zip(condlist[::-1], choicelist[::-1], strict=True):
        result = np.where(condition, choice, result)
    return result.astype(dtype, copy=False)


def _take(tape: Tape, a: Any, indices: Any, axis: Any = None, mode: str = "raise") -> Any:
    if not (isinstance(indices, TracedArray) and any_moving(tape, indices)):
        return NotImplemented
    if mode != "raise":
        raise unsupported(f"np.take with mode={mode!r} and positions that depend on the data")
    if axis is None:
        return lift(tape, a, a.dtype).ravel()[indices]
    return lift(tape, a, a.dtype)[(slice(None),) * (axis % a.ndim) + (indices,)]


def _take_along_axis(tape: Tape, arr: Any, indices: Any, axis: Any = -1) -> Any:
    if not (isinstance(indices, TracedArray) and any_moving(tape, indices)):
        return NotImplemented
    if axis is None:
        return lift(tape, arr, arr.dtype).ravel()[indices]
    axis %= arr.ndim
    grid = list(np.ix_(*(np.arange(n) for n in arr.shape)))
    return lift(tape, arr, arr.dtype)[(*grid[:axis], indices, *grid[axis + 1 :])]


def _mask(a: Any) -> Any:
    """Which elements are not zero, decided."""
    return decided(a if a.dtype == bool else a != 0)


def _nan_to_num(
    tape: Tape, x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """Only literals can be other than finite."""
    result, limit = x.copy() if copy else x, np.finfo(x.dtype).max
    result[np.isnan(x)] = nan
    numbers, _ = tape.numbers(x.tokens)
    result[numbers == np.inf] = limit if posinf is None else posinf
    result[numbers == -np.inf] = -limit if neginf is None else neginf
    return result


SPECIAL: dict[str, Callable[..., Any]] = {
    "where": _where,
    "select": _select,
    "take": _take,
    "take_along_axis": _take_along_axis,
    "nonzero": lambda tape, a: np.nonzero(_mask(a)),
    "flatnonzero": lambda tape, a: np.flatnonzero(_mask(a)),
    "argwhere": lambda tape, a: np.argwhere(_mask(a)),
    "pad": memory.pad,
    "astype": lambda tape, x, dtype, *, copy=True: (
        x if not copy and x.dtype == dtype else cast(x, np.dtype(dtype))
    ),
    "nan_to_num": _nan_to_num,
}
