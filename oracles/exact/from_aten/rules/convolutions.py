"""What ATen's operators on windows are: convolutions and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from oracles.exact.from_aten.call import OperatorCall, Rule, moved
from oracles.exact.from_aten.memory import constant
from oracles.exact.program.errors import Undecided
from oracles.exact.program.primitives import select
from oracles.exact.program.primitives.arrays import permute, reduce_sum, reshape, scatter_add, take
from oracles.exact.program.primitives.linear_algebra import matmul, transpose
from oracles.exact.program.primitives.orders import argmax
from oracles.exact.program.primitives.reductions import reduce_max
from oracles.exact.program.program import Array, Shape, Var

Sizes = Sequence[int]


def windows(size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, out: Sizes) -> Array:
    """Positions in a volume of this size, in the shape (*out, *kernel); -1 in the padding."""
    n = len(size)
    starts = [np.arange(out[i]) * stride[i] - padding[i] for i in range(n)]
    return _positions(
        size, [s[:, None] + np.arange(k) * d for s, k, d in zip(starts, kernel, dilation, strict=True)]
    )


def _positions(size: Sizes, along: Sequence[Array]) -> Array:
    """From coordinates (out_i, k_i) along each axis, positions in the volume; -1 outside."""
    n, place, inside = len(size), np.zeros((), np.int64), np.ones((), bool)
    for i, at in enumerate(along):
        shape = [1] * (2 * n)
        shape[i], shape[n + i] = at.shape
        wide = at.reshape(shape)
        place, inside = place * size[i] + wide, inside & (wide >= 0) & (wide < size[i])
    return np.where(inside, place, -1)


def _shifted(places: Array, volumes: Array, volume: int) -> Array:
    """The same places in each of several volumes that lie one after another (a leading axis each)."""
    first = volumes.reshape(*volumes.shape, *(1 for _ in range(places.ndim))) * volume
    return np.where(places < 0, -1, first + places)


def _each(value: Sizes | int, n: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * n if len(values) == 1 else values


def _convolution(
    call: OperatorCall,
    x: Var,
    weight: Var,
    bias: Var | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
) -> Var:
    """A matrix product with the windows; transposed, its transpose: products scattered over the windows."""
    kernel, n = weight.shape[2:], x.ndim - 2
    stride, padding, dilation = (_each(v, n) for v in (stride, padding, dilation))
    if transposed:
        out = _transposed(x, weight, stride, padding, dilation, groups, call.shape)
    else:
        places = windows(x.shape[2:], kernel, stride, padding, dilation, call.shape[2:])
        columns = take(x, _columns(places, x.shape, groups))
        rows = reshape(weight, (groups, weight.shape[0] // groups, columns.shape[1]))
        out = _channels_second(matmul(rows, columns), call.shape)
    return out if bias is None else out + reshape(bias, (1, bias.size, *(1 for _ in kernel)))


def _columns(places: Array, shape: Shape, groups: int) -> Array:
    """Positions (group, channel x kernel, batch x window) of all windows of all volumes (batch, channel)."""
    batch, channels, *size = shape
    n = places.ndim // 2
    flat = places.reshape(int(np.prod(places.shape[:n])), -1).T  # (kernel, window)
    volumes = np.arange(batch * channels).reshape(batch, groups, channels // groups)
    every = _shifted(flat, volumes, int(np.prod(size)))  # (batch, group, channel, kernel, window)
    return np.moveaxis(every, 0, 3).reshape(groups, channels // groups * flat.shape[0], -1)


def _channels_second(y: Var, shape: Shape) -> Var:
    """(group, channel, batch x window) as (batch, group x channel, *window)."""
    split = reshape(y, (y.shape[0], y.shape[1], shape[0], y.shape[2] // max(shape[0], 1)))
    return reshape(permute(split, (2, 0, 1, 3)), shape)


def _transposed(
    x: Var, weight: Var, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int, shape: Shape
) -> Var:
    batch, channels, *size = x.shape
    places = windows(shape[2:], weight.shape[2:], stride, padding, dilation, size)
    where = _columns(places, shape, groups)
    columns = reshape(weight, (groups, channels // groups, where.shape[1]))
    split = reshape(x, (batch, groups, channels // groups, int(np.prod(size))))
    rows = reshape(permute(split, (1, 2, 0, 3)), (groups, channels // groups, where.shape[2]))
    return scatter_add(matmul(transpose(columns), rows), where, shape)


def _pool_windows(
    call: OperatorCall, x: Var, n: int, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes
) -> Array:
    kernel, padding, dilation = (_each(v, n) for v in (kernel, padding, dilation))
    stride = _each(stride, n) if stride else kernel
    return windows(x.shape[-n:], kernel, stride, padding, dilation, call.shape[-n:])


def _members(x: Var, flat: Array, n: int) -> Var:
    """The elements of every window (*out, member) of every volume; zeros in the padding."""
    lead = x.shape[:-n]
    volumes = np.arange(int(np.prod(lead))).reshape(lead)
    return take(x, _shifted(flat, volumes, int(np.prod(x.shape[-n:]))))


def _max_over(x: Var, places: Array) -> tuple[Var, Var]:
    """The largest in each window, and its position in the volume."""
    n = places.ndim // 2
    flat = places.reshape(*places.shape[:n], -1)
    members = _members(x, flat, n)
    lowest = constant(x.builder, np.array(-np.inf), x.dtype)
    members = select(x.builder.constant(np.broadcast_to(flat >= 0, members.shape).copy()), members, lowest)
    best = argmax(members, -1)
    table = x.builder.constant(np.broadcast_to(flat, members.shape).copy())
    first = np.arange(best.size).reshape(best.shape) * flat.shape[-1]
    return reduce_max(members, (members.ndim - 1,)), take(table, best + first)


def _max_pool(n: int) -> Rule:
    return lambda call, x, kernel, stride=(), padding=(0,), dilation=(1,), *_: _max_over(
        x, _pool_windows(call, x, n, kernel, stride, padding, dilation)
    )


def _mean_over(x: Var, places: Array, count: Array | float) -> Var:
    n = places.ndim // 2
    members = _members(x, places.reshape(*places.shape[:n], -1), n)
    return reduce_sum(members, (members.ndim - 1,)) / np.asarray(count, float)


def _inside(places: Array) -> Array:
    n = places.ndim // 2
    return np.asarray((places >= 0).sum(tuple(range(n, 2 * n))))


def _avg_pool(n: int) -> Rule:
    def rule(
        call: OperatorCall,
        x: Var,
        kernel: Sizes,
        stride: Sizes = (),
        padding: Sizes = (0,),
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Var:
        """The padding counts or not; what a window reaches beyond the padding never does."""
        places = _pool_windows(call, x, n, kernel, stride, padding, (1,))
        kernel, pads = _each(kernel, n), _each(padding, n)
        padded = [s + 2 * p for s, p in zip(x.shape[-n:], pads, strict=True)]
        steps = _each(stride, n) if stride else kernel
        reach = windows(padded, kernel, steps, [0] * n, [1] * n, call.shape[-n:])
        count = divisor_override or _inside(reach if count_include_pad else places)
        return _mean_over(x, places, count)

    return rule


def _adaptive(call: OperatorCall, x: Var, n: int) -> Array:
    """Window i of m along an axis of s: from floor(i s / m) up to ceil((i + 1) s / m)."""
    along = []
    for s, m in zip(x.shape[-n:], call.shape[-n:], strict=True):
        starts, ends = [i * s // m for i in range(m)], [-(-(i + 1) * s // m) for i in range(m)]
        width = max(e - b for b, e in zip(starts, ends, strict=True))
        along.append(
            np.array([[*range(b, e), *[-1] * (width - e + b)] for b, e in zip(starts, ends, strict=True)])
        )
    return _positions(x.shape[-n:], along)


def _adaptive_avg(n: int) -> Rule:
    def rule(call: OperatorCall, x: Var, *_: Any) -> Var:
        places = _adaptive(call, x, n)
        return _mean_over(x, places, _inside(places))

    return rule


def _max_unpool(call: OperatorCall, x: Var, where: Var, *rest: Any) -> Any:
    """Every element at its position. Where several share one, which stays is not defined."""
    rows = call.decided(where).reshape(-1, int(np.prod(where.shape[-len(rest[0]) :])))
    if any(len(set(row)) < len(row) for row in rows.tolist()):
        raise Undecided("several elements go to one position, and which one stays is not defined")
    return moved(call, x, where, *rest)


RULES: dict[str, Rule] = {
    "convolution": _convolution,
    **{f"max_pool{n}d_with_indices": _max_pool(n) for n in (2, 3)},
    **dict.fromkeys(("max_unpool2d", "max_unpool3d"), _max_unpool),
    **{f"avg_pool{n}d": _avg_pool(n) for n in (2, 3)},
    **{f"_adaptive_avg_pool{n}d": _adaptive_avg(n) for n in (2, 3)},
    "adaptive_max_pool2d": lambda call, x, *_: _max_over(x, _adaptive(call, x, 2)),
    "adaptive_max_pool3d": lambda call, x, *_: _max_over(x, _adaptive(call, x, 3)),
}
