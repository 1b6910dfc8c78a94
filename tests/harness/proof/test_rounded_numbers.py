"""A number that the code rounds to a narrow dtype is data: known to half an ulp of that, and no better."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.verdicts import Verdict

ROWS = 60
DTYPES = ("float16", "float32", "float64")
NUMBERS = np.random.default_rng(0).normal(size=(ROWS, 3))


def centered(x):
    return x - x.mean(0)


def verdict(function, x, **given):
    found = check_gradient(function, (x,), probes=False, **given)
    assert found.verdict in (Verdict.ACCURATE, Verdict.WRONG), found
    return found.verdict


def backward(share):
    return lambda g, x: g - g.sum(0) * x.dtype.type(share)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_last_bit_of_a_rounded_number_is_not_the_formula(dtype):
    """As Chainer's batch normalization has it: x.dtype.type(1.0 / len(x))."""
    x = NUMBERS.astype(dtype)
    assert verdict(centered, x, vjp=backward(1 / ROWS)) is Verdict.ACCURATE


@pytest.mark.parametrize("dtype", DTYPES[:2])
def test_a_number_that_is_off_by_a_few_ulps_is_another(dtype):
    x = NUMBERS.astype(dtype)
    share = 1 / ROWS * (1 + 4 * float(np.finfo(dtype).eps))
    assert verdict(centered, x, vjp=backward(share)) is Verdict.WRONG


@pytest.mark.parametrize("narrow", ["float16", "float32"])
def test_a_number_of_a_narrower_dtype_is_known_no_worse_than_the_arithmetic(narrow):
    """float32 arithmetic with a constant of float16 has lost digits that it had."""
    wide = {"float16": "float32", "float32": "float64"}[narrow]
    share = np.dtype(narrow).type(1 / ROWS)
    found = verdict(centered, NUMBERS.astype(wide), vjp=lambda g, x: g - g.sum(0) * share)
    assert found is Verdict.WRONG


def test_a_whole_number_is_a_count():
    """One more is another, though float16 has no half between them."""
    x = np.ones((2, 3), np.float16)
    found = verdict(lambda x: x * np.float16(1025), x, vjp=lambda g, x: g * np.float16(1026))
    assert found is Verdict.WRONG


def in_torch(share):
    class Centered(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x - x.mean(0)

        @staticmethod
        def backward(ctx, g):
            return g - g.sum(0) * torch.tensor(share, dtype=g.dtype)

    return Centered.apply


def in_jax(share):
    rule = jax.custom_vjp(centered)
    rule.defvjp(lambda x: (centered(x), None), lambda _, g: (g - g.sum(0) * jnp.float32(share),))
    return rule


@pytest.mark.parametrize(("factor", "wanted"), [(1, Verdict.ACCURATE), (1 + 1e-6, Verdict.WRONG)])
def test_the_frameworks_round_alike(factor, wanted):
    x, share = NUMBERS.astype(np.float32), factor / ROWS
    assert verdict(in_torch(share), torch.tensor(x)) is wanted
    assert verdict(in_jax(share), jnp.array(x)) is wanted
