"""Where the truth is 0 and has no slope, as attention to equal keys and values, its digits are nobody's."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness.verdicts import Verdict

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")


def attention(q, k, v, softmax):
    return softmax(q @ k.T / 2) @ v


def attention_vjp(q, k, v, g, softmax):
    p = softmax(q @ k.T / 2)
    dp = g @ v.T
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / 2
    return ds @ k, ds.T @ q, p.T @ g


def softmax_numpy(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


FUNCTIONS = {
    "numpy": lambda q, k, v: attention(q, k, v, softmax_numpy),
    "torch": lambda q, k, v: attention(q, k, v, lambda s: torch.softmax(s, -1)),
    "jax": lambda q, k, v: attention(q, k, v, jax.nn.softmax),
}
ARRAYS = {"numpy": np.asarray, "torch": torch.from_numpy, "jax": jax.numpy.asarray}


def check(framework, n, dtype, vjp=attention_vjp):
    args = [ARRAYS[framework](np.ones(shape, dtype)) for shape in ((4, 4), (n, 4), (n, 3))]
    by_hand = {"vjp": lambda g, q, k, v: vjp(q, k, v, g, softmax_numpy)} if framework == "numpy" else {}
    return harness.check_gradient(FUNCTIONS[framework], tuple(args), **by_hand)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [3, 5, 6, 7])
@pytest.mark.parametrize("framework", FUNCTIONS)
def test_uniform_attention_is_right(framework, n, dtype):
    """1/5 in floating point five times is not 1, so a sum that is 0 is not, and the next product is not."""
    if framework == "jax" and dtype == "float64":
        pytest.skip("64 bits are not on here")
    assert check(framework, n, dtype).verdict is Verdict.ACCURATE


def test_a_wrong_formula_is_still_wrong_there():
    def unscaled(q, k, v, g, softmax):
        dq, dk, dv = attention_vjp(q, k, v, g, softmax)
        return 2 * dq, dk, dv

    def without_the_sum(q, k, v, g, softmax):
        ds = softmax(q @ k.T / 2) * (g @ v.T) / 2
        return ds @ k, ds.T @ q, attention_vjp(q, k, v, g, softmax)[2]

    for wrong in (unscaled, without_the_sum):
        assert check("numpy", 5, "float64", wrong).verdict is Verdict.WRONG


def test_what_rounds_more_than_its_program_is_no_zero():
    """A 0 without a slope is judged by what its program rounds: 1e-9 is more."""

    def noisy(q, k, v, g, softmax):
        dq, dk, dv = attention_vjp(q, k, v, g, softmax)
        return dq + 1e-9, dk, dv

    assert not check("numpy", 5, "float64", noisy).verdict.right


def test_digits_that_the_inputs_tell_are_still_asked_for():
    """2 (x - y) at x = y: the inputs tell it to an ulp, and a sum by way of 2^30 loses 30 bits."""
    x = y = np.linspace(0.1, 1, 9)

    def lossy(g, x, y):
        d = 2 * ((x + 2.0**30 - 0.3 * y) - 0.7 * y - 2.0**30)
        return g * d, -g * d

    found = harness.check_gradient(lambda x, y: (x - y) ** 2, (x, y), vjp=lossy)
    assert found.verdict is Verdict.IMPRECISE


@pytest.mark.parametrize("dtype", ["float32"])
def test_a_variance_in_one_pass_of_equal_numbers_is_imprecise(dtype):
    """The function's own two passes leave 0 there, and its derivative's program u^2."""
    args = np.ones(1, dtype), np.full(11, 1.1e4, dtype)

    def variance(w, c):
        return w * ((c - c.mean()) ** 2).mean()

    def by_hand(g, w, c):
        return g * ((c * c).mean() - c.mean() ** 2), None

    assert harness.check_gradient(variance, args, vjp=by_hand, argnums=0).verdict is Verdict.IMPRECISE
