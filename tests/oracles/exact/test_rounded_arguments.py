"""Functions whose libraries round an argument inside, as e^(x log 2): they are bounded where it is large."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.special
import torch
from jax.scipy import special

from harness.check import check_gradient
from harness.verdicts import Verdict
from oracles.exact.core import library

LARGE = np.array([-105.006, -30.0, 53.2, 100.1])
FUNCTIONS = {  # in NumPy or in JAX; where it is far off; and what is true
    "exp2": (jnp.exp2, LARGE, lambda x: mpmath.mpf(2) ** x),
    "cosh": (jnp.cosh, np.array([-57.5, 58.2, 40.9, 3.0]), mpmath.cosh),
    "sinh": (jnp.sinh, np.array([-57.5, 58.2, 40.9, 3.0]), mpmath.sinh),
    "erfc": (special.erfc, np.array([8.73, 8.86, 5.0, -1.0]), mpmath.erfc),
    "SciPy's erfc": (scipy.special.erfc, np.array([8.97, 20.3, 5.0, -1.0]), mpmath.erfc),
    "log1p": (jnp.log1p, np.array([-0.41, -0.388, -0.3, 0.5]), mpmath.log1p),
    "atanh": (jnp.arctanh, np.array([0.4129, 0.41, -0.35, 0.9]), mpmath.atanh),
    "erfinv": (special.erfinv, np.array([0.640552, -0.9993, 0.55, 0.1]), mpmath.erfinv),
}
DTYPES = dict.fromkeys(FUNCTIONS, ("float32", "float64")) | {"SciPy's erfc": ("float64",)}
OF_EXP = ("exp2", "cosh", "sinh", "erfc")  # the slope of which is one of them
ASKED = [(name, dtype) for name, dtypes in DTYPES.items() for dtype in dtypes]


@pytest.mark.parametrize(("name", "dtype"), ASKED)
@pytest.mark.parametrize("core", [True, False])
def test_what_a_library_computes_is_within_its_bound(name, dtype, core, monkeypatch):
    f, x, _ = FUNCTIONS[name]
    with jax.enable_x64():
        x = x.astype(dtype) if "SciPy" in name else jnp.asarray(x, dtype)

        if not core:
            monkeypatch.setattr(library, "_off", 1)
        more = {"vjp": slope_of_erfc} if "SciPy" in name else {}
        asked = (
            [f] if more or name in OF_EXP else [f, lambda x: f(x) * f(x)]
        )  # which has its value in its slope
        for function in asked:
            found = check_gradient(function, (x,), **more)
            assert found.verdict is Verdict.ACCURATE
            assert "outside what its rounding allows" not in str(found)


def slope_of_erfc(g, x):
    return g * -2 / np.sqrt(np.pi) * np.exp(-x * x)


def test_so_far_off_they_are():
    """Else these bounds would be too wide by now."""
    off = {}
    with jax.enable_x64(), mpmath.workprec(200):
        for (name, dtype), (f, x, true) in ((asked, FUNCTIONS[asked[0]]) for asked in ASKED):
            x = np.asarray(x, dtype)
            y = np.asarray(f(x if "SciPy" in name else jnp.asarray(x)), dtype)
            ulps = np.spacing(np.abs(y)).astype(np.float64)
            errors = [
                abs(mpmath.mpf(float(b)) - true(mpmath.mpf(float(a)))) for a, b in zip(x, y, strict=True)
            ]
            off[name, dtype] = max(float(e) / u for e, u in zip(errors, ulps, strict=True))
    assert all(off[asked] > 10 for asked in ASKED if asked[0] in OF_EXP)
    assert off["log1p", "float32"] < 4
    assert off["atanh", "float32"] < 4


class Off(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.exp2(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * torch.exp2(x + 2e-6) * np.log(2)  # ten ulps of x or so


def test_a_rule_that_is_off_by_as_much_is_still_found():
    assert check_gradient(Off.apply, (torch.tensor([-30.0, 53.2]),)).verdict is Verdict.WRONG
