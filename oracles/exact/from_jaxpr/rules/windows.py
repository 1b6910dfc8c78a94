"""JAX's primitives that pad and slide windows: padding, pooling, convolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from oracles.exact.from_jaxpr.call import Eqn, Rule, constant, promoted
from oracles.exact.program.primitives import convert
from oracles.exact.program.primitives.arrays import (
    concatenate,
    constant_value,
    permute,
    reduce_sum,
    reshape,
    scatter_add,
    take,
)
from oracles.exact.program.primitives.linear_algebra import dot_general
from oracles.exact.program.primitives.orders import argmax
from oracles.exact.program.primitives.reductions import reduce_max, reduce_min
from oracles.exact.program.program import Array, Var


def _padded(shape: Sequence[int], config: Sequence[tuple[int, int, int]]) -> Array:
    """Positions with -1 before, after and between; a negative count cuts off."""
    at = np.arange(int(np.prod(shape, dtype=int))).reshape(shape)
    for axis, (low, high, between) in enumerate(config):
        n = at.shape[axis]
        wide = np.full([*at.shape[:axis], n + max(n - 1, 0) * between, *at.shape[axis + 1 :]], -1)
        wide[(slice(None),) * axis + (slice(None, None, between + 1),)] = at
        ends = [(max(low, 0), max(high, 0)) if a == axis else (0, 0) for a in range(wide.ndim)]
        at = np.pad(wide, ends, constant_values=-1)
        at = at.take(range(max(-low, 0), at.shape[axis] - max(-high, 0)), axis)
    return at


def _filled(x: Var, positions: Array, value: Var) -> Var:
    """x at these positions and `value` at -1."""
    known = constant_value(value)
    if not (positions < 0).any() or (known is not None and known.dtype != object and not known.any()):
        return take(x, positions)
    both = concatenate([reshape(x, (x.size,)), reshape(value, (1,))], 0)
    return take(both, np.where(positions < 0, x.size, positions))


def _windows(
    shape: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base: Sequence[int],
    dilation: Sequence[int],
) -> Array:
    """The positions (*places, *window) of a window that slides over the array; -1 in the padding."""
    at = _padded(shape, [(low, high, gap - 1) for (low, high), gap in zip(padding, base, strict=True)])
    span = tuple((n - 1) * gap + 1 for n, gap in zip(window, dilation, strict=True))
    if any(n < s for n, s in zip(at.shape, span, strict=True)):
        places = [max(0, (n - s) // step + 1) for n, s, step in zip(at.shape, span, strides, strict=True)]
        return np.empty((*places, *window), int)
    views = np.lib.stride_tricks.sliding_window_view(at, span)
    return views[(*(slice(None, None, s) for s in strides), *(slice(None, None, d) for d in dilation))]


def _reduce_window(reduce: Callable[[Var, Sequence[int]], Var], neutral: float) -> Rule:
    def rule(call: Eqn, x: Var, *_: Var) -> Var:
        return reduce(_filled(x, positions_of(call, x), _extreme(x, neutral)), range(x.ndim, 2 * x.ndim))

    return rule


def positions_of(call: Eqn, x: Var) -> Array:
    """The positions (*places, *window) in x that a call's windows cover; -1 in the padding."""
    p, ones = call.params, (1,) * x.ndim
    base, dilation = p.get("base_dilation") or ones, p.get("window_dilation") or ones
    return _windows(x.shape, p["window_dimensions"], p["window_strides"], p["padding"], base, dilation)


def _extreme(x: Var, neutral: float) -> Var:
    """`neutral` in x's dtype: for integers the smallest or largest one stands for an infinity."""
    if np.isinf(neutral) and not x.is_float:
        bounds = np.iinfo(x.dtype)
        return x.builder.constant(np.array(bounds.min if neutral < 0 else bounds.max), x.dtype)
    return constant(x.builder, neutral, x.dtype)


def _chosen(call: Eqn, x: Var) -> Var:
    """The position in x of each window's largest element (or smallest, as the parameters say)."""
    at = positions_of(call, x)
    flat = at.reshape(*at.shape[: x.ndim], -1)
    sign = -1 if "le" in str(call.params["select_prim"]) else 1
    found = argmax(_filled(x if sign > 0 else -x, flat, constant(call.recorder, -np.inf, x.dtype)), -1)
    start = np.arange(found.size).reshape(found.shape) * flat.shape[-1]
    return take(call.recorder.constant(flat), found + start)


def _conv(call: Eqn, x: Var, kernel: Var) -> Var:
    """Windows of x times the kernel, summed over features and window; groups are batches."""
    p, numbers = call.params, call.params["dimension_numbers"]
    x, kernel = promoted(call.dtype, x, kernel)
    x, kernel = permute(x, numbers.lhs_spec), permute(kernel, numbers.rhs_spec)
    n, space, size = x.shape[0], x.ndim - 2, kernel.shape[2:]
    at = _windows(
        x.shape,
        (1, 1, *size),
        (1, 1, *p["window_strides"]),
        ((0, 0), (0, 0), *p["padding"]),
        (1, 1, *p["lhs_dilation"]),
        (1, 1, *p["rhs_dilation"]),
    )
    places = at.shape[2 : 2 + space]
    groups, batches = p["feature_group_count"], p["batch_group_count"]
    g = groups * batches
    rows = at.reshape(batches, n // batches, groups, x.shape[1] // groups, *places, *size)
    rows = np.moveaxis(rows, (0, 2), (0, 1))
    patches = take(x, rows.reshape(g, n // batches, x.shape[1] // groups, *places, *size))
    weights = reshape(kernel, (g, kernel.shape[0] // g, *kernel.shape[1:]))
    inner = range(3 + space, 3 + 2 * space)
    out = dot_general(patches, weights, ((2, *inner), range(2, 3 + space)), ((0,), (0,)))
    # (group, n, *places, features of a group) to (n, features, *places), then to the asked order
    out = permute(out, (1, 0, out.ndim - 1, *range(2, 2 + space)))
    out = reshape(out, (n // batches, kernel.shape[0], *places))
    return convert(permute(out, np.argsort(numbers.out_spec).tolist()), call.dtype)


WINDOWS: dict[str, Rule] = {
    "pad": lambda call, x, value: _filled(x, _padded(x.shape, call.params["padding_config"]), value),
    "reduce_window_sum": _reduce_window(reduce_sum, 0.0),
    "reduce_window_max": _reduce_window(reduce_max, -np.inf),
    "reduce_window_min": _reduce_window(reduce_min, np.inf),
    "select_and_scatter_add": lambda call, source, x: scatter_add(source, _chosen(call, x), x.shape),
    "select_and_gather_add": lambda call, source, x: take(source, _chosen(call, x)),
    "conv_general_dilated": _conv,
}
