"""One number in two places: the difference is 0 whatever it is, and a comparison is decided."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.verdicts import Verdict
from oracles.exact.from_numpy import record
from oracles.exact.program.primitives.same import same_elements

Z = np.random.default_rng(0).normal(size=(3, 2))


def places(function):
    """Where the two values that a function gives have the same elements."""
    found = []

    def run(x):
        a, b = function(x)
        tape = a.tape.recorder
        found.append(same_elements(tape, a.recorded, b.recorded, id))
        return a

    record(run, [Z], {})
    return found[0]


def test_moves_are_followed_to_one_value():
    eye = np.eye(3, dtype=bool)
    rows = places(lambda x: (x[:, None] + np.zeros((3, 3, 1)), x[None] + np.zeros((3, 3, 1))))
    assert rows is None  # sums of two are two values
    found = places(lambda x: np.broadcast_arrays(np.tanh(x)[:, None], x[None]))
    assert found is None
    found = places(lambda x: np.broadcast_arrays(x[:, None], x[None]))
    assert np.array_equal(found, np.broadcast_to(eye[:, :, None], (3, 3, 2)))
    assert places(lambda x: (x[1:], x[:-1])) is None
    assert np.array_equal(places(lambda x: (x[::-1], x)), [[False] * 2, [True] * 2, [False] * 2])
    turned = places(lambda x: (x.T.reshape(3, 2), x))
    assert np.array_equal(turned, [[True, False], [False] * 2, [False, True]])


def test_what_a_take_puts_in_is_no_element():
    found = places(lambda x: (np.pad(x, ((1, 0), (0, 0)))[:3], np.pad(x, ((1, 0), (0, 0)))[:3]))
    assert found is None or not found[0].any()


def pairwise(library, guarded):
    def kernel(x):
        z = library.tanh(x)
        d = ((z[:, None] - z[None]) ** 2).sum(-1)
        if guarded == "twice":
            one, none = library.ones_like(d), library.zeros_like(d)
            return library.where(d == 0, none, library.sqrt(library.where(d == 0, one, d)))
        if guarded == "less":
            return library.where(z[:, None] < z[None], d[..., None], z[None] * z[:, None])
        return library.exp(-(library.linalg.norm(z[:, None] - z[None], None, -1) ** 2))

    return kernel


@pytest.mark.parametrize("guarded", ["twice", "less", "norm"])
@pytest.mark.parametrize("library", [torch, jnp])
def test_distances_of_computed_features_are_judged(library, guarded):
    with jax.enable_x64(True):
        x = library.asarray(Z)
        # JAX's gradient of a norm is NaN at 0.
        assert check_gradient(pairwise(library, guarded), (x,)).passed is not (
            library is jnp and guarded == "norm"
        )
        if guarded == "twice":
            found = check_gradient(lambda x: pairwise(library, guarded)(x) * x.sum(), (x,))
            assert found.passed, found


@pytest.mark.parametrize(
    ("factor", "verdict"), [(2, Verdict.ACCURATE), (2.02, Verdict.WRONG), (-2, Verdict.WRONG)]
)
def test_a_wrong_gradient_of_distances_is_wrong(factor, verdict):
    def kernel(x):
        z = np.tanh(x)
        return np.exp(-(np.linalg.norm(z[:, None] - z[None], axis=-1) ** 2))

    def pull(g, x):
        z, s = np.tanh(x), g * kernel(x)
        s = s + s.T
        return -factor * (s.sum(1)[:, None] * z - s @ z) * (1 - z**2)

    found = check_gradient(kernel, (Z,), vjp=pull)
    assert found.verdict is verdict, found


@pytest.mark.parametrize("library", [np, torch])
def test_a_number_and_itself_need_not_be_moved(library):
    """A loop over a list of scores meets each one with itself."""
    w = library.asarray(Z[0])

    def ranked(w):
        scores = [library.tanh(library.asarray(z) @ w) for z in Z]
        return sum(library.abs(u - v) ** 1.5 for u in scores for v in scores)

    def gradient(w):
        s = library.tanh(library.asarray(Z) @ w)
        d = s[:, None] - s[None]
        return ((3 * library.sqrt(library.abs(d)) * library.sign(d)).sum(1) * (1 - s * s)) @ library.asarray(
            Z
        )

    assert check_gradient(ranked, (w,), grad=gradient).verdict is Verdict.ACCURATE
    assert check_gradient(ranked, (w,), grad=lambda w: 1.01 * gradient(w)).verdict is Verdict.WRONG


def test_what_is_held_fixed_still_has_its_slope():
    """x - stop(x) is 0, and moves with x."""
    found = check_gradient(lambda x: (x - x.detach()) * 3, (torch.tensor(Z),))
    assert found.verdict is Verdict.ACCURATE, found
    assert not check_gradient(
        lambda x: np.sum(x[:, None] * 1.0 - x[None]), (Z,), grad=lambda x: np.ones_like(x)
    ).passed
