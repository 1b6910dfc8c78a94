"""What ATen's operators on sequences are: bags and segments, CTC, LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from oracles.exact.from_aten.call import OperatorCall, Rule, plain
from oracles.exact.from_aten.rules.moving import reduce_groups, refuse_frequencies
from oracles.exact.from_aten.rules.reductions import norm
from oracles.exact.program import functions as f
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import scalar, select
from oracles.exact.program.primitives.arrays import concatenate, reduce_sum, reshape, take
from oracles.exact.program.primitives.linear_algebra import matmul, transpose
from oracles.exact.program.program import Array, Var

# -- bags and segments ------------------------------------------------------------------------------------

BAG_MODES = ("sum", "mean", "amax")


def _embedding_bag(
    call: OperatorCall,
    weight: Var,
    indices: Var,
    offsets: Var,
    by_frequency: bool = False,
    mode: int = 0,
    sparse: bool = False,
    factors: Var | None = None,
    last: bool = False,
    padding: int = -1,
) -> Var:
    """The rows of each bag, times its factors, together; the padding's row is left out, an empty bag is 0."""
    refuse_frequencies(by_frequency)
    rows, starts = call.decided(indices).ravel(), call.decided(offsets).tolist()
    ends = starts[1:] if last else [*starts[1:], len(rows)]
    members = take(weight, rows[:, None] * weight.shape[1] + np.arange(weight.shape[1]))
    members = members if factors is None else members * reshape(factors, (len(rows), 1))
    bags = [[i for i in range(a, b) if rows[i] != padding] for a, b in zip(starts, ends, strict=False)]
    return _grouped_rows(members, bags, BAG_MODES[mode])


def _grouped_rows(x: Var, groups: Sequence[Sequence[int]], how: str, empty: float = 0.0) -> Var:
    """Rows combined group by group, column by column."""
    width = x.size // x.shape[0]
    flat = [[i * width + j for i in g] for g in groups if g for j in range(width)]
    found = reduce_groups(x, flat, how)
    order, filled = np.cumsum([bool(g) for g in groups]) - 1, np.array([bool(g) for g in groups])
    where = np.where(filled[:, None], order[:, None] * width + np.arange(width), -1)
    out = select(x.builder.constant(where >= 0), take(found, where), empty)
    return reshape(out, (len(groups), *x.shape[1:]))


def _segment_reduce(
    call: OperatorCall,
    x: Var,
    reduce: str,
    *,
    lengths: Var | None = None,
    indices: Any = None,
    offsets: Var | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Var:
    """Consecutive rows together, of these lengths or from these offsets on; an empty segment is `initial`."""
    if axis != 0:
        raise Unsupported(f"segment_reduce along axis {axis}: only along axis 0")
    if offsets is not None:
        ends = call.decided(offsets)
    else:
        assert lengths is not None
        ends = np.concatenate([[0], np.cumsum(call.decided(lengths))])
    how = {"max": "amax", "min": "amin"}.get(reduce, reduce)
    if initial is not None:
        if how == "mean":
            raise Unsupported("segment_reduce mean with initial=: leave initial out, and add it to the data")
        first = x.builder.constant(np.full((1, *x.shape[1:]), float(initial)), x.dtype)
        groups = [[0, *range(a + 1, b + 1)] for a, b in pairwise(ends)]
        return _grouped_rows(concatenate([first, x], 0), groups, how)
    nothing = {"sum": 0.0, "prod": 1.0, "mean": np.nan, "amax": -np.inf, "amin": np.inf}[how]
    groups = [list(range(a, b)) for a, b in pairwise(ends)]
    if not all(groups) and not np.isfinite(nothing):
        raise Unsupported(f"segment_reduce {reduce} of an empty segment is {nothing}")
    return _grouped_rows(x, groups, how, nothing)


# -- connectionist temporal classification ----------------------------------------------------------------


def _ctc(
    call: OperatorCall,
    scores: Var,
    targets: Var,
    lengths: Any,
    sizes: Any,
    blank: int = 0,
    zero_infinity: bool = False,
) -> Var:
    """-log of the probability of all alignments (Graves et al., 2006, equations 6 to 8), in probabilities."""
    times, counts = _numbers(call, lengths), _numbers(call, sizes)
    labels, starts = call.decided(targets), np.cumsum([0, *counts])
    losses = []
    for n, (time, count) in enumerate(zip(times, counts, strict=True)):
        row = labels[n, :count] if labels.ndim == 2 else labels[starts[n] : starts[n + 1]]
        path = np.full(2 * count + 1, blank)
        path[1::2] = row
        total = _alignments(scores[:time, n], path, blank)
        possible = count + int((row[1:] == row[:-1]).sum()) <= time
        if not possible and not zero_infinity:
            raise Unsupported(
                f"ctc_loss of sequence {n} is infinite: its target does not fit; set zero_infinity"
            )
        losses.append(reshape(-scalar("log", total) if possible else total * 0.0, (1,)))
    return reshape(concatenate(losses, 0), call.shape)


def _alignments(scores: Var, path: Array, blank: int) -> Var:
    """The probability of the path: step by step it stays, moves on, or skips a blank between two labels."""
    size = len(path)
    jump = (np.arange(size) > 1) & (path != blank) & (path != np.roll(path, 2))
    back = [np.where(np.arange(size) >= k, np.arange(size) - k, -1) for k in (0, 1, 2)]
    back[2] = np.where(jump, back[2], -1)
    first = np.where(np.arange(size) < 2, path, -1)
    alpha = take(scalar("exp", scores[0]), first)
    for t in range(1, scores.shape[0]):
        reached = take(alpha, back[0]) + take(alpha, back[1]) + take(alpha, back[2])
        alpha = reached * scalar("exp", take(scores[t], path))
    return alpha[-1] if size == 1 else alpha[-1] + alpha[-2]


def _numbers(call: OperatorCall, value: Any) -> list[int]:
    found: list[int] = call.decided(value).ravel().tolist() if isinstance(value, Var) else list(value)
    return found


# -- LSTM -------------------------------------------------------------------------------------------------


def _lstm_layer(
    call: OperatorCall,
    x: Var,
    w: Var,
    u: Var,
    b: Var,
    c: Var,
    hidden: Var,
    cell: Var,
    reverse: bool,
    batches: Any,
    mode: int,
    size: int,
    layers: int,
    has_biases: bool,
    *_: Any,
) -> list[Var | None]:
    """One layer over (time, batch, features), with the gates i, f, g, o (Gers et al., 2000)."""
    if mode != 2:
        raise Unsupported(f"mkldnn_rnn_layer of mode {mode}: only LSTM (2)")
    shape = (x.shape[1], size)
    h, s, steps = reshape(hidden, shape), reshape(cell, shape), list[Var]()
    for t in reversed(range(x.shape[0])) if reverse else range(x.shape[0]):
        gates = matmul(x[t], transpose(w)) + matmul(h, transpose(u))
        gates = gates + b + c if has_biases else gates
        i, forget, g, o = (gates[:, k * size : (k + 1) * size] for k in range(4))
        s = f.logistic(forget) * s + f.logistic(i) * scalar("tanh", g)
        h = f.logistic(o) * scalar("tanh", s)
        steps.append(reshape(h, (1, *shape)))
    whole = concatenate(steps[::-1] if reverse else steps, 0)
    return [whole, reshape(h, tuple(call.results[1].shape)), reshape(s, tuple(call.results[2].shape)), None]


def _weight_norm(v: Var, g: Var, dim: int = 0) -> tuple[Var, Var]:
    """v g / |v|, and |v|, over all axes but one."""
    size = norm(v, 2, [a for a in range(v.ndim) if a != dim % v.ndim], True)
    return v * (g / size), size


def _weight_norm_backward(gradient: Var, v: Var, g: Var, size: Var, dim: int) -> tuple[Var, Var]:
    """With w = v g / |v|: what is along v goes to g, the rest to v."""
    axes = [a for a in range(v.ndim) if a != dim % v.ndim]
    along = reduce_sum(gradient * v, axes, keepdims=True) / size
    return g / size * (gradient - v * (along / size)), along


RULES: dict[str, Rule] = {
    "_embedding_bag": _embedding_bag,
    "segment_reduce": _segment_reduce,
    "_ctc_loss": _ctc,
    "mkldnn_rnn_layer": _lstm_layer,
    "_weight_norm_interface": plain(_weight_norm),
    "_weight_norm_interface_backward": plain(_weight_norm_backward),
}
