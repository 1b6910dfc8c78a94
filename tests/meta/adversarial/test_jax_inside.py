"""Functions of JAX that differentiate inside, as a gradient penalty does, by a rule of the user's."""

import jax
import jax.numpy as jnp
import pytest
from jax.lax import stop_gradient

from harness import check_gradient
from harness.verdicts import Verdict

X = jnp.array([0.3, -0.7, 1.1])
W = jnp.array(0.8)


def by_vjp(residual=lambda x: x, slope=jnp.cos):
    @jax.custom_vjp
    def sine(x):
        return jnp.sin(x)

    sine.defvjp(lambda x: (jnp.sin(x), residual(x)), lambda kept, g: (g * slope(kept),))
    return sine


def by_jvp(slope):
    @jax.custom_jvp
    def sine(x):
        return jnp.sin(x)

    sine.defjvp(lambda primals, tangents: (sine(*primals), slope(*primals) * tangents[0]))
    return sine


@jax.custom_gradient
def by_closure(x):
    return jnp.sin(x), lambda g: (g * stop_gradient(jnp.cos(x)),)


@jax.jit
def held_in_jit(x):
    return jnp.cos(stop_gradient(x))


def held_in_scan(x):
    return jax.lax.scan(lambda carry, each: (carry, jnp.cos(stop_gradient(each))), 0.0, jnp.atleast_1d(x))[1]


LOST = {
    "in a scan": by_vjp(slope=lambda x: held_in_scan(x).reshape(x.shape)),
    "in a branch": by_vjp(slope=lambda x: jax.lax.cond(x.sum() > -99, held_in_jit, lambda x: x, x)),
    "in a checkpoint": by_vjp(slope=lambda x: jax.checkpoint(lambda x: jnp.cos(stop_gradient(x)))(x)),
    "in a jit": by_jvp(held_in_jit),
    "in a closure": by_closure,
    "a kept slope": by_vjp(lambda x: stop_gradient(jnp.cos(x)), lambda kept: kept),
    "a kept argument": by_vjp(stop_gradient),
    "in the backward": by_vjp(slope=lambda x: jnp.cos(stop_gradient(x))),
    "in a jvp": by_jvp(lambda x: stop_gradient(jnp.cos(x))),
}
FOLLOWED = {
    "a vjp": by_vjp(),
    "a jvp": by_jvp(jnp.cos),
    "a mask, held": by_vjp(slope=lambda x: jnp.cos(x) * (stop_gradient(x) < 5)),
    "JAX's own": jax.nn.silu,
}
INSIDE = {
    "grad": lambda f: lambda w: jnp.sum(jax.grad(lambda x: f(w * x).sum())(X) ** 2),
    "vmap of grad": lambda f: lambda w: jnp.sum(jax.vmap(jax.grad(lambda x: f(w * x)))(X) ** 2),
    "jit": lambda f: jax.jit(lambda w: jnp.sum(jax.grad(lambda x: jax.jit(f)(w * x).sum())(X) ** 2)),
    "checkpoint": lambda f: lambda w: jnp.sum(jax.grad(lambda x: jax.checkpoint(f)(w * x).sum())(X) ** 2),
    "a step": lambda f: lambda w: jnp.sum((X - 0.1 * jax.grad(lambda x: f(w * x).sum())(X)) ** 2),
}


@pytest.mark.parametrize("name", LOST)
@pytest.mark.parametrize("inside", INSIDE)
def test_a_rule_that_loses_its_own_derivative_is_no_pass(inside, name):
    found = check_gradient(INSIDE[inside](LOST[name]), (W,))
    assert found.verdict is Verdict.UNSUPPORTED
    assert "is differentiated again holds something fixed (stop_gradient)" in found.diagnosis


@pytest.mark.parametrize("name", FOLLOWED)
@pytest.mark.parametrize("inside", INSIDE)
def test_a_rule_that_keeps_it_passes(inside, name):
    assert check_gradient(INSIDE[inside](FOLLOWED[name]), (W,)).passed


@pytest.mark.parametrize("inside", INSIDE)
def test_what_the_function_itself_holds_fixed_is_a_constant(inside):
    def weighted(x):
        return FOLLOWED["a vjp"](x) * stop_gradient(x)

    assert check_gradient(INSIDE[inside](weighted), (W,)).passed


@pytest.mark.parametrize("name", LOST)
def test_alone_its_first_derivative_is_right_and_its_second_is_wrong(name):
    assert check_gradient(LOST[name], (X,)).passed
    assert check_gradient(LOST[name], (X,), order=2).verdict is Verdict.WRONG


def by_softmax(softmax):
    @jax.custom_vjp
    def logsumexp(x):
        return jax.nn.logsumexp(x)

    logsumexp.defvjp(lambda x: (logsumexp(x), x), lambda x, g: (g * softmax(x),))
    return logsumexp


def shifted(x):
    powers = jnp.exp(x - stop_gradient(x.max()))
    return powers / powers.sum()


@pytest.mark.parametrize("softmax", [jax.nn.softmax, shifted, lambda x: jnp.exp(x - jax.nn.logsumexp(x))])
def test_what_is_held_and_changes_nothing_is_no_loss(softmax):
    """The largest number, by which a softmax is shifted."""

    def penalty(f):
        return lambda x: jnp.sum(jax.grad(lambda x: f(x) ** 2)(x) ** 2)

    found = check_gradient(penalty(by_softmax(softmax)), (X,))
    assert found.passed, str(found)
    assert not check_gradient(penalty(by_softmax(lambda x: softmax(stop_gradient(x)))), (X,)).passed
