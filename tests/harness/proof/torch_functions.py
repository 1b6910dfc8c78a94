"""Custom functions of torch, of one argument that is saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def pulled(forward: Callable[..., Any], backward: Callable[..., Any]) -> Callable[..., Any]:
    """The function `forward(x)` with the gradient `backward(g, x)`."""

    class Pulled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(x)

        @staticmethod
        def backward(ctx, g):
            return backward(g, ctx.saved_tensors[0])

    return Pulled.apply
