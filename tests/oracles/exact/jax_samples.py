"""JAX functions that between them use the rules that no single library function shows: indexing, windows,
loops, branches, factorizations. Each has a float64 gradient in JAX at its point."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name


def draw(*shape: int) -> Any:
    """Numbers with four decimals, all different."""
    rng = np.random.default_rng(sum(shape) + len(shape))
    return np.round(rng.permuted(np.linspace(-1.9, 2.1, int(np.prod(shape)))).reshape(shape), 4)


X, ROW, SQUARE = draw(3, 4), draw(4), draw(3, 3) + 3 * np.eye(3)
IMAGE, KERNEL = draw(2, 4, 5, 6), draw(6, 2, 3, 2)
MASK = np.array([True, False, True, True])
conv = lax.conv_general_dilated


def pool(x: Any, init: float, combine: Any, window: Any, strides: Any, padding: Any) -> Any:
    return lax.reduce_window(x, init, combine, window, strides, padding)


def scanned(carry: Any, rows: Any) -> Any:
    return lax.scan(lambda c, x: (jnp.tanh(c * x + 0.1), c * x), carry, rows, reverse=True)


def written(x: Any) -> Any:
    cell = jax.new_ref(x)
    place = jnp.argmax(x)
    cell[place] = cell[place] * x[0]
    cell[jnp.array([0, 2])] += x[:2]
    cell[1:3] = cell[1:3] ** 2
    return cell[...]


def written_in_a_loop(x: Any) -> Any:
    cell = jax.new_ref(jnp.zeros(()))

    def step(i: Any, carried: Any) -> Any:
        cell[...] += jnp.sin(x[i]) * cell[...] + x[i]
        return carried

    lax.fori_loop(0, 4, step, 0)
    return jax.freeze(cell)


def written_in_a_branch(x: Any) -> Any:
    cell = jax.new_ref(x)
    lax.cond(x[0] > 0, lambda: cell.__setitem__(0, x[1] * x[2]), lambda: cell.__setitem__(1, x[3] * x[3]))
    jax.jit(lambda c, y: c.__setitem__(slice(2), y[:2] * c[1:3]))(cell, x)
    return cell[...]


@jax.custom_vjp
def ruled(x: Any) -> Any:
    return jnp.sin(x)


ruled.defvjp(lambda x: (jnp.sin(x), jnp.cos(x)), lambda c, g: (g * c,))

SAMPLES: dict[str, tuple[Callable[..., Any], Any]] = {
    # -- indexing
    "x[i, 1:, j]": (lambda x: x[np.array([[0, 2], [1, 1]]), 1:, np.array([0, 3])], draw(3, 4, 5)),
    "x[-1]": (lambda x: x[jnp.array([-1, 0, -2])], X),
    "take fill": (lambda x: jnp.nan_to_num(jnp.take(x, jnp.array([0, 7, 2]), axis=0)), X),
    "take clip": (lambda x: jnp.take(x, jnp.array([0, 7, 2]), axis=1, mode="clip"), X),
    "take wrap": (lambda x: jnp.take(x, jnp.array([0, 7, 2]), axis=1, mode="wrap"), X),
    "take_along_axis": (lambda x: jnp.take_along_axis(x, jnp.argsort(x, axis=1), 1), X),
    "vmap x[i]": (lambda x: jax.vmap(lambda a, i: a[i])(x, jnp.array([2, 0, 1])), X),
    "vmap dynamic_slice": (
        lambda x: jax.vmap(lambda a, i: lax.dynamic_slice(a, (i,), (2,)))(x, jnp.array([2, 0, 9])),
        X,
    ),
    "x[argmax]": (lambda x: x[jnp.unravel_index(jnp.argmax(x), x.shape)] * x[0, 0], X),
    "x[argmin]": (lambda x: x[jnp.argmin(x)] * x[0], ROW),
    "roll by argmax": (lambda x: jnp.roll(x, jnp.argmax(x)), ROW),
    "integers @ x": (lambda x: (jnp.arange(6).reshape(2, 3) @ x, jnp.array([True, False, True]) @ x), X),
    "at set": (lambda x, y: x.at[1, ::2].set(y), X, draw(2)),
    "at set vmap": (
        lambda x, y: jax.vmap(lambda a, i, b: a.at[i].set(b))(x, jnp.array([1, 3, 0]), y),
        X,
        draw(3),
    ),
    "at add twice": (lambda x, y: x.at[jnp.array([0, 1, 0])].add(y), X, draw(3, 4) + 0.1),
    "at subtract": (lambda x, y: x.at[jnp.array([0, 1, 0])].subtract(y), X, draw(3, 4) + 0.1),
    "at multiply": (
        lambda x, y: x.at[jnp.array([0, 1])].multiply(y, unique_indices=True, indices_are_sorted=True),
        X,
        draw(2, 4),
    ),
    "at max": (lambda x, y: x.at[jnp.array([0, 2])].max(y), X, draw(2, 4)),
    "at min twice": (lambda x, y: x.at[jnp.array([0, 2, 0])].min(y), X, draw(3, 4)[::-1] + 0.01),
    "at drop": (lambda x, y: x.at[jnp.array([0, 9])].set(y, mode="drop"), X, draw(2, 4)),
    "dynamic_update_slice": (lambda x, y: lax.dynamic_update_slice(x, y, (1, 3)), X, draw(2, 2)),
    "segment_sum": (lambda x: jax.ops.segment_sum(x, jnp.array([0, 0, 2, 1]), 3), draw(4, 2)),
    "segment_max": (lambda x: jax.ops.segment_max(x, jnp.array([0, 0, 2, 1]), 3)[:2], draw(4, 2)),
    "sort by two keys": (
        lambda x, y: lax.sort((x, y), num_keys=2, dimension=0),
        np.array([1, 2, 1, 0]),
        ROW,
    ),
    "sort by integers": (lambda x: lax.sort((jnp.array([2, 1, 2, 0]), x), num_keys=1)[1], ROW),
    "top_k": (lambda x: lax.top_k(x, 2)[0], X),
    # -- windows
    "pad": (lambda x, v: lax.pad(x, v, ((-1, 2, 1), (2, -1, 0))), X, np.float64(0.7)),
    "conv1d": (
        lambda x, k: conv(x, k, (2,), [(1, 2)], lhs_dilation=(2,), rhs_dilation=(2,)),
        draw(2, 3, 9),
        draw(4, 3, 3),
    ),
    "conv cut": (lambda x, k: conv(x, k, (1,), [(-1, -2)]), draw(2, 3, 9), draw(4, 3, 3)),
    "conv2d groups": (lambda x, k: conv(x, k, (1, 2), "SAME", feature_group_count=2), IMAGE, KERNEL),
    "conv2d batch groups": (
        lambda x, k: conv(x, k, (1, 1), "VALID", batch_group_count=2),
        IMAGE,
        draw(6, 4, 3, 2),
    ),
    "conv_transpose": (
        lambda x, k: lax.conv_transpose(x, k, (2, 2), "SAME"),
        draw(2, 5, 6, 3),
        draw(3, 2, 3, 4),
    ),
    "conv3d": (lambda x, k: conv(x, k, (1, 1, 1), "VALID"), draw(1, 2, 3, 4, 3), draw(2, 2, 2, 2, 2)),
    "max pool": (lambda x: pool(x, -jnp.inf, lax.max, (1, 1, 2, 3), (1, 1, 2, 1), "SAME"), IMAGE),
    "min pool": (lambda x: pool(x, jnp.inf, lax.min, (1, 1, 2, 3), (1, 1, 2, 1), "VALID"), IMAGE),
    "sum pool": (lambda x: pool(x, 0.0, lax.add, (1, 1, 2, 3), (1, 1, 2, 1), "SAME"), IMAGE),
    "gradient of max pool": (
        jax.grad(lambda x: (pool(x, -jnp.inf, lax.max, (2,), (1,), "VALID") ** 3).sum()),
        ROW,
    ),
    "tangent of max pool": (
        lambda x: jax.jvp(
            lambda y: pool(y, -jnp.inf, lax.max, (2,), (1,), "VALID") ** 3, (x,), (jnp.cos(x),)
        )[1],
        ROW,
    ),
    # -- loops, branches, calls
    "scan": (scanned, draw(3), draw(5, 3)),
    "fori_loop": (lambda x: lax.fori_loop(0, 5, lambda i, c: jnp.sin(c) * i + c, x), ROW),
    "cond": (lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x), ROW),
    "switch": (lambda x: lax.switch(jnp.argmax(x), [jnp.sin, jnp.cos, jnp.exp, jnp.tanh], x), ROW),
    "vmap cond": (lambda x: jax.vmap(lambda a: lax.cond(a.sum() > 0, jnp.sin, jnp.cos, a))(x), X),
    "map": (lambda x: lax.map(lambda a: jnp.outer(a, a), x), X),
    "associative_scan": (lambda x: lax.associative_scan(jnp.multiply, x), ROW),
    "checkpoint": (jax.checkpoint(lambda x: checkpoint_name(jnp.sin(jnp.exp(x)), "kept")), ROW),
    "custom_vjp": (ruled, ROW),
    "stop_gradient": (lambda x: x * lax.stop_gradient(x), ROW),
    "inner gradient": (jax.grad(lambda x: (jnp.sinc(x) * jax.nn.sigmoid(x)).sum()), ROW),
    "jacfwd": (jax.jacfwd(lambda x: jnp.cumprod(x) * x[0]), ROW),
    "jacrev": (jax.jacrev(jax.nn.softmax), ROW),
    "reduce": (lambda x: lax.reduce(x, 0.0, lambda a, b: a + b + a * b, (1,)), X),
    "reduce of two": (
        lambda x: lax.reduce(
            (x, x * x), (0.0, -jnp.inf), lambda a, b: (a[0] + b[0], jnp.logaddexp(a[1], b[1])), (0, 1)
        ),
        X,
    ),
    # -- mutable arrays
    "written by position": (written, ROW),
    "written in a loop": (written_in_a_loop, ROW),
    "written in a branch and a call": (written_in_a_branch, ROW),
    "written under vmap": (jax.vmap(written), X),
    # -- linear algebra
    "linear solve of two": (
        lambda x, y: lax.custom_linear_solve(
            lambda v: (2 * v[0], SQUARE @ v[1]),
            (x, y),
            lambda _, b: (b[0] / 2, jnp.linalg.solve(SQUARE, b[1])),
            lambda _, b: (b[0] / 2, jnp.linalg.solve(SQUARE.T, b[1])),
        ),
        ROW,
        draw(3),
    ),
    "ragged_dot": (lambda x, y: lax.ragged_dot(x, y, jnp.array([2, 1])), X, draw(2, 4, 2)),
    "einsum": (lambda a, b: jnp.einsum("bij,bkj->ikb", a, b), draw(2, 3, 4), draw(2, 5, 4)),
    "solve": (jnp.linalg.solve, SQUARE, draw(3, 2)),
    "solve a vector, batched": (jnp.linalg.solve, np.stack([SQUARE, SQUARE.T]), draw(3)),
    "hypot vmap": (jax.vmap(jnp.hypot), draw(3), SQUARE),
    "logaddexp vmap of two axes": (jax.vmap(jnp.logaddexp, (0, 1)), draw(3, 3), SQUARE),
    "solve vmap": (jax.vmap(jnp.linalg.solve, (None, 1)), SQUARE, draw(3, 3)),
    "lu_solve": (
        lambda a, b: jax.scipy.linalg.lu_solve(jax.scipy.linalg.lu_factor(a), b),
        SQUARE[::-1].copy(),
        draw(3),
    ),
    "solve_triangular": (
        partial(jax.scipy.linalg.solve_triangular, trans=1, lower=True, unit_diagonal=True),
        SQUARE,
        draw(3, 2),
    ),
    "slogdet": (lambda a: jnp.linalg.slogdet(a)[1], np.stack([SQUARE, 2 * SQUARE])),
    "qr complete": (partial(jnp.linalg.qr, mode="complete"), SQUARE),
    "qr wide": (jnp.linalg.qr, X),
    "svd tall": (partial(jnp.linalg.svd, full_matrices=False), X.T),
    "eigh batched": (lambda a: jnp.linalg.eigh(a @ a.transpose(0, 2, 1)), np.stack([SQUARE, SQUARE + 1])),
    # -- the rest
    "gelu": (partial(jax.nn.gelu, approximate=False), ROW),
    "logsumexp where": (lambda x: jax.nn.logsumexp(x, axis=1, where=MASK), X),
    "softmax of -inf": (
        lambda x: jax.nn.softmax(jnp.where(jnp.tril(jnp.ones((3, 4), bool)), x, -jnp.inf)),
        X,
    ),
    "nanmean": (lambda x: jnp.nanmean(jnp.where(MASK, x, jnp.nan) * 2), X),
    "floor_divide": (lambda x, y: jnp.mod(x, y) + jnp.floor_divide(x, y), ROW, draw(4)[::-1] + 0.3),
    "bits": (
        lambda x: (
            x
            * ((jnp.arange(4) >> 1) & 1)
            * lax.clz(jnp.arange(4))
            * lax.bitcast_convert_type(jnp.arange(-2, 2, dtype=jnp.int32), jnp.uint8)[:, 0]
            * lax.bitcast_convert_type(jnp.arange(4), jnp.uint64)
        ),
        ROW,
    ),
    "betainc": (lambda x: jax.scipy.special.betainc(1.5, 2.5, x), abs(ROW) / 3),
    "gamma": (jax.scipy.special.gamma, np.array([-0.5, -1.3, 2.2])),
    "a column to a power": (lambda x: x**3.0 + jnp.power(x, -1.0), ROW),
    "dtypes": (lambda x: x.astype(jnp.bfloat16).astype(float) * 0 + x * jnp.floor(x * 3).astype(int), ROW),
}
