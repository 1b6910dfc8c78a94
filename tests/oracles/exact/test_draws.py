"""JAX's random numbers: from a known key JAX draws, and what is made of the draw is proven."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, random

import harness
from harness.dropin import check_grads
from harness.verdicts import Verdict
from oracles.exact.from_jaxpr import record
from tests.sampling import sample

NEW, OLD = random.key(3), random.PRNGKey(3)
X = jnp.asarray(np.random.default_rng(0).standard_normal(6), jnp.float32)
S = X.shape


def dropout(key, x):
    return jnp.where(random.bernoulli(key, 0.8, x.shape), x / 0.8, 0.0)


def in_a_scan(key, x):
    def body(carry, a):
        key, total = carry
        key, own = random.split(key)
        return (key, total + a * random.normal(own)), total

    return lax.scan(body, (key, 0.0), x)


def rejected(key, x):
    """Draws until one is small enough."""

    def again(state):
        own, _, steps = state
        return random.split(own)[0], random.uniform(own), steps + 1

    _, u, steps = lax.while_loop(lambda s: s[1] > jax.nn.sigmoid(x[0]), again, (key, 2.0, 0))
    return u * x * steps


def fold_in(key, x):
    def body(total, row):
        return total / 2 + row[1] * random.uniform(random.fold_in(key, row[0])), total

    return lax.scan(body, 0.0, (jnp.arange(6), x))


DRAWN = {
    "dropout": dropout,
    "a latent": lambda k, x: x + jnp.exp(x) * random.normal(k, S),
    "gumbel softmax": lambda k, x: jax.nn.softmax((x + random.gumbel(k, S)) / 0.5),
    "split": lambda k, x: sum(x**i * random.normal(q, S) for i, q in enumerate(random.split(k, 3))),
    "scan": in_a_scan,
    "fold_in": fold_in,
    "keys of a scan": lambda k, x: lax.map(lambda p: p[1] * random.normal(p[0]), (random.split(k, 6), x)),
    "vmap": lambda k, x: jax.vmap(lambda q, a: a * random.normal(q))(random.split(k, 6), x),
    "jit": jax.jit(lambda k, x: dropout(k, jnp.sin(x)) * random.normal(k, S)),
    "cond": lambda k, x: lax.cond(x[0] > 0, lambda q: x * random.normal(q, S), lambda q: x, k),
    "a key by cond": lambda k, x: (
        x * random.normal(lax.cond(x[0] > 0, lambda: random.fold_in(k, 1), lambda: random.fold_in(k, 2)), S)
    ),
    "checkpoint": lambda k, x: jax.checkpoint(lambda y: dropout(k, y) ** 2)(x),
    "truncated_normal": lambda k, x: x * random.truncated_normal(k, -2.0, 2.0, S),
    "laplace": lambda k, x: x * random.laplace(k, S),
    "exponential": lambda k, x: random.exponential(k, S) / jnp.exp(x),
    "gamma": lambda k, x: x * random.gamma(k, 2.0, S),
    "categorical": lambda k, x: x * x[random.categorical(k, x)],
    "permutation": lambda k, x: random.permutation(k, x) * x[random.permutation(k, 6)],
    "choice": lambda k, x: random.choice(k, x, (4,)) ** 2,
    "choice by weights": lambda k, x: random.choice(k, x, (4,), p=jnp.arange(6.0) / 15),
    "randint": lambda k, x: x * random.randint(k, S, 0, 10),
    "bits": lambda k, x: x * (random.bits(k, S) % 7),
    "moving bounds": lambda k, x: random.uniform(k, S, minval=x - 3, maxval=x**2 + 5),
    "a moving chance": lambda k, x: jnp.where(random.bernoulli(k, jax.nn.sigmoid(x)), x, x**2),
    "bfloat16": lambda k, x: x * random.normal(k, S, jnp.bfloat16),
    "a seed inside": lambda k, x: x * random.normal(random.key(7), S),
    "another generator": lambda k, x: x * random.normal(random.key(7, impl="rbg"), S),
}


def verdict_of(f, *args, **more):
    return harness.check_gradient(f, args, **more).verdict


@pytest.mark.parametrize("name", sample(DRAWN, 2))
def test_what_is_made_of_a_draw_is_proven(name):
    f = DRAWN[name]
    assert verdict_of(lambda x: f(NEW, x), X) is Verdict.ACCURATE
    assert verdict_of(f, OLD, X) is Verdict.ACCURATE


@pytest.mark.parametrize("name", ["dropout", "split", "scan", "a key by cond"])
def test_a_key_is_known_in_a_closure_and_as_an_argument(name):
    f = DRAWN[name]
    assert verdict_of(lambda x: f(OLD, x), X) is Verdict.ACCURATE
    assert verdict_of(f, NEW, X) is Verdict.ACCURATE


def test_a_loop_that_ends_by_a_draw_is_proven_in_forward_mode():
    assert verdict_of(lambda x: rejected(NEW, x), X, mode="forward") is Verdict.ACCURATE


def test_each_of_a_batch_of_loops_has_its_own_key():
    def until(key, a):
        state = key, 1.0, a
        step = lambda s: (random.split(s[0])[0], random.uniform(s[0]), s[2] * a)  # noqa: E731
        return lax.while_loop(lambda s: s[1] > 0.3, step, state)[2]

    def f(x):
        return jax.vmap(until)(random.split(NEW, 6), x)

    assert verdict_of(f, X, mode="forward") is Verdict.ACCURATE


@pytest.mark.parametrize("more", [{"mode": "forward"}, {"order": 2}, {"jit": True}], ids=str)
def test_in_every_mode(more):
    assert verdict_of(lambda x, k: jnp.sin(dropout(k, x)) * random.normal(k, S), X, NEW, **more).right


def test_the_drop_in_knows_keys():
    check_grads(lambda x: dropout(OLD, x) * random.normal(NEW, S), (X,), order=2, modes=("fwd", "rev"))


def test_a_finished_draw_is_what_jax_draws():
    """No rounding of erf_inv, log or a division is left to the truth."""
    for draw in (random.normal, random.gumbel, random.laplace, random.uniform):
        found = harness.exact_gradient(lambda x, d=draw: jnp.sum(x * d(NEW, S)), (X,))
        assert np.array_equal(found.mid, np.asarray(draw(NEW, S), np.float64))


def test_a_draw_in_64_bits_is_another():
    """Its dtype is the default one, which is that of the run."""
    wide = np.asarray(X, np.float64)
    narrow, other = (
        harness.exact_gradient(lambda v: jnp.sum(v * random.normal(NEW, S)), (x,), framework="jax").mid
        for x in (X, wide)
    )
    with jax.enable_x64(True):
        assert np.array_equal(np.asarray(other), np.asarray(random.normal(NEW, S)))
    assert np.abs(narrow - other).max() > 0.1


# -- planted bugs -------------------------------------------------------------------------------------------


def ruled(value, back):
    """A function of x and a key, with a rule by hand."""
    f = jax.custom_vjp(value)
    f.defvjp(lambda x, k: (value(x, k), (x, k)), lambda r, g: (back(*r, g), None))
    return f


def of_dropout(back):
    return ruled(lambda x, k: dropout(k, x), back)


def of_latent(back):
    return ruled(lambda x, k: jnp.exp(x) * random.normal(k, x.shape), back)


WRITTEN = {
    "dropout": (of_dropout(lambda x, k, g: dropout(k, g)), Verdict.ACCURATE),
    "without the scale": (of_dropout(lambda x, k, g: 0.8 * dropout(k, g)), Verdict.WRONG),
    "another mask": (of_dropout(lambda x, k, g: dropout(random.fold_in(k, 1), g)), Verdict.WRONG),
    "no mask": (of_dropout(lambda x, k, g: g / 0.8), Verdict.WRONG),
    "the scale a thousandth off": (of_dropout(lambda x, k, g: 1.001 * dropout(k, g)), Verdict.WRONG),
    "a latent": (of_latent(lambda x, k, g: g * random.normal(k, S) * jnp.exp(x)), Verdict.ACCURATE),
    "another draw": (of_latent(lambda x, k, g: g * jnp.exp(x) * random.uniform(k, S)), Verdict.WRONG),
    "half": (of_latent(lambda x, k, g: g * jnp.exp(x) * random.normal(k, S) / 2), Verdict.WRONG),
    "in another order": (
        ruled(
            lambda x, k: x * (0.1 * random.normal(k, S)), lambda x, k, g: g * random.normal(k, S) * 0.1
        ),
        Verdict.ACCURATE,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("f", "verdict"), WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("key", [NEW, OLD], ids=["typed", "raw"])
def test_a_rule_around_a_draw_is_judged(f, verdict, key):
    assert verdict_of(f, X, key) is verdict


# -- what is not known --------------------------------------------------------------------------------------

UNKNOWN = {
    "a seed": (lambda x: x * random.normal(random.key(x[0].astype(int)), S), "the key of random numbers"),
    "a number folded in": (
        lambda x: x * random.normal(random.fold_in(NEW, x[0].astype(int)), S), "random_fold_in: the key",
    ),
    "keys by a mask": (
        lambda x: jax.vmap(
            lambda a: a * random.normal(lax.cond(a > 0, lambda: NEW, lambda: random.fold_in(NEW, 1)))
        )(x),
        "select_n: the key",
    ),
    "a parameter": (lambda x: random.gamma(NEW, jnp.abs(x)), "random_gamma: .* implicit"),
    "no key": (lambda x: x * lax.rng_uniform(jnp.float32(0), jnp.float32(1), S), "without a key"),
}  # fmt: skip


@pytest.mark.parametrize(("f", "said"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_moves_with_the_inputs_is_not_drawn(f, said):
    with pytest.raises(harness.Unsupported, match=said):
        record(f, (X,), {})
    assert verdict_of(f, X) is Verdict.UNSUPPORTED
