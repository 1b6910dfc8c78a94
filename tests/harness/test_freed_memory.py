"""Functions that free the memory of what they are given, and compute it again in the backward."""

import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.verdicts import Verdict

X = torch.tensor([0.5, -1.25, 2.0, 0.75], dtype=torch.float64)
DTYPES = (torch.float64, torch.float32, torch.bfloat16)


def exponential(factor):
    """As memcnn's invertible layers with keep_input=False: x is freed, and is log(y) again."""

    class Exponential(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = torch.exp(x)
            ctx.save_for_backward(x, y)
            x.untyped_storage().resize_(0)
            return y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            x.untyped_storage().resize_(y.numel() * y.element_size())
            x.data.copy_(y.log())
            return factor * g * torch.exp(x)

    return Exponential.apply


def of_a_result(factor):
    return lambda x: exponential(factor)(x * 1)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("of", [exponential, of_a_result])
@pytest.mark.parametrize(("factor", "verdict"), [(1, Verdict.ACCURATE), (1.01, Verdict.WRONG)])
def test_it_runs_and_is_examined(dtype, of, factor, verdict):
    """An argument lay in NumPy's memory, which cannot be freed; and what is filled anew was not read."""
    x = X.to(dtype)
    before = x.clone()
    found = check_gradient(of(factor), (x,))
    assert (found.verdict, found.is_examined) == (verdict, True)
    assert torch.equal(x, before)


def test_a_parameter_that_is_freed_comes_back():
    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(X.clone())

        def forward(self, x):
            return exponential(1)(self.w) * x

    layer = Layer()
    assert check_gradient(layer, (X,)).verdict is Verdict.ACCURATE
    assert torch.equal(layer.w, X)


def test_memory_of_the_users_can_be_freed_after_a_check():
    """Whose numbers an array looks at, torch frees no more."""
    scale = X.clone()
    assert check_gradient(lambda x: x * scale, (X,)).passed
    scale.untyped_storage().resize_(0)


@pytest.mark.parametrize("factor", [1, 1.01])
def test_what_numpy_wrote_is_known_again_once_all_of_it_is_overwritten(factor):
    class Scratch(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = torch.ones_like(x)
            y.numpy()[...] = np.pi
            return y.copy_(3 * x)

        @staticmethod
        def backward(ctx, g):
            return 3 * g * factor

    found = check_gradient(Scratch.apply, (X,))
    assert found.verdict is (Verdict.ACCURATE if factor == 1 else Verdict.WRONG)


def test_what_numpy_wrote_is_not_known_where_a_part_is_left():
    class Scratch(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * 1
            y.numpy()[...] = np.pi
            y[:2].copy_(x[:2])
            return y

        @staticmethod
        def backward(ctx, g):
            return g

    assert check_gradient(Scratch.apply, (X,)).verdict is Verdict.UNSUPPORTED
