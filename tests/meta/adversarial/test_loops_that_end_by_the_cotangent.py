"""A solver in a gradient, compiled, that ends by a tolerance of its cotangent: far along it never ends."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from harness import check_gradient
from oracles.frameworks.jax_ending import ends_by

G = jnp.array([0.3, -1.2], jnp.float32)
NOT_RUN = "it was not run: a compiled loop in it ends by the cotangent"


def solved(step, x, most=None):
    """A fixed point to 1e-6, as JAX's documentation writes it, after so many turns at the most."""

    def goes_on(state):
        before, x, turns = state
        far = jnp.max(jnp.abs(before - x)) > 1e-6
        return far if most is None else far & (turns < most)

    def turn(state):
        _, x, turns = state
        return x, step(x), turns + 1

    return lax.while_loop(goes_on, turn, (x, step(x), 0))[1]


def root(most=None, off=1.0, kept=None, wrapped=lambda f: f):
    """sqrt by Newton's steps, its gradient by the implicit function theorem."""

    def update(a, x):
        return 0.5 * (x + a / x)

    @jax.custom_vjp
    def f(a):
        return solved(partial(update, a), a)

    def backward(saved, g):
        a, x = saved
        g = g if kept is None else jnp.clip(g, -kept, kept)
        solve = wrapped(lambda g: solved(lambda u: g + jax.vjp(partial(update, a), x)[1](u)[0], g, most))
        return (off * jax.vjp(lambda a: update(a, x), a)[1](solve(g))[0],)

    f.defvjp(lambda a: (f(a), (a, f(a))), backward)
    return f


A = jnp.array([2.0, 0.7], jnp.float32)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("wrapped", [lambda f: f, jax.jit, jax.checkpoint])
def test_it_is_not_run_far_along_and_its_formula_is_compared_there(wrapped, jit):
    found = check_gradient(root(wrapped=wrapped), (A,), jit=jit)
    assert found.passed
    assert any(NOT_RUN in note and "its formula is right there" in note for note in found.notes)


def test_one_that_counts_its_turns_ends_and_is_run():
    found = check_gradient(root(most=50), (A,))
    assert found.passed
    assert not any(NOT_RUN in note for note in found.notes)


@pytest.mark.parametrize("most", [None, 50])
@pytest.mark.parametrize("wrong", [{"off": 1.01}, {"off": -1.0}, {"kept": 100.0}])
def test_a_wrong_one_is_wrong(wrong, most):
    """A cotangent that is clipped shows far along alone."""
    found = check_gradient(root(most=most, **wrong), (A,))
    assert found.verdict == "wrong"


def _in_a_scan(g):
    return lax.scan(lambda s, _: (solved(lambda u: 0.5 * (u + g), s), None), g, None, length=2)[0]


def _in_a_branch(g):
    return lax.cond(g.sum() > 0, lambda g: solved(lambda u: 0.5 * (u + g), g), lambda g: g, g)


def _by_another_state(g):
    """The test reads what becomes of the cotangent after the second turn alone."""
    return lax.while_loop(lambda s: s[0] > 1e-6, lambda s: (jnp.abs(s[1]), s[2], g.sum()), (1.0, 1.0, 1.0))[0]


def _counted(g):
    return lax.fori_loop(0, 5, lambda _, u: u * 0.5 + g, g)


def _by_a_fixed_number(g):
    return lax.while_loop(lambda s: s[0] > 1e-6, lambda s: (s[0] * 0.5, s[1] + g), (1.0, g))[1]


def _by_gradients_of_squares(g):
    return jax.scipy.sparse.linalg.cg(lambda x: 2 * x, g)[0]  # 10 turns for each number at the most


def _of_each(g):
    return jax.vmap(lambda g: solved(lambda u: 0.5 * (u + g), g, 9))(g)


@pytest.mark.parametrize(
    ("run", "ends"),
    [
        (_in_a_scan, True), (_in_a_branch, True), (_by_another_state, True), (_counted, False),
        (_by_a_fixed_number, False), (_by_gradients_of_squares, False), (_of_each, False),
        (jax.vmap(lambda g: solved(lambda u: 0.5 * (u + g), g)), True),
    ],
)  # fmt: skip
def test_what_a_loop_ends_by(run, ends):
    assert ends_by(lambda along, x: run(along[0] * x), (G,), jnp.float32(2.0)) is ends
    assert not ends_by(lambda along, x: along[0] * run(x), (G,), G), "it ended as the loop of a forward does"
