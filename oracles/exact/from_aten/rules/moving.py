"""What ATen's operators that move, fill, make and write arrays are.

A mover runs on the positions of the elements instead of on their values (`call.moved`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from oracles.exact.from_aten.call import BLANK, OperatorCall, Rule, moved, words
from oracles.exact.from_aten.memory import constant, numbers
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.jumping import is_cell
from oracles.exact.program.positions import positions_of
from oracles.exact.program.primitives import convert, detach, select
from oracles.exact.program.primitives import reductions as r
from oracles.exact.program.primitives.arrays import concatenate, reduce_sum, reshape, scatter_add, take
from oracles.exact.program.program import FLOATS, Array, Operand, Shape, Var


def _grid(shape: Shape) -> Any:
    return torch.arange(math.prod(shape)).reshape(shape)


def indices_of(call: OperatorCall, value: Any) -> Any:
    """Index operands as torch tensors."""
    if isinstance(value, (list, tuple)):
        return [indices_of(call, v) for v in value]
    return torch.from_numpy(call.decided(value).copy()) if isinstance(value, Var) else value


def _places(call: OperatorCall, shape: Shape, key: Sequence[Any]) -> Var | None:
    """Where x[key] lies in x of this shape, if an index steps with numbers that move: each side is seen then.

    None where none does: what is decided is simpler.
    """
    moving = {i: v for i, v in enumerate(key) if isinstance(v, Var) and is_cell(v)}
    if not moving:
        return None
    known = [
        np.zeros(v.shape, np.int64) if i in moving else call.decided(v) if isinstance(v, Var) else v
        for i, v in enumerate(key)
    ]
    return positions_of(shape, tuple(known), moving)


def _along(dim: int, shape: Shape, where: Var) -> list[Any]:
    """The key that indexes one axis, and stays in place along all others."""
    if not shape:
        return []
    key: list[Any] = list(np.ogrid[tuple(slice(n) for n in where.shape)])
    key[dim] = where
    return key


def _rows(dim: int, shape: Shape, where: Var) -> list[Any]:
    """The key of whole rows of an axis."""
    return [*[slice(None)] * (dim % max(1, len(shape))), where]


def _picked(call: OperatorCall, x: Var, places: Var | None, *given: Any) -> Var:
    found = moved(call, x, *given) if places is None else take(x, places)
    assert isinstance(found, Var)
    return found


def _index(call: OperatorCall, x: Var, where: Sequence[Any]) -> Var:
    key = [slice(None) if v is None else v for v in where]
    return _picked(call, x, _places(call, x.shape, key), where)


def _gather(call: OperatorCall, x: Var, dim: int, where: Var, **_: Any) -> Var:
    return _picked(call, x, _places(call, x.shape, _along(dim, x.shape, where)), dim, where)


def _index_select(call: OperatorCall, x: Var, dim: int, where: Var) -> Var:
    return _picked(call, x, _places(call, x.shape, _rows(dim, x.shape, where)), dim, where)


def _take(call: OperatorCall, x: Var, where: Var) -> Var:
    return _picked(call, x, _places(call, (x.size,), [where]), where)


def _index_add(call: OperatorCall, x: Var, dim: int, where: Var, source: Var, alpha: float = 1) -> Var:
    to = _places(call, x.shape, _rows(dim, x.shape, where))
    if to is None:
        to = _grid(x.shape).index_select(dim, indices_of(call, where)).numpy().reshape(source.shape)
    return x + scatter_add(source if alpha == 1 else source * alpha, to, x.shape)


def _scatter(call: OperatorCall, x: Var, dim: int, where: Var, source: Var) -> tuple[Array, Var]:
    """Where each used element of the source goes, and those elements."""
    to = _grid(x.shape).gather(dim, indices_of(call, where)).numpy()
    return to, source[tuple(slice(0, n) for n in where.shape)]


def _scatter_add(call: OperatorCall, x: Var, dim: int, where: Var, source: Var) -> Var:
    to: Array | Var | None = _places(call, x.shape, _along(dim, x.shape, where))
    if to is None:
        to, used = _scatter(call, x, dim, where, source)
    else:
        used = source[tuple(slice(0, n) for n in where.shape)]
    return x + scatter_add(used, to, x.shape)


def _scatter_value(call: OperatorCall, x: Var, dim: int, where: Var, value: float) -> Var:
    hit = torch.zeros(x.shape, dtype=torch.bool).scatter(dim, indices_of(call, where), True).numpy()
    return select(call.recorder.constant(hit), call.full(value), x)


def _index_put(call: OperatorCall, x: Var, where: Any, values: Var, accumulate: bool = False, *_: Any) -> Var:
    key = [slice(None) if v is None else v for v in where]
    if accumulate and (places := _places(call, x.shape, key)) is not None:
        return x + scatter_add(x.builder.broadcast(convert(values, x.dtype), places.shape), places, x.shape)
    to = _grid(x.shape)[tuple(slice(None) if i is None else i for i in indices_of(call, where))].numpy()
    return _put_at(x, to, values, accumulate)


def _put(call: OperatorCall, x: Var, where: Var, source: Var, accumulate: bool = False) -> Var:
    return _put_at(x, call.decided(where) % x.size, source, accumulate)


def _put_at(x: Var, to: Array, values: Var, accumulate: bool) -> Var:
    """Added, or in place of what was there: of several, the last."""
    if values.size == to.size:
        values = reshape(values, to.shape)
    values = convert(x.builder.broadcast(values, to.shape), x.dtype)
    if accumulate:
        return x + scatter_add(values, to, x.shape)
    source = np.arange(x.size)
    source[to.ravel()] = x.size + np.arange(to.size)
    both = concatenate([reshape(x, (x.size,)), reshape(values, (values.size,))], 0)
    return take(both, source.reshape(x.shape))


def _masked_index(call: OperatorCall, x: Var, mask: Var, where: Any, fill: float) -> Var:
    to = _clamped(call, x.shape, where)
    inside = np.broadcast_to(call.decided(mask), to.shape)
    return select(call.recorder.constant(inside.copy()), take(x, to), float(fill))


def _masked_index_add(call: OperatorCall, x: Var, mask: Var, where: Any, values: Var) -> Var:
    to = _clamped(call, x.shape, where)
    to = np.where(np.broadcast_to(call.decided(mask), to.shape), to, -1)
    return x + scatter_add(x.builder.broadcast(values, to.shape), to, x.shape)


def _clamped(call: OperatorCall, shape: Shape, where: Any) -> Array:
    """Positions at indices that are brought inside first."""
    pairs = zip(indices_of(call, where), shape, strict=False)
    key = tuple(slice(None) if i is None else i.clamp(-n, n - 1) for i, n in pairs)
    return np.asarray(_grid(shape)[key].numpy())


def _col2im(call: OperatorCall, x: Var, size: Sequence[int], *window: Any) -> Var:
    """Windows added up where they lie: the transpose of im2col."""
    where = torch.ops.aten.im2col(_grid(call.shape).double() + 1, *window).numpy().astype(np.int64) - 1
    return scatter_add(x, where.reshape(x.shape), call.shape)


def _grouped(x: Var, source: Var, to: Array, how: str, include_self: bool) -> Var:
    """Every element of x combined with the elements of the source that go to it."""
    both = concatenate([reshape(x, (x.size,)), reshape(source, (source.size,))], 0)
    groups: list[list[int]] = [[i] for i in range(x.size)]
    for number, target in enumerate(to.ravel().tolist(), x.size):
        groups[target].append(number)
    groups = [g if include_self or len(g) == 1 else g[1:] for g in groups]
    return reshape(reduce_groups(both, groups, how), x.shape)


def reduce_groups(x: Var, groups: Sequence[Sequence[int]], how: str) -> Var:
    """For each group of positions: the sum, mean, prod, amax or amin of x there."""
    longest = max(map(len, groups), default=1)
    where = np.array([[*g, *[-1] * (longest - len(g))] for g in groups])
    members, nothing = take(x, where), {"prod": 1.0, "amax": -np.inf, "amin": np.inf}.get(how)
    if nothing is not None and (where < 0).any():
        nothing_ = constant(x.builder, np.array(nothing), x.dtype)
        members = select(x.builder.constant(where < 0), nothing_, members)
    if how == "mean":
        return reduce_sum(members, (1,)) / x.builder.constant(
            np.array([float(len(g)) for g in groups]), x.dtype
        )
    return {"sum": reduce_sum, "prod": r.reduce_prod, "amax": r.reduce_max, "amin": r.reduce_min}[how](
        members, (1,)
    )


def _scatter_reduce(
    call: OperatorCall, x: Var, dim: int, where: Var, source: Var, reduce: str, include_self: bool = True
) -> Var:
    to, used = _scatter(call, x, dim, where, source)
    return _grouped(x, used, to, reduce, include_self)


def _index_reduce(
    call: OperatorCall, x: Var, dim: int, where: Var, source: Var, reduce: str, include_self: bool = True
) -> Var:
    to = _grid(x.shape).index_select(dim, indices_of(call, where)).numpy()
    return _grouped(x, source, to, reduce, include_self)


MOVERS = words(
    "alias_copy as_strided_copy detach_copy diagonal_copy expand_copy narrow_copy permute_copy select_copy"
    " slice_copy split_copy split_with_sizes_copy squeeze_copy t_copy transpose_copy unbind_copy unfold_copy"
    " unsqueeze_copy view_copy flip roll rot90 repeat tril triu diag_embed block_diag cat stack"
    " diagonal_scatter select_scatter slice_scatter as_strided_scatter masked_scatter"
    " gather index index_select take masked_select index_copy unsafe_split unsafe_split_with_sizes"
    " im2col pixel_shuffle pixel_unshuffle channel_shuffle"
    " reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d"
    " replication_pad3d upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d"
    " _upsample_nearest_exact2d _upsample_nearest_exact3d scatter.src _unsafe_index select_backward"
    " slice_backward diagonal_backward masked_scatter_backward"
)

WINDOWS = words("hann_window hamming_window blackman_window bartlett_window kaiser_window")
ZEROS = words("zeros zeros_like new_zeros zero _new_zeros_with_same_feature_meta")


def _pad(call: OperatorCall, x: Var, pad: Sequence[int], value: float = 0.0) -> Var:
    out = moved(call, x, pad, 0.0)
    assert isinstance(out, Var)
    if value == 0:
        return out
    inside = torch.constant_pad_nd(torch.ones(x.shape), list(pad), 0.0).numpy() > 0
    return select(call.recorder.constant(inside), out, call.full(value))


def refuse_frequencies(by_frequency: bool) -> None:
    """An embedding whose gradient is not its derivative, and is not meant to be."""
    if by_frequency:
        raise Unsupported(
            "scale_grad_by_freq=True: by definition its gradient is not its derivative; set False"
        )


def _embedding(
    call: OperatorCall, weight: Var, indices: Var, padding_idx: int = -1, by_frequency: bool = False, *_: Any
) -> Var:
    """Rows; the row of the padding is held fixed, as its documentation says."""
    refuse_frequencies(by_frequency)
    out = _picked(call, weight, _places(call, weight.shape, [indices]), indices)
    if padding_idx < 0:
        return out
    padding = np.broadcast_to((call.decided(indices) == padding_idx)[..., None], out.shape)
    return select(call.recorder.constant(padding.copy()), detach(out), out)


def _index_fill(call: OperatorCall, x: Var, dim: int, where: Var, value: Operand) -> Var:
    hit = torch.zeros(x.shape, dtype=torch.bool).index_fill(dim, indices_of(call, where), True).numpy()
    return select(call.recorder.constant(hit), value, x)


def _arange(call: OperatorCall, *args: float, **_: Any) -> Var:
    """start + i step, exactly."""
    start, step = (args[0] if len(args) > 1 else 0.0), (args[2] if len(args) > 2 else 1.0)
    return call.constant(np.arange(call.shape[0], dtype=float)) * float(step) + float(start)


def _linspace(call: OperatorCall, start: Operand, end: Operand, steps: int) -> Var:
    """start + i (end - start) / (steps - 1); the ends may be tensors."""
    part = call.constant(np.arange(steps, dtype=float)) / float(max(steps - 1, 1))
    first, last = (convert(v, call.dtype) if isinstance(v, Var) else call.constant(v) for v in (start, end))
    return part * (last - first) + first


def _full(call: OperatorCall, first: Any, *rest: Any) -> Var:
    """full(size, v), full_like(x, v), new_full(x, size, v), fill(x, v), scalar_tensor(v)."""
    value = rest[-1] if rest else first
    return call.recorder.broadcast(value, call.shape) if isinstance(value, Var) else call.full(value)


def _window(call: OperatorCall, *_: Any, **__: Any) -> Var:
    """As torch computes it: numbers that depend on no argument's are data, like NumPy's windows."""
    found: Var = constant(call.recorder, numbers(call.returned[0]), call.dtype)
    return found


RULES: dict[str, Rule] = {
    **dict.fromkeys(MOVERS, moved),
    **dict.fromkeys(WINDOWS, _window),
    "constant_pad_nd": _pad,
    "embedding": _embedding,
    **dict.fromkeys(("index", "_unsafe_index"), _index),
    "gather": _gather,
    "index_select": _index_select,
    "take": _take,
    "index_fill": _index_fill,
    "copy": lambda call, x, source, *_: call.recorder.broadcast(convert(source, call.dtype), call.shape),
    **dict.fromkeys(ZEROS, lambda call, *_, **__: call.full(0.0)),
    # Memory that was not written is no number; integers, of which there is none such, count as 0.
    **dict.fromkeys(BLANK, lambda call, *_, **__: call.full(np.nan if call.dtype in FLOATS else 0)),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), lambda call, *_, **__: call.full(1.0)),
    **dict.fromkeys(("full", "full_like", "new_full", "fill", "scalar_tensor"), _full),
    "eye": lambda call, *_: call.constant(np.eye(*call.shape)),
    "arange": _arange,
    "linspace": _linspace,
    "index_add": _index_add,
    "scatter_add": _scatter_add,
    "scatter.value": _scatter_value,
    "scatter_reduce": _scatter_reduce,
    "index_reduce": _index_reduce,
    "index_put": _index_put,
    "_index_put_impl_": _index_put,
    "put": _put,
    "col2im": _col2im,
    "_unsafe_masked_index": _masked_index,
    "_unsafe_masked_index_put_accumulate": _masked_index_add,
}
