"""Custom functions of torch, where a line of code can import them."""

import torch


class Twice(torch.autograd.Function):
    """Twice a number; the gradient is not."""

    @staticmethod
    def forward(ctx, x):
        return x + x

    @staticmethod
    def backward(ctx, g):
        return 2.5 * g


applied = Twice.apply
