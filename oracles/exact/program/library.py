"""What kernels of NumPy, PyTorch and JAX lose besides: what is counted as one function, and by hand.

The bounds of the functions themselves stand beside them in `scalars`.
"""

from __future__ import annotations

from typing import NamedTuple

from oracles.exact.program.scalars import HALF_ULPS, LOGISTIC, OTHER, SOFTPLUS

# Calls of several equations that the libraries compute as one function: what is inside does not round.
CALLS = {
    "logistic": LOGISTIC,
    "sigmoid": LOGISTIC,
    "expit": LOGISTIC,
    "log1p_exp": SOFTPLUS,
    "special_erfcx": OTHER,
    "special_i0e": OTHER,
    "special_i1e": OTHER,
}


class Slack(NamedTuple):
    """What a function inside one kernel loses besides, by a formula of its own: by hand, with the reason."""

    units: float  # unit roundoffs of 1, absolute
    float32_units: float  # likewise, in float32
    ulps: float  # of the result
    reason: str


GELU = Slack(
    units=2,
    float32_units=17,
    ulps=0,
    reason="ATen's Gelu.h computes 1 + erf(x / sqrt 2) for erfc(-x / sqrt 2), which cancels in the lower "
    "tail; its vector erf in float32 is Abramowitz and Stegun's 7.1.26: 10.9 units seen, times 1.5",
)
FLASH = Slack(
    units=0,
    float32_units=0,
    ulps=20,
    reason="ATen's FlashAttentionKernel.cpp uses exp_u20, which promises 20 ulps",
)
_ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"
# By library, kernel and the function inside it.
SLACKS = {
    **{("torch", kernel, "erfc"): GELU for kernel in ("gelu", "gelu_backward")},
    **{("torch", kernel, "exp"): FLASH for kernel in (_ATTENTION, f"{_ATTENTION}_backward")},
}
# 1 / (1 + e^-x) is 0 where e^-x overflows: so much, times the reciprocal of where that is, is lost.
SIGMOID_FLOOR = {"numpy": 0.0, "torch": 1.0, "jax": 1.0}
# Kernels compute the derivatives of these functions each in their own way: so many ulps of the argument and
# of the result, and for functions that level off (1 - f^2 and the like) so many unit roundoffs of 1.
SLOPE_ULPS = 4
# Unit roundoffs of a division: XLA and kernels multiply by a rounded reciprocal, 1.52 seen.
QUOTIENT_UNITS = 2
# Of exponents that a compiler may compute twice: more than any function here is off.
TWICE_UNITS = 64


def slacks() -> list[tuple[str, str]]:
    """What is added by hand and not derived, each with its reason."""
    return [
        (f"{QUOTIENT_UNITS} u for a division", "a product with a rounded reciprocal reaches 1.52 u"),
        (f"{SLOPE_ULPS} ulps for a library function's derivative", "each kernel has its own formula"),
        (f"{TWICE_UNITS} u for e^(x - max x) where a compiler computes x twice", "two roundings of x"),
        (f"{OTHER.numpy:g} ulps for a function without a row", OTHER.source),
        (f"{HALF_ULPS:g} ulp in float16 and bfloat16", "computed in float32 and rounded once"),
        *((f"{s.units:g} u of 1 in {k} of {lib} ({f})", s.reason) for (lib, k, f), s in SLACKS.items()),
    ]
