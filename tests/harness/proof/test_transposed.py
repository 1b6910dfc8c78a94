"""A matrix for its transpose: it does not show where matrices are symmetric, and is told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient

RNG = np.random.default_rng(0)
X, SKEW = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 3))
SYMMETRIC = {"identity": np.eye(3), "diagonal": np.diag([1.0, 2.0, 3.0]), "symmetric": SKEW + SKEW.T}
SAID = "W is symmetric here; where it is not, the gradient is wrong (x: the formula gives"


def layer(x, W):
    return np.sin(x @ W).sum()


def right(x, W):
    return np.cos(x @ W) @ W.T, x.T @ np.cos(x @ W)


def turned(x, W):
    return np.cos(x @ W) @ W, x.T @ np.cos(x @ W)


class Turned(torch.autograd.Function):
    """x W, whose pullback has W for its transpose."""

    @staticmethod
    def forward(ctx, x, W):
        ctx.save_for_backward(x, W)
        return x @ W

    @staticmethod
    def backward(ctx, g):
        x, W = ctx.saved_tensors
        return g @ W, x.T @ g


@jax.custom_vjp
def turned_in_jax(x, W):
    return x @ W


turned_in_jax.defvjp(lambda x, W: (x @ W, (x, W)), lambda kept, g: (g @ kept[1], kept[0].T @ g))


@pytest.mark.parametrize("name", SYMMETRIC)
@pytest.mark.parametrize("argnums", [None, 0])
def test_it_is_told(name, argnums):
    grad = turned if argnums is None else lambda x, W: turned(x, W)[0]
    found = check_gradient(layer, (X, SYMMETRIC[name]), grad=grad, argnums=argnums)
    assert found.verdict == "accurate"
    assert SAID in str(found)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_a_right_one_says_nothing(name):
    found = check_gradient(layer, (X, SYMMETRIC[name]), grad=right)
    assert found.verdict == "accurate"
    assert "symmetric" not in str(found)


def test_where_it_is_not_symmetric_it_is_wrong():
    assert check_gradient(layer, (X, SKEW), grad=turned).verdict == "wrong"


def test_it_is_told_of_the_frameworks_rules():
    in_torch = check_gradient(Turned.apply, (torch.tensor(X), torch.eye(3, dtype=torch.float64)))
    in_jax = check_gradient(turned_in_jax, (jnp.array(X), jnp.eye(3)))
    assert in_torch.passed
    assert "is symmetric here; where it is not" in str(in_torch)
    assert in_jax.passed
    assert "is symmetric here; where it is not" in str(in_jax)


def test_of_complex_matrices_the_adjoint_counts():
    z, hermitian = X + 1j * X[::-1], np.array([[2.0, 1j, 0], [-1j, 3.0, 1], [0, 1, 1]])
    found = check_gradient(
        lambda z, W: (abs(z @ W) ** 2).sum(), (z, hermitian), argnums=0, grad=lambda z, W: 2 * z @ W @ W
    )
    assert found.passed
    assert "W is symmetric here; where it is not" in str(found)


def test_what_is_meant_for_symmetric_matrices_passes():
    found = check_gradient(
        lambda x, W: x @ W @ x, (X[0], SYMMETRIC["symmetric"]), argnums=0, grad=lambda x, W: 2 * W @ x
    )
    assert found.passed
    assert SAID in str(found)


def test_of_a_function_that_reads_one_triangle_nothing_is_said():
    matrix = SKEW @ SKEW.T + np.eye(3)
    found = check_gradient(
        lambda W: np.log(np.diag(np.linalg.cholesky(W))).sum() * 2, (matrix,), grad=np.linalg.inv
    )
    assert found.passed
    assert "where it is not" not in str(found)
