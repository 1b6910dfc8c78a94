"""Shares whose sum is 1, unit vectors, orthogonal matrices: but for their rounding they are that."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.proof.normalised import made_normalised, made_projection
from oracles.exact.program.balls import exact, precision

DTYPES = ("float64", "float32")


def shares(rng, dtype):
    e = np.exp(3 * rng.normal(size=(2, 10))).astype(dtype)
    return (e / e.sum(1, keepdims=True)).astype(dtype)


def orthogonal(rng, dtype, shape=(4, 4)):
    return np.linalg.qr(rng.normal(size=shape).astype(dtype))[0].astype(dtype)


def unit(rng, dtype):
    v = rng.normal(size=5).astype(dtype)
    return v / np.linalg.norm(v)


def projector(rng, dtype):
    u = orthogonal(rng, dtype, (5, 2))
    return u @ u.T


KINDS = {
    "shares": (shares, lambda a: a.sum(1) - 1),
    "shares in columns": (lambda rng, dtype: shares(rng, dtype).T.copy(), lambda a: a.sum(0) - 1),
    "shares of all": (lambda rng, dtype: shares(rng, dtype) / 2, lambda a: np.atleast_1d(a.sum() - 1)),
    "unit": (unit, lambda a: np.atleast_1d((a * a).sum() - 1)),
    "orthogonal": (orthogonal, lambda a: (a.T @ a - np.eye(4)).ravel()),
    "orthogonal columns": (
        lambda rng, dtype: orthogonal(rng, dtype, (6, 3)),
        lambda a: (a.T @ a - np.eye(3)).ravel(),
    ),
    "orthogonal rows": (
        lambda rng, dtype: orthogonal(rng, dtype, (6, 3)).T.copy(),
        lambda a: (a @ a.T - np.eye(3)).ravel(),
    ),
    "idempotent": (projector, lambda a: (a @ a - a).ravel()),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_off_by_its_rounding_is_made_exact(kind, dtype):
    draw, defect = KINDS[kind]
    asked = 0
    for seed in range(4):
        a = draw(np.random.default_rng(seed), dtype)
        with precision(256):
            if not any(defect(exact(a))):
                continue
            asked += 1
            found = made_normalised(a, dtype)
            assert found is not None
            assert all(abs(d) < 2.0**-100 for d in defect(found))
        assert np.allclose(found.astype(float), a, rtol=0, atol=8 * np.finfo(dtype).eps)
        assert made_normalised(a * np.array(1 + 1e-3, dtype), dtype) is None
    assert asked


@pytest.mark.parametrize(
    "a",
    [
        np.eye(3),
        np.array([0.5, 0.25, 0.25]),
        np.zeros((2, 3)),
        np.ones(1),
        np.array([0.5, np.nan]),
        np.arange(4),
    ],
)
def test_what_is_exact_or_no_such_thing_stays(a):
    assert made_normalised(a, a.dtype.name) is None


def test_rows_of_zeros_beside_shares_stay():
    a = shares(np.random.default_rng(0), "float64")
    found = made_normalised(np.concatenate([a, np.zeros((1, 10))]), "float64")
    assert found is not None
    assert all(ball.is_zero() for ball in found[-1])


def labels(seed, dtype):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, 10)).astype(dtype), shares(rng, dtype)


def cross_entropy(xp):
    def loss(z, t):
        z = z - z.max(-1, keepdims=True) if xp is not torch else z - z.amax(-1, keepdim=True)
        total = xp.log(xp.exp(z).sum(-1, keepdims=True))
        return -(t * (z - total)).sum()

    return loss


def gradient(xp, factor=1.0):
    def grad(c, z, t):
        e = xp.exp(z - (z.max() if xp is not torch else z.amax()))
        return c * (e / e.sum(-1, keepdims=True) - factor * t)

    return grad


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("xp", [np, torch, jnp])
@pytest.mark.parametrize("closed_over", [False, True])
def test_p_minus_t_is_the_gradient_for_labels_whose_sum_is_1(xp, dtype, closed_over):
    with jax.enable_x64(True):
        load = torch.from_numpy if xp is torch else xp.asarray
        for seed in range(8):
            z, t = map(load, labels(seed, dtype))
            for factor, verdict in ((1, "accurate"), (1 + 1e-3, "wrong")):
                loss, rule = cross_entropy(xp), gradient(xp, factor)
                if closed_over:
                    found = check_gradient(partial(loss, t=t), (z,), vjp=partial(rule, t=t))
                else:
                    found = check_gradient(loss, (z, t), vjp=rule, argnums=0)
                assert found.verdict == verdict


def test_labels_whose_sum_is_not_1_are_not_taken_for_such():
    z, t = labels(0, "float64")
    found = check_gradient(cross_entropy(np), (z, t * (1 + 1e-12)), vjp=gradient(np), argnums=0)
    assert found.verdict == "wrong"


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_orthogonal_matrix_keeps_lengths(dtype):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        x, q = rng.normal(size=4).astype(dtype), orthogonal(rng, dtype)

        def function(x, q):
            y = q @ x
            return (y * y).sum()

        assert (
            check_gradient(function, (x, q), vjp=lambda c, x, q: c * 2 * x, argnums=0).verdict == "accurate"
        )
        assert (
            check_gradient(function, (x, q), vjp=lambda c, x, q: c * 2 * q @ x, argnums=0).verdict == "wrong"
        )


def on_columns(rng, dtype, ridge=0.0):
    b = rng.normal(size=(20, 5)).astype(dtype)
    return b @ np.linalg.inv(b.T @ b + ridge * np.eye(5, dtype=dtype)) @ b.T


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_projection_on_columns_is_made_one(dtype):
    p = on_columns(np.random.default_rng(0), dtype)
    found = made_projection(p, dtype)
    assert found is not None
    with precision(256):
        for defect in (found @ found - found, found - found.T):
            assert all(abs(d) < 2.0**-100 for d in defect.ravel())
    assert np.abs(found.astype(float) - p).max() < 64 * np.finfo(dtype).eps


@pytest.mark.parametrize(
    "a",
    [
        np.eye(3) + 1e-13 * np.ones((3, 3)),  # all of a space
        1e-13 * np.ones((3, 3)),  # and none
        np.array([[1.0, 1e-3], [0.0, 0.0]]),  # along another direction than at right angles
        np.full((3, 3), np.nan),
        np.ones((2, 3)) / 3,
        on_columns(np.random.default_rng(0), "float64") * (1 + 1e-9),
        on_columns(np.random.default_rng(0), "float64", ridge=1e-11),
    ],
)
def test_what_is_nearly_no_projection_stays(a):
    assert made_projection(a, "float64") is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("xp", [np, torch, jnp])
@pytest.mark.parametrize("closed_over", [False, True])
@pytest.mark.parametrize(("factor", "verdict"), [(2, "accurate"), (2.0002, "wrong")])
def test_the_gradient_of_a_squared_residual_is_twice_the_residual(xp, dtype, closed_over, factor, verdict):
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        load = torch.from_numpy if xp is torch else xp.asarray
        p, x = load(on_columns(rng, dtype)), load(rng.normal(size=20).astype(dtype))
        loss, grad = (lambda x, p: ((x - p @ x) ** 2).sum()), (lambda x, p: factor * (x - p @ x))
        if closed_over:
            found = check_gradient(partial(loss, p=p), (x,), grad=partial(grad, p=p))
        else:
            found = check_gradient(loss, (x, p), grad=grad, argnums=0)
    assert found.verdict == verdict, found


def test_a_basis_of_many_rows_is_orthonormal():
    rng = np.random.default_rng(0)
    q, x = np.linalg.qr(rng.normal(size=(300, 6)))[0], rng.normal(size=300)
    found = check_gradient(
        lambda x: ((x - q @ (q.T @ x)) ** 2).sum(), (x,), grad=lambda x: 2 * (x - q @ (q.T @ x))
    )
    assert found.verdict == "accurate", found
