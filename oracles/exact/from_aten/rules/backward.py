"""What ATen's backward kernels are, for functions that differentiate inside.

Most are the transposed derivative of the forward's own rule; those that get saved results instead of what the
forward got are written out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from oracles.exact.from_aten.call import OperatorCall, Rule, logistic, plain, promoted, softplus, words
from oracles.exact.from_aten.rules.losses import MEAN
from oracles.exact.from_aten.rules.networks import attention_scores, shared_heads
from oracles.exact.from_aten.rules.pullback import pulled
from oracles.exact.from_aten.rules.reductions import beside
from oracles.exact.program import functions as f
from oracles.exact.program.primitives import compare, convert, scalar, select
from oracles.exact.program.primitives.arrays import concatenate, index, reduce_sum, reshape, scatter_add
from oracles.exact.program.primitives.linear_algebra import matmul, transpose
from oracles.exact.program.program import Var


def _of(forward: str, drop: int = 0) -> Rule:
    """backward(gradient, what the forward got, and `drop` saved results)."""

    def rule(call: OperatorCall, gradient: Var, *operands: Any, **kwargs: Any) -> Var:
        own = operands[: len(operands) - drop]
        return pulled(call, forward, gradient, own, **kwargs)[0]

    return rule


def _resampled(forward: str) -> Rule:
    """backward(gradient, output size, input size, ...)."""

    def rule(call: OperatorCall, gradient: Var, out: Any, size: Sequence[int], *rest: Any) -> Var:
        image = call.recorder.broadcast(call.constant(0.0), tuple(size))
        return pulled(call, forward, gradient, (image, out, *rest))[0]

    return rule


def _elu(gradient: Var, alpha: float, scale: float, input_scale: float, is_result: bool, x: Var) -> Var:
    """From the input, or from the result where the forward overwrote its input."""
    if x.dtype != "float64" and np.float32(input_scale) == np.float32(1 / alpha):
        input_scale = 1 / alpha  # celu's has float32's digits, which are all that the kernel has here
    if is_result:
        below = (x + alpha * scale) * float(input_scale)
    else:
        below = scalar("exp", f.minimum(x, 0.0) * float(input_scale)) * float(alpha * scale * input_scale)
    return gradient * select(compare("gt", x, 0.0), float(scale), below)


def _glu(gradient: Var, x: Var, dim: int) -> Var:
    """g s and g a (1 - s) s, with the sigmoid s as it was rounded."""
    half = x.shape[dim] // 2
    a = index(x, lambda p: p.take(range(half), dim))
    s = logistic(index(x, lambda p: p.take(range(half, 2 * half), dim)))
    return concatenate((gradient * s, gradient * a * ((1.0 - s) * s)), dim % x.ndim)


def _silu(gradient: Var, x: Var) -> Var:
    """g s (1 + x (1 - s)) with the sigmoid s, as the kernel has it."""
    s = logistic(x)
    return gradient * s * (1.0 + x * (1.0 - s))


def _mish(gradient: Var, x: Var) -> Var:
    """g (t + x s (1 - t^2)) with the sigmoid s and t = tanh(softplus(x)), as the kernel has it."""
    t = scalar("tanh", softplus(x))
    return gradient * (t + x * logistic(x) * (1.0 - t * t))


def _softplus(gradient: Var, x: Var, beta: float, threshold: float) -> Var:
    """g sigmoid(beta x). The default threshold is for the machine only; another is meant."""
    inner = x if beta == 1 else x * float(beta)
    soft = gradient * logistic(inner)
    return soft if threshold == 20 else select(compare("gt", inner, float(threshold)), gradient, soft)


def _share(gradient: Var, x: Var, reduction: int) -> tuple[Var, float]:
    """The gradient of a loss in the shape of its elements, and the part that each has in a mean."""
    return x.builder.broadcast(gradient, x.shape), 1.0 / x.size if reduction == MEAN else 1.0


def _mse(gradient: Var, x: Var, t: Var, reduction: int) -> Var:
    gradient, share = _share(gradient, x, reduction)
    return (2.0 * share) * (x - t) * gradient


def _smooth_l1(gradient: Var, x: Var, t: Var, reduction: int, beta: float) -> Var:
    """d / beta where |d| < beta, else the sign of d."""
    (gradient, share), d = _share(gradient, x, reduction), x - t
    outside = share * gradient * f.step("sign", d)
    if beta == 0:
        return outside
    return select(compare("lt", f.absolute(d), float(beta)), share * d * gradient / float(beta), outside)


def _huber(gradient: Var, x: Var, t: Var, reduction: int, delta: float) -> Var:
    """d where |d| <= delta, else delta times the sign of d."""
    (gradient, share), d = _share(gradient, x, reduction), x - t
    outside = share * gradient * float(delta) * f.step("sign", d)
    return select(compare("le", f.absolute(d), float(delta)), share * d * gradient, outside)


def _prelu(call: OperatorCall, gradient: Var, x: Var, weight: Var) -> tuple[Var, Var]:
    """The second one is summed to the shape of the weight later, but for mkldnn tensors."""
    above, shape = compare("gt", x, 0.0), tuple(call.results[1].shape)
    of_weight = gradient * select(above, 0.0, x)
    summed = [axis for axis in range(x.ndim) if shape[axis] < x.shape[axis]]
    return (
        gradient * select(above, 1.0, gradient * 0.0 + weight),
        reduce_sum(of_weight, summed, keepdims=True) if summed else of_weight,
    )


def _softmax(gradient: Var, y: Var, dim: int, *_: Any) -> Var:
    """y (g - sum g y)."""
    return y * (gradient - reduce_sum(gradient * y, (dim,), keepdims=True)) if y.ndim else gradient * 0.0


def _log_softmax(gradient: Var, y: Var, dim: int, *_: Any) -> Var:
    """g - e^y sum g."""
    if not y.ndim:
        return gradient * 0.0
    return gradient - scalar("exp", y) * reduce_sum(gradient, (dim,), keepdims=True)


def _of_norm(rule: Callable[..., list[Var | None]]) -> Rule:
    """Of halves with float32 parameters (see `in_dtype_of`), whose gradients are float32."""

    def own(gradient: Var, x: Var, *operands: Any) -> list[Var | None]:
        wide = next((o.dtype for o in operands if isinstance(o, Var)), x.dtype)
        moved = [convert(o, x.dtype) if isinstance(o, Var) else o for o in operands]
        of_x, *others = rule(gradient, x, *moved)
        return [of_x, *(g if g is None else convert(g, wide) for g in others)]

    return plain(own)


def _normalized(gradient: Var, x: Var, mean: Var, factor: Var, axes: Sequence[int]) -> Var:
    """With z = (x - mean) factor: factor (g - mean(g) - z mean(g z))."""
    z = (x - mean) * factor
    return factor * (gradient - f.mean(gradient, axes, True) - z * f.mean(gradient * z, axes, True))


def _layer_norm(
    gradient: Var,
    x: Var,
    shape: Sequence[int],
    mean: Var,
    factor: Var,
    weight: Var | None,
    bias: Any,
    mask: Any,
) -> list[Var | None]:
    axes, lead = range(x.ndim - len(shape), x.ndim), range(x.ndim - len(shape))
    inner = gradient if weight is None else gradient * weight
    z = (x - mean) * factor
    return [
        _normalized(inner, x, mean, factor, axes) if mask[0] else None,
        reduce_sum(gradient * z, lead) if mask[1] else None,
        reduce_sum(gradient, lead) if mask[2] else None,
    ]


def _group_norm(
    gradient: Var,
    x: Var,
    mean: Var,
    factor: Var,
    weight: Var | None,
    n: int,
    c: int,
    size: int,
    groups: int,
    mask: Any,
) -> list[Var | None]:
    shape, whole = (n, groups, c // groups * size), (n, c, size)
    inner = reshape(gradient, whole)
    inner = inner if weight is None else inner * reshape(weight, (1, c, 1))
    x_, mean, factor = reshape(x, shape), reshape(mean, (n, groups, 1)), reshape(factor, (n, groups, 1))
    z = reshape((x_ - mean) * factor, whole)
    moved = _normalized(reshape(inner, shape), x_, mean, factor, (2,))
    return [
        reshape(moved, x.shape) if mask[0] else None,
        reduce_sum(reshape(gradient, whole) * z, (0, 2)) if mask[1] else None,
        reduce_sum(reshape(gradient, whole), (0, 2)) if mask[2] else None,
    ]


def _batch_norm(
    gradient: Var,
    x: Var,
    weight: Var | None,
    running_mean: Var | None,
    running_var: Var | None,
    mean: Var | None,
    factor: Var | None,
    training: bool,
    eps: float,
    mask: Any,
    *_: Any,
) -> list[Var | None]:
    axes, wide = [a for a in range(x.ndim) if a != 1], (1, x.shape[1], *(1 for _ in x.shape[2:]))
    inner = gradient if weight is None else gradient * reshape(weight, wide)
    if not training:
        assert running_mean is not None
        assert running_var is not None
        mean, factor = running_mean, scalar("rsqrt", running_var + eps)
    assert mean is not None
    assert factor is not None
    mean, factor = reshape(mean, wide), reshape(factor, wide)
    return [
        (_normalized(inner, x, mean, factor, axes) if training else inner * factor) if mask[0] else None,
        reduce_sum(gradient * ((x - mean) * factor), axes) if mask[1] else None,
        reduce_sum(gradient, axes) if mask[2] else None,
    ]


def _convolution(
    call: OperatorCall, gradient: Var, x: Var, weight: Var, bias: Any, *rest: Any
) -> list[Var | None]:
    *static, mask = rest
    both = pulled(call, "convolution", gradient, (x, weight, None, *static), (0, 1))
    axes = [a for a in range(gradient.ndim) if a != 1]
    return [
        *(b if m else None for b, m in zip(both, mask, strict=False)),
        reduce_sum(gradient, axes) if mask[2] else None,
    ]


def _max_pool(n: int) -> Rule:
    """Each gradient goes where the largest element was."""

    def rule(call: OperatorCall, gradient: Var, x: Var, *rest: Any) -> Var:
        lead, volume = x.shape[:-n], math.prod(x.shape[-n:])
        first = np.arange(math.prod(lead)).reshape(*lead, *(1 for _ in range(n))) * volume
        return scatter_add(gradient, call.decided(rest[-1]) + first, x.shape)

    return rule


def _grid_sampler(forward: str) -> Rule:
    """backward(gradient, image, grid, ...): of both."""
    return lambda call, gradient, *operands: pulled(call, forward, gradient, operands[:5], (0, 1))


def _attention(
    call: OperatorCall,
    gradient: Var,
    q: Var,
    k: Var,
    v: Var,
    out: Var,
    total: Var,
    dropout: float,
    causal: bool,
    *,
    attn_mask: Var | None = None,
    scale: float | None = None,
) -> tuple[Var, Var, Var]:
    """From the saved log-sum-exp, p = e^(scores - total), and not from a softmax (Dao et al., 2022, B.2)."""
    keys, values = shared_heads(k, q), shared_heads(v, q)
    scores, factor = attention_scores(call, q, keys, causal, attn_mask, scale)
    p = scalar("exp", scores - reshape(total, (*total.shape, 1)))
    inner = matmul(gradient, transpose(values)) - reduce_sum(gradient * out, (out.ndim - 1,), keepdims=True)
    moved = p * inner * factor
    of_keys, of_values = matmul(transpose(moved), q), matmul(transpose(p), gradient)
    return matmul(moved, keys), _of_shared(of_keys, k), _of_shared(of_values, v)


def _of_shared(gradient: Var, x: Var) -> Var:
    """Summed over the queries' heads that a head of keys or values serves."""
    if gradient.shape == x.shape:
        return gradient
    served = gradient.shape[-3] // x.shape[-3]
    each = reshape(gradient, (*x.shape[:-2], served, *x.shape[-2:]))
    return reduce_sum(each, (each.ndim - 3,))


def _embedding(
    call: OperatorCall, gradient: Var, indices: Var, rows: int, padding: int, by_frequency: bool
) -> Var:
    """Every row's gradients summed; none for the padding."""
    at, width = call.decided(indices)[..., None], gradient.shape[-1]
    where = np.where(at == padding, -1, at * width + np.arange(width))
    if by_frequency:
        gradient = gradient / np.bincount(at.ravel())[at].astype(float)
    return scatter_add(gradient, where, (rows, width))


def _unfold(gradient: Var, size: Sequence[int], dim: int, width: int, step: int) -> Var:
    where = torch.arange(math.prod(size)).reshape(tuple(size)).unfold(dim, width, step)
    return scatter_add(gradient, where.numpy(), tuple(size))


def _directions(difference: Var, distance: Var, gradient: Var) -> Var:
    """g d / |d|, and 0 where the distance is 0, as the kernel has it."""
    some = compare("gt", distance, 0.0)
    share = select(some, gradient / select(some, distance, 1.0), 0.0)
    return difference * reshape(share, (*share.shape, 1))


def _cdist(call: OperatorCall, gradient: Var, x: Var, y: Var, p: float, distance: Var) -> Var:
    if p != 2:
        return pulled(call, "_cdist_forward", gradient, (x, y, p, None))[0]
    rows, columns = beside(x, y)
    return reduce_sum(_directions(rows - columns, distance, gradient), (distance.ndim - 1,))


def _pdist(call: OperatorCall, gradient: Var, x: Var, p: float, distance: Var) -> Var:
    if p != 2:
        return pulled(call, "_pdist_forward", gradient, (x, p))[0]
    first, second = np.triu_indices(x.shape[0], 1)
    found = _directions(x[first] - x[second], distance, gradient)
    where = np.concatenate([first, second])[:, None] * x.shape[1] + np.arange(x.shape[1])
    return scatter_add(concatenate((found, -found), 0), where, x.shape)


_SAME = words(
    "gelu hardtanh hardswish hardsigmoid logit softshrink hardshrink"
    " binary_cross_entropy soft_margin_loss multi_margin_loss avg_pool2d avg_pool3d"
    " _adaptive_avg_pool2d _adaptive_avg_pool3d reflection_pad1d reflection_pad2d reflection_pad3d"
    " replication_pad1d replication_pad2d replication_pad3d"
)
_FORWARDS = words("multilabel_margin_loss nll_loss nll_loss2d")
_RESAMPLERS = words(
    "upsample_linear1d upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d upsample_nearest1d"
    " upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d _upsample_nearest_exact2d"
    " _upsample_nearest_exact3d"
)

RULES: dict[str, Rule] = {
    **{f"{name}_backward": _of(name) for name in _SAME},
    **{f"{name}_backward": _of(name, drop=1) for name in ("leaky_relu", "rrelu_with_noise")},
    **{f"{name}_backward": _of(f"{name}_forward", drop=1) for name in _FORWARDS},
    **{f"{name}_backward": _resampled(name) for name in _RESAMPLERS},
    "_cdist_backward": _cdist,
    "_pdist_backward": _pdist,
    "glu_backward": plain(_glu),
    "silu_backward": promoted(_silu),
    "mish_backward": promoted(_mish),
    "softplus_backward": promoted(_softplus),
    "log_sigmoid_backward": promoted(lambda g, x, saved: g * logistic(-x)),
    "mse_loss_backward": promoted(_mse),
    "smooth_l1_loss_backward": promoted(_smooth_l1),
    "huber_loss_backward": promoted(_huber),
    "sigmoid_backward": promoted(lambda g, y: g * y * (1.0 - y)),
    "tanh_backward": promoted(lambda g, y: g * (1.0 - f.square(y))),
    "threshold_backward": plain(lambda g, x, edge: select(compare("gt", x, float(edge)), g, 0.0)),
    "elu_backward": plain(_elu),
    "_softmax_backward_data": plain(_softmax),
    "_log_softmax_backward_data": plain(_log_softmax),
    "native_dropout_backward": promoted(lambda g, mask, scale: g * mask * scale),
    "native_layer_norm_backward": _of_norm(_layer_norm),
    "native_group_norm_backward": _of_norm(_group_norm),
    **dict.fromkeys(("native_batch_norm_backward", "batch_norm_backward"), _of_norm(_batch_norm)),
    "convolution_backward": _convolution,
    **{f"max_pool{n}d_with_indices_backward": _max_pool(n) for n in (2, 3)},
    **{f"adaptive_max_pool{n}d_backward": _max_pool(n) for n in (2, 3)},
    "_prelu_kernel_backward": _prelu,
    **{f"grid_sampler_{n}d_backward": _grid_sampler(f"grid_sampler_{n}d") for n in (2, 3)},
    "_scaled_dot_product_flash_attention_for_cpu_backward": _attention,
    "embedding_dense_backward": _embedding,
    "unfold_backward": plain(_unfold),
}
