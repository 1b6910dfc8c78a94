"""What ATen's operators are that need an order along an axis: sorting, medians, running extremes and sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_aten.call import OperatorCall, Rule, plain, promoted
from oracles.exact.from_aten.memory import constant, numbers
from oracles.exact.from_aten.rules.reductions import counted, filled_nan
from oracles.exact.program import functions as f
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import compare, convert, detach, orders, scalar, select, sorting
from oracles.exact.program.primitives import reductions as r
from oracles.exact.program.primitives.apart import first_in_order, lacking
from oracles.exact.program.primitives.arrays import index, reduced, reshape
from oracles.exact.program.primitives.missing import missing
from oracles.exact.program.primitives.not_finite import asked
from oracles.exact.program.primitives.predicates import is_nan
from oracles.exact.program.program import Array, Operand, Var


def _sort(x: Var, dim: int, descending: bool = False, first: Array | None = None) -> tuple[Var, Var]:
    """The elements in order, and where each stands; equal ones as they stand in `first`, or in x."""
    if x.ndim == 0:
        return x, x.builder.constant(np.zeros((), np.int64))
    order = orders.argsort(-first_in_order(x, dim % x.ndim) if descending else x, dim, first)
    return sorting.sort(x, dim, descending), order


def _as_it_ran(call: OperatorCall, dim: int, descending: bool = False, start: int = 0) -> Array | None:
    """The order of the elements as this run found them, if some are equal: torch need not keep theirs."""
    elements, found = numbers(call.args[0]), call.results[-1]
    if not elements.ndim:
        return None
    places = numbers(found if found.ndim == elements.ndim else found.unsqueeze(dim))
    return orders.as_it_ran(-elements if descending else elements, places, dim, start)


def _sorted(
    call: OperatorCall, x: Var, dim: int = -1, descending: bool = False, stable: bool | None = None
) -> tuple[Var, Var]:
    return _sort(x, dim, descending, None if stable else _as_it_ran(call, dim, descending))


def _topk(
    call: OperatorCall, x: Var, k: int, dim: int = -1, largest: bool = True, in_order: bool = True
) -> tuple[Var, Var]:
    if not in_order:
        raise Unsupported("topk with sorted=False: its order is not defined; leave sorted=True")
    values, order = _sort(x, dim, largest, _as_it_ran(call, dim, largest))
    if x.ndim == 0:
        return values, order
    return _along(values, dim, slice(0, k)), _along(order, dim, slice(0, k))


def _along(x: Var, dim: int, key: Any) -> Var:
    where: list[Any] = [slice(None)] * x.ndim
    where[dim] = key
    return x[tuple(where)]


def _kth(call: OperatorCall, x: Var, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Var, Var]:
    values, order = _sort(x, dim, first=_as_it_ran(call, dim, start=k - 1))
    if x.ndim == 0:
        return values, order
    key = slice(k - 1, k) if keepdim else k - 1
    return _along(values, dim, key), _along(order, dim, key)


def _median(call: OperatorCall, x: Var, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower one of two in the middle; of a row that lacks some, the first that is missing."""
    row, axis = (reshape(x, (x.size,)), 0) if dim is None or x.ndim == 0 else (x, dim % x.ndim)
    if dim is None:
        found = [_along(sorting.sort(row, 0), 0, (x.size + 1) // 2 - 1)]
    else:
        found = [*_kth(call, x, ((x.shape[dim] if x.ndim else 1) + 1) // 2, dim, keepdim)]
    if (gone := missing(row)) is not None:
        some = reshape(reduced(r.reduce_or, gone, (axis,), False), found[0].shape)
        found[0] = lacking(found[0], some, row)
        found[1:] = [select(some, reshape(orders.argmax(row, axis), v.shape), v) for v in found[1:]]
    return found if dim is not None else found[0]


def _nanmedian(call: OperatorCall, x: Var, dim: int | None = None, keepdim: bool = False) -> Any:
    """Of what is not NaN: those go to the end, and the middle is that of the rest."""
    alone = dim is None
    rows = reshape(x, (x.size,)) if alone or x.ndim == 0 else x
    axis = 0 if dim is None else dim % rows.ndim
    nan = call.decided(asked(is_nan, rows))
    values, order = _sort(filled_nan(rows, np.inf), axis)
    middle = np.maximum((~nan).sum(axis, keepdims=True) - 1, 0) // 2
    pick = call.recorder.constant(middle)
    found = [orders.take_along(v, pick, axis) for v in (values, order)]
    shape = tuple(call.shape)
    return reshape(found[0], shape) if alone else [reshape(v, shape) for v in found]


def _mode(call: OperatorCall, x: Var, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent element, the smallest of several; of equal ones that which torch found."""
    if x.ndim == 0:
        return x, np.zeros((), np.int64)
    rows = index(x, lambda p: np.moveaxis(p, dim, -1))
    same = call.decided(
        compare("eq", index(rows, lambda p: p[..., :, None]), index(rows, lambda p: p[..., None, :]))
    )
    order = call.decided(orders.argsort(rows, -1))
    count = np.take_along_axis(same.sum(-1), order, -1)
    best = np.take_along_axis(order, count.argmax(-1)[..., None], -1)
    own = numbers(call.results[-1]).reshape(best.shape)
    at = np.where(
        np.take_along_axis(np.take_along_axis(same, best[..., None], -2)[..., 0, :], own, -1), own, best
    )
    found = orders.take_along(rows, call.recorder.constant(at), -1)
    return reshape(found, call.shape), at.reshape(call.shape)


def _unique(
    call: OperatorCall,
    x: Var,
    in_order: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
) -> list[Any]:
    """The elements that differ, in order."""
    flat = reshape(x, (x.size,))
    if (np.diff(numbers(call.results[0])) < 0).any():
        raise Unsupported("torch.unique whose results are not in order; leave sorted=True")
    if call.recorder.is_fixed(x):
        return _as_computed(call)
    return _runs(call, x, call.decided(orders.argsort(flat, 0)), return_inverse, return_counts)


def _consecutive(
    call: OperatorCall,
    x: Var,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> list[Any]:
    """The elements without those that follow on an equal one."""
    if dim is not None and x.ndim > 1:
        raise Unsupported("torch.unique_consecutive along one of several axes: not yet")
    if call.recorder.is_fixed(x):
        return _as_computed(call)
    return _runs(call, x, np.arange(x.size), return_inverse, return_counts)


def _as_computed(call: OperatorCall) -> list[Any]:
    """Of constants alone: what this run makes of them."""
    call.recorder.looked = True
    return [numbers(t) for t in call.results]


def _runs(call: OperatorCall, x: Var, order: Array, return_inverse: bool, return_counts: bool) -> list[Any]:
    """The first of each run of equal elements, the run that each belongs to, and how long each is."""
    flat = reshape(x, (x.size,))
    rows = flat[order]
    begins = np.append(x.size > 0, ~call.decided(compare("eq", rows[1:], rows[:-1])))[: x.size]
    which = np.empty(x.size, np.int64)
    which[order] = np.cumsum(begins) - 1
    inverse = which.reshape(x.shape) if return_inverse else None
    return [flat[order[begins]], inverse, np.bincount(which) if return_counts else None]


def _nonzero(call: OperatorCall, x: Var) -> Array:
    """Where x is not zero: decided, since the shape of what follows depends on it."""
    return np.argwhere(call.decided(x if x.dtype == "bool" else compare("ne", x, 0)))


def _bucket(x: Operand, edges: Var, *, right: bool = False, side: str | None = None, **_: Any) -> Var:
    """How many edges lie below x (right: or at it); a sorter is not needed to count.

    Edges of several axes are rows, and x has the same rows: each number is among the edges of its own.
    """
    right = right or side == "right"
    point = x if isinstance(x, Var) else edges.builder.constant(float(x), edges.dtype)
    rows = edges if edges.ndim == 1 else index(edges, lambda p: p[..., None, :])
    return f.count_below(rows, point, right)


def _running(scan: Callable[[Var, int], Var]) -> Rule:
    return lambda x, dim: scan(counted(x), dim) if x.ndim else x


def _running_extreme(scan: Callable[[Var, int], Var]) -> Rule:
    """The values, and where the last element equal to each stands."""

    def rule(x: Var, dim: int) -> tuple[Var, Var]:
        if x.ndim == 0:
            return x, x.builder.constant(np.zeros((), np.int64))
        values = scan(x, dim)
        own = select(compare("eq", x, values), x.builder.constant(np.indices(x.shape)[dim]), 0)
        return values, f.cummax(own, dim)

    return rule


def _logcumsumexp(x: Var, dim: int) -> Var:
    """-inf as long as everything is."""
    top = detach(r.reduce_max(x, (dim % x.ndim,), keepdims=True))
    total = orders.cumsum(scalar("exp", x - top), dim)
    finite = x.builder.elementwise("not", x.builder.elementwise("is_infinite", x, dtype="bool"), dtype="bool")
    nothing = compare("eq", orders.cumsum(convert(finite, "int64"), dim), 0)
    lowest = constant(x.builder, np.array(-np.inf), x.dtype)
    return select(nothing, lowest, top + scalar("log", select(nothing, 1.0, total)))


RULES: dict[str, Rule] = {
    "sort": _sorted,
    "argsort": lambda call, x, *a, **k: _sorted(call, x, *a, **k)[1],
    "topk": _topk,
    "kthvalue": _kth,
    "median": _median,
    "nanmedian": _nanmedian,
    "mode": _mode,
    "_unique2": _unique,
    "unique_consecutive": _consecutive,
    "nonzero": _nonzero,
    "bucketize": plain(_bucket),
    "searchsorted": plain(lambda edges, x, **kwargs: _bucket(x, edges, **kwargs)),
    "cumsum": promoted(_running(orders.cumsum)),
    "cumprod": promoted(_running(f.cumprod)),
    "cummax": plain(_running_extreme(f.cummax)),
    "cummin": plain(_running_extreme(f.cummin)),
    "logcumsumexp": plain(_running(_logcumsumexp)),
}
