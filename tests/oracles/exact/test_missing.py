"""NaN in data is left out, and what is left has its gradient."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.verdicts import Verdict

Y = np.array([[1.0, np.nan, 2.0], [np.nan, 0.5, -1.0]])
W = np.array([[0.1, 0.2, 0.3], [-1.0, 0.7, 0.4]])
THERE = ~np.isnan(Y)
REST = np.where(THERE, Y, 0.0)


def residual(w):
    return np.where(THERE, w - REST, 0.0)


def filled(w):
    r = w - Y
    r[np.isnan(r)] = 0
    return np.sum(r * r)


VARIANCE = np.array([np.var(np.where(THERE, W - REST, np.nan)[:, k][THERE[:, k]]) for k in range(3)])


def slope_of_variance(w):
    rows = []
    for k in range(3):
        own, r = THERE[:, k], (w - REST)[:, k]
        rows.append(np.where(own, 2 * (r - np.mean(r[own])) / np.sum(own), 0.0))
    return np.stack(rows, 1)


LEFT_OUT = {
    "nansum": (lambda w: np.nansum((w - Y) ** 2), lambda w: 2 * residual(w)),
    "nanmean": (lambda w: np.nanmean((w - Y) ** 2), lambda w: 2 * residual(w) / THERE.sum()),
    "of each column": (
        lambda w: np.sum(np.nanmean((w - Y) ** 2, 0)),
        lambda w: 2 * residual(w) / THERE.sum(0),
    ),
    "nanvar": (lambda w: np.sum(np.nanvar(w - Y, axis=0)), slope_of_variance),
    "with a mask too": (
        lambda w: np.nansum((w - Y) ** 2, where=np.array([True, True, False])),
        lambda w: 2 * residual(w) * [1, 1, 0],
    ),
    "nan_to_num": (lambda w: np.sum(np.nan_to_num(w - Y) ** 2), lambda w: 2 * residual(w)),
    "where": (lambda w: np.sum(np.where(np.isnan(w - Y), 0, (w - Y) ** 2)), lambda w: 2 * residual(w)),
    "isfinite": (lambda w: np.sum(((w - Y) ** 2)[np.isfinite(w - Y)]), lambda w: 2 * residual(w)),
    "written over": (filled, lambda w: 2 * residual(w)),
    "rows that lack one": (
        lambda w: np.nansum(((w[:, 1:] - Y[:, 1:]) ** 2).sum(1)),
        lambda w: (
            np.stack([0 * w[:, 0], 0 * w[:, 0], 0 * w[:, 0]], 1)
            + np.array([[0.0, 0, 0], [0, 1, 1]]) * 2 * residual(w)
        ),
    ),
    "moved": (lambda w: np.nansum((w - Y).T[::-1] ** 2), lambda w: 2 * residual(w)),
}


@pytest.mark.parametrize("factor", [1.0, 1.001])
@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_missing_is_left_out_in_numpy(name, factor):
    function, slope = LEFT_OUT[name]
    found = check_gradient(function, (W,), grad=lambda w: factor * slope(w))
    assert found.verdict is (Verdict.ACCURATE if factor == 1 else Verdict.WRONG), found


TY, TW = torch.tensor(Y), torch.tensor(W)
OF_TORCH = {
    "nansum": lambda w: torch.nansum((w - TY) ** 2),
    "isnan": lambda w: torch.where(torch.isnan(w - TY), 0 * w, (w - TY) ** 2).sum(),
    "x != x": lambda w: (lambda r: torch.where(r != r, 0 * w, r * r).sum())(w - TY),
    "isfinite": lambda w: torch.where(torch.isfinite(w - TY), (w - TY) ** 2, 0 * w).sum(),
}


@pytest.mark.parametrize("factor", [1.0, 1.001])
@pytest.mark.parametrize("name", OF_TORCH)
def test_what_is_missing_is_left_out_in_torch(name, factor):
    """By hand it is right; torch's own gradient is 0 times NaN there."""
    rest, there = torch.tensor(REST), torch.tensor(THERE)
    found = check_gradient(
        OF_TORCH[name], (TW,), grad=lambda w: 2 * factor * torch.where(there, w - rest, torch.zeros_like(w))
    )
    assert found.verdict is (Verdict.ACCURATE if factor == 1 else Verdict.WRONG), found
    own = check_gradient(OF_TORCH[name], (TW,))
    assert own.verdict is Verdict.MISCOMPUTED
    assert "not a number, where the truth is 0" in str(own)


def test_the_gradient_of_jax_is_nan_unless_what_is_missing_is_filled_before():
    y, w = jnp.asarray(Y, jnp.float32), jnp.asarray(W, jnp.float32)
    late = check_gradient(lambda w: jnp.nansum((w - y) ** 2), (w,))
    early = check_gradient(lambda w: jnp.sum(jnp.where(jnp.isnan(y), 0, w - jnp.nan_to_num(y)) ** 2), (w,))
    assert (late.verdict, early.verdict) == (Verdict.MISCOMPUTED, Verdict.ACCURATE)


def test_what_is_computed_is_not_missing():
    """0 / 0 at this point alone is no missing number."""
    found = check_gradient(lambda w: np.nansum((w - W) / (w - W)), (W,), grad=lambda w: 0 * w)
    assert found.verdict is Verdict.UNDECIDED
