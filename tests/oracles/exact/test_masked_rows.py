"""A row that is masked wholly with -inf: a constant, whose logarithm, norm or softmax moves nothing."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.scipy.special import logsumexp

from harness import check_gradient, exact_gradient
from harness.verdicts import Verdict
from oracles.exact.core import library

X = np.array([[0.1, 0.5], [0.3, -0.2]])
KEPT = np.array([[True, True], [False, False]])
WHOLE = np.array([True, False])  # rows of which nothing is masked
FILL = -np.inf


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def lse(x):
    return logsumexp(jnp.where(KEPT, x, FILL), axis=1)


def torch_lse(x):
    return torch.logsumexp(x.masked_fill(torch.tensor(~KEPT), FILL), 1)


def softmin(x):
    return -logsumexp(-jnp.where(KEPT, x, jnp.inf), axis=1)


JAX = {
    "softplus": lambda x: jax.nn.softplus(lse(x)),
    "of what moves it": lambda x: jax.nn.softplus(lse(x) + x[:, 0]),
    "exp": lambda x: jnp.exp(lse(x)),
    "logaddexp": lambda x: jnp.logaddexp(lse(x), x[:, 0]),
    "weights": lambda x: jnp.exp(logsumexp(x, axis=1, b=KEPT.astype(float))),
    "softmin": lambda x: jnp.exp(-softmin(x)),
    "a row of such": lambda x: jnp.exp(logsumexp(jnp.stack([lse(x), lse(x)]), axis=0)),
    "the side of a branch": lambda x: jnp.where((s := jax.nn.softplus(lse(x))) > 0, s * s, s),
}
TORCH = {
    "softplus": lambda x: torch.nn.functional.softplus(torch_lse(x)),
    "sigmoid": lambda x: torch.sigmoid(torch_lse(x)),
    "logaddexp": lambda x: torch.logaddexp(torch_lse(x), x[:, 0]),
    "two of them": lambda x: torch.exp(torch.logaddexp(torch_lse(x), torch_lse(x))),
}


@pytest.mark.parametrize("name", JAX)
@pytest.mark.parametrize("core", [True, False])
def test_jax_is_right_there(name, core):
    with contextlib.nullcontext() if core else library.without():
        assert check_gradient(JAX[name], (jnp.asarray(X),)).verdict is Verdict.ACCURATE


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_torch_is_right_there(name, dtype):
    assert check_gradient(TORCH[name], (torch.tensor(X, dtype=dtype),)).verdict is Verdict.ACCURATE


def added(x):
    return jax.nn.softplus(logsumexp(x + jnp.where(KEPT, 0.0, FILL), axis=1))


@pytest.mark.parametrize(("function", "mode"), [(added, "reverse"), (JAX["softplus"], "forward")])
def test_where_jax_gives_nan_the_truth_is_0(function, mode):
    found = check_gradient(function, (jnp.asarray(X),), mode=mode)
    assert found.verdict is Verdict.MISCOMPUTED
    assert "where the truth is 0" in str(found)


def test_the_exact_gradient_is_0_in_that_row():
    found = exact_gradient(lambda x: JAX["softplus"](x).sum(), (jnp.asarray(X),))
    weights = np.exp(X[0])
    np.testing.assert_allclose(found.mid[0], weights / (1 + weights.sum()), rtol=1e-15)
    assert not found.mid[1].any()
    assert not found.radius[1].any()


def test_the_second_derivative_is_known_too():
    slope = jax.grad(lambda x: jax.nn.softplus(lse(x)).sum())
    assert check_gradient(slope, (jnp.asarray(X),)).verdict is Verdict.ACCURATE


def pooled(x):
    """log(1 + the sum of what is kept), by way of a logarithm that is -inf."""
    with np.errstate(divide="ignore"):
        return np.log1p(np.exp(np.log(np.where(KEPT, np.exp(x), 0.0).sum(1))))


def by_hand(g, x):
    kept = np.where(KEPT, np.exp(x), 0.0)
    return g[:, None] * kept / (1 + kept.sum(1, keepdims=True))


MISTAKES = {
    "none": (1.0, 0.0, Verdict.ACCURATE),
    "the masked row moves": (1.0, 0.5, Verdict.WRONG),
    "the other row is off": (1.001, 0.0, Verdict.WRONG),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_beside_it_are_seen(name):
    factor, masked, verdict = MISTAKES[name]

    def vjp(g, x):
        return np.where(WHOLE[:, None], by_hand(g, x) * factor, masked * g[:, None])

    assert check_gradient(pooled, (X,), vjp=vjp).verdict is verdict


def logged(inner):
    """log(1 + inner), by way of its logarithm: where inner is 0 and moves, that is a pole on the way."""

    def function(x):
        with np.errstate(divide="ignore"):
            return np.log1p(np.exp(np.log(inner(x))))

    return function


# At 0, with the slopes that are legal there: nobody may take the 0 for one that stays.
MOVING = {
    "it itself": (lambda x: x * 1.0, ()),
    "a kink": (np.abs, (-1.0, 0.0, 1.0)),
    "a mask that turns": (lambda x: np.where(x > 0, x, 0.0), (0.0, 1.0)),
    "a product of what steps": (lambda x: (np.floor(x) + 0.0) * (x + 1), ()),
}


@pytest.mark.parametrize("name", MOVING)
def test_a_zero_that_moves_is_no_constant(name):
    inner, legal = MOVING[name]
    for slope in (-1.0, 0.0, 1.0, 2.0):
        found = check_gradient(
            logged(inner), (np.array([0.0]),), vjp=lambda g, x, s=slope: s * g, probes=False
        )
        assert found.passed == (slope in legal)


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_a_factor_that_stays_0_has_no_norm_to_differentiate(factor):
    """The shrinkage of the group lasso, inside of its threshold and beyond."""

    def loss(x):
        n = np.sqrt(np.sum(x**2))
        y = np.maximum(0, 1 - 1 / n) * x
        return np.dot(y, x) - 0.5 * np.sum(y**2) - np.sqrt(np.sum(y**2))

    def grad(x):
        return max(0, 1 - 1 / np.sqrt(np.sum(x**2))) * x * factor

    inside, beyond = np.array([0.3, 0.4]), np.array([1.3, 0.4])
    assert check_gradient(loss, (inside,), grad=grad, probes=False).verdict is Verdict.ACCURATE
    verdict = Verdict.ACCURATE if factor == 1 else Verdict.WRONG
    assert check_gradient(loss, (beyond,), grad=grad).verdict is verdict
    moved = check_gradient(loss, (inside,), grad=lambda x: grad(x) + 0.1)
    assert moved.verdict is Verdict.WRONG
