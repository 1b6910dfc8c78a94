"""What ATen's operators on sequences are: bags and segments, CTC, packed sequences, LSTM."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from oracles.exact.from_aten.call import OperatorCall, Rule, plain
from oracles.exact.from_aten.memory import constant
from oracles.exact.from_aten.rules.moving import reduce_groups, refuse_frequencies
from oracles.exact.from_aten.rules.reductions import norm
from oracles.exact.program import functions as f
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.formats import FORMATS
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
    out = take(found, where)
    if not filled.all():
        out = select(x.builder.constant(where >= 0), out, empty)
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

SHRUNK = 4  # steps: a path that is as unlikely as e^-170 a step still has a probability that is a double


def _ctc(
    call: OperatorCall,
    scores: Var,
    targets: Var,
    lengths: Any,
    sizes: Any,
    blank: int = 0,
    zero_infinity: bool = False,
) -> Var:
    """-log of the probability of all alignments (Graves et al., 2006, equations 6 to 8).

    All sequences go step by step together: a program's length is what it costs to write it.
    """
    times, counts = (np.array(_numbers(call, value)) for value in (lengths, sizes))
    labels, starts = call.decided(targets), np.cumsum([0, *counts])
    rows = [
        labels[n, :count] if labels.ndim == 2 else labels[starts[n] : starts[n + 1]]
        for n, count in enumerate(counts)
    ]
    repeated = np.array([int((row[1:] == row[:-1]).sum()) for row in rows])
    possible = (counts + repeated <= times) & (times > 0)
    if not (zero_infinity or possible.all()):
        n = int(np.argmin(possible))
        raise Unsupported(f"ctc_loss of sequence {n} is infinite: its target does not fit; set zero_infinity")
    if not possible.any():
        return scores.builder.constant(np.zeros(call.shape), scores.dtype)
    own = np.flatnonzero(possible)
    found = _alignments(call, scores, own, times[own], [rows[n] for n in own], blank)
    place = np.full(len(rows), -1)
    place[own] = np.arange(len(own))
    return reshape(take(-found, place), call.shape)


def _alignments(
    call: OperatorCall, scores: Var, own: Array, times: Array, rows: Sequence[Array], blank: int
) -> Var:
    """log of the probability of each row of labels, of the sequences `own`, that have so many times.

    Step by step a path stays, moves on, or skips a blank between two labels.
    """
    width, classes = 2 * max(map(len, rows)) + 1, scores.shape[2]
    paths = np.full((len(rows), width), -1)
    for path, row in zip(paths, rows, strict=True):
        path[: 2 * len(row) + 1] = blank
        path[1 : 2 * len(row) : 2] = row
    at, first = np.arange(width), np.arange(len(rows))[:, None] * width
    jump = (at > 1) & (paths != blank) & (paths != np.roll(paths, 2, 1))
    back = [np.where((at >= k) & (paths >= 0), first + at - k, -1) for k in (0, 1, 2)]
    back[2] = np.where(jump, back[2], -1)
    step = np.arange(scores.shape[0])[: times.max(), None, None]
    read = (paths >= 0) & (step < times[:, None])
    places = np.where(read, (step * scores.shape[1] + own[:, None]) * classes + paths, -1)
    size = np.array([2 * len(row) for row in rows])
    last, before = first[:, 0] + size, np.where(size > 0, first[:, 0] + size - 1, -1)
    begin = np.where(at < 2, first + at, -1)
    most = FORMATS[scores.dtype].greatest_exponent
    shrunk = _shrunk(call.given[0].detach().double().cpu().numpy().ravel()[places], most, begin, back)
    emitted = _steps(scalar("exp", take(scores, places)))
    alpha, two = take(emitted[0], begin), scores.builder.constant(np.array(2.0), scores.dtype)
    order, found, halved = [], [], np.zeros(len(rows))
    for t in range(len(emitted)):
        if t:
            alpha = (take(alpha, back[0]) + take(alpha, back[1]) + take(alpha, back[2])) * emitted[t]
        if t in shrunk:
            alpha = alpha * scores.builder.constant(2.0 ** -shrunk[t][:, None], scores.dtype)
            halved = halved + shrunk[t]
        ending = np.flatnonzero(times == t + 1)
        if ending.size:
            order.append(ending)
            ended = take(alpha, last[ending]) + take(alpha, before[ending])
            found.append(scalar("log", ended) + scalar("log", two) * halved[ending])
    return take(concatenate(found, 0), np.argsort(np.concatenate(order)))


@np.errstate(all="ignore")
def _shrunk(scores: Array, most: int, begin: Array, back: Sequence[Array]) -> dict[int, Array]:
    """By which powers of two the probabilities of all paths are made smaller, after which steps.

    150 steps over 100 labels come to e^-690, a part of that is no double any more (Rabiner, 1989, section
    V.A). Any powers give the same logarithm in the end: the scores may be rounded, or of another run.
    """
    emitted, powers = np.exp(scores), {}
    alpha = np.append(emitted[0], 0.0)[begin]
    for t in range(1, len(emitted)):
        padded = np.append(alpha, 0.0)
        alpha = (padded[back[0]] + padded[back[1]] + padded[back[2]]) * emitted[t]
        if t % SHRUNK == 0:
            total = alpha.sum(1)
            known = (total > 0) & np.isfinite(total)
            powers[t] = np.clip(np.floor(np.log2(total, out=np.zeros(len(total)), where=known)), -most, most)
            alpha = alpha * 2.0 ** -powers[t][:, None]
    return powers


def _steps(x: Var) -> list[Var]:
    """The rows of x, by halves: the gradient of a part is as large as what it is a part of."""
    if x.shape[0] == 1:
        return [reshape(x, x.shape[1:])]
    half = x.shape[0] // 2
    return [*_steps(x[:half]), *_steps(x[half:])]


def _numbers(call: OperatorCall, value: Any) -> list[int]:
    found: list[int] = call.decided(value).ravel().tolist() if isinstance(value, Var) else list(value)
    return found


# -- packed sequences -------------------------------------------------------------------------------------


def _pack(call: OperatorCall, x: Var, lengths: Var, batch_first: bool) -> list[Var]:
    """Step by step the rows of the sequences that last so long, and how many these are; the longest first."""
    lasting = call.decided(lengths)
    sizes = (lasting > np.arange(lasting.max())[:, None]).sum(1)
    rows = _rows(sizes, x.shape, batch_first)
    return [reshape(take(x, rows), (len(rows), *x.shape[2:])), constant(call.recorder, sizes, "int64")]


def _unpack(call: OperatorCall, x: Var, shape: Sequence[int], sizes: Var, batch_first: bool) -> Var:
    """The packed rows where they came from, 0 elsewhere."""
    place = np.full(shape, -1)
    place.ravel()[_rows(call.decided(sizes), shape, batch_first)] = np.arange(x.size).reshape(x.shape[0], -1)
    return take(x, place)


def _rows(sizes: Array, shape: Sequence[int], batch_first: bool) -> Array:
    """The places of each packed row's numbers."""
    at = [(n, t) if batch_first else (t, n) for t, size in enumerate(sizes) for n in range(size)]
    width = math.prod(shape[2:])
    first: Array = np.ravel_multi_index(np.array(at).T, tuple(shape[:2])) * width
    found: Array = first[:, None] + np.arange(width)
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
    "_pack_padded_sequence": _pack,
    "_pack_padded_sequence_backward": _unpack,
    "mkldnn_rnn_layer": _lstm_layer,
    "_weight_norm_interface": plain(_weight_norm),
    "_weight_norm_interface_backward": plain(_weight_norm_backward),
}
