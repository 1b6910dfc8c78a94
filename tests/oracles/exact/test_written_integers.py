"""Integers that are written in place at positions, or under masks, which the input decides."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from harness import check_gradient
from harness.verdicts import Verdict

X = torch.randn(6, 16, generator=torch.Generator().manual_seed(0))
KEPT = torch.zeros(6, 16, dtype=torch.long)


def written(
    write: Callable[[Tensor, Tensor], object], dtype: torch.dtype = torch.long
) -> Callable[[Tensor], Tensor]:
    """x times integers into which is written."""

    def f(x: Tensor) -> Tensor:
        found = torch.ones(6, 16, dtype=dtype)
        write(found, x)
        return x * found

    return f


def straight_through(x: Tensor) -> Tensor:
    """As the Gumbel softmax has it: the forward is the largest one, the gradient that of softmax."""
    soft = functional.softmax(x, -1)
    return functional.one_hot(soft.argmax(-1), 16) - soft.detach() + soft


WRITES: dict[str, Callable[[Tensor], Tensor]] = {
    "one_hot": lambda x: x * functional.one_hot(x.argmax(-1), 16),
    "straight through": straight_through,
    "hard Gumbel": lambda x: torch.zeros_like(x).scatter_(1, x.argmax(1, keepdim=True), 1.0) * x,
    "scatter_": written(lambda z, x: z.scatter_(1, x.argmax(1, keepdim=True), 3)),
    "scatter_add_": written(lambda z, x: z.scatter_add_(1, x.argsort(1), torch.arange(96).reshape(6, 16))),
    "index_put_": written(lambda z, x: z.__setitem__((torch.arange(6), x.argmax(1)), 2)),
    "index_add_": written(lambda z, x: z.index_add_(0, x[:, 0].argsort(), torch.arange(96).reshape(6, 16))),
    "index_fill_": written(lambda z, x: z.index_fill_(1, x[0].argsort()[:3], 5)),
    "masked_fill_": written(lambda z, x: z.masked_fill_(x > 0, 7)),
    "a mask": written(lambda z, x: z.__setitem__(x > 0, 4)),
    "fill_diagonal_": written(lambda z, x: z.copy_((x > 0).long()).fill_diagonal_(9)),
    "bitwise": written(lambda z, x: z.bitwise_xor_((x > 0).long() * 5).bitwise_left_shift_(1)),
    "remainder_": written(lambda z, x: z.add_((x > 0).long() * 8).remainder_(3)),
    "booleans": written(lambda z, x: z.scatter_(1, x.argmin(1, keepdim=True), False), torch.bool),
    "twice": written(
        lambda z, x: z.scatter_(1, x.argmax(1, keepdim=True), 3).scatter_(1, x.argmin(1, keepdim=True), 2)
    ),
    "a view": written(lambda z, x: z[:, 2:9].scatter_(1, x[:, 2:9].argmax(1, keepdim=True), 3)),
    "a constant's copy": lambda x: x * KEPT.clone().scatter_(1, x.argmax(1, keepdim=True), 1),
    "sort and write": lambda x: x.masked_fill(
        torch.zeros(6, 16, dtype=torch.bool).scatter_(1, x.topk(4, 1).indices, True), 0.0
    ),
}


@pytest.mark.parametrize("name", WRITES)
def test_what_is_written_is_what_torch_writes(name):
    assert check_gradient(WRITES[name], (X,)).verdict is Verdict.ACCURATE
    assert not KEPT.any()


class Off(torch.autograd.Function):
    """The gradient of one_hot(argmax(x)) x, at the least instead of at the largest."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * functional.one_hot(x.argmax(-1), 16)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * functional.one_hot(x.argmin(-1), 16)


def test_a_gradient_that_writes_elsewhere_is_wrong():
    assert check_gradient(Off.apply, (X,)).verdict is Verdict.WRONG
