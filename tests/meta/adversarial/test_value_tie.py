"""Functions that compute one thing where they run and another where they are recorded: never a pass."""

import contextlib
import math
from array import array
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

import harness
import oracles.exact.from_aten.rules

X = np.array([1.0, 2.0, -0.7])


# -- by another value, however near: the true slope is that of what runs ------------------------------------


def by_type(x, off):
    return x * x if hasattr(x, "tape") else x * x * (1 + off)


def by_repr(x, off):
    return x * x if "recorded" in repr(x) else x * x * (1 + off)


def by_tracer(x, off):
    return x * x if isinstance(x, jax.core.Tracer) else x * x * (1 + off)


def by_concrete_value(x, off):
    try:
        return x * x * (1 + off * (float(x[0]) > 0))
    except jax.errors.ConcretizationTypeError:
        return x * x


def by_dispatch_mode(x, off):
    return x * x if _get_current_dispatch_mode() else x * x * (1 + off)


NUMPY = {"vjp": lambda g, x: 2 * x * g}
TORCH = torch.tensor(X, dtype=torch.float64)


@pytest.mark.parametrize("off", [1e-3, 1e-7, 1e-10, 1e-14])
@pytest.mark.parametrize(
    ("function", "x", "options"),
    [
        (by_type, X, NUMPY),
        (by_repr, X, NUMPY),
        (by_tracer, jnp.asarray(X, jnp.float32), {}),
        (by_concrete_value, jnp.asarray(X, jnp.float32), {}),
        (by_dispatch_mode, TORCH, {}),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_another_value_than_the_recorded_one_is_undecided(function, x, options, off):
    off = off if x.dtype in {np.dtype("float64"), torch.float64} else max(off, 1e-6)
    found = harness.check_gradient(partial(function, off=off), (x,), **options)
    assert not found.passed
    assert found.value.verdict == "undecided"
    assert "the recorded run " in str(found)
    assert "and 1.0 where it is recorded" in str(found)


@pytest.mark.parametrize("grad", [True, False])
def test_a_function_that_is_another_one_under_no_grad_is_undecided_in_each_mode(grad):
    with torch.set_grad_enabled(grad):
        found = harness.check_gradient(lambda x: 2 * x if torch.is_grad_enabled() else 3 * x, (TORCH,))
    assert found.verdict == "undecided"


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (jnp.exp2, jnp.asarray([16.3], jnp.float32)),  # its values are tens of ulps off
        (jnp.cosh, jnp.asarray([17.2], jnp.float32)),
        (torch.special.i1e, torch.tensor([1e-10])),
    ],
)
def test_a_kernel_that_errs_more_than_its_model_allows_errs_so_where_it_is_recorded_too(function, x):
    found = harness.check_gradient(function, (x,))
    assert found.value.verdict != "undecided"


# -- by catching what is refused under recording ------------------------------------------------------------


def catches_float(x):
    try:
        scale = array("d", [x.sum()])[0]
    except Exception:
        scale = 1.0
    return x * scale


def catches_math(x):
    try:
        return np.array([math.sin(t) for t in array("d", x)])
    except harness_errors:
        return x * 1.0


harness_errors = (Exception,)


def suppresses(x):
    with contextlib.suppress(Exception):
        return x * array("d", [x.sum()])[0]
    return x * 1.0


def asks_for_an_attribute(x):
    return 2 * x if hasattr(x, "ctypes") else x * 1.0


def takes_a_default(x):
    return x * (1.0 if getattr(x, "data", None) is None else 2.0)


def catches_chance(x):
    try:
        shift = np.random.default_rng().normal()
    except Exception:
        return x * 1.0
    return x + shift


def catches_transform(x):
    try:
        return np.frexp(x)[0]
    except Exception:
        return x * 1.0


def catches_and_finally(x):
    scale = 1.0
    try:
        scale = array("d", x[:1])[0]
    finally:
        return x * scale  # noqa: B012


def catches_deep(x):
    def norm():
        try:
            return math.sqrt(array("d", [(x * x).sum()])[0])
        except (TypeError, ValueError, Exception):
            return 1.0

    return x / norm()


CATCHERS = [
    catches_float, catches_math, suppresses, asks_for_an_attribute, takes_a_default, catches_chance,
    catches_transform, catches_and_finally, catches_deep,
]  # fmt: skip


@pytest.mark.parametrize("function", CATCHERS)
def test_a_function_that_goes_on_where_it_was_refused_is_undecided(function):
    found = harness.check_gradient(function, (X[:2],), vjp=lambda g, x: g)
    assert (found.verdict, found.passed) == ("undecided", False)
    assert "the function catches what is refused here" in str(found)
    with pytest.raises(harness.Undecided, match="catches what is refused"):
        harness.exact_gradient(function, (X[:2],), cotangent=np.ones(2))


def test_a_gradient_that_goes_on_where_it_was_refused_is_undecided():
    def gradient(g, x):
        try:
            return g * math.cos(array("d", x[:1])[0])
        except Exception:
            return g * np.cos(x)

    found = harness.check_gradient(np.sin, (X[:1],), vjp=gradient)
    assert (found.verdict, found.passed) == ("undecided", False)
    assert "the function catches what is refused here" in str(found)


def test_an_error_in_place_of_the_refusal_is_the_refusal():
    def function(x):
        try:
            return x * array("d", x[:1])[0]
        except Exception as error:
            raise RuntimeError("no float here") from error

    found = harness.check_gradient(function, (X,), vjp=lambda g, x: g)
    assert found.verdict == "unsupported"
    assert "float() would take a number" in str(found)


def test_an_attribute_that_no_array_has_is_refused_to_nobody():
    found = harness.check_gradient(
        lambda x: x.detach() if hasattr(x, "detach") else 2 * x, (X,), vjp=lambda g, x: 2 * g
    )
    assert found.passed


def test_a_branch_that_few_bits_do_not_decide_is_refused_to_nobody():
    found = harness.check_gradient(
        lambda x: 2 * x if x[0] + 1e-60 >= x[0] else x, (X,), vjp=lambda g, x: 2 * g
    )
    assert found.passed


# -- exact_gradient and exact_value ask the same ------------------------------------------------------------


@pytest.mark.parametrize("ask", [harness.exact_value, harness.exact_gradient])
@pytest.mark.parametrize(
    ("function", "x"),
    [(by_type, X), (by_tracer, jnp.asarray(X, jnp.float32)), (by_dispatch_mode, TORCH)],
)
def test_of_a_function_that_takes_another_path_there_is_no_truth(ask, function, x):
    with pytest.raises(harness.Undecided, match="the recorded run "):
        ask(partial(function, off=1e-5), (x,))


def test_a_rule_that_is_another_function_is_no_proof(monkeypatch):
    """Whatever a front end takes an operation for, its numbers are compared with the framework's own."""
    monkeypatch.setitem(
        oracles.exact.from_aten.rules.RULES, "sin", oracles.exact.from_aten.rules.RULES["tan"]
    )
    found = harness.check_gradient(torch.sin, (TORCH,))
    assert (found.verdict, found.passed) == ("undecided", False)
    assert "one of its operations is not the function that it is taken for" in str(found)
    with pytest.raises(harness.Undecided, match="not the function that it is taken for"):
        harness.exact_gradient(torch.sin, (TORCH,))


# -- a gradient that uses what the function left behind -----------------------------------------------------


class Layer:
    """Keeps its input for the gradient; `early` keeps the first one that it met."""

    def __init__(self, early=False):
        self.early, self.kept = early, None

    def forward(self, x):
        if self.kept is None or not self.early:
            self.kept = x
        return np.sin(x)

    def backward(self, g, factor=1):
        return factor * g * np.cos(self.kept)


def of_layer(layer, **options):
    return harness.check_gradient(
        layer.forward, (X,), vjp=lambda g, x: layer.backward(g, options.get("factor", 1))
    )


def test_a_gradient_that_uses_what_the_function_keeps_is_right():
    """Recorded alone it has the rounded cosine of a constant in it, which is another formula by 5e-17."""
    assert of_layer(Layer()).passed


def test_and_a_wrong_one_is_wrong():
    found = of_layer(Layer(), factor=1 + 2.0**-40)
    assert (found.verdict, found.passed) == ("wrong", False)


def test_and_one_that_uses_what_an_earlier_call_kept_is_not_right():
    layer = Layer(early=True)
    layer.forward(X + 0.25)
    assert not of_layer(layer).passed
