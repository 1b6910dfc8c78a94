"""Gradients of what is solved for, beside the function that names it: as good as the last step is rounded."""

import pytest
import torch

from harness import check_gradient

NUMBERS = torch.tensor([2.0, 3.0, 5.0], dtype=torch.float64)


def bisected(steps, factor=1.0):
    """A square root by halvings, with the derivative of the root."""

    class Root(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            low, high = torch.zeros_like(a), a + 1
            for _ in range(steps):
                middle = (low + high) / 2
                below = middle * middle < a
                low, high = torch.where(below, middle, low), torch.where(below, high, middle)
            ctx.save_for_backward(middle)
            return middle

        @staticmethod
        def backward(ctx, g):
            return factor * g / (2 * ctx.saved_tensors[0])

    return Root.apply


ROOTS = {
    "float64": (NUMBERS, 54, 1 + 1e-12),
    "float32": (NUMBERS.float(), 24, 1 + 1e-3),
}


@pytest.mark.parametrize(("a", "steps", "factor"), ROOTS.values(), ids=ROOTS)
def test_a_root_by_halvings_is_right_to_its_last_step_and_no_further(a, steps, factor):
    found = check_gradient(bisected(steps), (a,), spec=torch.sqrt)
    assert found.passed, str(found)
    assert "a solver's last step" in str(found)
    assert check_gradient(bisected(steps, factor), (a,), spec=torch.sqrt).verdict == "wrong"
    assert check_gradient(bisected(steps - 12), (a,), spec=torch.sqrt).verdict == "wrong"


def test_a_fixed_point_is_right_to_its_last_step():
    def solved(w, x, steps):
        z = torch.zeros_like(x)
        for _ in range(steps):
            z = torch.tanh(z @ w.T + x)
        return z

    def fixed(factor):
        class Fixed(torch.autograd.Function):
            @staticmethod
            def forward(ctx, w, x):
                z = solved(w, x, 40)
                ctx.save_for_backward(w, z)
                return z

            @staticmethod
            def backward(ctx, g):
                w, z = ctx.saved_tensors
                slope = 1 - z**2
                inner = torch.eye(3, dtype=g.dtype) - (slope[:, :, None] * w).mT
                u = torch.linalg.solve(inner, g[..., None])[..., 0] * slope * factor
                return u.T @ z, u

        return Fixed.apply

    rng = torch.Generator().manual_seed(0)
    w = torch.randn(3, 3, dtype=torch.float64, generator=rng) * 0.2
    x = torch.randn(2, 3, dtype=torch.float64, generator=rng)
    spec = lambda w, x: solved(w, x, 100)  # noqa: E731
    assert check_gradient(fixed(1.0), (w, x), spec=spec).passed
    assert check_gradient(fixed(1 + 1e-12), (w, x), spec=spec).verdict == "wrong"


def by_rows(x, factor):
    """A softmax and its gradient, row by row: no solver, though its lines run many times."""

    class Softmax(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(y := torch.stack([torch.softmax(row, -1) for row in x]))
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return torch.stack([factor * a * (b - (a * b).sum()) for a, b in zip(y, g, strict=True)])

    return Softmax.apply(x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_a_loop_that_solves_nothing_excuses_nothing(dtype):
    x = torch.randn(24, 8, generator=torch.Generator().manual_seed(0)).to(dtype)
    softmax = lambda x: torch.softmax(x, -1)  # noqa: E731
    assert check_gradient(lambda x: by_rows(x, 1.0), (x,), spec=softmax).passed
    factor = 1 + (0.05 if dtype is torch.bfloat16 else 1e-5)
    assert check_gradient(lambda x: by_rows(x, factor), (x,), spec=softmax).verdict == "wrong"


def squared_shares(x):
    """Shares (x / 2 - t)^2 whose sum is 1, where all of them are above 0 (entmax of 1.5)."""
    z, n = x / 2, x.shape[-1]
    mean = z.mean(-1, keepdim=True)
    spread = ((z - mean) ** 2).sum(-1, keepdim=True)
    return (z - mean + torch.sqrt((1 - spread) / n)) ** 2


def shares_by_halvings(steps, factor=1.0):
    class Shares(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            z = x / 2
            low, width = z.amax(-1, keepdim=True) - 1, torch.ones_like(z[..., :1])
            for _ in range(steps):
                width = width / 2
                above = (torch.clamp(z - low - width, min=0) ** 2).sum(-1, keepdim=True) >= 1
                low = torch.where(above, low + width, low)
            p = torch.clamp(z - low, min=0) ** 2
            p = p / p.sum(-1, keepdim=True)
            ctx.save_for_backward(p)
            return p

        @staticmethod
        def backward(ctx, g):
            slope = ctx.saved_tensors[0].sqrt()
            mean = (g * slope).sum(-1, keepdim=True) / slope.sum(-1, keepdim=True)
            return factor * (g - mean) * slope

    return Shares.apply


def test_the_last_step_moves_small_elements_as_much_as_large_ones():
    rng = torch.Generator().manual_seed(0)
    for _ in range(4):
        x = torch.rand(3, 5, dtype=torch.float64, generator=rng)
        assert check_gradient(shares_by_halvings(50), (x,), spec=squared_shares).passed
        wrong = check_gradient(shares_by_halvings(50, 1 + 1e-12), (x,), spec=squared_shares)
        assert wrong.verdict == "wrong"
