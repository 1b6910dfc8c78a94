"""Constants that are rounded and then cut: the code means the side on which they lie where it runs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness
from harness.verdicts import Verdict

TENTHS = np.arange(1, 9).astype(np.float32) * np.float32(0.1)  # 10 times the seventh rounds up to 7
X = np.random.default_rng(0).standard_normal(8).astype(np.float32)


def written(lib, c, integers):
    """The same steps in JAX and torch."""
    return {
        "floor": lambda t: t * lib.floor(c * 10),
        "ceil of what rounds down": lambda t: t * lib.ceil(c * 30),
        "round": lambda t: t * lib.round(c * 5),
        "remainder": lambda t: t * lib.remainder(c * 10, 1.0),
        "floor division": lambda t: t * (c // 0.1),
        "positions": lambda t: t[integers(c * 10) - 1],
        "comparison": lambda t: lib.where(c * 10 >= 7, t * 2, t),
        "argsort": lambda t: t[lib.argsort(lib.floor(c * 10))],
        "sign": lambda t: t * lib.sign(c * 10 - 7),
    }


IN_JAX = written(jnp, jnp.asarray(TENTHS), lambda c: c.astype(int))
IN_TORCH = written(torch, torch.from_numpy(TENTHS), torch.Tensor.long)


@pytest.mark.parametrize("name", IN_JAX)
def test_what_jax_cuts_of_constants_is_what_runs(name):
    assert harness.check_gradient(IN_JAX[name], (jnp.asarray(X),)).verdict is Verdict.ACCURATE
    assert harness.check_gradient(jax.jit(IN_JAX[name]), (jnp.asarray(X),)).verdict is Verdict.ACCURATE


@pytest.mark.parametrize("name", IN_TORCH)
def test_what_torch_cuts_of_constants_is_what_runs(name):
    assert harness.check_gradient(IN_TORCH[name], (torch.from_numpy(X),)).verdict is Verdict.ACCURATE


@pytest.mark.parametrize(
    "function",
    [
        lambda t: jax.lax.scan(lambda s, a: (s + a[0] * jnp.floor(a[1] * 10), 0), 0.0, (t, TENTHS))[0],
        lambda t: jax.lax.fori_loop(0, 8, lambda i, s: s + t[i] * jnp.floor(i * jnp.float32(0.1) * 10), 0.0),
        lambda t: jax.vmap(lambda a, b: a * jnp.floor(b * 10))(t, jnp.asarray(TENTHS)),
        lambda t: t * jnp.floor(jnp.float32(0.7) * 10),
        lambda t: jax.lax.cond(jnp.asarray(TENTHS)[6] * 10 >= 7, lambda u: 2 * u, lambda u: u, t),
    ],
    ids=["scan", "fori_loop", "vmap", "a number", "cond"],
)
def test_constants_that_jax_s_loops_go_through_too(function):
    assert harness.check_gradient(function, (jnp.asarray(X),)).verdict is Verdict.ACCURATE


def test_a_step_in_place_and_one_by_a_keyword():
    c, x = torch.from_numpy(TENTHS), torch.from_numpy(X)
    for function in (
        lambda t: t * (c * 10).floor_(),
        lambda t: t * torch.div(c * 10, 1.0, rounding_mode="floor"),
    ):
        assert harness.check_gradient(function, (x,)).verdict is Verdict.ACCURATE


def test_a_constant_that_changes_is_cut_anew():
    c, x = torch.from_numpy(TENTHS.copy()), torch.from_numpy(X)

    def function(t):
        return t * (c * 10).floor()

    assert harness.check_gradient(function, (x,)).verdict is Verdict.ACCURATE
    c += 0.5
    assert harness.check_gradient(function, (x,)).verdict is Verdict.ACCURATE


def test_what_depends_on_the_input_is_still_decided_exactly():
    """Half a step off the edge nothing is cut otherwise; on it nobody knows."""

    def function(t):
        return t * (t.detach() * 10).floor()

    assert harness.check_gradient(function, (torch.tensor([0.25, 0.75]),)).verdict is Verdict.ACCURATE
    held = harness.check_gradient(function, (torch.from_numpy(TENTHS),))
    assert held.verdict is not Verdict.ACCURATE


@pytest.mark.parametrize("lib", ["jax", "torch"])
def test_a_wrong_rule_beside_a_step_is_found(lib):
    if lib == "torch":

        class Doubled(torch.autograd.Function):
            @staticmethod
            def forward(ctx, t):
                return t * (torch.from_numpy(TENTHS) * 10).floor()

            @staticmethod
            def backward(ctx, g):
                return g * (torch.from_numpy(TENTHS) * 10).floor() * 1.001

        found = harness.check_gradient(Doubled.apply, (torch.from_numpy(X),))
    else:

        @jax.custom_vjp
        def doubled(t):
            return t * jnp.floor(jnp.asarray(TENTHS) * 10)

        doubled.defvjp(
            lambda t: (doubled(t), None), lambda _, g: (g * jnp.floor(jnp.asarray(TENTHS) * 10) * 1.001,)
        )
        found = harness.check_gradient(doubled, (jnp.asarray(X),))
    assert found.verdict is Verdict.WRONG
