"""With spec=, a rule that ends by its own tolerance is as right as that leaves it; what is wrong stays so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness

W = 0.4 * np.random.default_rng(3).normal(size=(3, 3))
B = np.array([0.3, -0.8, 0.5])


def by_steps(new, old):
    return abs(new - old).max() < 1e-12


def by_norm(new, old):
    return ((new - old) ** 2).sum() ** 0.5 < 1e-12


def by_number(new, old):
    return float(abs(new - old).max()) < 1e-12


def relatively(new, old):
    return abs(new - old).max() <= 1e-12 * abs(new).max()


def limit(step, x, is_near, most=500):
    for _ in range(most):
        new = step(x)
        if is_near(new, x):
            return new
        x = new
    return x


def layer(w, b, is_near=by_steps):
    return limit(lambda z: np.tanh(w @ z + b), 0 * b, is_near)


def newton(w, b):
    z = 0 * b
    for _ in range(9):
        t = np.tanh(w @ z + b)
        z = z - np.linalg.solve(np.eye(3) - (1 - t * t)[:, None] * w, z - t)
    return z


def pullback(
    change=lambda *parts: parts, turned=lambda w: w.T, slope=lambda d: d, is_near=by_steps, most=500
):
    def rule(g, w, b):
        z = layer(w, b, is_near)
        d = 1 - z * z
        u = limit(lambda u: g + turned(w) @ (slope(d) * u), 0 * g, is_near, most)
        return change(np.outer(d * u, z), d * u)

    return rule


@pytest.mark.parametrize("is_near", [by_steps, by_norm, by_number, relatively])
def test_a_fixed_point_to_a_tolerance_is_right(is_near):
    rule = pullback(is_near=is_near)
    found = harness.check_gradient(lambda w, b: layer(w, b, is_near), (W, B), vjp=rule, spec=newton)
    assert found.verdict == "accurate"
    assert "its own tolerance of" in str(found)


MISTAKES = {
    "transposed": {"turned": lambda w: w},
    "a factor left out": {"slope": lambda d: 1},
    "a sign": {"change": lambda w, b: (w, -b)},
    "one step": {"most": 1},
    "ten steps": {"most": 10},
    "twice": {"change": lambda w, b: (2 * w, b)},
    "1.01": {"change": lambda w, b: (w * 1.01, b)},
    "1 + 1e-9": {"change": lambda w, b: (w * (1 + 1e-9), b)},
    "a tolerance far too coarse": {"is_near": lambda new, old: abs(new - old).max() < 1e-3},
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_a_tolerance_does_not_leave_is_wrong(name):
    found = harness.check_gradient(layer, (W, B), vjp=pullback(**MISTAKES[name]), spec=newton)
    assert found.verdict == "wrong"


def test_without_what_is_meant_it_is_wrong():
    assert harness.check_gradient(layer, (W, B), vjp=pullback()).verdict == "wrong"


def decayed(x, count=50):
    for _ in range(count):
        x = x - x / count
    return x


def test_a_loop_over_time_has_no_tolerance():
    """It ends by its numbers, too."""

    def rule(g, x):
        t, end = 0.0 * x, 0.0 * x + 0.995
        while t < end:
            g, t = g - g / 50, t + 0.02
        return g * (1 + 1e-9)

    x = np.array(0.7)
    assert harness.check_gradient(decayed, (x,), vjp=rule, spec=lambda x: decayed(x)).verdict == "wrong"


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "accurate"), (-1.0, "wrong")])
def test_torch_likewise(factor, verdict):
    class Layer(torch.autograd.Function):
        @staticmethod
        def forward(ctx, w, b):
            z = limit(lambda z: torch.tanh(w @ z + b), 0 * b, by_steps)
            ctx.save_for_backward(w, z)
            return z

        @staticmethod
        def backward(ctx, g):
            w, z = ctx.saved_tensors
            d = 1 - z * z
            u = limit(lambda u: g + w.T @ (d * u), 0 * g, by_steps)
            return torch.outer(d * u, z), factor * d * u

    def solved(w, b):
        z = torch.zeros_like(b)
        for _ in range(9):
            t = torch.tanh(w @ z + b)
            z = z - torch.linalg.solve(torch.eye(3, dtype=b.dtype) - (1 - t * t)[:, None] * w, z - t)
        return z

    found = harness.check_gradient(Layer.apply, (torch.tensor(W), torch.tensor(B)), spec=solved)
    assert found.verdict == verdict


A, RIGHT = jnp.array([[1.2, 0.3], [-0.4, 0.9], [0.5, -0.7]]), jnp.array([0.3, -0.8, 0.5])


def descended(a, b, step):
    """The least squares with a penalty, by as many steps as it takes."""

    def residual(w):
        return a.T @ (a @ w - b) + 0.3 * w

    def goes_on(carry):
        return (carry[1] < 3000) & (jnp.linalg.norm(residual(carry[0])) > 1e-12)

    def further(carry):
        return carry[0] - step * residual(carry[0]), carry[1] + 1

    return jax.lax.while_loop(goes_on, further, (0 * a[0], 0))[0]


def solver(step, factor=1.0):
    @jax.custom_vjp
    def least(a, b):
        return descended(a, b, step)

    def pulled(kept, g):
        a, b, w = kept
        v = factor * jnp.linalg.solve(a.T @ a + 0.3 * jnp.eye(2), g)
        return jnp.outer(b - a @ w, v) - jnp.outer(a @ v, w), a @ v

    least.defvjp(lambda a, b: (least(a, b), (a, b, least(a, b))), pulled)
    return least


def solved(a, b):
    return jnp.linalg.solve(a.T @ a + 0.3 * jnp.eye(2), a.T @ b)


@pytest.mark.parametrize("step", [0.5, 0.12])
def test_a_loop_of_many_steps_ends_by_its_tolerance_too(step):
    """Its balls grow with each step, and what ended it is known with more bits."""
    with jax.enable_x64(True):
        args = tuple(np.asarray(x, float) for x in (A, RIGHT))
        found = harness.check_gradient(solver(step), args, spec=solved, framework="jax")
        assert found.passed, str(found)
        assert "its own tolerance of" in str(found)
        wrong = harness.check_gradient(solver(step, 1 + 1e-6), args, spec=solved, framework="jax")
        assert not wrong.passed
