"""What a window or a matrix of cosines in the code loses by the rounding of 2 pi is no fault; all else is."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness
from harness.verdicts import Verdict

SAID = "the rounding of constants in the code explains how far off the gradient is: x"


def in_torch(dtype):
    x = torch.linspace(-1, 2, 8, dtype=getattr(torch, dtype))
    turns = torch.arange(8, dtype=x.dtype) / 2
    return lambda x: x * (1 - torch.cos(2 * math.pi * turns)), (x,)


def in_jax(dtype):
    return lambda x: x * jnp.hanning(8).astype(x.dtype), (jnp.linspace(-1, 2, 8, dtype=dtype),)


@pytest.mark.parametrize("made", [in_torch, in_jax])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_where_a_window_is_zero_but_for_its_constants_no_digits_are_asked_for(made, dtype):
    with jax.enable_x64(dtype == "float64"):
        function, args = made(dtype)
        found = harness.check_gradient(function, args)
        exact = harness.check_gradient(function, args, resolution="exact", upstream="fail")
    assert found.verdict is Verdict.ACCURATE, str(found)
    assert SAID in found.notes
    assert exact.verdict is not Verdict.ACCURATE


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_tail_that_cancels_is_imprecise_however_its_constants_are_rounded(dtype):
    x = torch.tensor([-8.7 if dtype == "float32" else -18.0, 0.3], dtype=getattr(torch, dtype))
    found = harness.check_gradient(
        lambda x: x * (1 + torch.tanh(0.7978845608028654 * x)), (x,), upstream="fail"
    )
    assert found.verdict is Verdict.IMPRECISE
    assert SAID not in found.notes


def softmax_of_one(framework, dtype, eps):
    """Softmax over the neighbours of a node, of which there is one: 1 / (1 + eps), whatever x is."""
    x = np.array([[0.3], [-1.2]], dtype)

    def softmax(x, exp, largest):
        e = exp(x - largest)
        return e / (e.sum(-1)[..., None] + eps)

    if framework == "torch":
        return lambda x: softmax(x, torch.exp, x.detach().amax(-1, keepdim=True)), torch.from_numpy(x)
    return lambda x: softmax(x, jnp.exp, jax.lax.stop_gradient(x.max(-1, keepdims=True))), jnp.asarray(x)


@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize(
    ("dtype", "eps", "passes"),
    [
        ("float32", 1e-16, True),
        ("float32", 1e-10, True),
        ("float64", 1e-16, True),
        ("float64", 1e-10, False),  # a third of the digits is left
        ("float32", 1e-7, False),
    ],
)
def test_what_is_left_of_a_number_that_is_absorbed_need_not_be_computed(framework, dtype, eps, passes):
    with jax.enable_x64(dtype == "float64"):
        function, x = softmax_of_one(framework, dtype, eps)
        found = harness.check_gradient(function, (x,), upstream="fail")
    assert found.passed is passes, found


class Narrow(torch.autograd.Function):
    """sin(pi x), with a backward in float32."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.sin(math.pi * x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * math.pi * torch.cos((math.pi * x).float()).double()


def test_a_narrowing_is_no_rounding_of_constants():
    found = harness.check_gradient(Narrow.apply, (torch.tensor([0.3, 1.7], dtype=torch.float64),))
    assert found.verdict is Verdict.IMPRECISE


def test_a_wrong_window_is_wrong():
    @jax.custom_vjp
    def windowed(x):
        return x * jnp.hanning(8).astype(x.dtype)

    windowed.defvjp(lambda x: (windowed(x), None), lambda _, g: (g * jnp.hamming(8).astype(g.dtype),))
    found = harness.check_gradient(windowed, (jnp.linspace(-1, 2, 8, dtype="float32"),))
    assert found.verdict is Verdict.WRONG


@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "bartlett", "kaiser"])
def test_torch_s_windows_are_data(name):
    window = getattr(torch, f"{name}_window")
    found = harness.check_gradient(lambda x: x * window(6, periodic=False), (torch.arange(6.0) + 1,))
    assert found.verdict is Verdict.ACCURATE
    truth = harness.exact_gradient(
        lambda x: x * window(6, periodic=False), (torch.arange(6.0) + 1,), cotangent=torch.ones(6)
    )
    assert np.array_equal(truth.mid, window(6, periodic=False).double().numpy())
