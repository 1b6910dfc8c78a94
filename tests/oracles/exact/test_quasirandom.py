"""torch's Sobol sequences, drawn inside the function: constants of every run, and of none if made outside."""

import pytest
import torch
from torch.quasirandom import SobolEngine

from harness import check_gradient

X = torch.tensor([[0.7, -0.3], [1.2, 0.4], [-0.8, 0.9], [0.1, -1.1]], dtype=torch.float64)


def drawn(x, *, scramble, seed=0):
    u = SobolEngine(2, scramble=scramble, seed=seed).draw(8, dtype=x.dtype)
    return torch.tanh(x[:, None] + u).mean()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("scramble", "seed"), [(False, 0), (True, 0), (True, None)])
def test_a_mean_over_points_that_are_drawn_inside_is_accurate(scramble, seed, dtype):
    found = check_gradient(lambda x: drawn(x, scramble=scramble, seed=seed), (X.to(dtype),))
    assert found.verdict == "accurate", str(found)


def test_draws_one_after_the_other_are_those_that_run():
    def f(x):
        engine = SobolEngine(2)
        engine.draw(4)
        engine.fast_forward(3)
        u = engine.draw(4, dtype=x.dtype)
        engine.reset()
        v = torch.empty(0, dtype=x.dtype)
        engine.draw(4, out=v, dtype=x.dtype)
        return (x * u + x * x * v).sum()

    assert check_gradient(f, (X,)).verdict == "accurate"


@pytest.mark.parametrize(("seed", "verdict"), [(0, "accurate"), (1, "wrong")])
def test_a_rule_with_other_points_is_wrong(seed, verdict):
    def points(seed):
        return SobolEngine(2, scramble=True, seed=seed).draw(4, dtype=X.dtype)

    class Weighted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * points(0)

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * points(seed) * g

    assert check_gradient(Weighted.apply, (X,)).verdict == verdict


def test_an_engine_that_is_made_outside_is_refused():
    engine = SobolEngine(2, scramble=True, seed=3)
    found = check_gradient(lambda x: torch.tanh(x[:, None] + engine.draw(8, dtype=x.dtype)).mean(), (X,))
    assert found.verdict == "unsupported"
    assert "SobolEngine that is made outside" in str(found)


def resized(x):
    order = torch.empty(0, dtype=torch.long)
    torch.arange(3, -1, -1, out=order)
    return (x[order] ** 2 * torch.arange(1.0, 5.0)[:, None]).sum()


def resized_and_held(x):
    out = torch.empty(0, dtype=x.dtype)
    with torch.no_grad():
        torch.mul(x, x, out=out)
    return (out * x).sum()


@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")
@pytest.mark.parametrize("function", [resized, resized_and_held])
def test_an_empty_tensor_that_an_operator_fills_has_its_numbers(function):
    assert check_gradient(function, (X,)).verdict == "accurate"
