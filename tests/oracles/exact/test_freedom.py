"""What JAX's derivative is free to do; the probes of what it cannot do are left out."""

import time
from dataclasses import replace
from unittest.mock import patch

import jax
import jax.numpy as jnp
import pytest

from harness import check_gradient
from oracles.exact.from_jaxpr.record import record
from oracles.exact.program.recording import FREE
from oracles.frameworks import in_jax
from tests.sampling import sample

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


def pulled_by_what_moves():
    made = jax.custom_vjp(lambda x: x * x)
    made.defvjp(lambda x: (x.value**2, x.value), lambda x, g: (2 * g * x,), symbolic_zeros=True)
    return made


def ruled_by_what_moves():
    made = jax.custom_jvp(lambda x: x * x)
    made.defjvp(lambda xs, ts: (xs[0] ** 2, 2 * xs[0] * ts[0]), symbolic_zeros=True)
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
LOOPS = {
    "a loop": lambda x: jax.lax.fori_loop(0, 3, lambda k, v: v * x, x),
    "a scan": lambda x: jax.lax.scan(lambda c, v: (c + v, c * v), 0.0, x)[1],
    "a branch": lambda x: jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x),
}
RULES = {
    "a rule": ruled(lambda x: jnp.tanh(x)),
    "a rule for JAX's function": ruled(jnp.tanh),
    "a rule of parts": in_parts(jnp.tanh),
    "a rule for JAX's relu": in_parts(jax.nn.relu, lambda t, out, x: t),
    "a rule inside jit": jax.jit(lambda x: ruled(jnp.tanh)(x)),
    "a rule inside vmap": jax.vmap(ruled(jnp.tanh)),
    "a rule inside checkpoint": jax.checkpoint(ruled(jnp.tanh)),
    "a pullback": pulled(lambda x: x * x),
    "a pullback inside jit": jax.jit(pulled(lambda x: x * x)),
}
TOLD = {
    "a pullback that is told what moves": pulled_by_what_moves(),
    "a rule that is told what moves": ruled_by_what_moves(),
    "told, inside jit": jax.jit(pulled_by_what_moves()),
    "a rule inside a loop": lambda x: jax.lax.fori_loop(0, 3, lambda k, v: ruled(jnp.tanh)(v), x),
    "a rule inside a branch": lambda x: jax.lax.cond(x[0] > 0, pulled(jnp.sin), jnp.cos, x),
    "donated": jax.jit(lambda x: x * x, donate_argnums=0),
    "printing": printing,
    "JAX's solver": lambda x: jax.lax.custom_linear_solve(
        lambda v: 2 * v, x, lambda _, b: b / 2, symmetric=True
    ),
}
KINDS = [(PURE, (False, False)), (LOOPS, (False, True)), (RULES, (True, False)), (TOLD, (True, True))]


@pytest.mark.parametrize(
    ("function", "freedom"),
    [pytest.param(f, freedom, id=name) for kind, freedom in KINDS for name, f in kind.items()],
)
def test_how_free_a_derivative_is(function, freedom):
    assert record(function, (X,), {}).freedom == freedom


def _finds_nothing_in(function, *args):
    """Every probe, as if nothing were known of the function."""

    def unknown(*args, **kwargs):
        return replace(record(*args, **kwargs), freedom=FREE)

    with patch.object(in_jax, "record", unknown):
        found = check_gradient(function, args)
    return not found.probed and found.passed


@pytest.mark.parametrize("name", sample([*PURE, *LOOPS], 3))
def test_the_probes_that_are_left_out_would_find_nothing(name):
    assert _finds_nothing_in((PURE | LOOPS)[name], X)


SEVERAL = {
    "results": (lambda x, y: {"a": jnp.logaddexp(x, y), "b": x * jnp.sum(y)}, (X, X * X)),
    "a layer": (
        lambda x, w, b: jnp.mean(jax.nn.softmax(jnp.tanh(x @ w + b)) ** 2),
        (A, jnp.full((3, 2), 0.3), jnp.array([0.1, -0.2])),
    ),
}


@pytest.mark.parametrize("name", sample(SEVERAL, 2))
def test_of_several_arguments_and_results_too(name):
    function, args = SEVERAL[name]
    assert _finds_nothing_in(function, *args)


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
