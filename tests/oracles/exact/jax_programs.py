"""Healthy JAX programs and their arguments, for what is said about programs as a whole."""

import jax
import jax.numpy as jnp
import numpy as np


def layernorm(x, g, b):
    """With the usual guard."""
    centred = x - jnp.mean(x, -1, keepdims=True)
    variance = jnp.mean(jnp.square(centred), -1, keepdims=True)
    return centred * jax.lax.rsqrt(variance + 1e-5) * g + b


def attention(q, k, v):
    """Of one head."""
    scores = q @ k.T / jnp.sqrt(q.shape[-1]).astype(q.dtype)
    return jax.nn.softmax(scores, -1) @ v


def causal(q, k, v):
    """Attention to what came before."""
    scores = q @ k.T / jnp.asarray(q.shape[-1] ** 0.5, q.dtype)
    before = jnp.tril(jnp.ones(scores.shape, bool))
    return jax.nn.softmax(jnp.where(before, scores, -jnp.inf), -1) @ v


def mlp(x, w1, b1, w2, b2):
    """Two layers."""
    return jax.nn.sigmoid(x @ w1 + b1) @ w2 + b2


def cross_entropy(x, t):
    """Of logits and labels."""
    return -jnp.take_along_axis(jax.nn.log_softmax(x, -1), t[:, None], -1).mean()


PROGRAMS = {
    "softmax": lambda x: jax.nn.softmax(x, -1),
    "softmax of scores": lambda x: jax.nn.softmax(x @ x.T / 3.0, -1),
    "log_softmax": lambda x: jax.nn.log_softmax(x, -1),
    "logsumexp": lambda x: jax.nn.logsumexp(x, -1),
    "layernorm": layernorm,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu tanh": lambda x: jax.nn.gelu(x, approximate=True),
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "attention": attention,
    "causal": causal,
    "mlp": mlp,
    "cumsum": lambda x: jnp.cumsum(x, -1),
    "var": lambda x: jnp.var(x, -1),
    "mse": lambda y, t: jnp.mean((y - t) ** 2),
    "cross_entropy": cross_entropy,
    "i0e": jax.scipy.special.i0e,
    "expm1": jnp.expm1,
    "log1p": lambda x: jnp.log1p(jnp.abs(x)),
    "sinc": jnp.sinc,
    "max": lambda x: jnp.max(x, -1),
    "clip": lambda x: jnp.clip(x, -1, 1),
    "relu": lambda x: jnp.where(x > 0, x, 0),
}
_SHAPES = {
    "attention": lambda n, d: [(n, d)] * 3,
    "causal": lambda n, d: [(n, d)] * 3,
    "mlp": lambda n, d: [(n, d), (d, 6), (6,), (6, 4), (4,)],
    "layernorm": lambda n, d: [(n, d), (d,), (d,)],
    "mse": lambda n, d: [(n, d)] * 2,
}


def arguments(name, shape, dtype, seed=0, change=lambda x: x):
    """The function, its arguments and which are differentiated; `change` is made to the first, in float64."""
    rng = np.random.default_rng(seed)
    shapes = _SHAPES.get(name, lambda n, d: [(n, d)])(*shape)
    drawn = [rng.normal(size=s) for s in shapes]
    args = [x.astype(jnp.dtype(dtype)) for x in (change(drawn[0]), *drawn[1:])]
    argnums = tuple(range(len(args)))
    if name == "cross_entropy":
        args.append(rng.integers(0, shape[1], shape[0]).astype(np.int32))
    return PROGRAMS[name], tuple(args), argnums
