"""How far the library functions of NumPy, PyTorch and JAX are from the truth, in ulps.

The bounds are small on purpose: a function far beyond its library's usual few ulps is a defect to report on
that function, not a bound to widen. Each row has its source:

- ieee: correctly rounded by IEEE 754-2019, 5.4.1 and 9.2; with a margin where a library does not keep it.
- svml: NumPy's vector functions promise less than 4 ulps (numpy/SVML, its README).
- sleef: PyTorch's vector functions are SLEEF's, which promise 1 ulp (Shibata and Petrogalli, SLEEF, 2020).
- seen: no promise is published; the largest of about 250,000 measured errors, times 1.5, rounded up.

Excluded from "seen", since their measured error is a defect and not a few ulps: JAX's float64 exp2, sinh,
cosh, log1p, atanh, erfc (128 to 598 ulps), lgamma and digamma near their zeros, erfinv near its ends.
"""

from __future__ import annotations

from typing import NamedTuple


class Bound(NamedTuple):
    """The most ulps a function may be off in each library, and where that is from."""

    numpy: float
    torch: float
    jax: float
    source: str


FUNCTIONS: dict[str, Bound] = {
    "sqrt": Bound(0.5, 1, 0.5, "ieee; torch's float64 reaches 0.75"),
    "reciprocal": Bound(1, 1, 1, "ieee, and 1 where it is a multiplication by an approximate one"),
    "rsqrt": Bound(2, 3, 2, "seen"),
    "cbrt": Bound(4, 4, 5, "numpy: svml; others: seen"),
    "exp": Bound(4, 2, 3, "numpy: svml; torch: sleef; jax: seen"),
    "exp2": Bound(4, 2, 4, "numpy: svml; torch: sleef; jax: as its exp"),
    "expm1": Bound(4, 2, 8, "numpy: svml; torch: sleef; jax: seen"),
    "log": Bound(4, 2, 2, "numpy: svml; torch: sleef; jax: seen"),
    "log2": Bound(4, 2, 4, "numpy: svml; torch: sleef; jax: seen"),
    "log10": Bound(4, 2, 4, "numpy: svml; torch: sleef; jax: seen"),
    "log1p": Bound(4, 2, 4, "numpy: svml; torch: sleef; jax: its float32, seen"),
    "real_power": Bound(4, 2, 2, "numpy: svml; torch: sleef; jax: seen"),
    "sin": Bound(4, 2, 2, "numpy: svml; torch: sleef; jax: seen"),
    "cos": Bound(4, 2, 2, "numpy: svml; torch: sleef; jax: seen"),
    "tan": Bound(4, 2, 2, "numpy: svml; torch: sleef; jax: seen"),
    "sinh": Bound(4, 2, 4, "numpy: svml; torch: sleef; jax: as its expm1"),
    "cosh": Bound(4, 2, 4, "numpy: svml; torch: sleef; jax: as its exp"),
    "tanh": Bound(4, 2, 10, "numpy: svml; torch: sleef; jax: seen"),
    "asin": Bound(4, 2, 4, "numpy: svml; torch: sleef; jax: seen"),
    "acos": Bound(4, 2, 3, "numpy: svml; torch: sleef; jax: seen"),
    "atan": Bound(4, 2, 2, "numpy: svml; torch: sleef; jax: seen"),
    "asinh": Bound(4, 3, 5, "numpy: svml; others: seen"),
    "acosh": Bound(4, 3, 5, "numpy: svml; others: seen"),
    "atanh": Bound(4, 2, 4, "numpy: svml; torch: sleef; jax: its float32, seen"),
    "erf": Bound(5, 2, 8, "seen; numpy has SciPy's"),
    "erfc": Bound(5, 2, 8, "seen, as erf"),
    "logistic": Bound(4, 4, 4, "seen"),
    "softplus": Bound(8, 8, 8, "log1p(e^x): the errors of both, which nothing magnifies beyond 1 / log 2"),
}
OTHER = Bound(8, 8, 8, "no measurement: a few ulps, as the functions that were measured")

# Calls of several equations that the libraries compute as one function: what is inside does not round.
CALLS = {
    "logistic": "logistic",
    "sigmoid": "logistic",
    "expit": "logistic",
    "log1p_exp": "softplus",
    "special_erfcx": "erfcx",
    "special_i0e": "bessel_i",
    "special_i1e": "bessel_i",
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
# float16 and bfloat16 are computed in float32 and rounded once.
HALF_ULPS = 1.0
HALVES = frozenset({"float16", "bfloat16"})
# But JAX composes some in the half format itself: seen at every number of both, times 1.5, rounded up. Its
# exp2 (14 and 101 ulps) and its bfloat16 asin near the smallest normal number (255) are defects.
JAX_HALF_ULPS = {
    "acos": 2.0,
    "acosh": 3.0,
    "asin": 2.0,
    "asinh": 2.0,
    "atanh": 2.0,
    "digamma": 4.0,
    "expm1": 4.0,
    "lgamma": 4.0,
    "logistic": 4.0,
}


def ulps(library: str, function: str, dtype: str) -> float:
    """The most that `function` of `library` may be off in this dtype, in ulps of the result."""
    if dtype in HALVES:
        return JAX_HALF_ULPS.get(function, HALF_ULPS) if library == "jax" else HALF_ULPS
    found: float = getattr(FUNCTIONS.get(function, OTHER), library)
    return found


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
