"""Where written numbers as balls say nothing they are moved, and a wrong formula stays wrong."""

from __future__ import annotations

import numpy as np
import pytest

from harness.check import check_gradient

HUM, SECONDS = 2 * np.pi * 50, np.array([1.7e9 + 0.3671, 1.7e9 + 1.1234])
BELL = np.exp(-(np.linspace(-3, 3, 8) ** 2))


def tones(a):
    return (a * np.sin(HUM * SECONDS)).sum()


@pytest.mark.parametrize(("sign", "verdict"), [(1, "accurate"), (-1, "wrong")])
def test_the_phase_of_a_sine_may_be_large(sign, verdict):
    found = check_gradient(tones, (np.ones(2),), vjp=lambda g, a: sign * g * np.sin(HUM * SECONDS))
    assert found.verdict.value == verdict


def wave(u, steps=40, c=0.3):
    before = now = u
    for _ in range(steps):
        before, now = now, 2 * now - before + c * (np.roll(now, 1) - 2 * now + np.roll(now, -1))
    return now


def pulled(g, u, sign=1, c=0.3, steps=40):
    before, now = np.zeros_like(u), g
    for _ in range(steps):
        before, now = -now, before + 2 * now + c * (np.roll(now, -1) - 2 * now + np.roll(now, 1))
    return sign * (before + now)


@pytest.mark.parametrize(
    ("how", "verdict"),
    [({}, "accurate"), ({"c": 3 * 0.1}, "accurate"), ({"sign": -1}, "wrong"), ({"c": 0.3001}, "wrong")],
)
def test_steps_may_be_many(how, verdict):
    found = check_gradient(wave, (BELL,), vjp=lambda g, u: pulled(g, u, **how))
    assert found.verdict.value == verdict


TURN = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0].astype(np.float32)


@pytest.mark.parametrize(("rate", "verdict"), [(1.02, "accurate"), (1.0200001, "wrong")])
def test_a_literal_of_the_dtype_is_what_was_written_after_many_steps_too(rate, verdict):
    """float32(1.02) is another number than 1.02, by 2e-8 in each of 16 steps."""

    def turned(x):
        for _ in range(16):
            x = np.sin(x @ TURN) * 1.02
        return x

    def pullback(g, x):
        path = [x]
        for _ in range(15):
            path.append(np.sin(path[-1] @ TURN) * np.float32(1.02))
        for x in path[::-1]:
            g = (g * np.cos(x @ TURN) * np.float32(rate)) @ TURN.T
        return g

    x = np.linspace(-0.5, 0.75, 6, dtype=np.float32)
    assert check_gradient(turned, (x,), vjp=pullback, probes=False).verdict.value == verdict


def test_nothing_is_no_gradient_of_many_steps():
    assert check_gradient(wave, (BELL,), vjp=lambda g, u: 0 * g).verdict.value == "wrong"


@pytest.mark.parametrize(("factor", "verdict"), [(1, "accurate"), (2, "wrong"), (-1, "wrong")])
def test_a_matrix_with_a_written_jitter_may_be_factored(factor, verdict):
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.uniform(0, 1, 30)), rng.normal(size=30)
    kernel, jitter = np.exp(-((x[:, None] - x) ** 2) / 0.02), 0.01 * np.eye(30)

    def evidence(s):
        lower = np.linalg.cholesky(kernel * s + jitter)
        half = np.linalg.solve(lower, y)
        return 0.5 * (half @ half) + np.log(np.diag(lower)).sum()

    def pullback(g, s):
        inverse = np.linalg.inv(kernel * s + jitter)
        weights = inverse @ y
        return factor * g * 0.5 * (np.sum(inverse * kernel) - weights @ kernel @ weights)

    assert check_gradient(evidence, (np.array(1.3),), vjp=pullback).verdict.value == verdict


@pytest.mark.parametrize("least", [-1e30, -3.4e38, -1e9])
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "accurate"), (-1.0, "wrong"), (1.01, "wrong")])
def test_a_least_number_that_stands_for_minus_infinity_leaves_nothing_open(least, factor, verdict):
    """As a ball of digits it is wider than what is added to it; as the decimal it decides each maximum."""

    def added(a, b):
        m = max(a, b)
        return m + np.log(np.exp(a - m) + np.exp(b - m))

    def likelihood(x):
        a = [0.0, least, least]
        for row in x:
            a = [a[0] + row[0], added(a[1], a[0]) + row[1], added(a[2], a[1]) + row[2]]
        return a[2]

    def posterior(x):
        found = np.zeros_like(x)
        for at in np.ndindex(x.shape):
            moved = x.astype(complex)
            moved[at] += 1e-30j
            a = np.array([1.0, 0.0, 0.0], complex)
            for row in moved:
                a = np.array([a[0], a[0] + a[1], a[1] + a[2]]) * np.exp(row)
            found[at] = factor * np.log(a[2]).imag / 1e-30
        return found

    x = np.random.default_rng(0).normal(size=(4, 3))
    assert check_gradient(likelihood, (x,), grad=posterior).verdict == verdict
