"""The catalogue in PyTorch, written from the definitions with PyTorch's own functions.

Nothing here is a copy of the NumPy code: it must be able to disagree with it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

GUARD = 1e-7  # inside the logarithm of the document's cross entropy


def function_2(x: Tensor) -> Tensor:
    """x_0^2 + x_1^2."""
    return torch.sum(x**2, dim=0)


def step_function(x: Tensor) -> Tensor:
    """1 where x > 0, as an integer."""
    return x.gt(0).long()


def sigmoid_grad(x: Tensor) -> Tensor:
    """The derivative of PyTorch's own sigmoid, by reverse mode (forward mode refuses stride-0 views)."""
    pullback: Callable[[Tensor], tuple[Tensor]] = torch.func.vjp(torch.sigmoid, x)[1]
    return pullback(torch.ones_like(x))[0]


def softmax(x: Tensor) -> Tensor:
    """Over the last axis."""
    return functional.softmax(x, dim=-1)


def mean_squared_error(y: Tensor, t: Tensor) -> Tensor:
    """Half the squared distance."""
    return functional.mse_loss(y, t, reduction="sum") / 2


def cross_entropy_error(y: Tensor, t: Tensor) -> Tensor:
    """Minus the mean logarithm of the probability of the right class."""
    return functional.nll_loss(torch.log(y + GUARD), _classes(y, t))


def softmax_loss(x: Tensor, t: Tensor) -> Tensor:
    """The cross entropy of the softmax."""
    return cross_entropy_error(softmax(x), t)


def simple_net(w: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """The loss of one linear layer."""
    return softmax_loss(x @ w, t)


def two_layer_net(w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """The loss of linear, sigmoid, linear (`linear` takes its weight transposed)."""
    hidden = torch.sigmoid(functional.linear(x, w1.T, b1))
    return softmax_loss(functional.linear(hidden, w2.T, b2), t)


def _classes(y: Tensor, t: Tensor) -> Tensor:
    return t.argmax(dim=-1) if t.ndim == y.ndim else t


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "function_2": function_2,
    "identity_function": torch.nn.Identity(),
    "step_function": step_function,
    "sigmoid": torch.sigmoid,
    "sigmoid_grad": sigmoid_grad,
    "swish": functional.silu,
    "relu": functional.relu,
    "softmax": softmax,
    "mean_squared_error": mean_squared_error,
    "cross_entropy_error": cross_entropy_error,
    "softmax_loss": softmax_loss,
    "simple_net": simple_net,
    "two_layer_net": two_layer_net,
}
