"""Arrays without axes: where NumPy computes with such an array of balls it gives an element, and no array."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.verdicts import RIGHT

DATA = np.array([0.1, 0.7, -1.3])

OF_TORCH = {
    "abs": torch.abs,
    "relu": torch.relu,
    "max": lambda x: torch.maximum(x, 2 * x),
    "tied": lambda x: torch.stack([x, 2 * x, x]).max(),
    "two kinks": lambda x: torch.maximum(x.abs(), torch.relu(x)),
    "beside a smooth one": lambda x: x.abs() + torch.sigmoid(x),
    "data": lambda x: (x * torch.tensor(DATA, dtype=x.dtype)).abs().sum(),
}


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
@pytest.mark.parametrize("name", OF_TORCH)
def test_a_scalar_of_torch_at_a_kink(name, dtype):
    x = torch.tensor(0.0, dtype=getattr(torch, dtype))
    assert check_gradient(OF_TORCH[name], (x,)).passed


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_zeros_that_torch_keeps_without_memory(dtype):
    x = torch.tensor(0.5, dtype=getattr(torch, dtype))
    assert check_gradient(torch.abs, (x,), order=2).passed


@pytest.mark.parametrize(
    "function",
    [jnp.abs, jax.nn.relu, lambda x: jnp.max(jnp.stack([x, 2 * x, x])), lambda x: jnp.sum(jnp.abs(x * DATA))],
)
def test_a_scalar_of_jax_at_a_kink(function):
    assert check_gradient(function, (jnp.float32(0),)).verdict in RIGHT


@pytest.mark.parametrize(("factor", "right"), [(1, True), (0.5, True), (1.5, False), (-0.5, False)])
def test_a_scalar_of_numpy_at_a_kink(factor, right):
    """0 to 1 is legal."""
    zero = (np.float64(0),)
    found = check_gradient(lambda x: np.maximum(x, 0), zero, vjp=lambda g, x: factor * g, probes=False)
    assert (found.verdict in RIGHT) is right


@pytest.mark.parametrize("factor", [1, 1.5])
def test_a_scalar_and_rounded_data(factor):
    own, theirs = DATA.astype("f4"), (DATA * (1 + 2e-8)).astype("f4").astype("f8")

    def pull(g, x):
        return np.float32(factor * g * theirs.sum())

    found = check_gradient(lambda x: (x * own).sum(), (np.float32(2),), vjp=pull)
    assert found.passed is (factor == 1)
