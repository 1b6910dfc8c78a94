"""Orders that rounding may turn: what a right gradient says where sorted numbers come close."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness
from harness.verdicts import Verdict

FACTORS = np.arange(5.0)
APART, CLOSE = [1.0, 0.5, 2.0, -1.0, 3.0], [4.0625, 4.0, 2.0, 0.5, -4.0]  # tanh of both is 1 in bfloat16


def in_torch(at):
    x = torch.tensor(at).to(torch.bfloat16)
    return lambda x: (x[torch.argsort(torch.tanh(x) * 3)] * torch.tensor(FACTORS).to(x.dtype)).sum(), x, {}


def in_jax(at):
    x = jnp.asarray(at, jnp.bfloat16)
    return lambda x: jnp.sum(x[jnp.argsort(jnp.tanh(x) * 3)] * jnp.asarray(FACTORS, x.dtype)), x, {}


def in_numpy(at):
    x = np.array(at).astype(np.float16)
    x[x == 4.0625] = 4.0078125  # close in float16, too

    def vjp(g, x):
        found = np.zeros_like(x)
        found[np.argsort(np.tanh(x) * 3, kind="stable")] = g * FACTORS.astype(x.dtype)
        return found

    def function(x):
        return (x[np.argsort(np.tanh(x) * 3, kind="stable")] * FACTORS.astype(x.dtype)).sum()

    return function, x, {"vjp": vjp}


@pytest.mark.parametrize("made", [in_torch, in_jax, in_numpy])
def test_a_gradient_through_an_order_is_accurate_where_rounding_keeps_it(made):
    function, x, options = made(APART)
    assert harness.check_gradient(function, (x,), **options).verdict is Verdict.ACCURATE


@pytest.mark.parametrize("made", [in_torch, in_jax, in_numpy])
def test_where_rounding_turns_the_order_that_is_what_loses_the_digits(made):
    function, x, options = made(CLOSE)
    result = harness.check_gradient(function, (x,), **options)
    assert result.verdict is Verdict.IMPRECISE, result
    assert "rounding decides what" in result.diagnosis
    assert "sort at test_orders.py:" in result.diagnosis
    assert "cannot order [3.0" in result.diagnosis


def test_the_largest_of_a_softmax_is_that_of_its_scores_though_its_sum_is_wider():
    def chosen(x):
        first = jnp.argmax(jax.nn.softmax(x, -1), -1)  # a sum in float32, cast to bfloat16
        return jax.nn.one_hot(first, 3, dtype=x.dtype) * x

    result = harness.check_gradient(chosen, (jnp.array([[1, 1, 0]], jnp.bfloat16),), probes=False)
    assert result.verdict is Verdict.CONVENTION, result
