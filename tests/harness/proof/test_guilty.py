"""Which operation of the user's a part of a result points to, with its file and line."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient, check_layer, check_network
from oracles.exact.program.program import Line

X = np.array([0.5, -1.25, 2.0])
TX, JX = torch.tensor(X), jnp.asarray(X)


def square(x):
    return x * x


def back(g, x):
    half = 1.5 * g
    return half * 2 * x


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * g * x


@jax.custom_vjp
def in_jax(x):
    return x * x


def bwd(x, g):
    return (3 * g * x,)


in_jax.defvjp(lambda x: (in_jax(x), x), bwd)


@jax.custom_jvp
def forwards(x):
    return x * x


@forwards.defjvp
def jvp(primals, tangents):
    (x,), (v,) = primals, tangents
    return x * x, 3 * x * v


class Scale:
    def __init__(self):
        self.W = np.ones(3)

    def forward(self, x):
        self.x = x
        return x * self.W

    def backward(self, dout):
        self.dW = np.sum(dout * self.x, axis=0)
        return (dout * self.W)[:, :2]


class Net:
    def __init__(self):
        self.params = {"W": np.ones((3, 2))}

    def loss(self, x, t):
        return np.sum((x @ self.params["W"] - t) ** 2)

    def gradient(self, x, t):
        return {"W": x.T @ (x @ self.params["W"] - t)}


def cancels(g, x):
    near = 1 + 1e-9 * x
    return g * 2e9 * (near - 1)


def energy(x):
    return np.sum(x * x)


def slope(x):
    return 3 * x


def hand(vjp, **options):
    return check_gradient(square, (X,), vjp=vjp, probes=False, **options)


CASES = {
    "a backward": (lambda: hand(back), "multiply", back, 2),
    "its result is its cotangent": (lambda: hand(lambda g, x: g), "<lambda>", None, 0),
    "another shape": (lambda: hand(partial(lambda k, g, x: (g * x)[:k], 2)), "<lambda>", None, 0),
    "digits that cancel": (lambda: hand(cancels), "subtract", cancels, 2),
    "without a cotangent": (lambda: check_gradient(energy, (X,), grad=slope), "multiply", slope, 1),
    "torch": (lambda: check_gradient(Square.apply, (TX,)), "mul", Square.backward, 3),
    "torch, in a composition": (
        lambda: check_gradient(lambda x: Square.apply(x.cos()).sin(), (TX,)), "mul", Square.backward, 3,
    ),
    "JAX": (lambda: check_gradient(in_jax, (JX,)), "mul", bwd, 1),
    "JAX, in a composition": (
        lambda: check_gradient(lambda x: jax.numpy.sin(in_jax(jax.numpy.cos(x))), (JX,)), "mul", bwd, 1,
    ),
    "JAX, forward": (lambda: check_gradient(forwards, (JX,), mode="forward"), "mul", jvp, 3),
    "a layer": (lambda: check_layer(Scale(), X[None]), "backward", Scale.backward, 0),
    "a network": (lambda: check_network(Net(), X[None], np.ones((1, 2))), "matmul", Net.gradient, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_part_points_to_the_operation_that_goes_wrong(name):
    ask, operation, function, below = CASES[name]
    part = next(part for part in ask().parts if not (part.verdict.right or part.of_value or part.remark))
    assert (part.guilty.operation, part.guilty.place.file) == (operation, __file__)
    if function is not None:
        assert part.guilty.place.number == function.__code__.co_firstlineno + below


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda x: torch.geqrf(x * x[:, None])[0], TX),
        (lambda x: jax.scipy.linalg.schur(x * x[:, None])[0], JX),
    ],
    ids=["torch", "JAX"],
)
def test_what_has_no_rule_points_to_its_line(function, x):
    (part,) = check_gradient(function, (x,)).parts
    assert part.guilty.place == Line(__file__, function.__code__.co_firstlineno)


def test_what_is_right_points_nowhere():
    assert all(part.guilty is None for part in hand(lambda g, x: 2 * g * x).parts)
