"""A limit that is written at a hole, `where(x == 0, 1, sin(x) / x)`, has the slope of the points around.

The branch that holds at one point alone says nothing of the slope, and rounding the arguments out of the hole
excuses nothing there.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness
from tests.sampling import cells


def safe(xp, x, hole=0.0):
    return xp.where(x != hole, x, hole + 1 + 0 * x)


# Of xp and x: the function, and its slope at the hole.
HOLES = {
    "(exp(x) - 1) / x": (lambda xp, x, s: xp.where(x == 0, 1 + 0 * x, (xp.exp(s) - 1) / s), 1 / 2),
    "sin(x) / x": (lambda xp, x, s: xp.where(x == 0, 1 + 0 * x, xp.sin(s) / s), 0.0),
    "(1 - cos(x)) / x": (lambda xp, x, s: xp.where(x != 0, (1 - xp.cos(s)) / s, 0 * x), 1 / 2),
    "(x - sin(x)) / x^3": (lambda xp, x, s: xp.where(x != 0, (s - xp.sin(s)) / s**3, 1 / 6 + 0 * x), 0.0),
    "the rest of exp": (
        lambda xp, x, s: xp.where(x == 0, 1 / 6 + 0 * x, (xp.exp(s) - 1 - s - s**2 / 2) / s**3),
        1 / 24,
    ),
    "log(1 + x) / x": (lambda xp, x, s: xp.where(x == 0, 1 + 0 * x, xp.log1p(s) / s), -1 / 2),
    "a root": (lambda xp, x, s: xp.where(x == 0, 1 / 2 + 0 * x, (xp.sqrt(1 + s) - 1) / s), -1 / 8),
    "a power": (lambda xp, x, s: xp.where(x != 0, ((1 + s) ** 2.5 - 1) / s, 2.5 + 0 * x), 15 / 8),
}
AT = np.array([0.0, 0.5])


@pytest.mark.parametrize("name", HOLES)
def test_the_slope_at_a_hole_is_that_around_it(name):
    own, slope = HOLES[name]

    def function(x):
        return own(np, x, safe(np, x))

    beside = float(harness.exact_gradient(function, (AT,), cotangent=np.ones(2)).mid[1])
    for given in (slope, slope + 0.25, 0.0, 1.0):
        found = harness.check_gradient(
            function, (AT,), vjp=lambda g, x, by=given: g * np.array([by, beside]), probes=False
        )
        assert found.verdict == ("accurate" if given == slope else "wrong"), (given, str(found))


@pytest.mark.parametrize(("name", "framework"), cells(HOLES, ["jax", "torch"]))
def test_what_a_framework_gives_of_the_branch_is_wrong(name, framework):
    own, slope = HOLES[name]
    xp = jnp if framework == "jax" else torch
    with jax.enable_x64(True):
        x = jnp.asarray(AT) if framework == "jax" else torch.tensor(AT)
        found = harness.check_gradient(lambda x: own(xp, x, safe(xp, x)), (x,), probes=False)
    assert found.verdict == ("wrong" if slope else "accurate"), str(found)


def box_cox(power, x):
    m, s = power != 0, safe(jnp, power)
    return jnp.where(m, (x**s - 1) / s, jnp.log(x))


def in_the_power(power, x, at_hole):
    m, s = power != 0, safe(jnp, power)
    return jnp.where(m, x**s * jnp.log(x) / s - (x**s - 1) / s**2, at_hole(x))


@pytest.mark.parametrize(
    ("at_hole", "verdict"),
    [(lambda x: jnp.log(x) ** 2 / 2, "accurate"), (lambda x: jnp.log(x) ** 2, "wrong")],
)
def test_a_rule_for_it_is_judged(at_hole, verdict):
    own = jax.custom_jvp(box_cox)
    own.defjvps(lambda t, y, p, x: t * in_the_power(p, x, at_hole), lambda t, y, p, x: t * x ** (p - 1))
    with jax.enable_x64(True):
        found = harness.check_gradient(own, (jnp.asarray(AT), jnp.array([5.0, 3.0])), probes=False)
        assert found.verdict == verdict, str(found)


def slope_of_log(a, b):
    """(log a - log b) / (a - b), and where they are equal its limit: there the slope in each is -1 / 2a^2."""
    same = a == b
    d = torch.where(same, torch.ones_like(a), a - b)
    return torch.where(same, 1 / a, torch.log1p(d / b) / d)


class SlopeOfLog(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return slope_of_log(a, b)

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        same = a == b
        d, y = torch.where(same, torch.ones_like(a), a - b), slope_of_log(a, b)
        at_hole = -1 / (2 * a * a)
        return (
            g * torch.where(same, at_hole, (1 / a - y) / d),
            g * torch.where(same, at_hole, (y - 1 / b) / d),
        )


@pytest.mark.parametrize("value", [0.3, 0.5, 0.1, 7.0])
def test_rounding_out_of_a_hole_excuses_nothing(value):
    """0.3 stands for numbers that may differ; where they are equal autograd's slopes are -1 / a^2 and 0."""
    args = [torch.tensor(v, dtype=torch.float64) for v in ((value, 1.2), (value, 0.4))]
    found = harness.check_gradient(slope_of_log, args, probes=False)
    assert [part.verdict for part in found.parts] == ["wrong", "wrong", "accurate"], str(found)
    assert harness.check_gradient(SlopeOfLog.apply, args, probes=False).verdict == "accurate"
