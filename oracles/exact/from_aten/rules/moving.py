"""What ATen's operators that move, fill and make arrays are.

A mover runs on the positions of the elements instead of on their values (`call.moved`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from oracles.exact.from_aten.call import OperatorCall, Rule, moved, words
from oracles.exact.from_aten.operators import BLANK
from oracles.exact.from_aten.rules.scatter import indices_of
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives.arithmetic import convert, detach
from oracles.exact.program.primitives.choices import select
from oracles.exact.program.program import Operand, Var

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
    out = moved(call, weight, indices)
    assert isinstance(out, Var)
    if padding_idx < 0:
        return out
    padding = np.broadcast_to((call.decided(indices) == padding_idx)[..., None], out.shape)
    return select(call.recorder.constant(padding.copy()), detach(out), out)


def _index_fill(call: OperatorCall, x: Var, dim: int, where: Var, value: Operand) -> Var:
    hit = torch.zeros(x.shape, dtype=torch.bool).index_fill(dim, indices_of(call, where), True).numpy()
    return select(call.recorder.constant(hit), value, x)


def _copy(call: OperatorCall, x: Var, source: Var, *_: Any) -> Var:
    return call.recorder.broadcast(convert(source, call.dtype), call.shape)


def _arange(call: OperatorCall, *args: float, **_: Any) -> Var:
    """start + i step, exactly."""
    start, step = (args[0] if len(args) > 1 else 0.0), (args[2] if len(args) > 2 else 1.0)
    return call.constant(np.arange(call.shape[0], dtype=float)) * float(step) + float(start)


def _linspace(call: OperatorCall, start: float, end: float, steps: int) -> Var:
    part = call.constant(np.arange(steps, dtype=float)) / float(max(steps - 1, 1))
    return part * (call.constant(float(end)) - float(start)) + float(start)


def _filled(value: float) -> Rule:
    return lambda call, *_, **__: call.full(value)


def _full(call: OperatorCall, first: Any, *rest: Any) -> Var:
    """full(size, v), full_like(x, v), new_full(x, size, v), fill(x, v), scalar_tensor(v)."""
    value = rest[-1] if rest else first
    return call.recorder.broadcast(value, call.shape) if isinstance(value, Var) else call.full(value)


def _eye(call: OperatorCall, *_: Any) -> Var:
    return call.constant(np.eye(call.shape[0], call.shape[1]))


RULES: dict[str, Rule] = {
    **dict.fromkeys(MOVERS, moved),
    "constant_pad_nd": _pad,
    "embedding": _embedding,
    "index_fill": _index_fill,
    "copy": _copy,
    **{
        name: _filled(0.0)
        for name in ("zeros", "zeros_like", "new_zeros", "zero", "_new_zeros_with_same_feature_meta", *BLANK)
    },
    **{name: _filled(1.0) for name in ("ones", "ones_like", "new_ones")},
    **dict.fromkeys(("full", "full_like", "new_full", "fill", "scalar_tensor"), _full),
    "eye": _eye,
    "arange": _arange,
    "linspace": _linspace,
}
