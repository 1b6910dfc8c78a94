"""Norms of rows that are 0, distances of a point to itself, and what meets what is held fixed."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from harness import check_gradient
from harness.verdicts import Verdict

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
Y = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
MASK = torch.tensor([[1.0], [0.0], [1.0], [0.0]])
SAME = torch.eye(4, dtype=torch.bool)
SMOOTH: dict[str, Callable[[Tensor], Tensor]] = {
    "distances to oneself": lambda x: torch.cdist(x, x),
    "cubic distances": lambda x: torch.cdist(x, x, p=3.0),
    "differences": lambda x: torch.linalg.vector_norm(x[:, None] - x, dim=-1),
    "masked rows": lambda x: (x * MASK).norm(dim=1),
    "normalized masked rows": lambda x: functional.normalize(x * MASK),
    "cubic norms": lambda x: torch.linalg.vector_norm(x * MASK, 3, 1),
    "nothing": lambda x: torch.linalg.matrix_norm(x * 0),
    "energy distance": lambda x: torch.cdist(x, x).mean() - 2 * torch.cdist(x, Y).mean(),
    "hardest triplet": lambda x: torch.cdist(x, x).masked_fill(SAME, 1e9).amin(1),
    "kernel": lambda x: torch.exp(-(torch.cdist(x, x) ** 2)),
    "what underflows": lambda x: torch.linalg.vector_norm(x * 1e-30 * 1e-15, dim=1),
    "pairs": functional.pdist,
}


@pytest.mark.parametrize("name", SMOOTH)
def test_what_is_0_all_along_has_the_slope_0(name):
    assert check_gradient(SMOOTH[name], (X,)).verdict is Verdict.ACCURATE


@pytest.mark.parametrize(
    "f",
    [
        lambda x: (x - x.detach()).abs(),
        lambda x: torch.maximum(x, x.detach()),
        lambda x: functional.l1_loss(x, x.detach()),
        lambda x: functional.relu(x - x.detach()),
        lambda x: (x - x.detach()).abs() - (x.detach() - x).abs().flip(0),
        lambda x: x.clamp(min=x.detach()),
        lambda x: torch.stack([x, x.detach()]).amax(0),
        lambda x: torch.cat([x, x.detach()], 1).amin(1),
        lambda x: torch.stack([x.detach(), x]).max(0).values,
        lambda x: torch.stack([x, x.detach()]).sort(0).values[1],
        lambda x: functional.max_pool1d(torch.stack([x, x.detach()], -1), 2),
    ],
)
def test_what_meets_what_is_held_fixed_has_every_slope_between(f):
    """Beside the point both still move together in value, and in slope they do not."""
    assert check_gradient(f, (X,)).verdict is Verdict.CONVENTION


@pytest.mark.parametrize(
    "f", [lambda x: torch.maximum(x, x), lambda x: (x - x).abs() + x, lambda x: x.max(x)]
)
def test_what_meets_itself_has_one_slope(f):
    assert check_gradient(f, (X,)).verdict is Verdict.ACCURATE


class Off(torch.autograd.Function):
    """The gradient of the distances to oneself, doubled."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.cdist(x, x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        d = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
        share = torch.where(d > 0, (g + g.T) / torch.where(d > 0, d, 1.0), 0.0)
        return 2.125 / 2 * 2 * (share[:, :, None] * (x[:, None] - x)).sum(1) / 2


ORDERS = [1, 1.5, 2, 3, float("inf")]
FEW = torch.tensor([[0.0, 0.0, 0.0], [0.3, -0.2, 2.0]], dtype=torch.float64)
SAFE: dict[str, Callable[[Tensor], Tensor]] = {
    "a choice": lambda x: torch.where(x.norm(dim=-1, keepdim=True) > 0.9, 2 * x, x),
    "a norm of a norm": lambda x: torch.where((x * x).norm(dim=1).norm() > 9, 2 * x, x),
    "rows": lambda x: x[torch.linalg.norm(x, dim=-1) < 1],
    "distances": lambda x: torch.where(torch.cdist(x, torch.zeros_like(x[:1])) > 0.5, 2 * x, x),
    "an order": lambda x: x[x.norm(dim=1).argsort()],
    "Huber's loss": lambda x: torch.where(x.norm(dim=1) < 1, (x * x).sum(1) / 2, x.norm(dim=1) - 0.5),
    "a square": lambda x: x.norm(dim=1) ** 2,
}


class Doubled(torch.autograd.Function):
    """What is kept where the norm is small, and else doubled; or so it says."""

    @staticmethod
    def forward(ctx, x, off):
        large = x.norm(dim=-1, keepdim=True) > 0.9
        ctx.factor = torch.where(large, 2.0, 1.0) * off
        return torch.where(large, 2 * x, x)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None


@pytest.mark.parametrize("name", SAFE)
def test_a_norm_of_0_is_known(name):
    """hyptorch, pypose: what a norm is only compared for has its slope, at 0, too."""
    assert check_gradient(SAFE[name], (FEW,)).verdict is Verdict.ACCURATE


@pytest.mark.parametrize("order", ORDERS)
def test_a_norm_of_0_of_each_order_is_known(order):
    def f(x):
        return torch.where(torch.linalg.vector_norm(x, order, -1, True) > 0.9, 2 * x, x)

    assert check_gradient(f, (FEW,)).verdict is Verdict.ACCURATE


@pytest.mark.parametrize(("off", "verdict"), [(1.0, Verdict.ACCURATE), (1 + 2.0**-20, Verdict.WRONG)])
def test_beside_a_norm_of_0_a_factor_is_seen(off, verdict):
    assert check_gradient(lambda x: Doubled.apply(x, off), (FEW[:1],)).verdict is verdict


class Norm(torch.autograd.Function):
    """The norm, whose slope at 0 is so much in each element."""

    @staticmethod
    def forward(ctx, x, slope):
        ctx.save_for_backward(x)
        ctx.slope = slope
        return x.norm(dim=-1)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        n = x.norm(dim=-1, keepdim=True)
        return g[:, None] * torch.where(n > 0, x / torch.where(n > 0, n, 1.0), ctx.slope), None


LEGAL, ILLEGAL = Verdict.CONVENTION, Verdict.WRONG


@pytest.mark.parametrize(("slope", "verdict"), [(0.0, LEGAL), (0.5, LEGAL), (0.6, ILLEGAL), (2.0, ILLEGAL)])
def test_a_norm_has_at_0_the_slopes_around(slope, verdict):
    """In each element those of the ball, together not more: three of 0.6 are longer than 1."""
    assert check_gradient(lambda x: Norm.apply(x, slope), (FEW,)).verdict is verdict


MANY, OTHERS = (torch.randn(n, 8, generator=torch.Generator().manual_seed(n)) for n in (40, 30))


@pytest.mark.parametrize(("dtype", "far"), [(torch.float32, 1e2), (torch.float64, 1e5)])
def test_distances_of_many_rows_are_those_of_few(dtype, far):
    """From 26 rows on torch multiplies matrices, and loses half of the digits of short distances."""
    x, y = MANY.to(dtype), OTHERS.to(dtype)
    assert check_gradient(torch.cdist, (x, y)).verdict is Verdict.ACCURATE
    assert check_gradient(lambda x: torch.cdist(x + far, y + far), (x,)).verdict is Verdict.IMPRECISE
    assert check_gradient(lambda x: torch.cdist(x, y) * (1 + 2.0**-9 * (x - x.detach()).sum()), (x,)).passed


def test_a_factor_in_the_gradient_of_distances_is_wrong():
    for x in (X, MANY[:30]):
        assert check_gradient(Off.apply, (x,)).verdict is Verdict.WRONG


@pytest.mark.parametrize(
    "f",
    [
        lambda x: jnp.abs(x - jax.lax.stop_gradient(x)),
        lambda x: jnp.maximum(x, jax.lax.stop_gradient(x)),
        lambda x: jnp.stack([x, jax.lax.stop_gradient(x)]).max(0),
        lambda x: jnp.sort(jnp.stack([jax.lax.stop_gradient(x), x]), 0)[0],
    ],
)
def test_so_it_is_in_jax(f):
    assert check_gradient(f, (jnp.asarray(X.numpy()),)).verdict is Verdict.CONVENTION
