"""A gradient that sets its 0/0, or its 1/0, to 0 is judged: which numbers these are is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient

ROWS = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, -2.0]])


def set_to_0(array, mask):
    array = array.copy()
    array[mask] = 0
    return array


MASKS = {
    "isnan": lambda d: set_to_0(d, np.isnan(d)),
    "not itself": lambda d: set_to_0(d, d != d),
    "not finite": lambda d: set_to_0(d, ~np.isfinite(d)),
    "where": lambda d: np.where(np.isnan(d), 0, d),
    "nan_to_num": np.nan_to_num,
    "of a multiple": lambda d: set_to_0(d, np.isnan(-d[::-1] * 2)[::-1]),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize(("factor", "verdict"), [(1, "convention"), (2, "wrong")])
def test_a_norm_by_hand(name, factor, verdict):
    def vjp(g, x):
        return MASKS[name](factor * g[:, None] * x / np.sqrt((x**2).sum(1))[:, None])

    with np.errstate(all="ignore"):
        assert check_gradient(lambda x: np.sqrt((x**2).sum(1)), (ROWS,), vjp=vjp).verdict == verdict


POLES = {
    "not finite": lambda d: set_to_0(d, ~np.isfinite(d)),
    "where finite": lambda d: np.where(np.isfinite(-d), d, 0),
    "infinite or NaN": lambda d: np.where(np.isinf(d) | np.isnan(d), 0, d),
}


@pytest.mark.parametrize("name", POLES)
@pytest.mark.parametrize(("factor", "verdict"), [(1, "accurate"), (2, "wrong")])
def test_a_masked_inverse_by_hand(name, factor, verdict):
    x, mask = np.array([0.0, 1.2, 4.0]), np.array([False, True, True])

    def inverse(x):
        return np.where(mask, 1 / np.where(mask, x, 1), 0)

    with np.errstate(all="ignore"):
        found = check_gradient(inverse, (x,), vjp=lambda g, x: POLES[name](-factor * g / x**2))
    assert found.verdict == verdict


def test_what_is_no_zero_over_zero_is_found():
    """The masked cotangent makes 0/0 of 1/0, which `isinf` leaves."""
    x, mask = np.array([0.0, 1.2, 4.0]), np.array([False, True, True])

    def inverse(x):
        return np.where(mask, 1 / np.where(mask, x, 1), 0)

    with np.errstate(all="ignore"):
        found = check_gradient(inverse, (x,), vjp=lambda g, x: set_to_0(d := -g / x**2, np.isinf(d)))
    assert found.verdict == "miscomputed"
    assert "not a number" in str(found)


@pytest.mark.parametrize(("factor", "verdict"), [(1, "convention"), (2, "wrong")])
def test_a_norm_of_torchs(factor, verdict):
    class Norm(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            norm = x.pow(2).sum(1).sqrt()
            ctx.save_for_backward(x, norm)
            return norm

        @staticmethod
        def backward(ctx, g):
            x, norm = ctx.saved_tensors
            slope = factor * g[:, None] * x / norm[:, None]
            slope[torch.isnan(slope)] = 0.0
            return slope

    assert check_gradient(Norm.apply, (torch.tensor(ROWS),)).verdict == verdict


@pytest.mark.parametrize(("factor", "verdict"), [(1, "convention"), (2, "wrong")])
def test_a_norm_of_jax(factor, verdict):
    @jax.custom_vjp
    def norm(x):
        return jnp.sqrt((x * x).sum(1))

    def pull(x, g):
        slope = factor * g[:, None] * x / jnp.sqrt((x * x).sum(1))[:, None]
        return (jnp.where(jnp.isnan(slope), 0, slope),)

    norm.defvjp(lambda x: (norm(x), x), pull)
    assert check_gradient(norm, (jnp.array(ROWS),)).verdict == verdict
