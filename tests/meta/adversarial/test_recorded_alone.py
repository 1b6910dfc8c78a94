"""What recording alone raises is `unsupported`, with its kind and place; what runs and raises is a user's."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode

from harness import check_gradient, check_layer, exact_gradient, exact_value
from harness.exact import Unsupported

X = np.array([0.5, 1.25, 2.0])
AT = {"numpy": X, "jax": jnp.asarray(X), "torch": torch.tensor(X)}
SAID = "recording raises what running does not: "


class Own(Exception):
    """A user's."""


def is_array(x):
    assert not hasattr(x, "tape"), "a plain array\nand nothing else"
    return 2 * x


def watched(x):
    if _get_current_dispatch_mode() is not None:
        raise Own
    return 2 * x


def traced(x):
    if isinstance(x, jax.core.Tracer):
        raise LookupError("a tracer")
    return 2 * x


PROGRAMS = {
    "buffer": ("numpy", lambda x: 2 * np.frombuffer(x), "TypeError: a bytes-like object is required"),
    "memory": ("numpy", lambda x: x * memoryview(x).nbytes, "TypeError: memoryview: a bytes-like object"),
    "pickle": ("numpy", lambda x: pickle.loads(pickle.dumps(x)), "PicklingError: "),
    "assertion": ("numpy", is_array, "AssertionError: a plain array (at "),
    "watched": ("torch", watched, "Own (at "),
    "a tracer's buffer": ("jax", lambda x: 2 * jnp.asarray(np.frombuffer(x, x.dtype)), "TypeError: a byt"),
    "memory of a tracer": ("jax", lambda x: x * memoryview(x).nbytes, "TypeError: memoryview: a bytes-like"),
    "tracer": ("jax", traced, "LookupError: a tracer (at "),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_recording_alone_raises_is_unsupported(name):
    framework, function, said = PROGRAMS[name]
    backward = {"vjp": lambda g, x: 2 * g} if framework == "numpy" else {}
    (part,) = check_gradient(function, (AT[framework],), **backward).parts
    assert (part.verdict, part.diagnosis[: len(SAID + said)]) == ("unsupported", SAID + said)
    assert f"{__file__}:" in part.diagnosis
    for exact in (exact_gradient, exact_value):
        with pytest.raises(Unsupported, match=SAID) as raised:
            exact(function, (AT[framework],))
        assert part.diagnosis.startswith(str(raised.value))


class Watching(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, g):
        return watched(g)


@jax.custom_vjp
def doubled(x):
    return 2 * x


doubled.defvjp(lambda x: (2 * x, None), lambda _, g: (traced(g),))


@pytest.mark.parametrize(
    ("framework", "function", "backward"),
    [
        ("numpy", lambda x: 2 * x, {"vjp": lambda g, x: 2 * np.frombuffer(np.ascontiguousarray(g))}),
        ("numpy", lambda x: (2 * x, x), {"residual_vjp": lambda x, g: is_array(g)}),
        ("torch", Watching.apply, {}),
        ("jax", doubled, {}),
    ],
)
def test_a_gradient_that_recording_alone_makes_raise_is_judged_by_its_numbers(framework, function, backward):
    result = check_gradient(function, (AT[framework],), **backward)
    assert (result.verdict, result.is_examined) == ("accurate", False)
    assert any(
        f"the formula was not examined, so the numbers alone decide: {SAID}" in n for n in result.notes
    )


class Doubling:
    def __init__(self, forward, backward):
        self.of, self.back = forward, backward

    def forward(self, x):
        return self.of(x)

    def backward(self, dout):
        return self.back(dout)


def test_so_it_is_in_a_layer():
    said = SAID + "AssertionError: a plain array (at "
    result = check_layer(Doubling(is_array, lambda g: 2 * g), X)
    assert result.verdict == "unsupported"
    assert said in result.parts[0].diagnosis
    result = check_layer(Doubling(lambda x: 2 * x, is_array), X)
    assert (result.verdict, result.is_examined) == ("accurate", False)
    assert any(said in note for note in result.notes)


def refusing(x):
    raise Own("always")


def choosy(x):
    if isinstance(x, jax.core.Tracer) or hasattr(x, "tape"):
        raise TypeError("recorded")
    raise Own("run")


@pytest.mark.parametrize("framework", AT)
@pytest.mark.parametrize("function", [refusing, choosy])
@pytest.mark.parametrize("check", [check_gradient, exact_gradient])
def test_what_running_raises_stays_the_users(check, function, framework):
    with pytest.raises(Own):
        check(function, (AT[framework],))


def test_what_a_specification_raises_where_it_runs_stays_the_users():
    with pytest.raises(Own, match="run"):
        check_gradient(lambda x: 2 * x, (X,), vjp=lambda g, x: 2 * g, spec=choosy)


def test_beside_the_point_what_the_function_raises_is_no_news():
    def root(x):
        if np.any(x == 0):
            raise Own("zero")
        return np.sqrt(x)

    result = check_gradient(root, (X,), vjp=lambda g, x: g / (2 * np.sqrt(x)), boundary=["zeros"])
    assert result.passed
    assert [part.diagnosis for part in result.parts if part.input == "zeros"] == ["not taken: Own: zero"]
