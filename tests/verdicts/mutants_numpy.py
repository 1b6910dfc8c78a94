"""The corpus in plain NumPy: `forward(x)` and `vjp(cotangent, x)` keep the dtype of x.

A Python number lifts bfloat16 to float32 (ml_dtypes), so what uses one is rounded back at its end. Sums are
kept in float32 at the least: over rows of 1,024, NumPy's own bfloat16 sum stands still, and a softmax made of
it is rightly called imprecise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import erf  # type: ignore[import-untyped]

from tests.verdicts.corpus import EPS, GENERAL, Implementation

Vjp = Callable[[Any, Any], Any]


def _sum(x: Any) -> Any:
    return x.sum(axis=-1, keepdims=True, dtype=np.promote_types(x.dtype, np.float32))


def _mean(x: Any) -> Any:
    return x.mean(axis=-1, keepdims=True, dtype=np.promote_types(x.dtype, np.float32))


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return (e / _sum(e)).astype(x.dtype)


def softmax_vjp(cotangent: Any, x: Any) -> Any:
    y = softmax(x)
    return (y * (cotangent - _sum(cotangent * y))).astype(x.dtype)


def softmax_without_sum(cotangent: Any, x: Any) -> Any:
    return softmax(x) * cotangent


def _normalised(x: Any) -> tuple[Any, Any]:
    """The rows at mean 0 and variance 1, and what they were multiplied by."""
    centred = x - _mean(x)
    rstd = 1 / np.sqrt(_mean(centred * centred) + EPS)
    return centred * rstd, rstd


def layernorm(x: Any) -> Any:
    return _normalised(x)[0].astype(x.dtype)


def layernorm_vjp(cotangent: Any, x: Any) -> Any:
    y, rstd = _normalised(x)
    mean = _mean(cotangent)
    along = _mean(cotangent * y)
    return (rstd * (cotangent - mean - y * along)).astype(x.dtype)


def layernorm_without_mean(cotangent: Any, x: Any) -> Any:
    y, rstd = _normalised(x)
    return (rstd * (cotangent - y * _mean(cotangent * y))).astype(x.dtype)


def layernorm_without_along(cotangent: Any, x: Any) -> Any:
    _, rstd = _normalised(x)
    return (rstd * (cotangent - _mean(cotangent))).astype(x.dtype)


def _cdf(x: Any) -> Any:
    return 0.5 * (1 + erf(x * math.sqrt(0.5)))


def gelu(x: Any) -> Any:
    return (x * _cdf(x)).astype(x.dtype)


def gelu_vjp(cotangent: Any, x: Any) -> Any:
    density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return (cotangent * (_cdf(x) + x * density)).astype(x.dtype)


def gelu_by_tanh(cotangent: Any, x: Any) -> Any:
    scale = math.sqrt(2 / math.pi)
    t = np.tanh(scale * (x + 0.044715 * x * x * x))
    slope = scale * (1 + 3 * 0.044715 * x * x)
    return (cotangent * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope)).astype(x.dtype)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def silu(x: Any) -> Any:
    return x * _sigmoid(x)


def silu_vjp(cotangent: Any, x: Any) -> Any:
    s = _sigmoid(x)
    return cotangent * (s + x * s * (1 - s))


def silu_without_slope(cotangent: Any, x: Any) -> Any:
    return cotangent * _sigmoid(x)


def _scaled(dx: Any, factor: float) -> Any:
    return (factor * dx).astype(dx.dtype)


def _without_element(dx: Any) -> Any:
    dx = dx.copy()
    dx.reshape(-1)[dx.size // 2] = 0
    return dx


def _without_row(dx: Any) -> Any:
    dx = dx.copy()
    dx[len(dx) // 2] = 0
    return dx


CHANGES: dict[str, Callable[[Any], Any]] = {
    "zero": lambda dx: 0 * dx,
    "x1.01": lambda dx: _scaled(dx, 1.01),
    "x1.1": lambda dx: _scaled(dx, 1.1),
    "neg": lambda dx: -dx,
    "roll rows": lambda dx: np.roll(dx, 1, axis=0),
    "one elem=0": _without_element,
    "one row=0": _without_row,
}


def _changed(vjp: Vjp, change: Callable[[Any], Any]) -> Vjp:
    return lambda cotangent, x: change(vjp(cotangent, x))


RIGHT = {
    "softmax": Implementation(softmax, softmax_vjp),
    "layernorm": Implementation(layernorm, layernorm_vjp),
    "gelu": Implementation(gelu, gelu_vjp),
    "silu": Implementation(silu, silu_vjp),
}
MUTANTS = {
    **{
        (name, mutant): Implementation(right.forward, _changed(right.vjp, CHANGES[mutant]))
        for name, right in RIGHT.items()
        for mutant in GENERAL
    },
    ("softmax", "no sum term"): Implementation(softmax, softmax_without_sum),
    ("layernorm", "no mean(g)"): Implementation(layernorm, layernorm_without_mean),
    ("layernorm", "no y mean(g y)"): Implementation(layernorm, layernorm_without_along),
    ("gelu", "tanh-approx backward"): Implementation(gelu, gelu_by_tanh),
    ("silu", "no x s (1 - s)"): Implementation(silu, silu_without_slope),
}
