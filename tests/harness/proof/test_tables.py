"""Tables that are looked up: at a distance the index is beyond the table, and the slope there is nobody's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.verdicts import Verdict

TABLE, X = np.array([1.0, 3, -2, 4, 0, 2]), np.array([0.31, 0.12])
RULES = {
    "right": (lambda v, i: 10 * (v[i + 1] - v[i]), Verdict.ACCURATE),
    "a tenth": (lambda v, i: v[i + 1] - v[i], Verdict.WRONG),
    "the other sign": (lambda v, i: -10 * (v[i + 1] - v[i]), Verdict.WRONG),
    "nothing": (lambda v, i: 0 * v[i], Verdict.WRONG),
    "the cell before": (lambda v, i: 10 * (v[i] - v[i - 1]), Verdict.WRONG),
    "a hundred times": (lambda v, i: 100 * (v[i + 1] - v[i]), Verdict.WRONG),
}


def where(x, library):
    i = library.floor(x * 10)
    return (i.long() if library is torch else i.astype(int)), x * 10 - i


@pytest.mark.parametrize("library", [np, torch, jnp])
@pytest.mark.parametrize("name", RULES)
def test_a_wrong_slope_of_a_table_is_wrong(library, name):
    slope, verdict = RULES[name]

    def interpolated(x, v):
        i, t = where(x, library)
        return v[i] * (1 - t) + v[i + 1] * t

    def pull(g, x, v):
        i, t = where(x, library)
        ones = library.eye(len(TABLE))
        ones = ones.to(v.dtype) if library is torch else ones
        return g * slope(v, i), (g * (1 - t)) @ ones[i] + (g * t) @ ones[i + 1]

    with jax.enable_x64(True):
        args = [library.asarray(a) for a in (X, TABLE)]
        found = check_gradient(interpolated, args, vjp=pull)
    assert found.verdict is verdict, found


@pytest.mark.parametrize("look", [np.take, lambda v, i: v[i], lambda v, i: np.take_along_axis(v, i, 0)])
def test_the_table_alone_may_be_in_the_code(look):
    def wrapped(x):
        i = np.floor(x * 10).astype(int)
        return look(TABLE, i) * (x * 10 - i)

    for factor, verdict in ((10.0, Verdict.ACCURATE), (1.0, Verdict.WRONG), (-10.0, Verdict.WRONG)):
        found = check_gradient(
            wrapped,
            (X,),
            vjp=lambda g, x, factor=factor: factor * g * look(TABLE, np.floor(x * 10).astype(int)),
        )
        assert found.verdict is verdict, found


def projected(x, halvings=20):
    """Onto the simplex, by bisection."""
    low, high = x.min() - 1.0 / len(x), x.max()
    for _ in range(halvings):
        middle = (low + high) / 2
        above = torch.clamp(x - middle, min=0).sum() > 1
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return torch.clamp(x - (low + high) / 2, min=0)


class Simplex(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        p = projected(x)
        ctx.save_for_backward(p)
        return p

    @staticmethod
    def backward(ctx, g):
        held = (ctx.saved_tensors[0] > 0).to(g.dtype)
        return held * (g - (g * held).sum() / held.sum())


def test_a_rule_that_is_0_where_the_forward_hardly_rises_is_not_accused():
    x = torch.tensor([0.3, -1.2, 0.9, 0.1, -0.4], dtype=torch.float64)
    found = check_gradient(Simplex.apply, (x,))
    assert found.verdict is Verdict.UNDECIDED, found
