"""The catalogue in JAX, written from the definitions with JAX's own functions.

Nothing here is a copy of the NumPy code: it must be able to disagree with it.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

GUARD = 1e-7  # inside the logarithm of the document's cross entropy


def function_2(x: Array) -> Array:
    """x_0^2 + x_1^2."""
    return jnp.square(x[0]) + jnp.square(x[1])


def step_function(x: Array) -> Array:
    """1 where x > 0, as an integer."""
    return (x > 0).astype(int)


def sigmoid_grad(x: Array) -> Array:
    """The derivative of JAX's own sigmoid, by forward mode."""
    slope: Array = jax.jvp(jax.nn.sigmoid, (x,), (jnp.ones_like(x),))[1]
    return slope


def softmax(x: Array) -> Array:
    """Over the last axis."""
    return jax.nn.softmax(x, axis=-1)


def mean_squared_error(y: Array, t: Array) -> Array:
    """Half the squared distance."""
    return jnp.vdot(y - t, y - t) / 2


def cross_entropy_error(y: Array, t: Array) -> Array:
    """Minus the mean logarithm of the probability of the right class."""
    picked = jnp.take_along_axis(y, _classes(y, t)[..., None], axis=-1)
    return -jnp.log(picked + GUARD).mean()


def softmax_loss(x: Array, t: Array) -> Array:
    """The cross entropy of the softmax."""
    return cross_entropy_error(softmax(x), t)


def simple_net(w: Array, x: Array, t: Array) -> Array:
    """The loss of one linear layer."""
    return softmax_loss(x @ w, t)


def two_layer_net(w1: Array, b1: Array, w2: Array, b2: Array, x: Array, t: Array) -> Array:
    """The loss of linear, sigmoid, linear."""
    return softmax_loss(jax.nn.sigmoid(x @ w1 + b1) @ w2 + b2, t)


def _classes(y: Array, t: Array) -> Array:
    return t.argmax(axis=-1) if t.ndim == y.ndim else t


FUNCTIONS: dict[str, Callable[..., Array]] = {
    "function_2": function_2,
    "identity_function": lambda x: x,
    "step_function": step_function,
    "sigmoid": jax.nn.sigmoid,
    "sigmoid_grad": sigmoid_grad,
    "swish": jax.nn.silu,
    "relu": jax.nn.relu,
    "softmax": softmax,
    "mean_squared_error": mean_squared_error,
    "cross_entropy_error": cross_entropy_error,
    "softmax_loss": softmax_loss,
    "simple_net": simple_net,
    "two_layer_net": two_layer_net,
}
