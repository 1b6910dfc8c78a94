"""Whole numbers and booleans among the arguments of a JAX function: it gets JAX's arrays in every run."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import harness
from harness.verdicts import Verdict

X, IDX, MASK, TWO = (np.array(v) for v in ([1.0, 2.0, 3.0], [2, 0, 1], [True, False, True], 2))


def twice(x, n):
    def grown(x, n):
        n += 1  # another array of JAX's; into one of NumPy's it writes
        return x**2 * n

    return grown(x, n) + 3 * grown(x, n)


def summed(x, i):
    return jax.lax.scan(lambda acc, k: (acc + jnp.sin(x[i[k]]) * (k + 1), None), 0.0, jnp.arange(3))[0]


FUNCTIONS = {
    "scan": (summed, IDX),
    "fori_loop": (lambda x, i: jax.lax.fori_loop(0, 3, lambda k, c: c + jnp.sin(x[i[k]]) * k, 0.0), IDX),
    "vmap": (lambda x, i: jax.vmap(lambda k: jnp.sin(x[i[k]]))(jnp.arange(3)), IDX),
    "at": (lambda x, i: jnp.sin(x)[i.at[0].set(1)], IDX),
    "a mask's at": (lambda x, m: jnp.where(m.at[0].set(False), x**2, 0.0), MASK),
    "in place": (twice, IDX),
    "in place, of no axes": (twice, TWO),
    "a number is needed": (lambda x, n: sum(x**k for k in range(int((n + 1).max()))), TWO),
    "a shape": (lambda x, n: x.sum() * jnp.ones(n + 1), TWO),
    "a branch": (lambda x, i: x**2 if (i > 1).any() else x**3, IDX),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_integers_of_jax_are_recorded_as_they_run(name):
    function, array = FUNCTIONS[name]
    with jax.enable_x64(True):
        found = harness.check_gradient(function, (jnp.asarray(X), jnp.asarray(array)), probes=False)
    assert found.verdict is Verdict.ACCURATE, found


def test_so_they_are_in_a_tree_and_as_keywords_and_at_the_other_doors():
    def of_tree(x, d, *, i):
        return summed(x, d["i"]) + jnp.sin(x)[i.at[0].set(1)]

    with jax.enable_x64(True):
        x, i = jnp.asarray(X), jnp.asarray(IDX)
        found = harness.check_gradient(of_tree, (x, {"i": i}), kwargs={"i": i}, probes=False)
        assert found.verdict is Verdict.ACCURATE, found
        true = harness.exact_gradient(FUNCTIONS["at"][0], (x, i))
        by_hand = harness.check_gradient(
            FUNCTIONS["vmap"][0],
            (x, i),
            vjp=lambda g, x, i: jnp.zeros_like(x).at[i.at[0].set(i[0])].add(g * jnp.cos(x[i])),
        )
    assert true.mid[2] == 0
    assert by_hand.verdict is Verdict.ACCURATE, by_hand


@pytest.mark.parametrize(("off", "verdict"), [(0.0, Verdict.ACCURATE), (1e-12, Verdict.WRONG)])
def test_the_formula_of_a_rule_beside_integers_is_looked_into(off, verdict):
    def backward(kept, g):
        x, i = kept
        weights = (jnp.arange(3) + 1) * g * (1 + off)
        return jnp.zeros_like(x).at[i].add(jnp.cos(x[i]) * weights), None

    ruled = jax.custom_vjp(summed)
    ruled.defvjp(lambda x, i: (summed(x, i), (x, i)), backward)
    with jax.enable_x64(True):
        found = harness.check_gradient(ruled, (jnp.asarray(X), jnp.asarray(IDX)), probes=False)
    assert found.verdict is verdict, found


def test_numpys_stay_numpys_and_what_is_written_into_them_is_seen():
    kinds = []

    def noted(x, n):
        kinds.append(isinstance(n, np.ndarray))
        return x**2 * n

    with jax.enable_x64(True):
        assert harness.check_gradient(noted, (jnp.asarray(X), IDX), probes=False).verdict is Verdict.ACCURATE
        written = harness.check_gradient(twice, (jnp.asarray(X), IDX), probes=False)
        compiled = harness.check_gradient(FUNCTIONS["vmap"][0], (jnp.asarray(X), IDX), jit=True, probes=False)
    assert any(kinds)
    assert not written.passed
    assert compiled.verdict is Verdict.ACCURATE, compiled
