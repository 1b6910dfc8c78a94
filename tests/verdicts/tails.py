"""Derivatives of the libraries' own that lose digits in a tail, with how many bits they lose.

The formula is right in each, so the verdict is `imprecise`, or `accurate` where a library keeps the digits.
`bits` counts from half an ulp of the true derivative, as measured with JAX 0.10.2 and PyTorch 2.13.0:
log2(abs(computed - true) / half an ulp), 53 to 54 for a float64 that came out as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import mpmath  # type: ignore[import-untyped]
import numpy as np
import torch
from mpmath import besseli, cos, cosh, erfc, exp, mp, mpf, ncdf, npdf, pi, psi, sin, sqrt

DIGITS = 60


class Tail(NamedTuple):
    """One function of one number.

    Attributes:
        jax: In JAX, or None.
        torch: In PyTorch, or None.
        x: The point, exact in the dtype.
        truth: The derivative in mpmath, to be called with DIGITS digits.
        dtype: The dtype that it is computed in.
        bits: How many bits each library loses, counted from half an ulp of the truth.
    """

    jax: Callable[[Any], Any] | None
    torch: Callable[[Any], Any] | None
    x: float
    truth: Callable[[Any], Any]
    dtype: str
    bits: dict[str, float]


def half_ulp(number: Any, dtype: str) -> Any:
    """Half the distance from a number to the next, in mpmath."""
    format = np.finfo(dtype)
    exponent = max(mpmath.frexp(abs(number))[1] - 1, int(format.minexp))
    return mpf(2) ** (exponent - format.nmant - 1)


def true_derivative(tail: Tail) -> Any:
    with mp.workdps(DIGITS):
        return +tail.truth(mpf(tail.x))


def computed(tail: Tail, library: str) -> float:
    """The library's derivative."""
    if library == "jax":
        with jax.enable_x64(tail.dtype == "float64"):
            slope = jax.grad(tail.jax)  # type: ignore[arg-type]  # it has this library
            return float(slope(jnp.asarray(tail.x, tail.dtype)))
    x = torch.tensor(tail.x, dtype=getattr(torch, tail.dtype), requires_grad=True)
    return float(torch.autograd.grad(tail.torch(x), x)[0])  # type: ignore[misc]  # it has this library


def lost(tail: Tail, found: float) -> float:
    """Bits that a derivative loses, counted from half an ulp of the truth; -inf for an exact one."""
    with mp.workdps(DIGITS):
        truth = true_derivative(tail)
        return float(mpmath.log(abs(mpf(found) - truth) / half_ulp(truth, tail.dtype), 2))


def unattainable(tail: Tail) -> float:
    """Lost bits that nobody can keep: the truth's change over half an ulp of x and the cotangent 1.

    What is lost of what is attainable is `lost(...) - unattainable(...)`.
    """
    with mp.workdps(DIGITS):
        truth, x, unit = true_derivative(tail), mpf(tail.x), half_ulp(mpf(1), tail.dtype)
        half = half_ulp(truth, tail.dtype)
        moved = abs(mpmath.diff(tail.truth, x)) * half_ulp(x, tail.dtype) + abs(truth) * unit
        return float(mpmath.log((moved + half) / half, 2))


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + exp(-x))


def _sigmoid_slope(x: Any) -> Any:
    return _sigmoid(x) * _sigmoid(-x)


def _tanh_slope(x: Any) -> Any:
    return 1 / cosh(x) ** 2


def _silu_slope(x: Any) -> Any:
    return _sigmoid(x) * (1 + x * _sigmoid(-x))


def _sinc_slope(x: Any) -> Any:
    return (pi * x * cos(pi * x) - sin(pi * x)) / (pi * x * x)


def _i0_slope(x: Any) -> Any:
    return besseli(1, x)


def _i0e_slope(x: Any) -> Any:
    """For positive x."""
    return exp(-x) * (besseli(1, x) - besseli(0, x))


def _gelu_slope(x: Any) -> Any:
    return ncdf(x) + x * npdf(x)


def _log_ndtr_slope(x: Any) -> Any:
    return npdf(x) / ncdf(x)


def _erfcx_slope(x: Any) -> Any:
    return 2 * x * exp(x * x) * erfc(x) - 2 / sqrt(pi)


def _trigamma(x: Any) -> Any:
    return psi(1, x)


def _jax_gelu(x: Any) -> Any:
    return jax.nn.gelu(x, approximate=False)


_torch_gelu = torch.nn.functional.gelu
_torch_silu = torch.nn.functional.silu

TAILS = {
    "sigmoid at 20": Tail(
        jax.nn.sigmoid, torch.sigmoid, 20.0, _sigmoid_slope, "float64", {"jax": 28.4, "torch": 28.4}
    ),
    "sigmoid at 40.7": Tail(
        jax.nn.sigmoid, torch.sigmoid, 40.7, _sigmoid_slope, "float64", {"jax": 53.3, "torch": 53.3}
    ),
    "tanh at 10": Tail(jnp.tanh, torch.tanh, 10.0, _tanh_slope, "float64", {"jax": 28.4, "torch": 26.4}),
    "tanh at 20": Tail(jnp.tanh, torch.tanh, 20.0, _tanh_slope, "float64", {"jax": 53.3, "torch": 53.3}),
    "expm1 at -20": Tail(jnp.expm1, torch.expm1, -20.0, exp, "float64", {"jax": 27.6, "torch": 27.6}),
    "expm1 at -40": Tail(jnp.expm1, torch.expm1, -40.0, exp, "float64", {"jax": 53.3, "torch": 53.3}),
    "elu at -40": Tail(
        jax.nn.elu, torch.nn.functional.elu, -40.0, exp, "float64", {"jax": 53.3, "torch": -1.6}
    ),
    "silu at -40.7": Tail(
        jax.nn.silu, _torch_silu, -40.7, _silu_slope, "float64", {"jax": 0.6, "torch": -0.9}
    ),
    # The truth itself moves that much with half an ulp of x: `accurate`, as `unattainable` says.
    "silu near its minimum": Tail(
        jax.nn.silu, _torch_silu, -1.27846454276, _silu_slope, "float64", {"jax": 39.7, "torch": 38.7}
    ),
    "sinc at 1e-5": Tail(jnp.sinc, torch.sinc, 1e-5, _sinc_slope, "float64", {"jax": 31.1, "torch": 31.2}),
    "sinc at 1e-8": Tail(jnp.sinc, torch.sinc, 1e-8, _sinc_slope, "float64", {"jax": 51.7, "torch": 51.7}),
    "i0 at 1e-5": Tail(jsp.i0, torch.special.i0, 1e-5, _i0_slope, "float64", {"jax": 16.1, "torch": 1.0}),
    "i0 at 1e-10": Tail(jsp.i0, torch.special.i0, 1e-10, _i0_slope, "float64", {"jax": 30.3, "torch": -15.7}),
    "i0e at 1e8": Tail(jsp.i0e, torch.special.i0e, 1e8, _i0e_slope, "float64", {"jax": 27.3, "torch": 27.3}),
    "gelu at -8": Tail(_jax_gelu, _torch_gelu, -8.0, _gelu_slope, "float64", {"jax": 6.5, "torch": 41.7}),
    "log_ndtr at -40": Tail(
        jsp.log_ndtr, torch.special.log_ndtr, -40.0, _log_ndtr_slope, "float64", {"jax": 17.5, "torch": 10.5}
    ),
    "erfcx at 1e5": Tail(None, torch.special.erfcx, 1e5, _erfcx_slope, "float64", {"torch": 34.7}),
    "digamma at 2.5": Tail(
        jsp.digamma, torch.special.digamma, 2.5, _trigamma, "float64", {"jax": 0.7, "torch": 22.3}
    ),
    # JAX's is no loss but a defect of its kernel: more bits than the number has, so `miscomputed`.
    "digamma at -9.3": Tail(
        jsp.digamma, torch.special.digamma, -9.3, _trigamma, "float64", {"jax": 79.2, "torch": 8.7}
    ),
    "sigmoid at 10, float32": Tail(
        jax.nn.sigmoid, torch.sigmoid, 10.0, _sigmoid_slope, "float32", {"jax": 13.5, "torch": 13.5}
    ),
    "tanh at 10, float32": Tail(
        jnp.tanh, torch.tanh, 10.0, _tanh_slope, "float32", {"jax": 24.1, "torch": 24.1}
    ),
    "expm1 at -20, float32": Tail(
        jnp.expm1, torch.expm1, -20.0, exp, "float32", {"jax": 24.1, "torch": 24.1}
    ),
    "gelu at -5, float32": Tail(
        _jax_gelu, _torch_gelu, -5.0, _gelu_slope, "float32", {"jax": 1.6, "torch": 15.6}
    ),
}
