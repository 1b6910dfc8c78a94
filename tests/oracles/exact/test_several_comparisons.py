"""Masks of several comparisons: at an edge of one of them both sides are known, as of one comparison."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness
from harness.verdicts import Verdict

LIKE = {"numpy": np, "torch": torch, "jax": jnp}


def arrays(framework, *numbers):
    made = (np.array(n, np.float32) for n in numbers)
    return tuple(
        {"numpy": lambda x: x, "torch": torch.from_numpy, "jax": jnp.asarray}[framework](x) for x in made
    )


def asked(framework, function, rule, *numbers):
    """NumPy is asked about the rule, and the others about their own derivative, too."""
    args = arrays(framework, *numbers)
    found = (
        [harness.check_gradient(lambda *a: function(LIKE[framework], *a), args, vjp=None)]
        if framework != "numpy"
        else []
    )
    return [
        *found,
        harness.check_gradient(
            lambda *a: function(LIKE[framework], *a), args, vjp=lambda g, *a: rule(LIKE[framework], g, *a)
        ),
    ]


def band(of, x):
    """Huber's loss: its other branch has a kink at 0, where it is not taken."""
    return of.where((x > -1) & (x < 1), 0.5 * x * x, of.abs(x) - 0.5)


def slope_of_band(factor):
    return lambda of, g, x: g * of.where((x > -1) & (x < 1), factor * x, of.sign(x))


def least(of, x, y):
    """As `jnp.fmin` is written."""
    return of.where((x < y) | of.isnan(y), x, y)


def clipped(of, r, a):
    """The surrogate of PPO: inside of the band its two sides are one number."""
    return least(of, r * a, of.clip(r, 0.8, 1.2) * a)


def slopes_of_clipped(factor):
    def rule(of, g, r, a):
        inside = (r > 0.8) & (r < 1.2)
        first = inside | (r * a < of.clip(r, 0.8, 1.2) * a)
        zero = 0 * a
        return g * of.where(first, factor * a, zero), g * of.where(first, r, of.clip(r, 0.8, 1.2))

    return rule


@pytest.mark.parametrize("framework", LIKE)
@pytest.mark.parametrize(("factor", "passes"), [(1.0, True), (1.001, False)])
@pytest.mark.parametrize("x", [[0.0, 1.0, 0.25], [-1.0, 0.0, 0.5]])
def test_a_band_has_an_edge_at_either_end(framework, x, factor, passes):
    *own, by_hand = asked(framework, band, slope_of_band(factor), x)
    assert all(one.verdict is Verdict.ACCURATE for one in own)
    assert by_hand.passed is passes


@pytest.mark.parametrize("framework", LIKE)
@pytest.mark.parametrize(("factor", "passes"), [(1.0, True), (1.001, False)])
def test_where_both_sides_are_one_number_there_is_no_edge(framework, factor, passes):
    *own, by_hand = asked(framework, clipped, slopes_of_clipped(factor), [0.9, 1.1, 1.5], [1.0, -2.0, 3.0])
    assert all(one.verdict is Verdict.ACCURATE for one in own)
    assert by_hand.passed is passes


@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize(
    ("share", "verdict"), [(0.0, "convention"), (1.0, "convention"), (0.5, "convention"), (1.5, "wrong")]
)
def test_at_a_tie_every_slope_between_the_sides_is_legal(framework, share, verdict):
    def rule(of, g, x, y):
        return share * g, (1 - share) * g

    *_, found = asked(framework, least, rule, [2.0], [2.0])
    assert found.verdict == verdict


JUMPS = {
    "and": lambda of, x: of.where((x > 0) & (x < 1), x + 1, x),
    "or": lambda of, x: of.where((x < 0) | (x > 1), x + 1, x),
    "not": lambda of, x: of.where(~(x <= 0), x + 1, x),
    "moved": lambda of, x: of.where((x > 0)[:, None] & (x < 1)[:, None], x[:, None] + 1, x[:, None])[:, 0],
}


@pytest.mark.parametrize("framework", LIKE)
@pytest.mark.parametrize("mask", JUMPS)
def test_a_mask_that_makes_the_function_jump_is_no_kink(framework, mask):
    """At 0 it jumps; beside its edges it has the slope 1."""
    at_edge, beside = [0.0, 0.5], [0.25, 0.5]
    for x, verdict in ((at_edge, Verdict.CONVENTION), (beside, Verdict.ACCURATE)):
        *_, found = asked(framework, JUMPS[mask], lambda of, g, x: 1 * g, x)
        assert found.verdict is verdict, found
    *_, found = asked(framework, JUMPS[mask], lambda of, g, x: 2 * g, at_edge)
    assert found.verdict is Verdict.WRONG


TAKEN = {
    "numpy": lambda of, x: of.where(np.pad(x[1:] > 0.5, (1, 0)), 3 * x, x),
    "torch": lambda of, x: of.where(torch.nn.functional.pad(x[1:] > 0.5, (1, 0)), 3 * x, x),
    "jax": lambda of, x: of.where(jnp.pad(x[1:] > 0.5, (1, 0)), 3 * x, x),
}


@pytest.mark.parametrize("framework", LIKE)
@pytest.mark.parametrize("is_padded", [False, True])
@pytest.mark.parametrize(("x", "is_edge"), [([0.25, 0.75, 0.0], False), ([0.25, 0.5, 0.75], True)])
def test_a_mask_that_was_taken_apart_is_a_mask(framework, is_padded, x, is_edge):
    """At its edge the function jumps."""
    of = LIKE[framework]
    slope = np.where(np.arange(3) > 0, np.where(np.array(x) > 0.5, 3, 1), is_padded).astype(np.float32)
    (given, own) = arrays(framework, x, slope)

    def masked(x):
        return TAKEN[framework](of, x) if is_padded else of.where((x > 0.5)[1:], 3 * x[1:], x[1:])

    right = harness.check_gradient(lambda x: masked(x).sum(), (given,), grad=lambda x: own * 1)
    wrong = harness.check_gradient(lambda x: masked(x).sum(), (given,), grad=lambda x: own * 2)
    assert right.verdict is (Verdict.CONVENTION if is_edge else Verdict.ACCURATE)
    assert wrong.verdict is Verdict.WRONG


STEEP = {
    "log": lambda of, x: of.log(x),
    "sqrt": lambda of, x: of.sqrt(x),
    "power": lambda of, x: x**1.5,
    "reciprocal": lambda of, x: 1 / x,
}
SLOPES = {
    "log": lambda of, x: 1 / x,
    "sqrt": lambda of, x: 0.5 / of.sqrt(x),
    "power": lambda of, x: 1.5 * of.sqrt(x),
    "reciprocal": lambda of, x: -1 / (x * x),
}


@pytest.mark.parametrize("framework", LIKE)
@pytest.mark.parametrize("name", STEEP)
def test_what_is_chosen_by_a_mask_moves(framework, name):
    """A logarithm of it has a slope: of what stays 0 alone it has none."""

    def function(of, p, q):
        both = (p > 0) & (q > 0)
        return STEEP[name](of, of.where(both, p * q, 0 * q + 1))

    def slope(of, x):
        return {
            "log": 1 / x,
            "sqrt": 0.5 / of.sqrt(x),
            "power": 1.5 * of.sqrt(x),
            "reciprocal": -1 / (x * x),
        }[name]

    def rule(factor):
        def pull(of, g, p, q):
            both = (p > 0) & (q > 0)
            s = factor * g * slope(of, of.where(both, p * q, 0 * q + 1))
            return of.where(both, s * q, 0 * q), of.where(both, s * p, 0 * q)

        return pull

    points = [0.3, 0.7, -0.5], [0.25, 1.5, 0.5]
    assert all(one.verdict is Verdict.ACCURATE for one in asked(framework, function, rule(1.0), *points))
    assert asked(framework, function, rule(1.001), *points)[-1].verdict is Verdict.WRONG


@pytest.mark.parametrize("name", ["kl_div", "rel_entr", "entr"])
def test_entropies_of_jax_are_right(name):
    function = getattr(jax.scipy.special, name)
    p, q = jnp.array([0.3, 0.7, 1.2]), jnp.array([0.28, 0.9, 0.4])
    found = harness.check_gradient(function, (p,) if name == "entr" else (p, q))
    assert found.verdict is Verdict.ACCURATE


def parity(of, x):
    """A mask of masks, each of which stands in the next one twice: as a tree it has 2^40 comparisons."""
    odd = x > 100
    for k in range(40):
        odd = (odd & (x <= k)) | (~odd & (x > k))
    return of.where(odd, 3 * x, x)


@pytest.mark.parametrize(("factor", "verdict"), [(1, "convention"), (3, "convention"), (4, "wrong")])
@pytest.mark.parametrize("framework", LIKE)
def test_masks_of_masks(framework, factor, verdict):
    """At 7 the parity changes, and between 7 and 8 it does not; each mask is asked once."""

    def rule(of, g, x):
        return of.where(x == 7, factor * g, of.where(x == 7.5, g, 3 * g))

    found = asked(framework, parity, rule, [7.0, 7.5, 8.5])[-1]
    assert found.verdict == verdict, str(found)


def log_sum_exp(*terms):
    most = max(terms)
    return most if most == -np.inf else most + np.log(sum(np.exp(t - most) for t in terms))


@pytest.mark.parametrize("factor", [1.0, 1.0 + 1e-9])
def test_a_lattice_of_logarithms_by_a_loop(factor):
    """As a textbook's CTC has it: what may be infinite is asked at each step, of what the last one made."""

    def forward(x):
        a = [x[0], x[0] / 2, -np.inf]
        for t in range(1, len(x)):
            a = [a[0] + x[t], log_sum_exp(a[0], a[1]) + x[t], log_sum_exp(a[1], a[2], a[0]) + x[t]]
        return log_sum_exp(*a)

    def gradient(x):
        steps = np.linalg.matrix_power(np.array([[1.0, 1, 1], [0, 1, 1], [0, 0, 1]]), len(x) - 1)
        weights = steps.sum(1) * np.exp(x[0] * np.array([1, 0.5, 0])) * [1, 1, 0]
        return np.array([factor * weights @ [1, 0.5, 0] / weights.sum(), *np.ones(len(x) - 1)])

    x = np.random.default_rng(0).normal(size=8)
    assert harness.check_gradient(forward, (x,), grad=gradient).passed == (factor == 1)
