"""NumPy's functions of masks and positions that may depend on the data, and a few special cases.

Each takes the recording and the arguments; NotImplemented: nothing depends on the data here: the usual way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy import memory
from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.gather import spread
from oracles.exact.from_numpy.indexing import decided
from oracles.exact.from_numpy.making import cast, lift, together, wrap
from oracles.exact.from_numpy.nested import any_moving, traced, values
from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.from_numpy.rules.linalg import einsum_arguments
from oracles.exact.from_numpy.tape import Tape, is_written
from oracles.exact.program.complex import Complex, as_complex, choose, each_part
from oracles.exact.program.eigen_general import eig, of_eig
from oracles.exact.program.primitives import orders, select
from oracles.exact.program.primitives.not_finite import is_signed


def _where(tape: Tape, condition: Any, *choices: Any) -> Any:
    if not choices:
        return np.nonzero(condition)
    if not (isinstance(condition, TracedArray) and any_moving(tape, condition)):
        return NotImplemented
    if not all(is_written(c.tokens) for c in traced(choices)):  # what is not chosen may be missing
        return np.where(_mask(condition), *choices)
    value = np.where(condition.in_numpy, *values(choices))
    shape, builder = value.shape, tape.recorder
    flags = condition if condition.dtype == bool else condition != 0
    x, y = (lift(tape, c, value.dtype).recorded for c in choices)
    x, y = (each_part(lambda v: builder.broadcast(v, shape), c) for c in (x, y))
    where = spread(flags.recorded, shape)
    return wrap(tape, value, choose(where, x, y) if isinstance(x, Complex) else select(where, x, y))


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


def _argsort(
    tape: Tape, a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    """Equal elements stand as NumPy leaves them: most of its kinds of sorting do not keep their order."""
    if stable or kind in ("stable", "mergesort") or not a.is_float or a.dtype.kind == "c":
        return NotImplemented
    x, along = (a.ravel(), 0) if axis is None else (a, axis)
    value = np.argsort(x.in_numpy, along, kind)
    tape.recorder.looked = True
    first = orders.as_it_ran(x.in_numpy.astype(np.float64), value, along) if x.ndim else None
    return NotImplemented if first is None else wrap(tape, value, orders.argsort(x.recorded, along, first))


def _argpartition(tape: Tape, a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect") -> Any:
    """Of the order of all numbers, where NumPy puts each; equal ones stand in it as NumPy leaves them."""
    x, along = (a.ravel(), 0) if axis is None else (a, axis)
    found = np.argpartition(x.in_numpy, kth, along, kind)
    by_size = np.argsort(np.take_along_axis(x.in_numpy, found, along), along, "stable")
    value = np.take_along_axis(found, by_size, along)
    tape.recorder.looked = True
    first = orders.as_it_ran(x.in_numpy.astype(np.float64), value, along)
    ordered = wrap(tape, value, orders.argsort(x.recorded, along, first))
    return np.take_along_axis(ordered, np.argsort(by_size, along), along)


def _digitize(tape: Tape, x: Any, bins: Any, right: Any = False) -> Any:
    """Which bin each number is in: the edges rise or fall as they do here."""
    side: Any = "left" if right else "right"
    here = np.asarray(values(bins))
    if here.size == 0 or here[0] <= here[-1]:
        return np.searchsorted(bins, x, side)
    return here.size - np.searchsorted(bins[::-1], x, side)


def _unravel_index(tape: Tape, indices: Any, shape: Any, order: str = "C") -> Any:
    """By remainders, from the axis that runs fastest."""
    if not any_moving(tape, indices):
        return NotImplemented
    sizes, found, rest = np.atleast_1d(decided(shape)).tolist(), [], indices
    for size in sizes[::-1] if order == "C" else sizes:
        found.append(rest % size)
        rest = rest // size
    return tuple(found[::-1] if order == "C" else found)


def _ravel_multi_index(tape: Tape, multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    if not any_moving(tape, multi_index):
        return NotImplemented
    if mode != "raise":
        raise unsupported(f"np.ravel_multi_index with mode={mode!r} and positions that depend on the data")
    sizes, total = np.atleast_1d(decided(dims)).tolist(), 0
    along = list(zip(multi_index, sizes, strict=True))
    for place, size in along if order == "C" else along[::-1]:
        total = total * size + place
    return total


def _bincount(tape: Tape, x: Any, weights: Any = None, minlength: int = 0) -> Any:
    return np.bincount(decided(x), weights, minlength) if any_moving(tape, x) else NotImplemented


def _mask(a: Any) -> Any:
    """Which elements are not zero, decided."""
    return decided(a if a.dtype == bool else a != 0)


def _nan_to_num(
    tape: Tape, x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    limit = np.finfo(x.dtype).max
    above, below, nowhere = _is_endless(tape, x, 1), _is_endless(tape, x, -1), np.isnan(x)
    result = x.copy() if copy else x
    result[nowhere] = nan
    result[above] = limit if posinf is None else posinf
    result[below] = -limit if neginf is None else neginf
    return result


def _is_endless(tape: Tape, x: TracedArray, sign: int) -> Any:
    """Which numbers are this infinity, as `ufuncs` answers whether one is infinite."""
    written, ran = tape.numbers(x.tokens)[0] == sign * np.inf, x.in_numpy == sign * np.inf
    if not np.array_equal(written, ran):
        asked = is_signed(x.recorded, sign)
        if np.array_equal(tape.recorder.decide(asked), ran):
            return wrap(tape, ran, asked)
    return written


def _angle(tape: Tape, z: Any, deg: bool = False) -> Any:
    angle = np.arctan2(z.imag, z.real)
    return np.degrees(angle) if deg else angle


def _eig(tape: Tape, a: Any) -> Any:
    """Real where NumPy's are: where all numbers are."""
    value, kind = np.linalg.eig(values(a)), (a.in_numpy + 0j).dtype.name
    w, v = eig(as_complex(a.recorded, kind), of_eig(a.in_numpy.dtype))
    real = value.eigenvalues.dtype.kind == "f"
    return type(value)(*(wrap(tape, n, r.re if real else r) for n, r in zip(value, (w, v), strict=True)))


def _einsum(tape: Tape, *operands: Any, optimize: Any = False, **kwargs: Any) -> Any:
    """A view, as NumPy gives one of one array of which no axis is summed: `einsum("ii->i", a)[:] = 1`."""
    spec, arrays = einsum_arguments(operands)
    left, arrow, out = spec.partition("->")
    moves = set(left) <= set(out) if arrow else len(set(left)) == len(left)
    if len(arrays) > 1 or kwargs or not moves:
        return NotImplemented
    (a,) = arrays
    return together(tape, np.einsum(spec, a.in_numpy), np.einsum(spec, a.tokens))


SPECIAL: dict[str, Callable[..., Any]] = {
    "einsum": _einsum,
    "real": lambda tape, val: val.real,
    "imag": lambda tape, val: val.imag,
    "angle": _angle,
    "where": _where,
    "select": _select,
    "take": _take,
    "argsort": _argsort,
    "argpartition": _argpartition,
    "take_along_axis": _take_along_axis,
    "bincount": _bincount,
    "digitize": _digitize,
    "unravel_index": _unravel_index,
    "ravel_multi_index": _ravel_multi_index,
    "nonzero": lambda tape, a: np.nonzero(_mask(a)),
    "flatnonzero": lambda tape, a: np.flatnonzero(_mask(a)),
    "argwhere": lambda tape, a: np.argwhere(_mask(a)),
    "pad": memory.pad,
    "astype": lambda tape, x, dtype, *, copy=True: (
        x if not copy and x.dtype == dtype else cast(x, np.dtype(dtype))
    ),
    "nan_to_num": _nan_to_num,
    "isposinf": lambda tape, x, out=None: _is_endless(tape, x, 1) if out is None else NotImplemented,
    "isneginf": lambda tape, x, out=None: _is_endless(tape, x, -1) if out is None else NotImplemented,
    "linalg.eig": _eig,
    "linalg.eigvals": lambda tape, a: _eig(tape, a).eigenvalues,
}
