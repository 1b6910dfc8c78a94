"""Functions of one number in torch and JAX, each beside mpmath's."""

from __future__ import annotations

from typing import Any

import mpmath as mp  # type: ignore[import-untyped]

from tests.power.function import Function, plain


def softplus(x: Any) -> Any:
    """log(1 + e^x)."""
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def logistic(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    return 1 / (1 + mp.exp(-x))


def _gelu_tanh(x: Any) -> Any:
    inner = mp.sqrt(2 / mp.pi) * (x + mp.mpf(0.044715) * x**3)
    return x / 2 * (1 + mp.tanh(inner))


SELU = mp.mpf("1.0507009873554804934193349852946"), mp.mpf("1.6732632423543772848170429916717")

FUNCTIONS: dict[str, Function] = {
    "exp": plain(mp.exp, "torch.exp", "jnp.exp"),
    "expm1": plain(mp.expm1, "torch.expm1", "jnp.expm1"),
    "exp2": plain(lambda x: mp.power(2, x), "torch.exp2", "jnp.exp2"),
    "log": plain(mp.log, "torch.log", "jnp.log"),
    "log1p": plain(mp.log1p, "torch.log1p", "jnp.log1p"),
    "log2": plain(lambda x: mp.log(x, 2), "torch.log2", "jnp.log2"),
    "log10": plain(mp.log10, "torch.log10", "jnp.log10"),
    "sqrt": plain(mp.sqrt, "torch.sqrt", "jnp.sqrt"),
    "rsqrt": plain(lambda x: 1 / mp.sqrt(x), "torch.rsqrt", "jax.lax.rsqrt"),
    "cbrt": plain(lambda x: mp.sign(x) * mp.cbrt(abs(x)), "", "jnp.cbrt"),
    "reciprocal": plain(lambda x: 1 / x, "torch.reciprocal", "jnp.reciprocal"),
    "square": plain(lambda x: x * x, "torch.square", "jnp.square"),
    "sin": plain(mp.sin, "torch.sin", "jnp.sin"),
    "cos": plain(mp.cos, "torch.cos", "jnp.cos"),
    "tan": plain(mp.tan, "torch.tan", "jnp.tan"),
    "asin": plain(mp.asin, "torch.asin", "jnp.arcsin"),
    "acos": plain(mp.acos, "torch.acos", "jnp.arccos"),
    "atan": plain(mp.atan, "torch.atan", "jnp.arctan"),
    "sinh": plain(mp.sinh, "torch.sinh", "jnp.sinh"),
    "cosh": plain(mp.cosh, "torch.cosh", "jnp.cosh"),
    "tanh": plain(mp.tanh, "torch.tanh", "jnp.tanh"),
    "asinh": plain(mp.asinh, "torch.asinh", "jnp.arcsinh"),
    "acosh": plain(mp.acosh, "torch.acosh", "jnp.arccosh"),
    "atanh": plain(mp.atanh, "torch.atanh", "jnp.arctanh"),
    "erf": plain(mp.erf, "torch.erf", "jsp.erf"),
    "erfc": plain(mp.erfc, "torch.erfc", "jsp.erfc"),
    "erfinv": plain(mp.erfinv, "torch.erfinv", "jsp.erfinv"),
    "sinc": plain(lambda x: mp.sinc(mp.pi * x), "torch.sinc", "jnp.sinc"),
    "lgamma": plain(lambda x: mp.re(mp.loggamma(x)), "torch.lgamma", "jsp.gammaln"),
    "digamma": plain(mp.digamma, "torch.digamma", "jsp.digamma"),
    "i0": plain(lambda x: mp.besseli(0, x), "torch.i0", "jsp.i0"),
    "i1": plain(lambda x: mp.besseli(1, x), "torch.special.i1", "jsp.i1"),
    "i0e": plain(lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), "torch.special.i0e", "jsp.i0e"),
    "i1e": plain(lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), "torch.special.i1e", "jsp.i1e"),
    "erfcx": plain(lambda x: mp.exp(x * x) * mp.erfc(x), "torch.special.erfcx", ""),
    "ndtr": plain(mp.ncdf, "torch.special.ndtr", "jsp.ndtr"),
    "log_ndtr": plain(lambda x: mp.log(mp.ncdf(x)), "torch.special.log_ndtr", "jsp.log_ndtr"),
    "logit": plain(lambda x: mp.log(x / (1 - x)), "torch.logit", "jsp.logit"),
    "entr": plain(lambda x: -x * mp.log(x), "torch.special.entr", "jsp.entr"),
    "sigmoid": plain(logistic, "torch.sigmoid", "jax.nn.sigmoid"),
    "log_sigmoid": plain(lambda x: -softplus(-x), "F.logsigmoid", "jax.nn.log_sigmoid"),
    "softplus": plain(softplus, "", "jax.nn.softplus"),
    "silu": plain(lambda x: x * logistic(x), "F.silu", "jax.nn.silu"),
    "mish": plain(lambda x: x * mp.tanh(softplus(x)), "F.mish", "jax.nn.mish"),
    "softsign": plain(lambda x: x / (1 + abs(x)), "F.softsign", "jax.nn.soft_sign"),
    "gelu": plain(lambda x: x * mp.ncdf(x), "F.gelu", ""),
    "gelu_tanh": plain(_gelu_tanh, "", "jax.nn.gelu"),
    "tanhshrink": plain(lambda x: x - mp.tanh(x), "F.tanhshrink", ""),
    "elu": plain(lambda x: x if x > 0 else mp.expm1(x), "F.elu", "jax.nn.elu"),
    "celu": plain(lambda x: x if x > 0 else mp.expm1(x), "F.celu", "jax.nn.celu"),
    "selu": plain(lambda x: SELU[0] * (x if x > 0 else SELU[1] * mp.expm1(x)), "F.selu", "jax.nn.selu"),
    "squareplus": plain(lambda x: (x + mp.sqrt(x * x + 4)) / 2, "", "jax.nn.squareplus"),
}
