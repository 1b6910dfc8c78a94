"""What is JAX's own alone, so that the probes of a gradient cannot find anything in it."""

import time
from dataclasses import replace
from unittest.mock import patch

import jax
import jax.numpy as jnp
import pytest

from harness import check_gradient
from oracles.exact.from_jaxpr.record import record
from oracles.frameworks import in_jax

X, A = jnp.array([0.5, -1.5, 2.0]), jnp.arange(6.0).reshape(2, 3)


def ruled(function, rule=lambda primals, tangents: (jnp.tanh(*primals), tangents[0])):
    made = jax.custom_jvp(function)
    made.defjvp(rule)
    return made


def in_parts(function, rule=lambda t, out, x: t * (1 - out * out)):
    made = jax.custom_jvp(function)
    made.defjvps(rule)
    return made


def pulled(function):
    made = jax.custom_vjp(function)
    made.defvjp(lambda x: (function(x), x), lambda x, g: (g * 2 * x,))
    return made


def printing(x):
    jax.debug.print("{}", x[0])
    return x * x


PURE = {
    "softmax": jax.nn.softmax,
    "gelu": jax.nn.gelu,
    "silu, jitted": jax.nn.silu,
    "logaddexp, with JAX's own rule": lambda x: jnp.logaddexp(x, x * x),
    "jitted": jax.jit(lambda x: jnp.sin(x) * x),
    "vmapped": jax.vmap(lambda x: jnp.exp(x) + x),
    "checkpointed": jax.checkpoint(lambda x: jnp.sin(jnp.cos(x))),
    "a matrix product": lambda x: A @ x,
    "its own gradient": jax.grad(lambda x: jnp.sum(jnp.tanh(x) ** 2)),
    "sorted, indexed": lambda x: jnp.sort(x)[1:],
}
NOT_PURE = {
    "a rule": ruled(lambda x: jnp.tanh(x)),
    "a rule for JAX's function": ruled(jnp.tanh),
    "a rule of parts": in_parts(jnp.tanh),
    "a rule for JAX's relu": in_parts(jax.nn.relu, lambda t, out, x: t),
    "a rule inside jit": jax.jit(lambda x: ruled(jnp.tanh)(x)),
    "a rule inside vmap": jax.vmap(ruled(jnp.tanh)),
    "a rule inside checkpoint": jax.checkpoint(ruled(jnp.tanh)),
    "a pullback": pulled(lambda x: x * x),
    "a pullback inside jit": jax.jit(pulled(lambda x: x * x)),
    "donated": jax.jit(lambda x: x * x, donate_argnums=0),
    "a loop": lambda x: jax.lax.fori_loop(0, 3, lambda k, v: v * x, x),
    "a scan": lambda x: jax.lax.scan(lambda c, v: (c + v, c * v), 0.0, x)[1],
    "a branch": lambda x: jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x),
    "printing": printing,
}


@pytest.mark.parametrize("name", PURE)
def test_jax_alone_is_pure(name):
    assert record(PURE[name], (X,), {}).pure


@pytest.mark.parametrize("name", NOT_PURE)
def test_what_a_user_may_have_written_a_rule_for_is_not(name):
    assert not record(NOT_PURE[name], (X,), {}).pure


def _finds_nothing_in(function, *args):
    """Every probe, as if nothing were known of the function."""

    def unknown(*args, **kwargs):
        return replace(record(*args, **kwargs), pure=False)

    with patch.object(in_jax, "record", unknown):
        found = check_gradient(function, args)
    return not found.probed and found.passed


@pytest.mark.parametrize("name", PURE)
def test_the_probes_that_are_left_out_would_find_nothing(name):
    assert _finds_nothing_in(PURE[name], X)


def test_of_several_arguments_and_results_too():
    w, b = jnp.ones((3, 2)) * 0.3, jnp.array([0.1, -0.2])
    loss = lambda x, w, b: jnp.mean(jax.nn.softmax(jnp.tanh(x @ w + b)) ** 2)  # noqa: E731
    several = lambda x, y: {"a": jnp.logaddexp(x, y), "b": x * jnp.sum(y)}  # noqa: E731
    assert _finds_nothing_in(loss, A, w, b)
    assert _finds_nothing_in(several, X, X * X)


def test_code_around_that_is_not_pure_is_still_run_again():
    def drifting(x):
        return x * x + (time.perf_counter_ns() % 1000003) * x

    found = check_gradient(drifting, (X,))
    assert not found.passed


def test_a_rule_behind_a_specification_is_probed():
    """The specification is pure, and what it is of is not."""
    made = jax.custom_vjp(lambda x, y: x * y)

    def back(kept, g):
        x, y = kept
        return g * y, jnp.where(g.sum() > 1e4, 2.0, 1.0) * g * x

    made.defvjp(lambda x, y: (x * y, (x, y)), back)
    found = check_gradient(made, (X, X * X), spec=lambda x, y: x * y)
    assert {part.probe for part in found.probed} == {"scaled-up"}
