"""What is infinite by a pole, as 1/sqrt(0) of a node without edges, is known where code masks it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.verdicts import Verdict

X, COUNTS = np.array([0.5, -1.25, 2.0, 0.75]), np.array([0.0, 1.0, 2.0, 3.0])
LIBRARIES = {"numpy": np, "jax": jnp, "torch": torch}
INFINITE = {
    "1/d": lambda m, d: 1 / d,
    "-1/d": lambda m, d: -1 / d,
    "1/sqrt(d)": lambda m, d: 1 / m.sqrt(d),
    "d^-1/2": lambda m, d: d**-0.5,
    "d^-1": lambda m, d: d**-1,
    "d^-2": lambda m, d: d**-2.0,
    "reciprocal": lambda m, d: m.reciprocal(d),
    "log(d)": lambda m, d: m.log(d),
    "log1p(d - 1) / 2": lambda m, d: m.log1p(d - 1) / 2,
    "atanh(d/3)": lambda m, d: (m.atanh if m is torch else m.arctanh)(d / 3),
    "1/d + 1": lambda m, d: 1 / d + 1,
    "3/(d d)": lambda m, d: 3 / (d * d),
    "1 - 1/d": lambda m, d: 1 - 1 / d,
    "|log d|": lambda m, d: abs(m.log(d)),
    "d/d": lambda m, d: d / d,
    "d log d": lambda m, d: d * m.log(d),
    "1/d / d": lambda m, d: 1 / d / d,
}
MASKED = {
    "isinf or isnan": lambda m, v: m.where(m.isinf(v) | m.isnan(v), 0.0, v),
    "isfinite": lambda m, v: m.where(m.isfinite(v), v, 0.0),
    "nan_to_num": lambda m, v: m.nan_to_num(v, nan=1.0, posinf=2.0, neginf=3.0),
    "isposinf": lambda m, v: m.where(m.isposinf(v), 0.0, m.where(m.isneginf(v) | m.isnan(v), 1.0, v)),
    "equal to inf": lambda m, v: m.where((v == m.inf) | (v == -m.inf) | (v != v), 0.0, v),
}


def arrays(library, *numbers):
    make = {"numpy": np.asarray, "jax": jnp.asarray, "torch": torch.tensor}[library]
    return tuple(make(x) for x in numbers)


def verdict(library, function, args, scale=1.0):
    """Of scale times the gradient, by hand in NumPy, of x times a function of the others."""
    m = LIBRARIES[library]

    def by_hand(g, x, *rest):
        return (scale * g * function(m, *rest), *(None for _ in rest))

    own = {"vjp": by_hand} if library == "numpy" else {}
    with np.errstate(all="ignore"):
        return check_gradient(lambda x, *rest: function(m, *rest) * x, args, argnums=(0,), **own).verdict


@pytest.mark.parametrize("mask", MASKED)
@pytest.mark.parametrize("name", INFINITE)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_masked_pole_of_what_is_not_differentiated(library, name, mask):
    def weights(m, d):
        return MASKED[mask](m, INFINITE[name](m, d))

    args = arrays(library, X, COUNTS)
    assert verdict(library, weights, args) is Verdict.ACCURATE
    if library == "numpy":
        assert verdict(library, weights, args, scale=2.0) is Verdict.WRONG


@pytest.mark.parametrize("mask", MASKED)
@pytest.mark.parametrize("name", ["1/sqrt(d)", "reciprocal", "d/d"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_of_counts_of_the_argument(library, name, mask):
    m = LIBRARIES[library]

    def function(x):
        counts = m.cumsum(m.where(x > -100, m.ones_like(x), m.zeros_like(x)), 0) - 1
        return MASKED[mask](m, INFINITE[name](m, counts)) * x

    def by_hand(g, x):
        return g * MASKED[mask](m, INFINITE[name](m, np.arange(4.0)))

    own = {"vjp": by_hand} if library == "numpy" else {}
    with np.errstate(all="ignore"):
        assert check_gradient(function, arrays(library, X), **own).verdict is Verdict.ACCURATE


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_sign_of_an_infinity_is_that_of_what_it_is_made_of(library):
    """Each infinity has a number of its own; one that is taken for the other's would be wrong."""
    m = LIBRARIES[library]

    def signed(m, d):
        each = [1 / d, -1 / d, 2 - 1 / d, m.log(d), -m.log(d), -abs(m.log(d)), d**-0.5 * -2.0]
        return sum((k + 1) * m.nan_to_num(v, nan=100.0, posinf=1.0, neginf=10.0) for k, v in enumerate(each))

    args = arrays(library, X[:1], np.zeros(1))
    with np.errstate(all="ignore"):
        assert float(signed(m, args[1])[0]) == 1 + 20 + 30 + 40 + 5 + 60 + 70
    assert verdict(library, signed, args) is Verdict.ACCURATE


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_edges_of_a_graph_with_a_node_of_its_own(library):
    """Kipf and Welling's normalized adjacency, as it is written everywhere."""
    adjacency = np.array([[0.0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])

    def normalized(m, a):
        root = a.sum(1) ** -0.5
        root = m.where(m.isinf(root), 0.0, root)
        return (root[:, None] * a * root[None]) @ a

    def weights(m, a):
        return normalized(m, a)[0]

    assert verdict(library, weights, arrays(library, X, adjacency)) is Verdict.ACCURATE


def test_at_its_own_pole_a_function_has_no_slope():
    """1/x at x = 0, set to 0 there: the function jumps, and no gradient of it is right."""
    x = np.array([0.0, 1.0, 2.0])

    def inverse(x):
        with np.errstate(all="ignore"):
            return np.where(np.isinf(1 / x), 0.0, 1 / x)

    def slope(g, x):
        with np.errstate(all="ignore"):
            return np.where(x == 0, 0.0, -g / x**2)

    assert check_gradient(inverse, (x,), vjp=slope).verdict is Verdict.UNDECIDED


def test_jax_compiles_it():
    function = jax.jit(lambda x, d: jnp.nan_to_num(d**-0.5, posinf=0.0) * x)
    assert check_gradient(function, arrays("jax", X, COUNTS), argnums=(0,)).verdict is Verdict.ACCURATE


def logadd(m, a, b):
    largest = m.maximum(a, b)
    return largest + m.log(m.exp(a - largest) + m.exp(b - largest))


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_branch_on_a_number_that_was_made_with_log_0(library):
    """Added to log(0) = -inf a logarithm is itself, as semirings begin their sums."""
    m = LIBRARIES[library]
    (x, zero) = arrays(library, X, np.zeros(1))

    def function(x):
        return x**2 if bool((logadd(m, x, m.log(zero)) < 9).all()) else x

    with np.errstate(all="ignore"):
        own = {"vjp": lambda g, x: 2 * g * x} if library == "numpy" else {}
        assert check_gradient(function, (x,), **own).verdict is Verdict.ACCURATE


CHOICES = {
    "by a mask": lambda m, d, mask: m.where(mask, d, 1 / d),
    "where another is NaN": lambda m, d, mask: m.where(m.isnan(d / d), d, 1 / d),
    "where another is infinite": lambda m, d, mask: m.where(1 / d == m.inf, d, m.log(d)),
    "what is infinite": lambda m, d, mask: m.where(mask, 1 / d, d),
}


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("library", LIBRARIES)
def test_what_a_choice_leaves_out_is_not_infinite(library, name):
    """Whether a number is infinite is asked of what was chosen, whatever stands on the other side."""

    def weights(m, d):
        return m.nan_to_num(CHOICES[name](m, d, mask), nan=3.0, posinf=5.0, neginf=7.0)

    (mask,) = arrays(library, COUNTS == 0)
    assert verdict(library, weights, arrays(library, X, COUNTS)) is Verdict.ACCURATE


@pytest.mark.parametrize("library", ["jax", "torch"])
def test_a_quotient_of_0_is_no_edge(library):
    """nan_to_num of causal attention: what is left out is exactly 0, and so is its numerator."""
    m = LIBRARIES[library]
    (x,) = arrays(library, np.random.default_rng(0).normal(size=(3, 3)))

    def attention(x):
        e = m.tril(m.exp(x))
        return m.nan_to_num(e / e.sum(-1)[:, None]) + m.nan_to_num(e / 2)

    assert check_gradient(attention, (x,)).verdict is Verdict.ACCURATE
