"""Gradients that are known on paper, evaluated by mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from flint import arb

from harness.exact import exact_gradient
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program import functions as fn
from oracles.exact.program.balls import filled, precision
from oracles.exact.program.derive import vjp
from oracles.exact.program.primitives.linear_algebra import det, inverse
from oracles.exact.program.primitives.taylor import scalar
from tests.oracles.exact.programs import build

DIGITS = 60
RNG = np.random.default_rng(5)
X = np.round(RNG.normal(size=(4, 5)), 2)
G = np.round(RNG.uniform(0.25, 2, X.shape) * RNG.choice([-1, 1], X.shape), 2)
A = np.round(RNG.normal(size=(4, 4)), 2) + 2 * np.eye(4)


def gradient(function, x, cotangent):
    return evaluate(vjp(build(function, (x,)), [0]), [x, np.asarray(cotangent)], 256)[0]


def assert_encloses(found, true):
    true = np.asarray(true, object).reshape(found.shape)
    for ball, number in zip(found.ravel(), true.ravel(), strict=True):
        decimal = arb(mpmath.nstr(number, 50))
        assert ball.rad() < 1e-60
        assert abs(ball - decimal) < 1e-45 * (1 + abs(decimal)), f"{ball} against {decimal}"


def rows(array):
    return [[mpmath.mpf(float(v)) for v in row] for row in array]


@pytest.fixture(autouse=True)
def digits():
    with mpmath.workdps(DIGITS), precision(256):
        yield


def softmax(row):
    e = [mpmath.exp(v) for v in row]
    return [v / mpmath.fsum(e) for v in e]


def test_softmax():
    """y (g - sum(g y))."""
    true = []
    for x, g in zip(rows(X), rows(G), strict=True):
        y = softmax(x)
        true.append([a * (b - mpmath.fdot(g, y)) for a, b in zip(y, g, strict=True)])
    assert_encloses(gradient(lambda x: fn.softmax(x, 1), X, G), true)


def test_logsumexp():
    """The softmax."""
    found = gradient(lambda x: fn.logsumexp(x, (1,)), X, np.ones(4))
    assert_encloses(found, [softmax(row) for row in rows(X)])


def test_layernorm():
    """rstd (g - mean(g) - y mean(g y))."""
    eps = 2.0**-17

    def layernorm(x):
        return (x - fn.mean(x, (1,), keepdims=True)) * scalar(
            "rsqrt", fn.variance(x, (1,), keepdims=True) + eps
        )

    true = []
    for x, g in zip(rows(X), rows(G), strict=True):
        n, mean = len(x), mpmath.fsum(x) / len(x)
        rstd = 1 / mpmath.sqrt(mpmath.fsum((v - mean) ** 2 for v in x) / n + eps)
        y = [(v - mean) * rstd for v in x]
        mean_g, mean_gy = mpmath.fsum(g) / n, mpmath.fdot(g, y) / n
        true.append([rstd * (b - mean_g - a * mean_gy) for a, b in zip(y, g, strict=True)])
    assert_encloses(gradient(layernorm, X, G), true)


def test_inverse():
    """-A^-T G A^-T."""
    cotangent = G[:, :4]
    transposed = mpmath.matrix(rows(A)).T ** -1
    true = -(transposed * mpmath.matrix(rows(cotangent)) * transposed)
    assert_encloses(gradient(inverse, A, cotangent), true.tolist())


def test_determinant():
    """det(A) A^-T."""
    m = mpmath.matrix(rows(A))
    assert_encloses(gradient(det, A, np.ones(())), (mpmath.det(m) * m.T**-1).tolist())


def test_the_check_itself_sees_the_thirtieth_digit():
    wrong = filled([arb(1) + arb("1e-30")], (1,))
    with pytest.raises(AssertionError, match="against"):
        assert_encloses(wrong, [mpmath.mpf(1)])


def test_on_a_diagonal_the_angle_has_one_slope():
    """Whichever of its two formulas is taken: at y = x neither is nearer, and both operands move together."""
    t = np.array([0.319, -1.2, 2.0])
    f = lambda t: np.arctan2(t, t) + np.arctan2(-t, t) + t  # noqa: E731
    found = exact_gradient(f, [t], cotangent=np.ones(3))
    assert not found.kinks
    assert all(b.overlaps(1) and b.rad() < 1e-30 for b in found.balls)
