"""A number that the code rounds to a narrow dtype is data: known to half an ulp of that, and no better."""

import math

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


ROOT = math.sqrt(5)


def matern(m, s):
    """The Matern kernel of order 5/2 of a squared distance, whose slope at 0 is a limit."""
    d = ROOT * m.sqrt(s)
    return (1 + d + 5 / 3 * s) * m.exp(-d)


def matern_slope(m, s, scale):
    d = ROOT * m.sqrt(s)
    return -scale * 5 / 6 * (1 + d) * m.exp(-d)


class Matern(torch.autograd.Function):
    @staticmethod
    def forward(ctx, s, scale):
        ctx.save_for_backward(s)
        ctx.scale = scale
        return matern(torch, s)

    @staticmethod
    def backward(ctx, g):
        return g * matern_slope(torch, *ctx.saved_tensors, ctx.scale), None


def matern_of_jax(scale):
    own = jax.custom_jvp(lambda s: matern(jnp, s))
    own.defjvp(lambda p, t: (own(*p), t[0] * matern_slope(jnp, *p, scale)))
    return own


@pytest.mark.parametrize("scale", [1.0, 1 + 2.0**-40])
@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
def test_written_numbers_explain_a_difference_where_a_slope_is_a_limit_too(library, scale):
    at = np.array([0.0, 0.5])
    if library == "torch":
        found = check_gradient(lambda s: Matern.apply(s, scale), (torch.tensor(at),))
    elif library == "jax":
        with jax.enable_x64(True):
            found = check_gradient(matern_of_jax(scale), (jnp.asarray(at),))
    else:
        found = check_gradient(
            lambda s: matern(np, s), (at,), vjp=lambda g, s: g * matern_slope(np, s, scale)
        )
    assert found.verdict is (Verdict.ACCURATE if scale == 1 else Verdict.WRONG)


@pytest.mark.parametrize("scale", [1.0, 1 + 2.0**-10])
def test_in_forward_mode_a_slope_may_be_a_limit_too(scale):
    found = check_gradient(matern_of_jax(scale), (jnp.array([0.0, 0.5]),), mode="forward")
    assert found.verdict is (Verdict.ACCURATE if scale == 1 else Verdict.WRONG)


@pytest.mark.parametrize("q", [3, 10, 12.5, 37, 66.6, 80, 97.5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_percentile_has_the_weights_that_numpy_gives_it(q, dtype):
    """q / 100 is a rounded number: taken exactly, right weights by hand were wrong by 1e-15."""
    for n in (5, 8, 13, 20):
        x = np.random.default_rng(n).normal(size=n).astype(dtype)
        at = q / 100 * (n - 1)
        below = int(at)
        slope, order = np.zeros(n, dtype), np.argsort(x)
        slope[order[below]] = 1 - (at - below)
        slope[order[min(below + 1, n - 1)]] += at - below
        for function in (np.percentile, np.nanpercentile):
            found = check_gradient(lambda x, f=function: f(x, q), (x,), grad=lambda x, s=slope: s)
            assert found.verdict == "accurate"
            wrong = check_gradient(lambda x, f=function: f(x, q), (x,), grad=lambda x, s=slope: s[::-1])
            assert wrong.verdict == "wrong"


def test_a_percentile_of_jax_likewise():
    """There q / 100 is computed in compiled code, of two written numbers."""
    with jax.enable_x64(True):
        for n, q in ((20, 37), (20, 80), (20, 90), (13, 66.6)):
            x = jnp.asarray(np.random.default_rng(n).normal(size=n))
            at = q / 100 * (n - 1)
            below = int(at)
            slope, order = np.zeros(n), np.argsort(np.asarray(x))
            slope[order[below]], slope[order[below + 1]] = 1 - (at - below), at - below

            @jax.custom_vjp
            def percentile(x, q=q):
                return jnp.percentile(x, q)

            percentile.defvjp(
                lambda x, q=q: (jnp.percentile(x, q), None), lambda _, g, slope=slope: (g * slope, None)
            )
            found = check_gradient(lambda x, p=percentile: p(x), (x,))
            assert found.verdict == "accurate", found
