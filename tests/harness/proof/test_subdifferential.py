"""Gradients that are legal element by element, and may be no mixture of legal ones (design, L2; 18.5)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import check_gradient
from harness.proof.question import Question
from harness.proof.subdifferential import refutation
from harness.proof.truth import pose
from harness.verdicts import RIGHT, Verdict
from oracles.exact.core.pairs import Pairs
from oracles.exact.from_numpy import record
from tests.sampling import sample

POINT = np.array([9.0, -9.0, 2.0])


def largest(x):
    return np.max(np.abs(x))


def given_gradient(function, x, gradient):
    x, gradient = np.asarray(x, float), np.asarray(gradient, float)
    return check_gradient(function, (x,), vjp=lambda g, x: g * gradient, probes=False)


ILLEGAL = {
    "a corner of the box": (largest, POINT, [1, -1, 0]),
    "nothing": (largest, POINT, [0, 0, 0]),
    "shares that do not add up": (largest, POINT, [0.5, -0.4, 0]),
    "both ends": (lambda x: np.max(x) - np.min(x), np.ones(4), [1, 1, -1, -1]),
    "two maxima of one tie": (lambda x: np.max(x), [1, 1, 0.5], [1, 1, 0]),
    "rows": (lambda x: np.sum(np.max(np.abs(x), -1)), [[9, -9], [1, 2]], [[1, -1], [0, 1]]),
    "one slope for a clip twice": (
        lambda r: np.sum(np.minimum(np.clip(r, 0.8, 1.2), 2 * np.clip(r, 0.8, 1.2) - np.clip(r, 0.8, 1.2))),
        [1.0, 1.1],
        [0.4, 1.0],
    ),
}
LEGAL = {
    "one winner": (largest, POINT, [1, 0, 0]),
    "the other": (largest, POINT, [0, -1, 0]),
    "halves": (largest, POINT, [0.5, -0.5, 0]),
    "a mixture": (largest, POINT, [0.25, -0.75, 0]),
    "thirds": (np.max, np.ones(3), [1 / 3, 1 / 3, 1 / 3]),
    "twentieths": (np.max, np.ones(20), [1 / 20] * 20),
    "free slopes": (lambda x: np.sum(np.abs(x)), [0.0, 0.0, 1.0], [0.3, -0.9, 1.0]),
    "relu": (lambda x: np.sum(np.maximum(x, 0)), [0.0, 0.0], [0.0, 1.0]),
    "ends that are one": (lambda x: np.max(x) - np.min(x), np.ones(4), [0, 0, 0, 0]),
    "relu of relu": (lambda x: np.sum(np.maximum(np.maximum(x, 0) * 2, 0)), [0.0, 3.0], [0.5, 2.0]),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_what_is_no_mixture_of_legal_gradients_is_wrong(name):
    result = given_gradient(*ILLEGAL[name])
    assert result.verdict is Verdict.WRONG, result
    if "clip" not in name:
        assert "each element is legal at its kink, but along (" in str(result)


@pytest.mark.parametrize("name", LEGAL)
def test_a_mixture_of_legal_gradients_is_legal(name):
    assert given_gradient(*LEGAL[name]).verdict is Verdict.CONVENTION


def test_the_direction_and_both_numbers_are_said():
    said = str(given_gradient(largest, POINT, [1, -1, 0]))
    assert (
        "each element is legal at its kink, but along (1, -1, 0) they give 2, where the derivative is 1"
        in said
    )


def near(function, x, rng):
    """A legal gradient: a mixture of those at points nearby, by exact differences of a piecewise linear f."""
    total, weights = np.zeros(x.size), rng.dirichlet(np.ones(6))
    for weight in weights:
        at = x + rng.normal(size=x.size) * 2.0**-20
        step = 2.0**-30
        slopes = [(function(at + step * e) - function(at - step * e)) / (2 * step) for e in np.eye(x.size)]
        total += weight * np.round(np.array(slopes), 5)
    return total


PIECEWISE = {
    "max|x|": (largest, POINT),
    "max of pairs": (lambda x: np.maximum(np.maximum(x[0], x[1]), np.maximum(x[1], x[2])), np.ones(3)),
    "relu of Wx": (lambda x: np.maximum(np.array([1.0, -2.0, 1.0]) @ x, 0) + abs(x[0] - x[1]), np.ones(3)),
    "max - min": (lambda x: np.max(x) - np.min(x), np.zeros(3)),
    "clip": (lambda x: np.sum(np.clip(x, -1, 1)), np.array([1.0, -1.0, 0.3])),
}


@pytest.mark.parametrize("name", PIECEWISE)
@settings(derandomize=True, max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_mixture_of_gradients_nearby_is_refuted(name, seed):
    function, x = PIECEWISE[name]
    question = Question(lambda arrays: record(function, tuple(arrays), {}), ("x",), (0,), cotangent=1.0)
    true = pose(question, [x]).true
    gradient = near(function, x, np.random.default_rng(seed))
    numbers = Pairs(gradient, np.zeros(x.shape), np.full(x.shape, 1e-4))
    assert true.along is not None
    assert refutation(true.along, true.enclosures, [numbers]) == ""


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_what_the_frameworks_choose_at_ties_is_legal(dtype):
    tied = [[1.0, 1.0, 1.0], [2.0, 0.0, 2.0]]
    t = torch.tensor(tied, dtype=getattr(torch, dtype))
    for function in (
        lambda t: t.amax(-1),
        lambda t: t.max(),
        lambda t: t.abs().max(),
        lambda t: torch.nn.functional.max_pool1d(t[None], 2, 1),
        lambda t: torch.linalg.vector_norm(t, float("inf")),
    ):
        assert check_gradient(function, (t,)).verdict in RIGHT
    of_jax_s = (lambda x: jnp.max(jnp.abs(x), -1), jnp.max, lambda x: jnp.ptp(x, -1))
    with jax.enable_x64(True):
        for of_jax in of_jax_s if dtype == "float64" else sample(of_jax_s, 3):  # each is compiled in each
            assert check_gradient(of_jax, (jnp.array(tied, dtype),)).verdict in RIGHT


def test_a_norm_at_0_has_every_slope_of_the_ball():
    """Along a direction forward mode multiplies 0 by a pole there, which says nothing."""
    x = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])

    def norm(x):
        return np.sqrt((x**2).sum(1))

    def pullback(g, x):
        size = norm(x)[:, None]
        return g[:, None] * np.where(size == 0, 0.5, x / np.where(size == 0, 1, size))

    assert check_gradient(norm, (x,), vjp=pullback).verdict.value == "convention"
