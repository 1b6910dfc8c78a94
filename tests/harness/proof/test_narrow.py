"""Where a narrower dtype than the gradient's loses its digits, in each framework: that line is named."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient

X = np.array([0.1, 0.5, -0.3, 1.0])
WEIGHTS = torch.linspace(-1, 2, 16).reshape(4, 4)


def by_hand(g, x):
    slope = np.exp(x.astype(np.float32))  # here
    return g * slope.astype(np.float64)


def of_labels(x):
    labels = jnp.where(jnp.arange(4) == 1, 0.9, 0.025)
    labels = labels.astype(jnp.float32)  # here
    return jnp.exp(x) * labels


def of_range(x):
    low, high = torch.tensor(0.1), torch.tensor(2.0)
    width = high - low  # here
    return torch.sigmoid(x) * width + low


def of_parameter(x):
    scale = torch.linspace(0.1, 1, 4)
    scale = torch.exp(3 * scale)  # here
    return torch.sin(x) * scale


def in_half_precision(x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        weights = torch.mm(WEIGHTS, WEIGHTS)[0]  # here
    return torch.tanh(x * weights.float())


ROWS = [
    (np.exp, X, {"vjp": by_hand}, "exp in float32"),
    (of_range, torch.tensor(X), {}, "sub in float32"),
    (of_parameter, torch.tensor(X), {}, "exp in float32"),
    (in_half_precision, torch.tensor(X, dtype=torch.float32), {}, "mm in bfloat16"),
]


def _check(function, x, more, said):
    written = more.get("vjp", function)
    lines, first = inspect.getsourcelines(written)
    line = first + next(k for k, text in enumerate(lines) if text.endswith("# here\n"))
    found = check_gradient(function, (x,), bits_lost=2, probes=False, **more)
    (part,) = (p for p in found.parts if p.judgement and p.guilty)

    assert part.diagnosis.startswith(f"{said} at test_narrow.py:{line} contributes ")
    assert part.guilty.place.number == line


@pytest.mark.parametrize(("function", "x", "more", "said"), ROWS)
def test_the_line_that_loses_the_digits_is_named(function, x, more, said):
    _check(function, x, more, said)


def test_the_line_of_a_cast_is_named_in_64_bits_of_jax():
    with jax.enable_x64(True):
        _check(of_labels, jnp.asarray(X), {}, "convert to float32")
