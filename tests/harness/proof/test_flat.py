"""A forward that is flat: a step is told from a search between constants."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax import lax

from gradproof import check_gradient
from harness.proof.flat import steps
from oracles.exact import from_aten, from_jaxpr, from_numpy

TURNS = 6
X = np.array([0.3, 1.7])


def spiking(step, reset=lambda v, s: v * (1 - s)):
    def run(x):
        v, found = 0 * x, 0 * x
        for _ in range(TURNS):
            v = 0.5 * v + x
            s = step(v - 1)
            v, found = reset(v, s), found + s
        return found

    return run


def halving(select, keeps=lambda m, lo, x: m * m < x, at=0.5):
    def run(x):
        like = np if select is np.where else torch
        lo, hi = like.zeros_like(x), like.full_like(x, 2.0)
        for _ in range(TURNS):
            middle = lo + at * (hi - lo)
            keep = keeps(middle, lo, x)
            lo, hi = select(keep, middle, lo), select(keep, hi, middle)
        return lo

    return run


def in_jax(x):
    def turn(state, _):
        lo, hi = state
        middle = (lo + hi) / 2
        keep = middle * middle < x
        return (jnp.where(keep, middle, lo), jnp.where(keep, hi, middle)), None

    return lax.scan(turn, (jnp.zeros(2), jnp.full(2, 2.0)), None, length=TURNS)[0][0]


def spikes_in_jax(x):
    def turn(v, _):
        v = 0.5 * v + x
        s = (v >= 1).astype(v.dtype)
        return v * (1 - lax.stop_gradient(s)), s

    return lax.scan(turn, jnp.zeros(2), None, length=TURNS)[1]


def of_torch(f):
    return from_aten.record(f, (torch.tensor(X),))


def of_numpy(f):
    return from_numpy.record(f, (X,))


def of_jax(f):
    return from_jaxpr.record(f, (jnp.asarray(X, jnp.float32),), {})


@pytest.mark.parametrize(
    ("record", "f"),
    [
        (of_torch, spiking(lambda x: (x >= 0).to(x))),
        (of_torch, spiking(lambda x: torch.where(x > 0, 1.0, 0.0))),
        (of_torch, spiking(lambda x: torch.heaviside(x, torch.ones((), dtype=x.dtype)))),
        (of_torch, spiking(torch.sign, lambda v, s: v - s.detach())),
        (of_torch, spiking(torch.round, lambda v, s: torch.where(s > 0, torch.zeros_like(v), v))),
        (of_numpy, spiking(lambda x: (x > 0) * 1.0)),
        (of_numpy, spiking(np.sign, lambda v, s: v - s)),
        (of_jax, spikes_in_jax),
    ],
)
def test_a_step_of_what_moves_is_one_in_a_loop_too(record, f):
    assert steps(record(f).program)


@pytest.mark.parametrize(
    ("record", "f"),
    [
        (of_torch, halving(torch.where)),
        (of_torch, halving(torch.where, at=0.618)),
        (of_torch, halving(torch.where, lambda m, lo, x: torch.sign(m * m - x) == torch.sign(lo * lo - x))),
        (of_numpy, halving(np.where)),
        (of_jax, in_jax),
        (of_torch, lambda x: x.detach() * 2),
    ],
)
def test_a_search_between_constants_is_none(record, f):
    assert not steps(record(f).program)


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x >= 0).to(x)

    @staticmethod
    def backward(ctx, g):
        s = torch.sigmoid(4 * ctx.saved_tensors[0])
        return g * 4 * s * (1 - s)


def test_a_network_that_spikes_is_told_of_surrogate():
    found = check_gradient(spiking(Spike.apply, lambda v, s: v * (1 - s.detach())), (torch.tensor(X),))
    assert found.verdict == "wrong"
    assert "(is it rounded, or a step?)" in str(found)
    assert "surrogate=" in str(found)
    assert "spec=" not in str(found)
