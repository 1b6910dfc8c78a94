"""What ATen's operators for neural networks are: activations, norms, attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from oracles.exact.from_aten.call import OperatorCall, Rule, logistic, plain, promoted, softplus
from oracles.exact.from_aten.memory import constant
from oracles.exact.program import functions as f
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import compare, convert, pi, scalar, select
from oracles.exact.program.primitives.arrays import index, reshape
from oracles.exact.program.primitives.linear_algebra import matmul, transpose
from oracles.exact.program.primitives.reductions import reduce_max
from oracles.exact.program.program import Var


def _elu(x: Var, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Var:
    """scale x above 0, scale alpha (e^(input_scale x) - 1) below."""
    below = scalar("expm1", f.minimum(x, 0.0) * float(input_scale)) * float(alpha)
    return select(compare("gt", x, 0.0), x, below) * float(scale)


def _gelu(x: Var, *, approximate: str = "none") -> Var:
    """x times the normal distribution's cdf, or x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2."""
    if approximate == "none":
        return f.gelu(x)
    inner = scalar("sqrt", 2.0 / pi(x.builder, x.dtype)) * (x + 0.044715 * scalar("power", x, 3))
    return 0.5 * x * (1.0 + scalar("tanh", inner))


def _softplus(x: Var, beta: float = 1, threshold: float = 20) -> Var:
    """log(1 + e^(beta x)) / beta. The default threshold is for the machine only; another is meant."""
    soft = softplus(x if beta == 1 else x * float(beta))
    soft = soft if beta == 1 else soft / float(beta)
    return soft if threshold == 20 else select(compare("gt", x * float(beta), float(threshold)), x, soft)


def _leaky(x: Var, slope: Any = 0.01) -> Var:
    return select(compare("gt", x, 0.0), x, x * slope)


def _glu(x: Var, dim: int = -1) -> Var:
    half = x.shape[dim] // 2
    a = index(x, lambda p: p.take(range(half), dim))
    return a * logistic(index(x, lambda p: p.take(range(half, 2 * half), dim)))


def _rrelu(
    x: Var, noise: Var, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, *_: Any
) -> Var:
    if training:
        raise Unsupported("random numbers have no derivative to prove; use rrelu in evaluation mode")
    return _leaky(x, (lower + upper) / 2)


def _safe_softmax(x: Var, dim: int, *_: Any, **__: Any) -> Var:
    """Softmax; 0 in a row where everything is -inf."""
    lowest = constant(x.builder, np.array(-np.inf), x.dtype)
    nothing = compare("eq", reduce_max(x, (dim,), keepdims=True), lowest)
    nothing = x.builder.broadcast(nothing, x.shape)
    return select(nothing, 0.0, f.softmax(select(nothing, 0.0, x), dim))


def normalized(x: Var, axes: Sequence[int], eps: float) -> tuple[Var, Var, Var]:
    """(x - mean) / sqrt(variance + eps), with the mean and the factor."""
    mean = f.mean(x, axes, keepdims=True)
    factor = scalar("rsqrt", f.variance(x, axes, keepdims=True) + eps)
    return (x - mean) * factor, mean, factor


def in_dtype_of(x: Var, *parameters: Var | None) -> list[Var | None]:
    """Parameters in the dtype of x: a norm of halves may have them in float32, and some kernels round all."""
    return [p if p is None else convert(p, x.dtype) for p in parameters]


def _affine(x: Var, *parameters: Var | None) -> Var:
    weight, bias = in_dtype_of(x, *parameters)
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _layer_norm(x: Var, shape: Sequence[int], weight: Var | None, bias: Var | None, eps: float) -> Any:
    out, mean, factor = normalized(x, range(x.ndim - len(shape), x.ndim), eps)
    return _affine(out, weight, bias), mean, factor


def _group_norm(
    x: Var, weight: Var | None, bias: Var | None, n: int, c: int, size: int, groups: int, eps: float
) -> Any:
    out, mean, factor = normalized(reshape(x, (n, groups, c // groups * size)), (2,), eps)
    wide = (1, c, *(1 for _ in x.shape[2:]))
    weight, bias = (v if v is None else reshape(v, wide) for v in (weight, bias))
    return (
        _affine(reshape(out, x.shape), weight, bias),
        reshape(mean, (n, groups)),
        reshape(factor, (n, groups)),
    )


def _batch_norm(
    call: OperatorCall,
    x: Var,
    weight: Var | None,
    bias: Var | None,
    mean: Var | None,
    variance: Var | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Any:
    """Over all axes but the second; in training the running statistics move towards the batch's."""
    axes, wide = [a for a in range(x.ndim) if a != 1], (1, x.shape[1], *(1 for _ in x.shape[2:]))
    weight, bias = (v if v is None else reshape(v, wide) for v in (weight, bias))
    if not training:
        mean, variance = in_dtype_of(x, mean, variance)
        assert mean is not None
        assert variance is not None
        out = (x - reshape(mean, wide)) * scalar("rsqrt", reshape(variance, wide) + eps)
        return (_affine(out, weight, bias),)
    out, batch, factor = normalized(x, axes, eps)
    for position, old, new in ((3, mean, f.mean(x, axes)), (4, variance, f.variance(x, axes, 1.0))):
        if old is not None:
            call.writes.append((call.args[position], old * (1.0 - momentum) + new * momentum))
    return _affine(out, weight, bias), reshape(batch, (x.shape[1],)), reshape(factor, (x.shape[1],))


def shared_heads(x: Var, q: Var) -> Var:
    """Keys or values, each head again for every head of the queries that it serves (Ainslie et al., 2023)."""
    heads, own = q.shape[-3], x.shape[-3]
    if heads == own:
        return x
    wide = reshape(x, (*x.shape[:-2], 1, *x.shape[-2:]))
    repeated = x.builder.broadcast(wide, (*x.shape[:-2], heads // own, *x.shape[-2:]))
    return reshape(repeated, (*x.shape[:-3], heads, *x.shape[-2:]))


def attention_scores(
    call: OperatorCall, q: Var, k: Var, causal: bool, mask: Var | None, scale: float | None
) -> tuple[Var, Any]:
    """q k^T scale + mask, and the scale, 1/sqrt(width) if none is given."""
    factor = scalar("rsqrt", call.constant(float(q.shape[-1]))) if scale is None else scale
    scores = matmul(q, transpose(k)) * factor
    if causal:
        below = np.tril(np.ones(scores.shape[-2:], bool))
        scores = select(
            call.recorder.constant(np.broadcast_to(below, scores.shape).copy()),
            scores,
            call.constant(-np.inf),
        )
    return scores if mask is None else scores + mask, factor


def _attention(
    call: OperatorCall,
    q: Var,
    k: Var,
    v: Var,
    dropout: float = 0.0,
    causal: bool = False,
    *_: Any,
    attn_mask: Var | None = None,
    scale: float | None = None,
) -> tuple[Var, Var]:
    """softmax(q k^T scale + mask) v, and the log-sum-exp of the scores."""
    if dropout:
        raise Unsupported("random numbers have no derivative to prove; set dropout_p to 0")
    k, v = shared_heads(k, q), shared_heads(v, q)
    scores, _ = attention_scores(call, q, k, causal, attn_mask, scale)
    return matmul(f.softmax(scores, -1), v), f.logsumexp(scores, (scores.ndim - 1,))


ACTIVATIONS: dict[str, Rule] = {
    "relu": lambda x: f.maximum(x, 0.0),
    "sigmoid": f.logistic,
    "log_sigmoid_forward": lambda x: (-softplus(-x), scalar("exp", -f.absolute(x))),
    "elu": _elu,
    "celu": lambda x, alpha=1.0: _elu(x, alpha, 1, 1 / alpha),
    "gelu": _gelu,
    "silu": lambda x: x * logistic(x),
    "mish": lambda x: x * scalar("tanh", softplus(x)),
    "softplus": _softplus,
    "hardtanh": lambda x, low=-1.0, high=1.0: f.clamp(x, float(low), float(high)),
    "hardsigmoid": lambda x: f.clamp(x + 3.0, 0.0, 6.0) / 6.0,
    "hardswish": lambda x: x * f.clamp(x + 3.0, 0.0, 6.0) / 6.0,
    "leaky_relu": _leaky,
    "_prelu_kernel": _leaky,
    "rrelu_with_noise": _rrelu,
    "threshold": lambda x, edge, value: select(compare("gt", x, float(edge)), x, float(value)),
    "softshrink": lambda x, width=0.5: f.maximum(x - float(width), 0.0) + f.minimum(x + float(width), 0.0),
    "hardshrink": lambda x, width=0.5: select(compare("gt", f.absolute(x), float(width)), x, 0.0),
    "glu": _glu,
    "_softmax": lambda x, dim, *_: f.softmax(x, dim) if x.ndim else x * 0.0 + 1.0,
    "_log_softmax": lambda x, dim, *_: f.log_softmax(x, dim) if x.ndim else x * 0.0,
    "_safe_softmax": _safe_softmax,
}

RULES: dict[str, Rule] = {
    **{name: promoted(rule) for name, rule in ACTIVATIONS.items()},
    "native_layer_norm": plain(_layer_norm),
    "native_group_norm": plain(_group_norm),
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit.no_stats": lambda call, x, weight, bias, training, momentum, eps: _batch_norm(
        call, x, weight, bias, None, None, True, momentum, eps
    ),
    "_batch_norm_with_update": lambda call, x, weight, bias, mean, variance, momentum, eps: _batch_norm(
        call, x, weight, bias, mean, variance, True, momentum, eps
    ),
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
}
