"""Norms of halves whose parameters are float32, as in mixed precision: each gradient has its own dtype."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from harness import check_gradient
from harness.verdicts import Verdict

HALVES = [torch.bfloat16, torch.float16]
LAYERS = {
    "batch norm": lambda: nn.BatchNorm2d(4),
    "batch norm, running": lambda: nn.BatchNorm2d(4).eval(),
    "batch norm, no parameters": lambda: nn.BatchNorm2d(4, affine=False),
    "instance norm": lambda: nn.InstanceNorm2d(4, affine=True),
    "group norm": lambda: nn.GroupNorm(2, 4),
    "layer norm": lambda: nn.LayerNorm([5, 6]),
    "layer norm, no bias": lambda: nn.LayerNorm([5, 6], bias=False),
}
IMAGES = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", LAYERS)
def test_a_norm_in_float32_of_halves_is_right(name, dtype):
    layer, x = LAYERS[name](), IMAGES.to(dtype)
    found = check_gradient(layer, (x,))
    assert found.passed
    weights = [part for part in found.parts if "weight" in part.name]
    assert all(part.dtype == "float32" for part in weights)
    assert weights or "no parameters" in name
    assert check_gradient(lambda x: layer(x), (x,)).passed


class Scaled(torch.autograd.Function):
    """Its backward scales the gradient of the weight."""

    @staticmethod
    def forward(ctx, x, weight, factor):
        ctx.save_for_backward(x, weight)
        ctx.factor = factor
        return functional.layer_norm(x, (6,), weight)

    @staticmethod
    def backward(ctx, g):
        x, weight = ctx.saved_tensors
        with torch.enable_grad():
            x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
            of_x, of_weight = torch.autograd.grad(functional.layer_norm(x, (6,), weight), (x, weight), g)
        return of_x, of_weight * ctx.factor, None


@pytest.mark.parametrize("factor", [1.0, 1.125])
def test_a_factor_in_the_gradient_of_a_parameter_is_seen(factor):
    x, weight = IMAGES[0, 0].bfloat16(), torch.linspace(0.5, 1.5, 6)
    found = check_gradient(lambda x, weight: Scaled.apply(x, weight, factor), (x, weight))
    assert found.verdict is (Verdict.ACCURATE if factor == 1 else Verdict.WRONG)
