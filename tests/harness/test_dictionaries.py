"""Entries of dictionaries are told by their keys, in whatever order they were written."""

from __future__ import annotations

import numpy as np
import pytest

from harness.check import check_gradient
from harness.exact import exact_gradient


def product(p):
    return p["b"] * p["a"] ** 2


def right(g, p):
    return {"a": 2 * g * p["a"] * p["b"], "b": g * p["a"] ** 2}


def swapped(g, p):
    return {"a": g * p["a"] ** 2, "b": 2 * g * p["a"] * p["b"]}


def parameters(framework):
    arrays = {"b": np.array([2.0, 3.0]), "a": np.array([5.0, 7.0])}
    if framework == "torch":
        torch = pytest.importorskip("torch")
        return {key: torch.tensor(x) for key, x in arrays.items()}
    if framework == "jax":
        jnp = pytest.importorskip("jax.numpy")
        return {key: jnp.asarray(x, jnp.float32) for key, x in arrays.items()}
    return arrays


@pytest.mark.parametrize("framework", ["numpy", "jax", "torch"])
def test_a_gradient_is_told_by_its_keys(framework):
    p = parameters(framework)
    assert check_gradient(product, (p,), vjp=right).verdict.value == "accurate"
    assert check_gradient(product, (p,), vjp=swapped).verdict.value == "wrong"


@pytest.mark.parametrize("framework", ["numpy", "jax", "torch"])
@pytest.mark.parametrize("keys", [("x", "y"), ("a",), ("a", "b", "c")])
def test_other_keys_are_no_gradient(framework, keys):
    def renamed(g, p):
        found = [2 * g * p["a"] * p["b"], g * p["a"] ** 2, 0 * g]
        return dict(zip(keys, found, strict=False))

    assert check_gradient(product, (parameters(framework),), vjp=renamed).verdict.value == "wrong"


def test_dictionaries_stand_in_other_trees_too():
    p = {"w": {"in": np.ones(2), "out": np.array([2.0, 3.0])}, "scales": [np.array(2.0), np.array(3.0)]}

    def layer(p, x):
        return p["w"]["out"] * np.sin(p["w"]["in"] * x) * p["scales"][0] * p["scales"][1]

    def pullback(g, p, x):
        (one, two), inner, outer = p["scales"], p["w"]["in"], p["w"]["out"]
        s, c = np.sin(inner * x), np.cos(inner * x)
        own = {"out": g * s * one * two, "in": g * outer * c * x * one * two}
        return {"scales": ((g * outer * s).sum() * two, (g * outer * s).sum() * one), "w": own}, g * (
            outer * c * inner * one * two
        )

    assert check_gradient(layer, (p, np.array([0.5, 1.5])), vjp=pullback).verdict.value == "accurate"


def test_cotangents_tangents_and_specifications_are_told_by_their_keys():
    x, one, none = np.array([5.0, 7.0]), np.ones(2), np.zeros(2)

    def both(x):
        return {"u": x**2, "t": np.sin(x)}

    found = exact_gradient(both, (x,), cotangent={"t": none, "u": one})
    np.testing.assert_array_equal(found.mid, 2 * x)
    jnp = pytest.importorskip("jax.numpy")
    found = exact_gradient(
        lambda x: {"u": x**2, "t": jnp.sin(x)}, (jnp.array([5.0, 7.0]),), cotangent={"u": one, "t": none}
    )
    np.testing.assert_array_equal(found.mid, 2 * x)
    tangents = [{"a": none, "b": one}]
    found = exact_gradient(product, (parameters("numpy"),), mode="forward", cotangent=tangents)
    np.testing.assert_array_equal(found.mid, [25.0, 49.0])
    found = exact_gradient(both, (x,), order=2, cotangent=[{"t": none, "u": one}, one])
    np.testing.assert_array_equal(found.mid, [2.0, 2.0])

    def pullback(g, x):
        return 2 * g["u"] * x + g["t"] * np.cos(x)

    def specification(x):
        return {"t": np.sin(x), "u": x * x}

    assert check_gradient(both, (x,), vjp=pullback, spec=specification).verdict.value == "accurate"


def test_a_cotangent_with_other_keys_is_refused():
    with pytest.raises(ValueError, match=r"\['t'\], \['v'\] is given where \['u'\], \['t'\] is wanted"):
        exact_gradient(
            lambda x: {"u": x**2, "t": np.sin(x)}, (np.ones(2),), cotangent={"t": np.ones(2), "v": np.ones(2)}
        )
