"""Kinks of several kinds on one hyperplane leave two sides, and others leave all that they have."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flint import arb

from harness import check_gradient, exact_gradient
from oracles.exact.enclose.one_plane import Seen, is_one_plane

ONE, WEIGHTS = jnp.ones(()), jnp.array([1.0, 4.0, 9.0])


@pytest.fixture(autouse=True)
def _wide():
    with jax.enable_x64(True):
        yield


def simplex(x):
    """The nearest point of the simplex."""
    u = jnp.sort(x)[::-1]
    c, counts = jnp.cumsum(u), jnp.arange(x.size) + 1
    n = jnp.count_nonzero(1 / counts + (u - c / counts) > 0)
    return jax.nn.relu(1 / n + (x - c[n - 1] / n)) @ WEIGHTS[: x.size]


def spread(x):
    """Of three numbers the largest less the smallest."""
    return jnp.abs(x - jnp.median(x)).sum()


def largest(x):
    return jnp.abs(jnp.max(x) - x[0])


ON_ONE = {  # what is legal in each element
    "a support that a mask counts": (simplex, [1.0, 0.0], [(-1.5, 0), (0, 1.5)]),
    "beside what is no kink": (simplex, [2.0, 1.0], [(-1.5, 0), (0, 1.5)]),
    "an order": (spread, [1.0, 1.0, 2.0], [(-1, 0), (-1, 0), (1, 1)]),
    "an order of the last numbers": (spread, [2.0, 1.0, 1.0], [(1, 1), (-1, 0), (-1, 0)]),
    "a maximum": (largest, [0.5, 0.5], [(-1, 0), (0, 1)]),
}


@pytest.mark.parametrize("name", ON_ONE)
def test_the_two_sides_are_all_that_is_legal(name):
    function, x, legal = ON_ONE[name]
    found = exact_gradient(function, (jnp.array(x),))
    low, high = np.array(legal).T
    np.testing.assert_allclose(found.mid - found.radius, low, atol=1e-8)
    np.testing.assert_allclose(found.mid + found.radius, high, atol=1e-8)


def test_an_order_is_as_far_as_those_are_apart_that_change_their_places():
    """Of (2, 1, 1) the last two: a gap beside the order must grow as the distance between these."""

    def ray(t, power):
        sign = 1 if t > 0 else -1
        order = (1, 2, 0) if t > 0 else (2, 1, 0)
        row = [arb(2), arb(1 - t), arb(1 + t)]
        return [Seen((sign,), arb(t**power), []), Seen(order, None, row)]

    assert is_one_plane([ray(t, 1) for t in (1.0, -1.0, 2.0, -2.0)])
    assert not is_one_plane([ray(t, 3) for t in (1.0, -1.0, 2.0, -2.0)])


@pytest.mark.parametrize("slope", [1.0, 0.001, 1e-13])
def test_two_hyperplanes_that_are_nearly_one_are_two(slope):
    """In the wedge between them the slope along y is 1, and no ray need be there."""

    def wedge(x, y):
        return jax.nn.relu(y) - jax.nn.relu(y - slope * x)

    found = exact_gradient(wedge, (0 * ONE, 0 * ONE))
    assert found[1].mid + found[1].radius >= 1


@pytest.mark.parametrize("x", [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
@pytest.mark.parametrize("function", [simplex, spread])
def test_of_more_that_meet_no_slope_is_missing(function, x):
    found, x = exact_gradient(function, (jnp.array(x),)), np.array(x)
    gradient, rng = jax.jit(jax.grad(function)), np.random.default_rng(0)
    for _ in range(60):
        slope = np.asarray(gradient(jnp.asarray(x + 1e-7 * rng.normal(size=3))))
        assert (abs(slope - found.mid) <= found.radius + 1e-6).all()


def test_a_projection_with_the_size_in_place_of_the_support_is_wrong():
    def ruled(size):
        @jax.custom_jvp
        def projected(x):
            return simplex(x)

        @projected.defjvp
        def tangent(primals, tangents):
            (x,), (dx,) = primals, tangents
            support = jnp.array([1.0, 0.0])
            moved = support * dx - jnp.dot(support, dx) / size(support) * support
            return simplex(x), moved @ WEIGHTS[:2]

        return projected

    at = (jnp.array([2.0, 1.0]),)
    assert check_gradient(ruled(jnp.sum), at).passed
    assert check_gradient(ruled(jnp.size), at).verdict == "wrong"
