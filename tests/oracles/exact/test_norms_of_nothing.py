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
