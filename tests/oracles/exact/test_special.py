"""Bessel functions and erfcx, through each front end, against mpmath and what the libraries compute."""

from __future__ import annotations

import jax
import mpmath
import numpy as np
import pytest
import scipy.special
import torch

from harness import check_gradient
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_aten import record as record_aten
from oracles.exact.from_jaxpr import record as record_jax
from oracles.exact.from_numpy import record as record_numpy
from oracles.exact.program.derive import vjp
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound

ZERO = 2.404825557695773  # of J0, rounded
POINTS = np.array([-30.5, -1.3, 0.0, 0.7, ZERO, 51.0, 900.0])
SLOPES = {
    "j0": lambda x: -mpmath.besselj(1, x),
    "j1": lambda x: mpmath.besselj(1, x, derivative=1),
    "erfcx": lambda x: 2 * x * mpmath.exp(x * x) * mpmath.erfc(x) - 2 / mpmath.sqrt(mpmath.pi),
}


def slopes(recording, points):
    program = vjp(recording.program, [0])
    (found,) = evaluate(program, [points, np.ones(points.shape)], 200)
    return found.ravel().tolist()


def assert_is_the_slope(name, balls, points):
    for ball, x in zip(balls, points.tolist(), strict=True):
        with mpmath.workdps(60):
            true = SLOPES[name](mpmath.mpf(x))
            ours = mpmath.mpf(ball.mid().str(55, radius=False))
            assert abs(ours - true) <= mpmath.mpf(10) ** -45 * max(1, abs(true)), (name, x)


@pytest.mark.parametrize("name", SLOPES)
def test_scipy_s_functions_have_the_slopes_of_mpmath(name):
    points = POINTS if name != "erfcx" else np.array([-2.0, 0.0, 0.3, 5.0])
    assert_is_the_slope(name, slopes(record_numpy(getattr(scipy.special, name), (points,)), points), points)


def test_erfcx_is_one_function_in_all_front_ends():
    points = np.array([-2.0, 0.0, 0.3, 5.0])
    leaf = torch.tensor(points, requires_grad=True)
    assert_is_the_slope("erfcx", slopes(record_aten(torch.special.erfcx, (leaf,), {}), points), points)
    with jax.enable_x64(True):
        recording = record_jax(jax.scipy.special.erfcx, (jax.numpy.asarray(points),), {})
    assert_is_the_slope("erfcx", slopes(recording, points), points)


def test_jax_s_recurrence_for_j1_has_its_slope_to_many_digits():
    """`bessel_jn` is coded as a recurrence of fifty steps, which is what is recorded."""
    points = np.array([0.7, 1.3, ZERO])
    with jax.enable_x64(True):
        recording = record_jax(
            lambda x: jax.scipy.special.bessel_jn(x, v=1)[1], (jax.numpy.asarray(points),), {}
        )
    for ball, x in zip(slopes(recording, points), points.tolist(), strict=True):
        assert abs(float(ball.mid()) - float(SLOPES["j1"](x))) < 1e-14


@pytest.mark.parametrize("name", ["j0", "j1"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_bound_holds_what_scipy_computes_at_zeros_and_far_out(name, dtype):
    function = getattr(scipy.special, name)
    x = np.concatenate([POINTS, np.linspace(ZERO - 1e-3, ZERO + 1e-3, 40), np.linspace(20, 5e4, 200)]).astype(
        dtype
    )
    (balls,) = bound(record_numpy(function, (x,)).program, [x], ROUNDING_MODELS["numpy"]).balls
    assert all(ball.contains(float(c)) for ball, c in zip(balls.tolist(), function(x), strict=True))
    near = balls[POINTS.size].rad()
    assert float(near) < 40 * np.finfo(dtype).eps  # and no more than that is granted


@pytest.mark.parametrize("x", [POINTS, POINTS.astype("float32")], ids=["float64", "float32"])
def test_a_hand_written_slope_is_accurate_at_a_zero_too(x):
    found = check_gradient(scipy.special.j0, (x,), vjp=lambda g, x: -g * scipy.special.j1(x))
    assert found.passed, str(found)
    wrong = check_gradient(scipy.special.j0, (x,), vjp=lambda g, x: g * scipy.special.j1(x))
    assert not wrong.passed


@pytest.mark.parametrize("name", ["bessel_j0", "bessel_j1"])
def test_torch_has_no_gradient_of_them_and_the_row_says_so(name):
    function = getattr(torch.special, name)
    found = check_gradient(lambda x: x * function(x), (torch.tensor([0.5, 2.0], dtype=torch.float64),))
    assert found.verdict == "unsupported"
    assert f"torch gives no gradient through aten.special_{name}" in str(found)


@pytest.mark.parametrize("name", ["bessel_j0", "bessel_j1"])
def test_torch_s_value_is_proven_and_its_float32_is_inside_the_bound(name):
    x = torch.linspace(-40, 200, 300)
    function = getattr(torch.special, name)

    class Own(torch.autograd.Function):  # a forward of one's own is differentiated, whatever autograd knows
        @staticmethod
        def forward(ctx, x):
            return function(x)

    program = record_aten(Own.apply, (x.clone().requires_grad_(),), {}).program
    (balls,) = bound(program, [x.numpy()], ROUNDING_MODELS["torch"]).balls
    assert all(b.contains(float(c)) for b, c in zip(balls.tolist(), function(x).numpy(), strict=True))
