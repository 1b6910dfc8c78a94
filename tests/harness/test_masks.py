"""Infinite numbers and NaN: constants in what is not differentiated, refused by name elsewhere."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import torch

import gradproof

MASK = np.where(np.triu(np.ones((3, 3)), 1) > 0, -np.inf, 0.0)
X = np.random.default_rng(0).normal(size=(3, 3))


def of_torch(x, mask):
    return torch.softmax(x + mask, -1)


def of_jax(x, mask):
    e = jnp.exp(x + mask)
    return e / e.sum(-1, keepdims=True)


def of_numpy(x, mask):
    e = np.exp(x + mask)
    return e / e.sum(-1, keepdims=True)


def vjp(g, x, mask):
    s = of_numpy(x, mask)
    return s * (g - (g * s).sum(-1, keepdims=True))


ASKED = {
    "torch": (of_torch, torch.from_numpy, {}),
    "jax": (of_jax, lambda a: jnp.asarray(a, jnp.float32), {}),
    "numpy": (of_numpy, np.array, {"vjp": vjp}),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_mask_that_is_not_differentiated_is_a_constant(name):
    function, array, options = ASKED[name]
    x, mask = array(X), array(MASK)
    assert gradproof.check_gradient(function, (x, mask), argnums=0, **options).passed
    assert gradproof.check_gradient(function, (x,), kwargs={"mask": mask}, **options).passed


class Attention(torch.autograd.Function):
    """Causal attention by the logarithms of its sums, masked by the least number of its dtype."""

    factor = 1.0

    @staticmethod
    def scores(q, k):
        later = torch.ones(len(q), len(q), dtype=torch.bool).triu(1)
        return (q @ k.mT).masked_fill(later, torch.finfo(q.dtype).min)

    @staticmethod
    def forward(ctx, q, k, v):
        s = Attention.scores(q, k)
        logs = torch.logsumexp(s, -1, keepdim=True)
        o = torch.exp(s - logs) @ v
        ctx.save_for_backward(q, k, v, o, logs)
        return o

    @staticmethod
    def backward(ctx, g):
        q, k, v, o, logs = ctx.saved_tensors
        p = torch.exp(Attention.scores(q, k) - logs)
        ds = Attention.factor * p * (g @ v.mT - (g * o).sum(-1, keepdim=True))
        return ds @ k, ds.mT @ q, p.mT @ g


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize(("factor", "passes"), [(1.0, True), (1.0 + 2.0**-6, False)])
def test_attention_that_is_masked_by_the_least_number_has_a_bound(monkeypatch, dtype, factor, passes):
    monkeypatch.setattr(Attention, "factor", factor)
    kind, generator = getattr(torch, dtype), torch.Generator().manual_seed(4)
    given = tuple(torch.randn(4, 4, generator=generator).to(kind) for _ in range(3))
    assert gradproof.check_gradient(Attention.apply, given).passed is passes


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_one_that_is_differentiated_is_refused_by_name(name):
    function, array, _ = ASKED[name]
    found = gradproof.check_gradient(function, (array(X), array(MASK)))
    assert found.verdict == "unsupported"
    assert found.diagnosis.startswith("mask[0, 1] must be finite to have a derivative, got -inf: leave a")


def test_nan_is_refused_where_it_is_differentiated_and_has_no_slope_where_it_is_not_left_out():
    x, mask = torch.from_numpy(X), torch.from_numpy(np.where(np.isinf(MASK), np.nan, 0.0))
    refused = gradproof.check_gradient(of_torch, (x, mask))
    assert refused.verdict == "unsupported"
    assert refused.diagnosis.endswith(
        "must be finite to have a derivative, got nan: leave missing data out of argnums="
    )
    assert gradproof.check_gradient(of_torch, (x, mask), argnums=0).verdict == "undecided"


@pytest.mark.parametrize("name", ["torch", "numpy"])
def test_a_mask_that_is_written_is_the_same_in_each_run_and_after_the_check(name):
    function, array, options = ASKED[name]

    def biased(x, mask):
        mask += 1
        return function(x, mask)

    mask = array(MASK)
    found = gradproof.check_gradient(biased, (array(X), mask), argnums=0, **options)
    assert found.verdict != "wrong", str(found)
    assert not found.notes or "not reproducible" not in str(found)
    assert np.array_equal(np.asarray(mask), MASK)


# -- forbidden transitions: sums over what is -inf altogether -----------------------------------------------

FORBIDDEN = np.where(np.tril(np.ones((4, 4), bool), -1), -np.inf, np.log(0.3))


def by_scipy(a, x):
    return np.array([scipy.special.logsumexp(a + FORBIDDEN[:, k]) for k in range(4)]) + x


def by_numpy(a, x):
    each = [np.logaddexp.reduce([a[j] + FORBIDDEN[j, k] for j in range(4)]) for k in range(4)]
    return np.array(each) + x


def by_pairs(a, x):
    """Left to right, one step at a time."""
    moved = [np.logaddexp.reduce([a[k], a[k - 1]]) if k else a[0] for k in range(4)]
    return np.array(moved) + x


@pytest.mark.parametrize("step", [by_scipy, by_numpy, by_pairs])
@pytest.mark.parametrize("factor", [1.0, 0.99])
def test_states_that_cannot_be_reached_yet_have_no_part(step, factor):
    """Their logarithms of 0 are -inf to the end, and were no value in a derivative."""
    x = np.random.default_rng(0).normal(size=(3, 4))

    def likelihood(x):
        a = np.array([0.0, -np.inf, -np.inf, -np.inf])
        for row in x:
            a = step(a, row)
        return scipy.special.logsumexp(a)

    def posterior(x):
        """By differences of the log likelihood at complex numbers, of which exponentials know no maximum."""
        weights = {by_pairs: np.tri(4) - np.tri(4, k=-2)}.get(step, np.exp(FORBIDDEN).T)
        found = np.zeros_like(x)
        for at in np.ndindex(x.shape):
            moved = x.astype(complex)
            moved[at] += 1e-30j
            a = np.array([1.0, 0, 0, 0], complex)
            for row in moved:
                a = weights @ a * np.exp(row)
            found[at] = np.log(a.sum()).imag / 1e-30
        return factor * found

    found = gradproof.check_gradient(likelihood, (x,), grad=posterior)
    assert (found.passed, found.verdict in {"wrong", "miscomputed"}) == (factor == 1.0, factor != 1.0), found


class Regression:
    """A network of one product; `fills` puts 0 in the place of missing data."""

    def __init__(self, fills=False):
        self.params = {"W": np.arange(6.0).reshape(3, 2), "b": np.zeros(2)}
        self.fills = fills

    def off(self, x, t):
        self.x = np.nan_to_num(x) if self.fills else x
        return self.x @ self.params["W"] + self.params["b"] - t

    def loss(self, x, t):
        return np.sum(self.off(x, t) ** 2)

    def gradient(self, x, t):
        off = self.off(x, t)
        return {"W": 2 * self.x.T @ off, "b": 2 * off.sum(0)}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", ["x", "t", "W"])
def test_a_network_at_numbers_that_are_not_finite_is_told_which(bad, place):
    net, given = Regression(), {"x": np.ones((4, 3)), "t": np.ones((4, 2))}
    {**given, **net.params}[place][1, 0] = bad
    found = gradproof.check_network(net, given["x"], given["t"])
    said = f"{place}[1, 0] must be finite to have a derivative, got {bad}: pass finite numbers"
    assert (found.verdict, found.diagnosis) == ("unsupported", said)


def test_missing_data_that_a_network_fills_is_no_obstacle():
    x = np.ones((4, 3))
    x[1, 0] = np.nan
    gradproof.assert_network(Regression(fills=True), x, np.ones((4, 2)))


class Product:
    """A layer whose parameter only multiplies x."""

    def __init__(self):
        self.W = np.ones((2, 2))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class Loss:
    """A loss layer without parameters."""

    def forward(self, x, t):
        self.off = x - t
        return np.sum(self.off**2)

    def backward(self, dout=1):
        return 2 * self.off * dout


def test_a_layer_whose_parameters_multiply_missing_data_is_told_of_those_alone():
    found = gradproof.check_layer(Product(), np.array([[np.nan, 1.0]]))
    said = "x[0, 0] must be finite to have a derivative, got nan: pass finite numbers"
    assert (found.verdict, found.diagnosis) == ("unsupported", said)


def test_a_loss_whose_target_is_not_finite_is_told_so():
    found = gradproof.check_layer(Loss(), np.ones((1, 2)), np.array([[np.nan, 1.0]]))
    assert found.diagnosis.startswith("t[0, 0] must be finite to have a derivative, got nan")


def test_none_for_a_mask_of_floats_names_the_way_out():
    def f(x, m):
        return (x * m) ** 2

    x, m = np.array([1.3, 2.1]), np.array([1.0, 0.5])
    found = gradproof.check_gradient(f, (x, m), vjp=lambda g, x, m: (2 * g * x * m * m, None))
    assert not found.passed
    assert "no gradient (None), which is not a zero gradient; if it is meant as a constant" in str(found)
    assert gradproof.check_gradient(f, (x, m), argnums=0, vjp=lambda g, x, m: 2 * g * x * m * m).passed
