"""The corpus as `jax.custom_vjp` functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import erf

from tests.verdicts.corpus import EPS, GENERAL

Backward = Callable[[Any, Array], Array]


class Rule(NamedTuple):
    """A forward, the forward that saves what its backward needs, and the backward of (saved, cotangent)."""

    forward: Callable[[Array], Array]
    saving: Callable[[Array], tuple[Array, Any]]
    backward: Backward


def custom(rule: Rule) -> Callable[[Array], Array]:
    """The function that carries the rule."""
    function = jax.custom_vjp(rule.forward)
    function.defvjp(rule.saving, lambda saved, g: (rule.backward(saved, g),))
    return function


def softmax(x: Array) -> Array:
    e = jnp.exp(x - jnp.max(x, axis=-1, keepdims=True))
    return e / jnp.sum(e, axis=-1, keepdims=True)


def softmax_saving(x: Array) -> tuple[Array, Array]:
    y = softmax(x)
    return y, y


def softmax_backward(y: Array, g: Array) -> Array:
    return y * (g - jnp.sum(g * y, axis=-1, keepdims=True))


def normalised(x: Array) -> tuple[Array, Array]:
    """The rows at mean 0 and variance 1, and what they were multiplied by."""
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    rstd = jax.lax.rsqrt(jnp.mean(centred * centred, axis=-1, keepdims=True) + EPS)
    return centred * rstd, rstd


def layernorm(x: Array) -> Array:
    return normalised(x)[0]


def layernorm_saving(x: Array) -> tuple[Array, tuple[Array, Array]]:
    y, rstd = normalised(x)
    return y, (y, rstd)


def layernorm_backward(saved: tuple[Array, Array], g: Array) -> Array:
    y, rstd = saved
    return rstd * (g - jnp.mean(g, axis=-1, keepdims=True) - y * jnp.mean(g * y, axis=-1, keepdims=True))


def layernorm_without_mean(saved: tuple[Array, Array], g: Array) -> Array:
    y, rstd = saved
    return rstd * (g - y * jnp.mean(g * y, axis=-1, keepdims=True))


def layernorm_without_along(saved: tuple[Array, Array], g: Array) -> Array:
    _, rstd = saved
    return rstd * (g - jnp.mean(g, axis=-1, keepdims=True))


def _cdf(x: Array) -> Array:
    return 0.5 * (1 + erf(x * math.sqrt(0.5)))


def gelu(x: Array) -> Array:
    return x * _cdf(x)


def gelu_backward(x: Array, g: Array) -> Array:
    density = jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return g * (_cdf(x) + x * density)


def gelu_by_tanh(x: Array, g: Array) -> Array:
    scale = math.sqrt(2 / math.pi)
    t = jnp.tanh(scale * (x + 0.044715 * x * x * x))
    slope = scale * (1 + 3 * 0.044715 * x * x)
    return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope)


def silu(x: Array) -> Array:
    return x * jax.nn.sigmoid(x)


def silu_saving(x: Array) -> tuple[Array, tuple[Array, Array]]:
    s = jax.nn.sigmoid(x)
    return x * s, (x, s)


def silu_backward(saved: tuple[Array, Array], g: Array) -> Array:
    x, s = saved
    return g * (s + x * s * (1 - s))


CHANGES: dict[str, Callable[[Array], Array]] = {
    "zero": jnp.zeros_like,
    "x1.01": lambda dx: 1.01 * dx,
    "x1.1": lambda dx: 1.1 * dx,
    "neg": jnp.negative,
    "roll rows": lambda dx: jnp.roll(dx, 1, axis=0),
    "one elem=0": lambda dx: dx.ravel().at[dx.size // 2].set(0).reshape(dx.shape),
    "one row=0": lambda dx: dx.at[len(dx) // 2].set(0),
}


def _changed(backward: Backward, change: Callable[[Array], Array]) -> Backward:
    return lambda saved, g: change(backward(saved, g))


RULES = {
    "softmax": Rule(softmax, softmax_saving, softmax_backward),
    "layernorm": Rule(layernorm, layernorm_saving, layernorm_backward),
    "gelu": Rule(gelu, lambda x: (gelu(x), x), gelu_backward),
    "silu": Rule(silu, silu_saving, silu_backward),
}
PLAIN = {name: rule.forward for name, rule in RULES.items()}
WRONG: dict[tuple[str, str], Backward] = {
    **{
        (name, mutant): _changed(rule.backward, CHANGES[mutant])
        for name, rule in RULES.items()
        for mutant in GENERAL
    },
    ("softmax", "no sum term"): lambda y, g: y * g,
    ("layernorm", "no mean(g)"): layernorm_without_mean,
    ("layernorm", "no y mean(g y)"): layernorm_without_along,
    ("gelu", "tanh-approx backward"): gelu_by_tanh,
    ("silu", "no x s (1 - s)"): lambda saved, g: g * saved[1],
}
RIGHT = {name: custom(rule) for name, rule in RULES.items()}
MUTANTS = {
    (name, mutant): custom(RULES[name]._replace(backward=backward))
    for (name, mutant), backward in WRONG.items()
}
