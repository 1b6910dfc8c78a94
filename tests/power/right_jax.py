"""Right gradients in JAX: everything of jax.nn, library functions with rules of their own, and forwards that
approximate, each beside what it takes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp

from tests.power.right import Right
from tests.verdicts import healthy_jax, mutants_jax

ALPHAS = (0.3, 1.0, 2.5)
ROWS = {"axis": (-1, 0)}


def _attention(q: Any, k: Any, v: Any, **options: Any) -> Any:
    """Of (batch, time, features), with one head."""
    q, k, v = (a[:, :, None, :] for a in (q, k, v))
    return jax.nn.dot_product_attention(q, k, v, **options)


def _implicit_root(x: Any) -> Any:
    """sqrt(x) by Newton's iteration, differentiated as the root of y^2 - x."""

    def solve(f: Any, start: Any) -> Any:
        y = start
        for _ in range(6):
            y = 0.5 * (y + x / y)
        return y

    return jax.lax.custom_root(
        lambda y: y * y - x, jnp.ones_like(x), solve, lambda g, y: y / g(jnp.ones_like(y))
    )


def _solved(x: Any, b: Any) -> Any:
    """b / x elementwise, as the solution of a linear system."""
    return jax.lax.custom_linear_solve(lambda y: x * y, b, lambda _, b: b / x, lambda _, b: b / x)


NN = {
    "jax.nn.relu": Right(jax.nn.relu, "x"),
    "jax.nn.relu6": Right(jax.nn.relu6, "x"),
    "jax.nn.sigmoid": Right(jax.nn.sigmoid, "x"),
    "jax.nn.softplus": Right(jax.nn.softplus, "x"),
    "jax.nn.sparse_plus": Right(jax.nn.sparse_plus, "x"),
    "jax.nn.sparse_sigmoid": Right(jax.nn.sparse_sigmoid, "x"),
    "jax.nn.soft_sign": Right(jax.nn.soft_sign, "x"),
    "jax.nn.silu": Right(jax.nn.silu, "x"),
    "jax.nn.log_sigmoid": Right(jax.nn.log_sigmoid, "x"),
    "jax.nn.leaky_relu": Right(jax.nn.leaky_relu, "x", {"negative_slope": (0.01, 0.2, 1.0)}),
    "jax.nn.hard_sigmoid": Right(jax.nn.hard_sigmoid, "x"),
    "jax.nn.hard_silu": Right(jax.nn.hard_silu, "x"),
    "jax.nn.hard_tanh": Right(jax.nn.hard_tanh, "x"),
    "jax.nn.tanh": Right(jax.nn.tanh, "x"),
    "jax.nn.elu": Right(jax.nn.elu, "x", {"alpha": ALPHAS}),
    "jax.nn.celu": Right(jax.nn.celu, "x", {"alpha": ALPHAS}),
    "jax.nn.selu": Right(jax.nn.selu, "x"),
    "jax.nn.gelu": Right(jax.nn.gelu, "x", {"approximate": (True, False)}),
    "jax.nn.glu": Right(lambda x: jax.nn.glu(jnp.concatenate([x, x[..., ::-1]], -1)), "x", least=1),
    "jax.nn.squareplus": Right(jax.nn.squareplus, "x", {"b": (4.0, 0.5)}),
    "jax.nn.mish": Right(jax.nn.mish, "x"),
    "jax.nn.identity": Right(jax.nn.identity, "x"),
    "jax.nn.log_softmax": Right(jax.nn.log_softmax, "x", ROWS, least=1),
    "jax.nn.softmax": Right(jax.nn.softmax, "x", ROWS, least=1),
    "jax.nn.logsumexp": Right(jax.nn.logsumexp, "x", ROWS, least=1),
    "jax.nn.logmeanexp": Right(jax.nn.logmeanexp, "x", ROWS, least=1),
    "jax.nn.standardize": Right(jax.nn.standardize, "x", ROWS, least=1),
    "jax.nn.standardize, stable": Right(
        lambda x, **o: jax.nn.standardize(x, algorithm="stable", **o), "x", ROWS, least=1
    ),
    "jax.nn.log1mexp": Right(jax.nn.log1mexp, "p"),
    "jax.nn.dot_product_attention": Right(_attention, "x x x", {"is_causal": (False, True)}, axes=3),
}
LIBRARY = {
    "jnp.logaddexp": Right(jnp.logaddexp, "x x"),
    "jnp.logaddexp2": Right(jnp.logaddexp2, "x x"),
    "jnp.hypot": Right(jnp.hypot, "x x"),
    "jnp.arctan2": Right(jnp.arctan2, "x x"),
    "jnp.power": Right(jnp.power, "p x"),
    "jnp.sinc": Right(jnp.sinc, "x"),
    "jnp.clip": Right(jnp.clip, "x", {"min": (-1.0, 0.1), "max": (0.5, 2.0)}),
    "jnp.cumprod": Right(jnp.cumprod, "x", ROWS, least=1),
    "jnp.prod": Right(jnp.prod, "x", ROWS, least=1),
    "jnp.std": Right(jnp.std, "x", ROWS, axes=2),
    "jnp.var": Right(jnp.var, "x", {**ROWS, "ddof": (0, 1)}, axes=2),
    "jnp.max": Right(jnp.max, "x", ROWS, least=1),
    "jnp.median": Right(jnp.median, "x", ROWS, least=1),
    "jnp.linalg.norm": Right(
        lambda x, p: jnp.linalg.norm(x, p, axis=-1), "x", {"p": (1, 2, 3)}, least=1
    ),
    "jsp.xlogy": Right(jsp.xlogy, "x p"),
    "jsp.xlog1py": Right(jsp.xlog1py, "x p"),
    "jsp.entr": Right(jsp.entr, "p"),
    "jsp.kl_div": Right(jsp.kl_div, "p p"),
    "jsp.rel_entr": Right(jsp.rel_entr, "p p"),
    "jsp.logsumexp": Right(lambda x, b, **o: jsp.logsumexp(x, b=b, **o), "x p", ROWS, least=1),
    "jsp.gammaln": Right(jsp.gammaln, "p"),
    "jsp.digamma": Right(jsp.digamma, "p"),
    "jsp.betaln": Right(jsp.betaln, "p p"),
    "jsp.log_ndtr": Right(jsp.log_ndtr, "x"),
    "jsp.ndtri": Right(jsp.ndtri, "u"),
    "jsp.erfinv": Right(jsp.erfinv, "u"),
    "jsp.logit": Right(jsp.logit, "u"),
    "jsp.i0e": Right(jsp.i0e, "x"),
    "jsp.i1": Right(jsp.i1, "x"),
    "jsp.expi": Right(jsp.expi, "p"),
    "jax.checkpoint": Right(jax.checkpoint(lambda x: jax.nn.silu(x) * x), "x"),
    "jax.lax.custom_root": Right(_implicit_root, "q", spec=jnp.sqrt),
    "jax.lax.custom_linear_solve": Right(_solved, "p x"),
}  # fmt: skip
OWN = {
    "silu by hand, jax": Right(mutants_jax.RIGHT["silu"], "x"),
    "softmax by hand, jax": Right(mutants_jax.RIGHT["softmax"], "x", least=1),
    "held gate, jax": Right(healthy_jax.gated, "x"),
    "held gate by hand, jax": Right(healthy_jax.gated_by_hand, "x"),
    "held maximum, jax": Right(healthy_jax.shifted_logsumexp, "x", least=1),
    "straight-through, jax": Right(healthy_jax.straight_through, "x", surrogate=lambda x: x * 1.0),
    "straight-through idiom, jax": Right(healthy_jax.straight_through_idiom, "x"),
    "fake quantisation, jax": Right(healthy_jax.quantised, "x", surrogate=healthy_jax.clipped),
    "sparsemax by halvings, jax": Right(
        healthy_jax.sparsemax(40), "x", least=1, spec=healthy_jax.sparsemax_spec
    ),
    "Newton's root, jax": Right(healthy_jax.newton, "q", spec=healthy_jax.inverse_root),
}  # fmt: skip
FUNCTIONS: dict[str, Right] = {**NN, **LIBRARY, **OWN}
