"""A rule by hand for the derivative of what its function holds constant: that is said, and it stays wrong."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import pytest
import torch

from harness import check_gradient

RIGHT = re.compile(r"as written it is wrong, and right if nothing is held constant \(no_grad at \S+:\d+\)")
W = torch.tensor([[0.2, -0.1, 0.05], [0.1, 0.15, -0.2], [0.0, 0.1, 0.1]], dtype=torch.float64)
X = torch.tensor([[0.3, -0.5, 1.0]], dtype=torch.float64)


def layer(z, x):
    return torch.tanh(z @ W + x)


def solved(step, z, turns=30):
    for _ in range(turns):
        z = step(z)
    return z


def equilibrium(off=1.0, sign=1.0, hooked=True):
    """Chapter 4 of implicit-layers-tutorial.org: the solver under no_grad, its gradient by a hook."""

    def deq(x):
        with torch.no_grad():
            z = solved(lambda z: layer(z, x), torch.zeros_like(x))
        z = layer(z, x)
        z0 = z.clone().detach().requires_grad_()
        f0 = layer(z0, x)

        def hook(g):
            def step(y):
                return sign * torch.autograd.grad(f0, z0, y, retain_graph=True)[0] + g

            return off * solved(step, g)

        if hooked and z.requires_grad:
            z.register_hook(hook)
        return z

    return deq


class Normed(torch.autograd.Function):
    """A batch norm whose statistics come from outside, and whose backward does them too."""

    @staticmethod
    def forward(ctx, x, mean, inverse, off):
        ctx.save_for_backward(x, mean, inverse)
        ctx.off = off
        return (x - mean) * inverse

    @staticmethod
    def backward(ctx, g):
        x, mean, inverse = ctx.saved_tensors
        y = (x - mean) * inverse
        whole = inverse * (g - g.mean(0) - y * (g * y).mean(0))
        return ctx.off * whole, None, None, None


def normed(off=1.0):
    def run(x):
        with torch.no_grad():
            mean, inverse = x.mean(0), torch.rsqrt(x.var(0, unbiased=False))
        return Normed.apply(x, mean, inverse, off)

    return run


ROWS = torch.tensor([[0.3, -1.0], [2.0, 0.4], [-0.7, 0.9]], dtype=torch.float64)


@pytest.mark.parametrize(("f", "x"), [(equilibrium(), X), (normed(), ROWS)])
def test_what_is_right_with_nothing_held_constant_is_said_with_its_line(f, x):
    found = check_gradient(f, (x,))
    assert found.verdict == "wrong"
    assert RIGHT.search(str(found))
    assert "spec=" in str(found)


def test_the_function_without_no_grad_is_what_it_is_right_for():
    def whole(x):
        return solved(lambda z: layer(z, x), torch.zeros_like(x), 31)

    assert check_gradient(equilibrium(), (X,), spec=whole).passed


@pytest.mark.parametrize(
    ("f", "x"),
    [(equilibrium(off=1.01), X), (equilibrium(sign=-1.0), X), (normed(1.01), ROWS), (normed(-1.0), ROWS)],
)
def test_a_wrong_one_is_not_said_to_be_right(f, x):
    found = check_gradient(f, (x,))
    assert found.verdict == "wrong"
    assert not RIGHT.search(str(found))
    assert re.search(r"what moves is held constant \(no_grad at \S+:\d+\): .* as spec=", str(found))


def test_without_its_hook_it_is_right_as_written_and_nothing_is_said():
    found = check_gradient(equilibrium(hooked=False), (X,))
    assert found.verdict == "accurate"
    assert "held constant" not in str(found)


@pytest.mark.parametrize(("factor", "verdict"), [(2.0, "wrong"), (1.0, "accurate")])
def test_a_factor_of_two_of_a_symmetric_function_is_still_wrong(factor, verdict):
    """It is the other argument's part, which is held constant: so no reading may let it pass."""

    @jax.custom_vjp
    def product(x, y):
        return x * y

    product.defvjp(lambda x, y: (x * y, (x, y)), lambda s, g: (factor * g * s[1], g * s[0]))
    x = jnp.array([0.5, -1.5], jnp.float32)
    found = check_gradient(lambda x: product(x, jax.lax.stop_gradient(x)), (x,))
    assert found.verdict == verdict
    assert ("right if nothing is held constant" in str(found)) == (verdict == "wrong")


def test_a_backward_by_hand_that_forgets_what_is_held_is_wrong():
    found = check_gradient(
        lambda x: x * torch.exp(x).detach(), (ROWS,), vjp=lambda g, x: g * torch.exp(x) * (1 + x)
    )
    assert found.verdict == "wrong"
    assert "right if nothing is held constant (detach or stop_gradient at " in str(found)


def test_where_nothing_that_moves_is_held_nothing_is_said():
    found = check_gradient(lambda x: x * torch.ones(2).detach(), (ROWS,), vjp=lambda g, x: 1.01 * g)
    assert found.verdict == "wrong"
    assert "held constant" not in str(found)
