"""JAX's primitives that change shapes, and those that reduce, order or run along an axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from oracles.exact.from_jaxpr.call import Eqn, Rule, constant
from oracles.exact.program import functions as f
from oracles.exact.program.primitives import convert
from oracles.exact.program.primitives.apart import first_in_order
from oracles.exact.program.primitives.arrays import concatenate, index, permute, reduce_sum, reshape, take
from oracles.exact.program.primitives.linear_algebra import dot_general
from oracles.exact.program.primitives.orders import argmax, argsort, cumsum, take_along
from oracles.exact.program.primitives.reductions import reduce_max, reduce_min, reduce_prod
from oracles.exact.program.primitives.sorting import sort
from oracles.exact.program.program import FLOATS, PRIMITIVES, Var

# -- shapes -----------------------------------------------------------------------------------------------


def _broadcast_in_dim(call: Eqn, x: Var, *_: Var) -> Var:
    inner = [1] * len(call.shape)
    for axis, where in enumerate(call.params["broadcast_dimensions"]):
        inner[where] = x.shape[axis]
    return call.recorder.broadcast(reshape(x, inner), call.shape)


def _iota(call: Eqn) -> Var:
    axis, n = call.params["dimension"], call.shape[call.params["dimension"]]
    column = np.arange(n).reshape([n if a == axis else 1 for a in range(len(call.shape))])
    kind = np.float64 if call.dtype in FLOATS else call.dtype
    return constant(call.recorder, np.broadcast_to(column, call.shape).astype(kind), call.dtype)


def _slice(call: Eqn, x: Var) -> Var:
    p = call.params
    strides = p["strides"] or (1,) * x.ndim
    cut = tuple(map(slice, p["start_indices"], p["limit_indices"], strides))
    return index(x, lambda at: at[cut])


def _split(call: Eqn, x: Var) -> list[Var]:
    ends = np.cumsum(call.params["sizes"])[:-1]
    parts = np.split(np.arange(x.size).reshape(x.shape), ends, call.params["axis"])
    return [take(x, part) for part in parts]


def _unstack(call: Eqn, x: Var) -> list[Var]:
    rows = np.moveaxis(np.arange(x.size).reshape(x.shape), call.params["axis"], 0)
    return [take(x, row) for row in rows]


def _stack(call: Eqn, *xs: Var) -> Var:
    axis = call.params["axis"]
    return concatenate([reshape(x, (*x.shape[:axis], 1, *x.shape[axis:])) for x in xs], axis)


# -- reductions and orders --------------------------------------------------------------------------------


def _reduction(function: Callable[[Var, Sequence[int]], Var]) -> Rule:
    return lambda call, x: function(x, call.params["axes"])


def _logical(name: str) -> Rule:
    def rule(call: Eqn, x: Var) -> Var:
        axes = tuple(int(a) for a in call.params["axes"])
        return call.recorder.emit(PRIMITIVES[name], (x,), call.shape, call.dtype, axes=axes)

    return rule


def _arg_extreme(sign: int) -> Rule:
    def rule(call: Eqn, x: Var) -> Var:
        (axis,) = call.params["axes"]
        return convert(argmax(x if sign > 0 else f.descending(x), int(axis)), call.dtype)

    return rule


def _running(function: Callable[[Var, int, bool], Var]) -> Rule:
    return lambda call, x: function(x, int(call.params["axis"]), call.params["reverse"])


def _sort(call: Eqn, *operands: Var) -> list[Var]:
    """All operands in the order of the first `num_keys`, the first key first."""
    axis = call.params["dimension"]
    order: Var | None = None
    for key in reversed(operands[: call.params["num_keys"]]):
        key = key if order is None else take_along(key, order, axis)
        finer = argsort(key if key.dtype != "bool" else convert(key, "int64"), axis)
        order = finer if order is None else take_along(order, finer, axis)
    assert order is not None
    alone = call.params["num_keys"] == 1
    return [sort(x, axis) if alone and x is operands[0] else take_along(x, order, axis) for x in operands]


def _top_k(call: Eqn, x: Var) -> list[Var]:
    """The k largest (or smallest), largest first, and where they were; equal ones in their own order."""
    p = call.params
    axis = p.get("axis", p.get("reduction_dimension", -1)) % x.ndim
    largest = p.get("is_max_k", True)
    values = sort(x, axis, largest)
    order = argsort(f.descending(first_in_order(x, axis)) if largest else x, axis)
    first = [index(v, lambda at: at.take(range(p["k"]), axis)) for v in (values, order)]
    return [first[0], convert(first[1], str(call.outvars[1].aval.dtype))]


def _platform_index(call: Eqn) -> Var:
    """Which of several equivalent programs to run: the one for CPUs."""
    platforms = call.params["platforms"]
    return constant(
        call.recorder,
        next((i for i, names in enumerate(platforms) if names is None or "cpu" in names), 0),
        "int32",
    )


def _zeros(call: Eqn, *_: Var) -> Var:
    kind = np.float64 if call.dtype in FLOATS else call.dtype
    return constant(call.recorder, np.zeros(call.shape, kind), call.dtype)


def _reshape(call: Eqn, x: Var) -> Var:
    """`dimensions`: the order in which the axes are read."""
    order = call.params["dimensions"]
    return reshape(x if order is None else permute(x, order), call.shape)


def _dot(call: Eqn, x: Var, y: Var) -> Var:
    """In the dtype of the result: XLA converts each operand to it, integers and bools too."""
    contract, batch = call.params["dimension_numbers"]
    x, y = (convert(v, call.dtype) for v in (x, y))
    return convert(dot_general(x, y, contract, batch), call.dtype)


SHAPES: dict[str, Rule] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "reshape": _reshape,
    "squeeze": lambda call, x: reshape(x, call.shape),
    "expand_dims": lambda call, x: reshape(x, call.shape),
    "transpose": lambda call, x: permute(x, call.params["permutation"]),
    "rev": lambda call, x: index(x, lambda at: np.flip(at, call.params["dimensions"])),
    "slice": _slice,
    "split": _split,
    "stack": _stack,
    "unstack": _unstack,
    "tile": lambda call, x: index(x, lambda at: np.tile(at, call.params["reps"])),
    "concatenate": lambda call, *xs: concatenate(xs, call.params["dimension"]),
    "iota": _iota,
    "empty": _zeros,
    "empty2": _zeros,
    "platform_index": _platform_index,
    "dot_general": _dot,
}

REDUCTIONS: dict[str, Rule] = {
    "reduce_sum": _reduction(reduce_sum),
    "reduce_prod": _reduction(reduce_prod),
    "reduce_max": _reduction(reduce_max),
    "reduce_min": _reduction(reduce_min),
    "reduce_and": _logical("reduce_and"),
    "reduce_or": _logical("reduce_or"),
    "argmax": _arg_extreme(1),
    "argmin": _arg_extreme(-1),
    "cumsum": _running(cumsum),
    "cumprod": _running(f.cumprod),
    "cummax": _running(f.cummax),
    "cummin": _running(f.cummin),
    "cumlogsumexp": _running(f.cumlogsumexp),
    "sort": _sort,
    "top_k": _top_k,
    "approx_top_k": _top_k,
}
