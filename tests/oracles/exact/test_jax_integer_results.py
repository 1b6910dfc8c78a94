"""A rule by hand of a function that has integers among its results: their cotangents hold nothing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from harness import check_gradient
from harness.verdicts import Verdict

X = jnp.array([0.3, -1.2, 2.0, 0.7])


def sorting(factor):
    @jax.custom_vjp
    def function(x):
        return jnp.sort(x), jnp.argsort(x)

    def forward(x):
        order = jnp.argsort(x)
        return (x[order], order), order

    def backward(order, g):
        return (factor * jnp.zeros_like(g[0]).at[order].set(g[0]),)

    function.defvjp(forward, backward)
    return function


def sorting_forward(factor):
    @jax.custom_jvp
    def function(x):
        return jnp.sort(x), jnp.argsort(x)

    @function.defjvp
    def rule(primals, tangents):
        out = function(*primals)
        return out, (factor * tangents[0][out[1]], np.zeros(out[1].shape, jax.dtypes.float0))

    return function


AROUND = {
    "both": lambda f: f,
    "values": lambda f: lambda x: f(x)[0],
    "jit": jax.jit,
    "checkpoint": lambda f: lambda x: jax.checkpoint(f)(x)[0],
    "scan": lambda f: lambda x: jax.lax.scan(lambda c, v: (c + 1, f(v * x)), 0, x)[1],
    "vmap": lambda f: lambda x: jax.vmap(f)(x[:, None] * x)[0],
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("rule", [sorting, sorting_forward])
def test_its_formula_is_examined(rule, around):
    right = check_gradient(AROUND[around](rule(1.0)), (X,))
    assert right.verdict is Verdict.ACCURATE
    assert "not examined" not in str(right)
    wrong = check_gradient(AROUND[around](rule(1.0 + 2.0**-10)), (X,))
    assert wrong.verdict is Verdict.WRONG
    assert "not examined" not in str(wrong)
