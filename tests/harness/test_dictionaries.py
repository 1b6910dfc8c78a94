"""Entries of dictionaries are told by their keys, in whatever order they were written."""

from __future__ import annotations

import numpy as np
import pytest

from harness.check import check_gradient
from harness.exact import exact_gradient
from harness.layers import check_layer


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
    with pytest.raises(
        ValueError, match=r"the cotangent must be \['u'\], \['t'\], got \['t'\], \['v'\]: name"
    ):
        exact_gradient(
            lambda x: {"u": x**2, "t": np.sin(x)}, (np.ones(2),), cotangent={"t": np.ones(2), "v": np.ones(2)}
        )


# -- a gradient that names the arguments -------------------------------------------------------------------

X, Y = np.array([0.5, -1.5, 2.0]), np.array([3.0, 1.25, -0.75])
FORMS = {
    "arrays": (lambda x, y: x**2 * y, (X, Y), lambda g, x, y: {"y": g * x**2, "x": 2 * g * x * y}),
    "an array and a number": (
        lambda x, y: x**2 * y, (X, 0.5), lambda g, x, y: {"x": 2 * g * x * y, "y": (g * x**2).sum()}
    ),
    "an array and an integer": (
        lambda x, y: x**2 * y, (X, 2), lambda g, x, y: {"x": 2 * g * x * y, "y": (g * x**2).sum()}
    ),
    "numbers": (lambda x, y: x**2 * y, (0.5, 2.5), lambda g, x, y: {"y": g * x**2, "x": 2 * g * x * y}),
    "one array": (lambda x: x**2, (X,), lambda g, x: {"x": 2 * g * x}),
    "a dictionary and an array": (
        lambda x, y: x["a"] * x["b"] * y, ({"b": X, "a": Y}, Y),
        lambda g, x, y: {"y": g * x["a"] * x["b"], "x": {"a": g * x["b"] * y, "b": g * x["a"] * y}},
    ),
}  # fmt: skip


def natively(framework, value):
    if isinstance(value, dict):
        return {key: natively(framework, one) for key, one in value.items()}
    if framework == "numpy" or not isinstance(value, np.ndarray):
        return value
    return (
        pytest.importorskip("torch").tensor(value)
        if framework == "torch"
        else pytest.importorskip("jax").numpy.asarray(value)
    )


@pytest.mark.parametrize("framework", ["numpy", "jax", "torch"])
@pytest.mark.parametrize("name", FORMS)
def test_a_gradient_may_name_the_arguments(name, framework):
    f, args, vjp = FORMS[name]
    args = tuple(natively(framework, one) for one in args)
    found = check_gradient(f, args, vjp=vjp)
    assert found.passed, str(found)
    assert len(found.rows) == len(args) + ("dictionary" in name)

    def wrong(key):
        def doubled(part):
            return {k: doubled(one) for k, one in part.items()} if isinstance(part, dict) else 2 * part

        return lambda g, *own: {k: doubled(p) if k == key else p for k, p in vjp(g, *own).items()}

    for key in ("x", "y")[: len(args)]:
        found = check_gradient(f, args, vjp=wrong(key))
        assert {part.name[0] for part in found.parts if not part.passes} == {key}


@pytest.mark.parametrize(("args", "passes"), [((X, Y), False), ((X, 0.5), True), ((X, 2), True)])
def test_what_it_does_not_name_is_a_constant_if_it_is_a_number(args, passes):
    found = check_gradient(lambda x, y: x**2 * y, args, vjp=lambda g, x, y: {"x": 2 * g * x * y})
    assert found.passed == passes
    assert next(iter(found.rows["verdict"])) == "accurate"


@pytest.mark.parametrize("keys", [("x", "z"), ("a", "b"), (0, 1)])
def test_of_other_names_it_is_no_gradient(keys):
    found = check_gradient(
        lambda x, y: x**2 * y,
        (X, Y),
        vjp=lambda g, x, y: dict(zip(keys, (2 * g * x * y, g * x**2), strict=True)),
    )
    assert found.verdict.value == "wrong"


def test_of_one_dictionary_the_names_are_its_keys():
    def f(x):
        return x["x"] ** 2 * x["y"]

    def vjp(g, x):
        return {"x": 2 * g * x["x"] * x["y"], "y": g * x["x"] ** 2}

    assert check_gradient(f, ({"x": X, "y": Y},), vjp=vjp).passed
    assert not check_gradient(f, ({"x": X, "y": Y},), vjp=lambda g, x: {"x": vjp(g, x)}).passed


class Scaled(dict):
    """A layer whose parameter and gradient are its own entries; `error` is the factor of a wrong one."""

    error = 1.0

    def forward(self, x):
        self.x = x
        return self["W"] * x

    def backward(self, dout):
        self["dW"] = self.error * (dout * self.x).sum(0)
        return dout * self["W"]


class Twice(Scaled):
    error = 2.0


class AtTwoPlaces(Scaled):
    def backward(self, dout):
        found = super().backward(dout)
        self["dLdW"] = 2 * self["dW"]
        return found


@pytest.mark.parametrize(
    ("kind", "said"),
    [(Scaled, "['W']"), (Twice, "the formula gives"), (AtTwoPlaces, "has other numbers than")],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_layer_may_be_a_dictionary(kind, said):
    x = np.random.default_rng(0).normal(size=(2, 3))
    found = check_layer(kind(W=np.array([1.3, 0.7, -0.4])), x)
    assert found.passed == (kind is Scaled), str(found)
    assert said in str(found)
