"""Functions of one number in torch and JAX, each beside mpmath's: what the boundary corpus is run over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import mpmath as mp  # type: ignore[import-untyped]
import numpy as np
import torch
import torch.nn.functional as F

Function = Callable[[Any], Any]


class Unary(NamedTuple):
    """A function: in mpmath, and how it is written in torch and in JAX ("" where it is not)."""

    truth: Function
    torch: str = ""
    jax: str = ""


def _softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def _logistic(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _gelu_tanh(x: Any) -> Any:
    inner = mp.sqrt(2 / mp.pi) * (x + mp.mpf(0.044715) * x**3)
    return x / 2 * (1 + mp.tanh(inner))


SELU = mp.mpf("1.0507009873554804934193349852946"), mp.mpf("1.6732632423543772848170429916717")

FUNCTIONS: dict[str, Unary] = {
    "exp": Unary(mp.exp, "torch.exp", "jnp.exp"),
    "expm1": Unary(mp.expm1, "torch.expm1", "jnp.expm1"),
    "exp2": Unary(lambda x: mp.power(2, x), "torch.exp2", "jnp.exp2"),
    "log": Unary(mp.log, "torch.log", "jnp.log"),
    "log1p": Unary(mp.log1p, "torch.log1p", "jnp.log1p"),
    "log2": Unary(lambda x: mp.log(x, 2), "torch.log2", "jnp.log2"),
    "log10": Unary(mp.log10, "torch.log10", "jnp.log10"),
    "sqrt": Unary(mp.sqrt, "torch.sqrt", "jnp.sqrt"),
    "rsqrt": Unary(lambda x: 1 / mp.sqrt(x), "torch.rsqrt", "jax.lax.rsqrt"),
    "cbrt": Unary(lambda x: mp.sign(x) * mp.cbrt(abs(x)), "", "jnp.cbrt"),
    "reciprocal": Unary(lambda x: 1 / x, "torch.reciprocal", "jnp.reciprocal"),
    "square": Unary(lambda x: x * x, "torch.square", "jnp.square"),
    "sin": Unary(mp.sin, "torch.sin", "jnp.sin"),
    "cos": Unary(mp.cos, "torch.cos", "jnp.cos"),
    "tan": Unary(mp.tan, "torch.tan", "jnp.tan"),
    "asin": Unary(mp.asin, "torch.asin", "jnp.arcsin"),
    "acos": Unary(mp.acos, "torch.acos", "jnp.arccos"),
    "atan": Unary(mp.atan, "torch.atan", "jnp.arctan"),
    "sinh": Unary(mp.sinh, "torch.sinh", "jnp.sinh"),
    "cosh": Unary(mp.cosh, "torch.cosh", "jnp.cosh"),
    "tanh": Unary(mp.tanh, "torch.tanh", "jnp.tanh"),
    "asinh": Unary(mp.asinh, "torch.asinh", "jnp.arcsinh"),
    "acosh": Unary(mp.acosh, "torch.acosh", "jnp.arccosh"),
    "atanh": Unary(mp.atanh, "torch.atanh", "jnp.arctanh"),
    "erf": Unary(mp.erf, "torch.erf", "jsp.erf"),
    "erfc": Unary(mp.erfc, "torch.erfc", "jsp.erfc"),
    "erfinv": Unary(mp.erfinv, "torch.erfinv", "jsp.erfinv"),
    "sinc": Unary(lambda x: mp.sinc(mp.pi * x), "torch.sinc", "jnp.sinc"),
    "lgamma": Unary(lambda x: mp.re(mp.loggamma(x)), "torch.lgamma", "jsp.gammaln"),
    "digamma": Unary(mp.digamma, "torch.digamma", "jsp.digamma"),
    "i0": Unary(lambda x: mp.besseli(0, x), "torch.i0", "jsp.i0"),
    "i1": Unary(lambda x: mp.besseli(1, x), "torch.special.i1", "jsp.i1"),
    "i0e": Unary(lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), "torch.special.i0e", "jsp.i0e"),
    "i1e": Unary(lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), "torch.special.i1e", "jsp.i1e"),
    "erfcx": Unary(lambda x: mp.exp(x * x) * mp.erfc(x), "torch.special.erfcx", ""),
    "ndtr": Unary(mp.ncdf, "torch.special.ndtr", "jsp.ndtr"),
    "log_ndtr": Unary(lambda x: mp.log(mp.ncdf(x)), "torch.special.log_ndtr", "jsp.log_ndtr"),
    "logit": Unary(lambda x: mp.log(x / (1 - x)), "torch.logit", "jsp.logit"),
    "entr": Unary(lambda x: -x * mp.log(x), "torch.special.entr", "jsp.entr"),
    "sigmoid": Unary(_logistic, "torch.sigmoid", "jax.nn.sigmoid"),
    "log_sigmoid": Unary(lambda x: -_softplus(-x), "F.logsigmoid", "jax.nn.log_sigmoid"),
    "softplus": Unary(_softplus, "", "jax.nn.softplus"),
    "silu": Unary(lambda x: x * _logistic(x), "F.silu", "jax.nn.silu"),
    "mish": Unary(lambda x: x * mp.tanh(_softplus(x)), "F.mish", "jax.nn.mish"),
    "softsign": Unary(lambda x: x / (1 + abs(x)), "F.softsign", "jax.nn.soft_sign"),
    "gelu": Unary(lambda x: x * mp.ncdf(x), "F.gelu", ""),
    "gelu_tanh": Unary(_gelu_tanh, "", "jax.nn.gelu"),
    "tanhshrink": Unary(lambda x: x - mp.tanh(x), "F.tanhshrink", ""),
    "elu": Unary(lambda x: x if x > 0 else mp.expm1(x), "F.elu", "jax.nn.elu"),
    "celu": Unary(lambda x: x if x > 0 else mp.expm1(x), "F.celu", "jax.nn.celu"),
    "selu": Unary(lambda x: SELU[0] * (x if x > 0 else SELU[1] * mp.expm1(x)), "F.selu", "jax.nn.selu"),
    "squareplus": Unary(lambda x: (x + mp.sqrt(x * x + 4)) / 2, "", "jax.nn.squareplus"),
}
NAMES: dict[str, Any] = {"torch": torch, "F": F, "jnp": jnp, "jsp": jsp, "jax": jax, "np": np}


def function(written: str) -> Function:
    """What is written "jax.nn.gelu"."""
    first, *rest = written.split(".")
    found = NAMES[first]
    for name in rest:
        found = getattr(found, name)
    return found  # type: ignore[no-any-return]


def true_derivative(truth: Function, x: float, order: int, digits: int = 400) -> Any:
    """The derivative in mpmath, by differences at a distance relative to x."""
    with mp.workdps(digits):
        return mp.diff(truth, mp.mpf(x), order, relative=x != 0)
