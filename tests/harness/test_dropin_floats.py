"""Python's floats among the arguments: JAX's checkers differentiate them, and so do their drop-ins."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from jax import test_util

from harness import dropin
from harness.dropin import GradientWarning

M = jnp.linspace(-5, 5, 7)


def function(factor):
    """sin(M) e^x, with a rule that is off by a factor in x."""

    @jax.custom_jvp
    def f(m, x):
        return jnp.sin(m) * jnp.exp(x)

    @f.defjvp
    def rule(primals, tangents):
        (m, x), (dm, dx) = primals, tangents
        return f(m, x), jnp.cos(m) * jnp.exp(x) * dm + factor * f(m, x) * dx

    return f


ARGUMENTS = {
    "beside an array": (lambda f: f, (M, 0.1)),
    "alone": (lambda f: f, (0.7, 0.1)),
    "in a list": (lambda f: lambda m, own: f(m, own[0]), (M, [0.1])),
    "in a dictionary": (lambda f: lambda own: f(own["m"], own["x"]), ({"m": M, "x": 0.1},)),
}


@pytest.mark.parametrize("modes", [("rev",), ("fwd",)])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_float_is_differentiated_as_jax_does(name, order, modes):
    of, args = ARGUMENTS[name]
    dropin.check_grads(of(function(1)), args, order, modes)
    for check in (test_util.check_grads, dropin.check_grads):
        with pytest.raises(AssertionError):
            check(of(function(3)), args, order, modes)


def test_check_vjp_and_check_jvp_differentiate_it_too():
    for factor in (1, 3):
        f = function(factor)
        checks = (
            lambda f=f: dropin.check_vjp(f, lambda *args: jax.vjp(f, *args), (M, 0.1)),
            lambda f=f: dropin.check_jvp(f, lambda p, t: jax.jvp(f, p, t), (M, 0.1)),
        )
        for check in checks:
            if factor == 1:
                check()
            else:
                with pytest.raises(AssertionError):
                    check()


def test_a_float_stays_the_number_that_it_is_where_code_asks_for_it():
    """As a float it may decide a branch, and leaves float32 what it is; then its own derivative is open."""

    def scaled(by):
        @jax.custom_vjp
        def sine(x):
            return jnp.sin(x)

        sine.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (by * g * jnp.cos(x),))

        def leaky(x, slope):
            assert 0 <= slope <= 1
            return sine(slope * x)

        return leaky

    with jax.enable_x64(True):
        args = (jnp.array([0.5, -1.0], jnp.float32), 0.5)
        dropin.check_grads(scaled(1), args, 1, ["rev"])
        test_util.check_grads(scaled(1.001), args, 1, ["rev"], atol=0.01, rtol=0.01)
        with pytest.warns(GradientWarning, match="accepted and ignored"), pytest.raises(AssertionError):
            dropin.check_grads(scaled(1.001), args, 1, ["rev"], atol=0.01, rtol=0.01)
