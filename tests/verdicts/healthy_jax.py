"""Rules in JAX that a naive proof accuses, and the functions that say what they mean."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from tests.verdicts.mutants_jax import Rule, custom


def bisected(x: Array, halvings: int) -> Array:
    """Sparsemax: max(x - tau, 0), with tau halved in until the rows sum to 1.

    tau moves with max(x) alone when this iteration is differentiated, so its own derivative is no gradient.
    """
    low = jnp.max(x, axis=-1, keepdims=True) - 1
    width = 1.0
    for _ in range(halvings):
        width = width / 2
        total = jnp.sum(jnp.maximum(x - (low + width), 0), axis=-1, keepdims=True)
        low = jnp.where(total >= 1, low + width, low)
    return jnp.maximum(x - low, 0)


def bisected_backward(p: Array, g: Array) -> Array:
    """The implicit function's: on the support, g minus its mean there."""
    support = p > 0
    mean = jnp.sum(jnp.where(support, g, 0), -1, keepdims=True) / jnp.sum(support, -1, keepdims=True)
    return jnp.where(support, g - mean, 0)


def _bisected_saving(x: Array, halvings: int) -> tuple[Array, Array]:
    p = bisected(x, halvings)
    return p, p


def sparsemax(halvings: int) -> Callable[[Array], Array]:
    forward = partial(bisected, halvings=halvings)
    return custom(Rule(forward, partial(_bisected_saving, halvings=halvings), bisected_backward))


def sparsemax_spec(x: Array) -> Array:
    """Sparsemax in closed form: tau from the sums of the largest entries."""
    z = -jnp.sort(-x, axis=-1)
    inside = 1 + jnp.arange(1, x.shape[-1] + 1) * z > jnp.cumsum(z, axis=-1)
    count = jnp.sum(inside, axis=-1, keepdims=True)
    tau = (jnp.sum(jnp.where(inside, z, 0), axis=-1, keepdims=True) - 1) / count
    return jnp.maximum(x - tau, 0)


def _rounded(x: Array) -> Array:
    return jnp.round(x)


straight_through = custom(Rule(_rounded, lambda x: (_rounded(x), None), lambda saved, g: g))


def _quantised(x: Array) -> Array:
    return jnp.clip(jnp.round(x * 8) / 8, -1, 1)


def clipped(x: Array) -> Array:
    """What fake quantisation declares to be the function whose gradient it gives."""
    return jnp.clip(x, -1, 1)


quantised = custom(
    Rule(_quantised, lambda x: (_quantised(x), x), lambda x, g: jnp.where(jnp.abs(x) <= 1, g, 0))
)


def gated(x: Array) -> Array:
    """x times a gate that is held: the derivative is the gate."""
    return x * jax.lax.stop_gradient(jax.nn.sigmoid(x))


gated_by_hand = custom(Rule(gated, lambda x: (gated(x), x), lambda x, g: g * jax.nn.sigmoid(x)))


def shifted_logsumexp(x: Array) -> Array:
    """The maximum is held, and its derivative would cancel anyway."""
    top = jax.lax.stop_gradient(jnp.max(x, axis=-1, keepdims=True))
    return jnp.log(jnp.sum(jnp.exp(x - top), axis=-1, keepdims=True)) + top


def straight_through_idiom(x: Array) -> Array:
    """The straight-through estimator without a custom rule: 1 is the derivative of this very program."""
    return x + jax.lax.stop_gradient(jnp.round(x) - x)


def _relu(x: Array) -> Array:
    return jnp.maximum(x, 0)


def relu(at_zero: float) -> Callable[[Array], Array]:
    """relu whose slope at exactly 0 is `at_zero`."""

    def backward(x: Array, g: Array) -> Array:
        return g * jnp.where(x > 0, 1.0, jnp.where(x < 0, 0.0, at_zero)).astype(x.dtype)

    return custom(Rule(_relu, lambda x: (_relu(x), x), backward))


def _newton(x: Array) -> Array:
    """1/sqrt(x) in three Newton steps from 1: smooth, and near 1 right to a few digits."""
    y = jnp.ones_like(x)
    for _ in range(3):
        y = y * (1.5 - 0.5 * x * y * y)
    return y


newton = custom(Rule(_newton, lambda x: (_newton(x), x), lambda x, g: -0.5 * g / (x * jnp.sqrt(x))))


def inverse_root(x: Array) -> Array:
    return 1 / jnp.sqrt(x)
