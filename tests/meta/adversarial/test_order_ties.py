"""Orders of equal numbers: each is that of a point nearby, so any mixture of them is legal, and no other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness
from harness.verdicts import Verdict

TIED = [3.0, 1.0, 3.0, 2.0, 3.0]
LARGEST, ALL = np.array([1.0, 0, 1, 0, 1]), np.ones(5)
WEIGHTS = np.arange(1.0, 6.0)
EDGES = [0.0, 1.0, 2.0, 3.0]

# A function, and the ends of the legal slopes of its sum.
HULLS = {
    "numpy sort": (lambda x: np.sort(x) * WEIGHTS, [3, 1, 3, 2, 3], [5, 1, 5, 2, 5]),
    "numpy median": (np.median, 0 * ALL, LARGEST),
    "torch sort": (lambda x: torch.sort(x)[0] * torch.tensor(WEIGHTS), [3, 1, 3, 2, 3], [5, 1, 5, 2, 5]),
    "torch descending": (
        lambda x: x.sort(descending=True)[0] * torch.tensor(WEIGHTS), [1, 5, 1, 4, 1], [3, 5, 3, 4, 3],
    ),
    "torch topk": (lambda x: torch.topk(x, 2)[0], 0 * ALL, LARGEST),
    "torch smallest": (lambda x: torch.topk(x, 3, largest=False)[0], [0, 1, 0, 1, 0], ALL),
    "torch kthvalue": (lambda x: torch.kthvalue(x, 4)[0], 0 * ALL, LARGEST),
    "torch median": (torch.median, 0 * ALL, LARGEST),
    "torch nanmedian": (lambda x: torch.nanmedian(x, 0)[0], 0 * ALL, LARGEST),
    "torch quantile": (lambda x: torch.quantile(x, 0.75), 0 * ALL, LARGEST),
    "jax sort": (lambda x: jnp.sort(x) * WEIGHTS, [3, 1, 3, 2, 3], [5, 1, 5, 2, 5]),
    "jax top_k": (lambda x: jax.lax.top_k(x, 2)[0], 0 * ALL, LARGEST),
    "jax median": (jnp.median, 0 * ALL, LARGEST),
}  # fmt: skip


def as_of(framework, numbers):
    if framework == "torch":
        return torch.tensor(numbers, dtype=torch.float64)
    return np.asarray(numbers) if framework == "numpy" else jnp.asarray(numbers, "float64")


@pytest.mark.parametrize("name", HULLS)
def test_the_slope_of_each_of_several_equal_numbers_may_be_that_of_any(name):
    f, low, high = HULLS[name]
    with jax.enable_x64(True):
        x = as_of(name.split()[0], TIED)
        found = harness.exact_gradient(f, (x,), cotangent=0 * f(x) + 1)
    assert "3 elements that are sorted are equal, or may be" in found.kinks
    np.testing.assert_allclose([float(b.lower()) for b in found.balls], low, atol=1e-6)
    np.testing.assert_allclose([float(b.upper()) for b in found.balls], high, atol=1e-6)


def checked(f, gradient, weights=(1.0,), x=(3.0, 3.0, 3.0)):
    """With a gradient by hand at this point, linear in the cotangent."""
    by_hand = lambda g, x: np.asarray(gradient, float) * np.ravel(g)[0] / weights[0]  # noqa: E731
    cotangent = np.reshape(weights, np.shape(f(np.array(x))))
    return harness.check_gradient(f, (np.array(x),), vjp=by_hand, cotangent=cotangent, probes=False).verdict


@pytest.mark.parametrize("legal", [(1, 2, 3), (3, 1, 2), (2, 2, 2), (1.5, 1.5, 3)])
def test_mixtures_of_orders_are_legal(legal):
    assert checked(np.sort, legal, (1.0, 2.0, 3.0)) is Verdict.CONVENTION


@pytest.mark.parametrize("illegal", [(3, 3, 3), (1, 1, 1), (1, 3, 1), (0, 3, 3)])
def test_what_is_no_mixture_is_wrong_though_each_element_may_be_so(illegal):
    assert checked(np.sort, illegal, (1.0, 2.0, 3.0)) is Verdict.WRONG


@pytest.mark.parametrize(
    ("gradient", "verdict"),
    [
        ((1, 1, 0), Verdict.CONVENTION),
        ((2 / 3, 2 / 3, 2 / 3), Verdict.CONVENTION),
        ((1, 1, 1), Verdict.WRONG),
        ((0.5, 0.5, 0.5), Verdict.WRONG),
        ((2, 0, 0), Verdict.WRONG),
    ],
)
def test_of_the_two_largest_of_three_equal_ones_two_count(gradient, verdict):
    assert checked(lambda x: np.sort(x)[-2:].sum(), gradient) is verdict


def test_numbers_that_are_equal_all_along_have_one_slope():
    f = lambda x: np.sort(np.concatenate([x, x])) @ np.arange(6.0)  # noqa: E731
    assert checked(f, (1, 5, 9), x=(1.0, 2.0, 5.0)) is Verdict.ACCURATE
    assert checked(f, (1.5, 4.5, 9), x=(1.0, 2.0, 5.0)) is Verdict.WRONG


@pytest.mark.parametrize("seed", range(8))
def test_mixtures_of_gradients_at_points_nearby_are_legal(seed):
    """Sorted, combined and sorted again: at a point nearby each sorting is one permutation."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    x, mix, cotangent = (rng.integers(-1, 2, size).astype(float) for size in (n, (n, n), n))
    cotangent[0] = 1.0

    def nearby():
        first = x + 1e-6 * rng.normal(size=n)
        order = np.argsort(first)
        then = np.argsort(mix @ first[order])
        return cotangent @ np.eye(n)[then] @ mix @ np.eye(n)[order]

    gradient = (nearby() + nearby()) / 2
    verdict = checked(lambda x: np.sort(mix @ np.sort(x)), gradient, cotangent, tuple(x))
    assert verdict in {Verdict.ACCURATE, Verdict.CONVENTION}


def test_where_the_choice_does_not_show_there_is_one_slope():
    found = harness.exact_gradient(lambda x: np.sort(x).sum(), (np.array(TIED),))
    assert found.kinks == ()
    np.testing.assert_array_equal(found.mid, ALL)


EDGE = "two numbers that decide a branch, a mask or an order are equal, or may be"


@pytest.mark.parametrize(
    ("framework", "f", "reason"),
    [
        ("numpy", lambda x: x[np.argsort(x)], EDGE),  # the order moves another array, for all that is known
        ("jax", lambda x: x[jnp.argsort(x)], EDGE),
        ("jax", lambda x: jax.lax.sort_key_val(x, x * x)[1], EDGE),
        ("torch", lambda x: x.gather(0, torch.argsort(x)), EDGE),
        ("torch", lambda x: torch.mode(x)[0], "the branch it takes holds at this point alone"),
    ],
)
def test_where_an_order_is_a_number_the_reason_is_said(framework, f, reason):
    with jax.enable_x64(True), pytest.raises(harness.Undecided, match=reason):
        harness.exact_gradient(f, (as_of(framework, [1.0, 1.0, 1.0]),))
