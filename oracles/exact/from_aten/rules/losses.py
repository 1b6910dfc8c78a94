"""What ATen's losses are."""

from __future__ import annotations

import numpy as np

from oracles.exact.from_aten.call import OperatorCall, Rule, promoted
from oracles.exact.program import functions as f
from oracles.exact.program.primitives import compare, scalar, select
from oracles.exact.program.primitives.arrays import concatenate, reduce_sum, reshape
from oracles.exact.program.primitives.orders import take_along
from oracles.exact.program.program import Var

NONE, MEAN = 0, 1


def reduced(x: Var, reduction: int) -> Var:
    """The elements, their mean or their sum."""
    if reduction == NONE:
        return x
    return (f.mean if reduction == MEAN else reduce_sum)(x, range(x.ndim))


def _smooth_l1(x: Var, t: Var, reduction: int = MEAN, beta: float = 1.0) -> Var:
    d = f.absolute(x - t)
    if beta == 0:
        return reduced(d, reduction)
    return reduced(select(compare("lt", d, beta), 0.5 * f.square(d) / beta, d - 0.5 * beta), reduction)


def _huber(x: Var, t: Var, reduction: int = MEAN, delta: float = 1.0) -> Var:
    d = f.absolute(x - t)
    return reduced(select(compare("le", d, delta), 0.5 * f.square(d), delta * (d - 0.5 * delta)), reduction)


def _bce(x: Var, t: Var, weight: Var | None = None, reduction: int = MEAN) -> Var:
    """Each logarithm is at least -100, as its documentation says."""
    yes, no = (f.maximum(scalar("log", p), -100.0) for p in (x, 1.0 - x))
    loss = -(t * yes + (1.0 - t) * no)
    return reduced(loss if weight is None else loss * weight, reduction)


def _bce_logits(
    x: Var, t: Var, weight: Var | None = None, pos_weight: Var | None = None, reduction: int = MEAN
) -> Var:
    """(1 - t) x - (1 + (p - 1) t) log sigmoid(x), which is how torch computes it: the two may cancel."""
    yes = f.log_sigmoid(x)
    loss = (1.0 - t) * x - (yes if pos_weight is None else ((pos_weight - 1.0) * t + 1.0) * yes)
    return reduced(loss if weight is None else loss * weight, reduction)


def _nll(
    call: OperatorCall, x: Var, t: Var, weight: Var | None, reduction: int, ignore: int
) -> tuple[Var, Var]:
    """-w_t x_t where t is not ignored; the mean is weighted. x is (N, C, ...), or (C,)."""
    target = call.decided(t)
    wide = reshape(x, (1, *x.shape)) if x.ndim == 1 else x
    target = target.reshape(wide.shape[0], *wide.shape[2:])
    used = target != ignore
    chosen = np.where(used, target, 0)
    picked = take_along(wide, call.recorder.constant(chosen[:, None]), 1)
    weights = call.recorder.constant(used.astype(float), x.dtype)
    if weight is not None:
        weights = weights * weight[chosen]
    loss = -reshape(picked, chosen.shape) * weights
    total = reduce_sum(weights, range(weights.ndim))
    if reduction == NONE:
        return reshape(loss, call.shape), call.recorder.constant(np.zeros(()), x.dtype)
    summed = reduce_sum(loss, range(loss.ndim))
    return (summed / total if reduction == MEAN else summed), total


def _multi_margin(
    call: OperatorCall,
    x: Var,
    t: Var,
    p: float = 1,
    margin: float = 1,
    weight: Var | None = None,
    reduction: int = MEAN,
) -> Var:
    """sum over i != t of w_t max(0, margin - x_t + x_i)^p / C."""
    x = reshape(x, (1, x.size)) if x.ndim < 2 else x
    target = call.decided(t).reshape(-1)
    own = reshape(take_along(x, call.recorder.constant(target[:, None]), 1), (x.shape[0], 1))
    gap = f.maximum(float(margin) - own + x, 0.0)
    gap = gap if p == 1 else f.power(gap, float(p))
    if weight is not None:
        gap = gap * reshape(weight[target], (x.shape[0], 1))
    others = np.arange(x.shape[1])[None] != target[:, None]
    loss = reduce_sum(select(call.recorder.constant(others), gap, 0.0), (1,)) / float(x.shape[1])
    return reshape(reduced(loss, reduction), call.shape)


def _multilabel_margin(call: OperatorCall, x: Var, t: Var, reduction: int) -> tuple[Var, Var]:
    """sum over targets j and others i of max(0, 1 - x_j + x_i) / C; the targets end at the first -1.

    Also 1 for each target, which the backward gets.
    """
    classes = x.shape[-1] if x.ndim else 1
    rows, target = reshape(x, (x.size // classes, classes)), call.decided(t)
    losses, marks = [], np.zeros(rows.shape)
    for n, row in enumerate(target.reshape(rows.shape).tolist()):
        labels = row[: row.index(-1)] if -1 in row else row
        marks[n, labels] = 1
        others = [i for i in range(rows.shape[1]) if i not in labels]
        gap = f.maximum(
            1.0 - reshape(rows[n][labels], (len(labels), 1)) + reshape(rows[n][others], (1, len(others))), 0.0
        )
        losses.append(reshape(reduce_sum(gap, (0, 1)), (1,)) / float(rows.shape[1]))
    return reshape(reduced(concatenate(losses, 0), reduction), call.shape), call.constant(
        marks.reshape(target.shape)
    )


LOSSES: dict[str, Rule] = {
    "mse_loss": lambda x, t, reduction=MEAN: reduced(f.square(x - t), reduction),
    "smooth_l1_loss": _smooth_l1,
    "huber_loss": _huber,
    "binary_cross_entropy": _bce,
    "binary_cross_entropy_with_logits": _bce_logits,
    "soft_margin_loss": lambda x, t, reduction=MEAN: reduced(f.softplus(-t * x), reduction),
}

RULES: dict[str, Rule] = {
    **{name: promoted(rule) for name, rule in LOSSES.items()},
    "nll_loss_forward": _nll,
    "nll_loss2d_forward": _nll,
    "multi_margin_loss": _multi_margin,
    "multilabel_margin_loss_forward": _multilabel_margin,
}
