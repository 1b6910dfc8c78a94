"""Arrays of zeros that are not differentiated, a mean or a first state: what they hide shows beside them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient

RNG = np.random.default_rng(3)
X, ROWS, WEIGHTS = RNG.normal(size=6), RNG.normal(size=(4, 3)), RNG.normal(size=(3, 3))


def softmax(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_slope(p):
    return p * (2 * p - np.sum(2 * p * p, -1, keepdims=True))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# What is computed, its gradient, and one that is right at zeros alone.
FORGETS = {
    "a mean": (lambda x, m: np.sum((x - m) ** 2), lambda x, m: 2 * (x - m), lambda x, m: 2 * x),
    "the sign of a mean": (
        lambda x, m: np.sum((x - m) ** 2), lambda x, m: 2 * (x - m), lambda x, m: 2 * (x + m),
    ),
    "a bias within a function": (
        lambda x, b: np.sum(np.tanh(x + b)), lambda x, b: 1 - np.tanh(x + b) ** 2,
        lambda x, b: 1 - np.tanh(x) ** 2,
    ),
    "targets": (
        lambda z, t: np.mean(np.logaddexp(0, z) - z * t), lambda z, t: (sigmoid(z) - t) / z.size,
        lambda z, t: sigmoid(z) / z.size,
    ),
    "an additive mask": (
        lambda s, m: np.sum(softmax(s + m) ** 2), lambda s, m: softmax_slope(softmax(s + m)),
        lambda s, m: softmax_slope(softmax(s)),
    ),
    "times": (
        lambda a, t: np.sum(np.exp(a * t)), lambda a, t: t * np.exp(a * t), lambda a, t: t,
    ),
    "a momentum": (
        lambda g, m: np.sum((0.9 * m + 0.1 * g) ** 2), lambda g, m: 0.2 * (0.9 * m + 0.1 * g),
        lambda g, m: 0.02 * g,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGETS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("x", [X, ROWS])
def test_what_zeros_hide_is_wrong(name, dtype, x):
    function, right, forgets = FORGETS[name]
    args = x.astype(dtype), np.zeros(x.shape, dtype)
    assert check_gradient(function, args, grad=right, argnums=0).passed
    found = check_gradient(function, args, grad=forgets, argnums=0)
    assert found.verdict == "wrong"
    assert "is all 0" in str(found)


class Normed(torch.autograd.Function):
    """Batch norm as it is evaluated; `forgets` leaves the running mean out of the gradient of its gain."""

    forgets = False

    @staticmethod
    def forward(ctx, x, gain, mean, variance):
        size = (variance + 1e-5).rsqrt()
        ctx.save_for_backward(x, gain, mean, size)
        return (x - mean) * size * gain

    @classmethod
    def backward(cls, ctx, g):
        x, gain, mean, size = ctx.saved_tensors
        centred = x if cls.forgets else x - mean
        return g * size * gain, (g * centred * size).sum(0), None, None


class Forgetting(Normed):
    forgets = True


@pytest.mark.parametrize("function", [Normed, Forgetting])
def test_a_running_mean_as_it_begins(function):
    args = torch.tensor(ROWS), torch.rand(3).double() + 0.5, torch.zeros(3).double(), torch.ones(3).double()
    assert check_gradient(function.apply, args, argnums=(0, 1)).passed == (not function.forgets)


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("shape", [(3,), (4, 3), ()])
def test_a_first_state_of_jax(forgets, shape):
    @jax.custom_vjp
    def step(x, h):
        return jnp.tanh(x @ WEIGHTS + h)

    def pull(kept, g):
        x, h = kept
        return (g * (1 - jnp.tanh(x @ WEIGHTS + (0 if forgets else h)) ** 2)) @ WEIGHTS.T, None

    step.defvjp(lambda x, h: (step(x, h), (x, h)), pull)
    found = check_gradient(step, (jnp.asarray(ROWS), jnp.zeros(shape)), argnums=0)
    assert found.passed == (not forgets)


def newton(a, start):
    y = start + 1.0
    for _ in range(30):
        y = 0.5 * (y + a / y)
    return np.sum(y)


LABELS = {
    "labels of 0 and 1": (
        lambda z, t: np.sum(np.where(t == 1, np.logaddexp(0, -z), np.logaddexp(0, z))),
        lambda z, t: sigmoid(z) - t,
    ),
    "pairs that are alike": (
        lambda d, y: np.sum(y * d**2 + (1 - y) * np.maximum(0, 1 - d) ** 2),
        lambda d, y: np.where(y == 1, 2 * d, -2 * np.maximum(0, 1 - d)),
    ),
    "two terms that a label chooses from": (
        lambda x, m: np.sum(m * x**2 + (1 - m) * x**3), lambda x, m: np.where(m == 1, 2 * x, 3 * x**2),
    ),
    "labels of -1 and 1, and of nothing": (
        lambda z, y: np.sum(np.maximum(0, 1 - y * z)), lambda z, y: np.where(y * z < 1, -y, 0.0),
    ),
    "what is left out where it is not 0": (
        lambda x, m: np.sum(np.where(m == 0, x**2, 0)), lambda x, m: np.where(m == 0, 2 * x, 0),
    ),
    "what is added to scores, and leaves out all but 0": (
        lambda s, m: np.sum(softmax(s + m) ** 2),
        lambda s, m: np.where(m != 0, 0, softmax_slope(softmax(s + m))),
    ),
    "bounds": (
        lambda x, low: np.sum(np.maximum(x, low) ** 2), lambda x, low: np.where(x > low, 2 * x, 0),
    ),
    "where an iteration begins": (
        lambda x, start: newton(np.exp(x), start), lambda x, start: 0.5 * np.exp(x / 2),
    ),
    "one of each row, or none": (
        lambda z, t: -np.sum(t * np.log(softmax(z))),
        lambda z, t: np.where(t.any(-1, keepdims=True), softmax(z) - t, 0),
    ),
    "charges that add up to 0": (
        lambda x, q: np.sum(q * (x - x.mean()) + x**3), lambda x, q: q + 3 * x**2,
    ),
    "a mask of 0 and 255": (
        lambda x, m: np.sum(m / 255 * x**2 + (1 - m / 255) * x**3),
        lambda x, m: np.where(m > 0, 2 * x, 3 * x**2),
    ),
    "what dropout leaves": (
        lambda x, m: np.sum(np.exp(x * m)), lambda x, m: np.where(m > 0, np.exp(x / 0.7) / 0.7, 0),
    ),
    "indices as floats": (
        lambda x, i: np.sum(x[i[:3].astype(int)] ** 2),
        lambda x, i: np.bincount(i[:3].astype(int), minlength=6) * 2 * x,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LABELS)
def test_a_right_gradient_beside_zeros_accuses_nobody(name):
    function, right = LABELS[name]
    assert check_gradient(function, (X, np.zeros(6)), grad=right, argnums=0).passed


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("forgets", [False, True])
def test_of_two_masks_each_may_be_what_the_other_leaves(dtype, forgets):
    """They are all 0 and all 1 here; `forgets`: the second is left out."""
    args = X.astype(dtype), X[::-1].astype(dtype), np.zeros(6, dtype), np.ones(6, dtype)
    found = check_gradient(
        lambda x, y, a, b: np.sum(a * x**2 + b * y**3), args, argnums=(0, 1),
        grad=lambda x, y, a, b: (2 * x * (1 - b), 3 * y**2 * (1 if forgets else 1 - a)),
    )  # fmt: skip
    assert found.passed == (not forgets)


SQUARE = {
    "antisymmetric": (lambda x, w: np.sum((w @ x) ** 2 + x**2), lambda x, w: -2 * w @ (w @ x) + 2 * x),
    "diagonal": (lambda x, s: x @ s @ x + x @ x, lambda x, s: 2 * np.diag(s) * x + 2 * x),
    "a graph": (
        lambda x, a: 0.5 * np.sum(a * (x[:, None] - x) ** 2),
        lambda x, a: 2 * (a.sum(1) * x - a @ x),
    ),
}


@pytest.mark.parametrize("name", SQUARE)
def test_a_square_matrix_of_zeros_may_have_to_stay_what_it_is(name):
    function, right = SQUARE[name]
    assert check_gradient(function, (X, np.zeros((6, 6))), grad=right, argnums=0).passed


@pytest.mark.parametrize("shape", [(4, 3), (4, 1), (3,)])
@pytest.mark.parametrize(("regards", "verdict"), [(True, "accurate"), (False, "wrong")])
def test_a_mask_of_padding_that_leaves_out_nothing_hides_that_it_is_forgotten(shape, regards, verdict):
    x = np.random.default_rng(0).normal(size=(4, 3))

    def back(g, x, padding):
        slope = g * (1 - np.tanh(x) ** 2)
        return (np.where(padding, 0, slope) if regards else slope), None

    found = check_gradient(
        lambda x, padding: np.where(padding, 0.0, np.tanh(x)),
        (x, np.zeros(shape, bool)), vjp=back, argnums=0,
    )  # fmt: skip
    assert found.verdict == verdict, str(found)
    assert ("padding is all 0" in str(found)) is not regards
