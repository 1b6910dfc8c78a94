"""The gradient in one argument alone, where JAX runs for it what it runs beside the others: and where not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.custom_derivatives import zero_from_primal

from harness import check_gradient
from harness.proof import probes, pulls
from oracles.frameworks.in_jax import FRAMEWORK
from oracles.frameworks.jax_programs import are_same, needed

X, Y = jnp.array([0.3, -1.2], jnp.float32), jnp.array([0.7, 0.4], jnp.float32)


@pytest.fixture(autouse=True)
def compared(monkeypatch):
    """As if each program were large."""
    monkeypatch.setattr(probes, "LARGE", -1)


def product(factor):
    """x y, whose rule gives so many times the gradient in x where y is known to be held."""
    made = jax.custom_vjp(lambda x, y: x * y)

    def forward(x, y):
        return x.value * y.value, (x.value, y.value, y.perturbed)

    def backward(kept, g):
        x, y, moves = kept
        return g * y * (1 if moves else factor), g * x if moves else zero_from_primal(y)

    made.defvjp(forward, backward, symbolic_zeros=True)
    return made


def looped(f):
    return lambda x, y: jax.lax.scan(lambda c, _: (jnp.sin(f(c, y)), c), x, None, length=3)[0]


def traced(x, y):
    """Another function where y is held, and its derivative is right there."""
    return x * y if isinstance(y, jax.core.Tracer) else jax.lax.stop_gradient(x * y) + 0 * x


WRONG = {"a rule within a loop": looped(product(3.0)), "a rule within jit": jax.jit(product(3.0))}


@pytest.mark.parametrize("f", WRONG.values(), ids=WRONG)
def test_a_rule_that_is_wrong_where_one_argument_is_held_is_found(f):
    assert not check_gradient(f, (X, Y)).passed


def reading(x, y):
    """Another function where the numbers of y can be read, as they can where it is held."""
    try:
        return float(y[0]) * x
    except jax.errors.ConcretizationTypeError:
        return x * y


SAME = {
    "scan": looped(lambda x, y: x * y),
    "jit": jax.jit(lambda x, y: jnp.exp(x) * y),
    "fori_loop": lambda x, y: jax.lax.fori_loop(0, 3, lambda i, c: jnp.sin(c) * y, x),
    "constants": lambda x, y: jnp.array([0.5, 2.0]) * jnp.sin(x * y),
}
OTHERS = {
    "a rule": product(3.0),
    "a rule within a loop": looped(product(3.0)),
    "asks": traced,
    "reads": reading,
}


@pytest.mark.parametrize(
    ("f", "same"), [*((f, True) for f in SAME.values()), *((f, False) for f in OTHERS.values())]
)
def test_an_argument_alone_runs_what_all_run_for_it_or_not(f, same):
    def known(k):
        whole, alone = (FRAMEWORK.graph(lambda *args: (f(*args),), ks) for ks in ((0, 1), (k,)))
        return alone.is_of(whole, (jnp.ones_like(f(X, Y)),), X, Y)

    assert known(0) == same
    assert known(1)  # of its gradient no rule here asks what else moves


def test_what_is_known_to_run_is_not_run_again(monkeypatch):
    ran = []
    monkeypatch.setattr(pulls.OnGraph, "__call__", lambda self, along: ran.append(along))
    assert check_gradient(looped(lambda x, y: x * y), (X, Y)).passed
    assert not ran


def test_programs_of_other_numbers_operations_or_arguments_differ():
    def same(f, g):
        one, other = (needed(jax.make_jaxpr(h)(X, Y), 0) for h in (f, g))
        return are_same(one, (X, Y), other, (X, Y))

    weights = np.float32([1, 2])
    body = lambda scale: lambda x, y: [looped(lambda a, b: scale * a * b)(x, y)]  # noqa: E731
    assert same(lambda x, y: [x * y, jnp.sin(x)], lambda x, y: [x * y])
    assert same(lambda x, y: [x * weights], lambda x, y: [x * weights.copy()])
    assert same(body(2.0), body(2.0))
    for f, g in (
        (lambda x, y: [x * y], lambda x, y: [y * x]),
        (lambda x, y: [x * y], lambda x, y: [x * x]),
        (lambda x, y: [x * 2.0], lambda x, y: [x * 3.0]),
        (lambda x, y: [x * weights], lambda x, y: [x * weights[::-1]]),
        (lambda x, y: [x * 0.0], lambda x, y: [x * -0.0]),
        (body(2.0), body(3.0)),
    ):
        assert not same(f, g)
