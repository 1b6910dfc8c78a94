"""Results that lie where the next one is written, and lengths that are kept from the first batch."""

import numpy as np
import pytest
import torch

from gradproof import check_gradient, check_layer, check_network

T = torch.linspace(-1, 2, 12, dtype=torch.float64).reshape(3, 4)
X = np.linspace(-1.0, 2.0, 12).reshape(3, 4)


def squares(kept):
    """x^2, whose gradient is written into memory that stays; made at the first call, or before it."""

    class Squares(torch.autograd.Function):
        buffer = {"before": torch.empty_like(T)}.get(kept)

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.buffer = torch.empty_like(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            if kept is None:
                return 2 * x * g
            if kept == "context":
                return torch.mul(2 * x, g, out=ctx.buffer)
            if Squares.buffer is None:
                Squares.buffer = torch.empty_like(x)
            return torch.mul(2 * x, g, out=Squares.buffer)

    return Squares


@pytest.mark.parametrize("kept", ["before", "at the first call", "context"])
def test_a_gradient_in_memory_that_is_written_again(kept):
    own = squares(kept)
    for _ in range(2):  # the first check, too
        found = check_gradient(own.apply, (T,))
        assert found.verdict == "miscomputed"
        assert "the first result, after later calls" in str(found)
    assert check_gradient(squares(None).apply, (T,)).verdict == "accurate"


class Mean:
    """The mean of squares in a batch; its backward divides by the length of the first one, or of this one."""

    def __init__(self, stale):
        self.n, self.stale = None, stale

    def forward(self, x):
        self.n = self.n if self.stale and self.n else x.shape[0]
        self.x = x
        return (x * x).sum(1).mean()

    def backward(self, dout=1.0):
        return dout * 2 * self.x / self.n


def of_torch(stale):
    class Of(torch.autograd.Function):
        n = None

        @staticmethod
        def forward(ctx, x):
            Of.n = Of.n if stale and Of.n else x.shape[0]
            ctx.save_for_backward(x)
            return (x * x).sum(1).mean()

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0] / Of.n

    return check_gradient(Of.apply, (T,))


def of_numpy(stale):
    known = {}

    def function(x):
        known["n"] = known.get("n", x.shape[0]) if stale else x.shape[0]
        return (x * x).sum(1).mean()

    return check_gradient(function, (X,), vjp=lambda g, x: g * 2 * x / known["n"])


class Net:
    """Least squares; its gradient divides by the number of examples of the first loss, or of this one."""

    def __init__(self, stale):
        self.params, self.n, self.stale = {"W": np.array([[1.0, -0.5, 2.0, 0.25]]).T}, None, stale

    def loss(self, x, t):
        self.n = self.n if self.stale and self.n else len(x)
        return np.mean((x @ self.params["W"] - t) ** 2) / 2

    def gradient(self, x, t):
        self.loss(x, t)
        return {"W": x.T @ (x @ self.params["W"] - t) / self.n}


def of_network(stale):
    return check_network(Net(stale), X, X[:, :1] + 1)


@pytest.mark.parametrize("check", [of_torch, of_numpy, lambda stale: check_layer(Mean(stale), X), of_network])
def test_a_length_that_is_kept_from_the_first_batch(check):
    found = check(True)
    assert found.verdict == "miscomputed"
    assert "where it was used before, at another point" in str(found)
    assert check(False).verdict == "accurate"


class Linear:
    """Writes each gradient into the same array, as the book does with those of parameters."""

    def __init__(self, into):
        self.W, self.dW, self.dx, self.into = (
            np.array([[1.0, 2.0, -1.0, 0.5]]).T,
            np.zeros((4, 1)),
            None,
            into,
        )

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW[...] = self.x.T @ dout
        if not self.into:
            return dout @ self.W.T
        self.dx = self.dx if self.dx is not None and self.dx.shape == self.x.shape else np.empty_like(self.x)
        return np.matmul(dout, self.W.T, out=self.dx)


def test_of_a_layer_that_fills_its_result_again_it_is_said():
    found = check_layer(Linear(True), X)
    assert found.verdict == "accurate"
    assert "backward returns an array that its next call fills again" in str(found)
    assert "fills again" not in str(check_layer(Linear(False), X))


class Frames(torch.nn.Module):
    """Takes the last batch off this one; begins anew with a batch of another size."""

    last = None

    def forward(self, x):
        last = torch.zeros_like(x) if self.last is None or self.last.shape != x.shape else self.last
        self.last = x.detach()
        return torch.sin(x - last)


class EachThird(torch.nn.Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return torch.sin(x) + (torch.cos(x) if self.calls % 3 == 0 else 0)


@pytest.mark.parametrize("module", [Frames, EachThird])
def test_a_module_that_is_another_function_in_its_next_call(module):
    """A value is that of one call, and the gradient beside it that of the next."""
    assert check_gradient(module(), (T,)).verdict == "accurate"
