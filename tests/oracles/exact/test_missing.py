"""NaN in data is left out, and what is left has its gradient."""

from __future__ import annotations

import jax
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


FIRST, LAST = np.array([[0.0, 0, 1], [0, 1, 0]]), np.array([[1.0, 0, 0], [0, 0, 1]])  # in order
NONE = np.array([[np.nan] * 3, Y[1]])
ROWS = np.array([[1.0, np.nan, 2.0], [0.3, 0.5, -1.0]])
KEPT = ROWS[1:]


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
    "side by side": (lambda w: np.nansum(np.hstack([w - Y, w]) ** 2), lambda w: 2 * residual(w) + 2 * w),
    "nanstd": (lambda w: np.sum(np.nanstd(w - Y, 1)), lambda w: (LAST - FIRST) / 2),
    "nanmax": (lambda w: np.sum(np.nanmax(w - Y, 1)), lambda w: LAST),
    "nanmin": (lambda w: np.sum(np.nanmin(w - Y, 1)), lambda w: FIRST),
    "of nothing": (lambda w: np.nansum(np.nanmax(w - NONE, 1)), lambda w: np.array([[0, 0, 0], LAST[1]])),
    "nanmean of nothing": (
        lambda w: np.nansum(np.nanmean(w - NONE, 1)),
        lambda w: np.array([[0, 0, 0], THERE[1] / 2]),
    ),
    "fmax": (lambda w: np.sum(np.fmax(w, Y)), lambda w: np.where(THERE & (w < REST), 0.0, 1.0)),
    "fmin": (lambda w: np.sum(np.fmin(Y, w)), lambda w: np.where(THERE & (w > REST), 0.0, 1.0)),
    "fmax.reduce": (lambda w: np.sum(np.fmax.reduce(w - Y, 1)), lambda w: LAST),
    "fmax.accumulate": (
        lambda w: np.sum(np.fmax.accumulate(w - Y, 1)[:, 1:]),
        lambda w: np.array([[2.0, 0, 0], [0, 1, 1]]),
    ),
    "nanmedian": (lambda w: np.sum(np.nanmedian(w - Y, 1)), lambda w: THERE / 2),
    "nanquantile": (lambda w: np.sum(np.nanquantile(w - Y, 0.25, 1)), lambda w: 0.75 * FIRST + 0.25 * LAST),
    "nancumsum": (lambda w: np.sum(np.nancumsum(w - Y, 1)), lambda w: THERE * [[3.0, 2, 1]]),
    "nanargmax": (
        lambda w: np.sum((w - Y)[np.arange(2), np.nanargmax(w - Y, 1)]),
        lambda w: LAST,
    ),
    "sort": (lambda w: np.sum(np.sort(w - Y, 1)[:, :2] * [1, 2]), lambda w: FIRST + 2 * LAST),
    "argsort": (
        lambda w: np.sum(np.take_along_axis(w - Y, np.argsort(w - Y, 1), 1)[:, :2] * [1, 2]),
        lambda w: FIRST + 2 * LAST,
    ),
    "maximum": (lambda w: np.nansum(np.maximum(w - Y, 0)), lambda w: 1.0 * (residual(w) > 0)),
    "clip": (lambda w: np.nansum(np.clip(w - Y, -1, 1)), lambda w: 1.0 * (THERE & (np.abs(w - REST) < 1))),
    "sign": (lambda w: np.nansum(np.sign(w - Y) * w), lambda w: np.sign(residual(w))),
    "a row of a product": (lambda w: np.nansum(np.dot(ROWS, w.T) ** 2), lambda w: 2 * w @ KEPT.T @ KEPT),
    "a largest of a row": (
        lambda w: np.nansum(np.max(ROWS * w[1], 1)),
        lambda w: np.stack([0 * w[0], 0 * w[0] + KEPT[0] * (KEPT[0] * w[1] == np.max(KEPT[0] * w[1]))]),
    ),
    "what a mask makes missing": (
        lambda w: np.nanmax(np.where(w < 0.65, np.log(np.abs(w) + 1), np.nan)),
        lambda w: np.where(w == -1.0, -0.5, 0.0),
    ),
}


@pytest.mark.filterwarnings("ignore:All-NaN slice", "ignore:Mean of empty slice")
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


KERNELS = {
    "fmax": lambda w: torch.fmax(w, TY).sum(),
    "fmin": lambda w: torch.fmin(TY, w).sum(),
    "nanmedian": lambda w: torch.nanmedian(w - TY, 1).values.sum(),
    "nanquantile": lambda w: torch.nanquantile(w - TY, 0.5, 1).sum(),
    **{
        name: lambda w, own=own: (lambda v: (v[~torch.isnan(v)] ** 2).sum())(own(w - TY))
        for name, own in {
            "median": lambda d: torch.median(d[:, 1:], 1).values,
            "topk": lambda d: torch.topk(d, 2, 1).values,
            "kthvalue": lambda d: torch.kthvalue(d, 2, 1).values,
            "sort": lambda d: torch.sort(d, 1).values,
            "sort, falling": lambda d: torch.sort(d, 1, descending=True).values,
            "argsort, falling": lambda d: torch.gather(d, 1, torch.argsort(d, 1, descending=True)),
            "cummax": lambda d: torch.cummax(d, 1).values,
            "cumsum": lambda d: torch.cumsum(d, 1),
            "largest": lambda d: torch.max(d[:, 1:], 1).values,
            "where the largest is": lambda d: torch.gather(d, 1, torch.argmax(d, 1, keepdim=True)),
            "product": lambda d: d @ torch.ones(3, 2, dtype=torch.float64),
            "side by side": lambda d: torch.cat([d, d.detach() * d], 1),
        }.items()
    },
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_of_torch_leave_it_out_or_make_it_missing(name):
    found = check_gradient(KERNELS[name], (TW,))
    assert found.verdict is (Verdict.MISCOMPUTED if "side" in name else Verdict.ACCURATE), found


OF_JAX = {
    "max": lambda d: jnp.maximum(d, 0.0),
    "relu": jax.nn.relu,
    "largest": lambda d: jnp.max(d, 1, keepdims=True) + 0 * jnp.nan_to_num(d),
    "clip": lambda d: jnp.clip(d, -1, 1),
    "cumsum": lambda d: jnp.cumsum(d, 1),
    "cumprod": lambda d: jnp.cumprod(d, 1),
    "sort": lambda d: jnp.sort(d, 1),
    "product": lambda d: jnp.einsum("ij,jk->ik", d, jnp.eye(3)),
    "floor": jnp.floor,
    "held": jax.lax.stop_gradient,
    "joined": lambda d: jnp.concatenate([d, d], 1)[:, :3],
    "scattered": lambda d: jnp.zeros((2, 3)).at[:, jnp.array([2, 0, 0])].add(d),
    "softmax": lambda d: jax.nn.softmax(d, 1),
}


@pytest.mark.parametrize("name", OF_JAX)
def test_jax_asks_what_is_missing_of_what_is_computed(name):
    y, w = jnp.asarray(Y, jnp.float32), jnp.asarray(W, jnp.float32)

    def function(w):
        return jnp.sum(jnp.where(jnp.isnan(OF_JAX[name](w - y)), 3 * w, w * w))

    gone = jnp.isnan(OF_JAX[name](w - y))
    assert check_gradient(function, (w,)).verdict is Verdict.ACCURATE
    forgotten = check_gradient(function, (w,), grad=lambda w: jnp.where(gone, 0.0, 2 * w))
    assert forgotten.verdict is Verdict.WRONG


def test_whether_a_value_that_no_rule_follows_is_missing_is_undecided():
    y, w = jnp.asarray(Y, jnp.float32), jnp.asarray(W, jnp.float32)
    found = check_gradient(
        lambda w: jnp.sum(jnp.where(jnp.isnan(jnp.fft.fft(w - y).real), 3 * w, w * w)), (w,)
    )
    assert found.verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_a_rule_asks_what_is_missing_of_its_residuals(factor):
    y = jnp.asarray(Y, jnp.float32)

    @jax.custom_vjp
    def hinge(w):
        return jnp.sum(jnp.where(jnp.isnan(y), 0.0, jnp.maximum(w - jnp.nan_to_num(y), 0.0)))

    hinge.defvjp(
        lambda w: (hinge(w), jnp.maximum(w - y, 0.0)),
        lambda r, g: (g * jnp.where(jnp.isnan(r), 0.0, jnp.where(r > 0, factor, 0.0)),),
    )
    found = check_gradient(hinge, (jnp.asarray(W, jnp.float32),))
    assert found.verdict is (Verdict.ACCURATE if factor == 1 else Verdict.WRONG)


FORGOTTEN = {
    "the count": (lambda w: np.nanmean((w - Y) ** 2), lambda w: 2 * residual(w) / Y.size),
    "what fmax takes": (lambda w: np.sum(np.fmax(w, Y)), lambda w: 1.0 * (THERE & (w > REST))),
    "that it is no largest": (lambda w: np.sum(np.nanmax(w - Y, 1)), lambda w: 1.0 * ~THERE),
    "of which the middle is": (lambda w: np.sum(np.nanmedian(w - Y, 1)), lambda w: LAST),
    "that a row lacks one": (
        lambda w: np.nansum((w @ ROWS.T) ** 2),
        lambda w: 2 * (w @ np.nan_to_num(ROWS).T) @ np.nan_to_num(ROWS),
    ),
    "that none is summed": (lambda w: np.sum(np.nancumsum(w - Y, 1)), lambda w: 0 * w + [3.0, 2, 1]),
}


@pytest.mark.parametrize("name", FORGOTTEN)
def test_what_a_gradient_forgets_of_it_is_wrong(name):
    function, slope = FORGOTTEN[name]
    assert check_gradient(function, (W,), grad=slope).verdict is Verdict.WRONG


@pytest.mark.parametrize("own", [np.max, np.sort, np.median, np.cumsum, np.sign])
def test_where_a_result_is_missing_there_is_no_slope(own):
    found = check_gradient(lambda w: np.sum(own(w - Y)), (W,), grad=np.zeros_like)
    assert found.verdict is not Verdict.ACCURATE


@pytest.mark.parametrize("factor", [1.0, 1.001])
@pytest.mark.parametrize("array", [np.asarray, jnp.asarray, torch.asarray])
def test_data_that_are_an_argument_may_lack_some(array, factor):
    lib = {np.asarray: np, jnp.asarray: jnp, torch.asarray: torch}[array]
    kind = lib.float32 if lib is jnp else lib.float64

    def loss(w, y):
        gone = lib.isnan(y)
        return lib.sum(lib.where(gone, 0.0 * w, (w - lib.where(gone, 0.0 * w, y)) ** 2))

    def slope(w, y):
        gone = lib.isnan(y)
        return factor * lib.where(gone, 0.0 * w, 2 * (w - lib.where(gone, 0.0 * w, y)))

    found = check_gradient(loss, (array(W, dtype=kind), array(Y, dtype=kind)), argnums=0, grad=slope)
    assert found.verdict is (Verdict.ACCURATE if factor == 1 else Verdict.WRONG), found


def test_the_gradient_of_jax_is_nan_unless_what_is_missing_is_filled_before():
    y, w = jnp.asarray(Y, jnp.float32), jnp.asarray(W, jnp.float32)
    late = check_gradient(lambda w: jnp.nansum((w - y) ** 2), (w,))
    early = check_gradient(lambda w: jnp.sum(jnp.where(jnp.isnan(y), 0, w - jnp.nan_to_num(y)) ** 2), (w,))
    assert (late.verdict, early.verdict) == (Verdict.MISCOMPUTED, Verdict.ACCURATE)


def test_what_is_computed_is_not_missing():
    """0 / 0 at this point alone is no missing number."""
    found = check_gradient(lambda w: np.nansum((w - W) / (w - W)), (W,), grad=lambda w: 0 * w)
    assert found.verdict is Verdict.UNDECIDED
