"""Beside the given point arguments stay what they may have to be: widths, bounds, symmetric, of length 1."""

from __future__ import annotations

import numpy as np
import pytest

from harness import check_gradient

ZEROS, ONE = np.zeros(5), np.array(1.0)
SYMMETRIC = np.array([[2.0, 0.5, 0.0], [0.5, 3.0, -1.0], [0.0, -1.0, 4.0]])


def capped(c, x, a):
    above = x > a
    return c * ((x > 0) & ~above), (c * above).sum()


def triangular(c, x, h):
    inside = np.abs(x) < h
    return -c * np.sign(x) / h * inside, (c * np.abs(x) / h**2 * inside).sum()


def huber(c, r, d):
    far = np.abs(r) > d
    return c * np.clip(r, -d, d), (c * np.where(far, np.abs(r) - d, 0)).sum()


def clipped(c, x, lo, hi):
    return c * ((x > lo) & (x < hi)), (c * (x <= lo)).sum(), (c * (x >= hi)).sum()


# The derivative is 0 all around, so that it is asked further away: there a width is still one.
DOMAINS = {
    "a cap at zeros": (lambda x, a: np.minimum(np.maximum(x, 0), a), capped, (ZEROS, ONE)),
    "all beyond a width": (lambda x, h: np.maximum(0, 1 - np.abs(x) / h), triangular, (ZEROS + 2, ONE)),
    "no residual": (
        lambda r, d: np.where(np.abs(r) <= d, r * r / 2, d * (np.abs(r) - d / 2)),
        huber,
        (ZEROS, np.array(1.35)),
    ),
    "bounds": (np.clip, clipped, (ZEROS + 1.5, np.array(0.0), ONE)),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_a_width_stays_positive_and_bounds_in_order(name):
    function, rule, args = DOMAINS[name]
    assert check_gradient(function, args, vjp=rule).passed

    def forgetful(c, *args):
        first, *rest = rule(c, *args)
        return 2 * first, *rest

    assert check_gradient(function, args, vjp=forgetful).verdict == "wrong"


@pytest.mark.parametrize("matrix", [np.eye(3), SYMMETRIC, np.diag([1.0, 2.0, 3.0])])
def test_what_is_symmetric_stays_so(matrix):
    def energy(x, p):
        return x @ p @ x / 2

    args = np.zeros(3), matrix
    right = check_gradient(energy, args, grad=lambda x, p: (p @ x, np.outer(x, x) / 2))
    assert right.passed
    wrong = check_gradient(energy, args, grad=lambda x, p: (2 * p @ x, np.outer(x, x) / 2))
    assert wrong.verdict == "wrong"


X = np.array([0.3, -1.2, 2.0, 0.7])


def likelihood(theta):
    return (np.log(theta[1]) + ((X - theta[0]) / theta[1]) ** 2 / 2).sum()


def slopes(power):
    def grad(theta):
        apart, scale = X - theta[0], theta[1]
        return np.array([-(apart / scale**power).sum(), (1 / scale - apart**2 / scale ** (power + 1)).sum()])

    return grad


@pytest.mark.parametrize("start", [[0.0, 1.0], [0.5, 1.0], [1.0, 1.0]])
def test_parameters_in_one_vector_are_asked_beside_a_scale_of_1(start):
    assert check_gradient(likelihood, (np.array(start),), grad=slopes(2)).verdict == "accurate"
    assert check_gradient(likelihood, (np.array(start),), grad=slopes(1)).verdict == "wrong"


A = np.array([[2.0, 1.0, 0.0], [1.0, -3.0, 0.5], [0.0, 0.5, 1.0]])
MANIFOLDS = {
    "a direction": (lambda d: d @ A @ d / (d @ d), lambda d: 2 * (A @ d - (d @ A @ d) * d)),
    "shares": (lambda p: (p * p).sum() / p.sum(), lambda p: 2 * p - (p * p).sum()),
}


@pytest.mark.parametrize("name", MANIFOLDS)
def test_a_gradient_for_directions_or_shares_alone_is_not_accused(name):
    function, grad = MANIFOLDS[name]
    assert check_gradient(function, (np.array([0.0, 1.0, 0.0]),), grad=grad).passed


def test_numbers_for_one_point_are_not_accused_beside_it():
    found = check_gradient(
        lambda x: (x**2).sum(), (np.array([1.0, 2.0]),), grad=lambda x: np.array([2.0, 4.0])
    )
    assert found.passed


P = np.array([0.2, 0.6, 0.9])


def focal(p, gamma):
    return -((1 - p) ** gamma * np.log(p)).sum()


@pytest.mark.parametrize(
    ("first", "verdict"),
    [
        (lambda p, gamma: gamma * (1 - p) ** (gamma - 1), "accurate"),
        (lambda p, gamma: gamma * (1 - p), "wrong"),
        (lambda p, gamma: 2 * (1 - p), "wrong"),
    ],
    ids=["right", "the power forgotten", "written for 2"],
)
def test_an_exponent_of_2_is_asked_elsewhere(first, verdict):
    def grad(p, gamma):
        return first(p, gamma) * np.log(p) - (1 - p) ** gamma / p

    assert check_gradient(focal, (P, 2.0), grad=grad, argnums=0).verdict == verdict
