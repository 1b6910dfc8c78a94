"""Random numbers drawn inside of a torch function: each run draws the same, and what is drawn is data."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from harness.check import check_gradient

X = torch.tensor([[0.5, -1.25, 2.0], [1.5, 0.75, -0.25]])


def seeded(x):
    return x * torch.randn(3, generator=GENERATOR)


GENERATOR = torch.Generator().manual_seed(3)
SAME = {
    "latent": lambda x: x + x.exp() * torch.randn_like(x),
    "paths": lambda x: x * (torch.rand(x.shape[0], 1) > 0.3) / 0.7,
    "gumbel": lambda x: F.gumbel_softmax(x, tau=0.7),
    "straight": lambda x: F.gumbel_softmax(x, tau=0.7, hard=True),
    "uniform_": lambda x: x * torch.empty(3).uniform_(-1, 2),
    "normal_": lambda x: x + torch.empty_like(x).normal_(0, 0.1) * x**2,
    "exponential_": lambda x: x / torch.empty_like(x).exponential_(),
    "permutation": lambda x: x[:, torch.randperm(3)] * torch.arange(3.0),
    "places": lambda x: x.gather(1, torch.randint(0, 3, (2, 2))),
    "steps": lambda x: x * torch.bernoulli(x.sigmoid()),
    "policy": lambda x: x.log_softmax(-1).gather(1, torch.multinomial(x.softmax(-1), 1)),
    "rsample": lambda x: torch.distributions.Normal(x, x.exp()).rsample() ** 2,
    "own generator": seeded,
}


@pytest.mark.parametrize("how", [{}, {"mode": "forward"}], ids=["reverse", "forward"])
@pytest.mark.parametrize("name", SAME)
def test_what_is_drawn_is_data(name, how):
    before, own = torch.get_rng_state(), GENERATOR.get_state()
    assert check_gradient(SAME[name], (X,), **how).verdict.value == "accurate"
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(GENERATOR.get_state(), own)


@pytest.mark.parametrize(("again", "verdict"), [(False, "accurate"), (True, "wrong")])
def test_a_backward_that_draws_anew_is_wrong(again, verdict):
    class Latent(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            noise = torch.randn_like(x)
            ctx.save_for_backward(x, noise)
            return x.exp() * noise

        @staticmethod
        def backward(ctx, g):
            x, noise = ctx.saved_tensors
            return g * x.exp() * (torch.randn_like(x) if again else noise)

    assert check_gradient(Latent.apply, (X,)).verdict.value == verdict


@pytest.mark.parametrize("draw", [lambda x: torch.normal(x, 1.0), lambda x: torch.poisson(x.exp())])
def test_what_is_drawn_by_a_mean_is_no_constant(draw):
    result = check_gradient(lambda x: x * draw(x), (X,))
    assert result.verdict.value == "unsupported"
    assert "random numbers that are drawn by what is differentiated" in str(result)
