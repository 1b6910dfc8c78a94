"""Scalar functions and all their derivatives, from Arb's power series: none is typed in by hand.

The k-th Taylor coefficient of f at x is the k-th coefficient of f(x + t) as a power series in t, which Arb
computes with proven bounds from the series x + t; elementary functions have recurrences (`jets`), which give
them for a whole array, ten times as fast. A coefficient function has a coefficient function as its
derivative, d/dx c_k = (k + 1) c_{k+1}, so one rule (in `primitives.taylor`) gives every order. The functions
without a power series in Arb are in `series`.

Beside each stands how far the libraries are off, in ulps. These bounds are small on purpose: a function far
beyond its library's usual few ulps is a defect to report on that function, not a bound to widen. Sources:

- ieee: correctly rounded by IEEE 754-2019, 5.4.1 and 9.2; with a margin where a library does not keep it.
- svml: NumPy's vector functions promise less than 4 ulps (numpy/SVML, its README).
- sleef: PyTorch's vector functions are SLEEF's, which promise 1 ulp (Shibata and Petrogalli, SLEEF, 2020).
- seen: no promise is published; the largest of about 250,000 measured errors, times 1.5, rounded up.

Excluded from "seen", since their measured error is a defect and not a few ulps: JAX's float64 exp2, sinh,
cosh, log1p, atanh, erfc (128 to 598 ulps), erfinv near its ends; in half precision its exp2 (14 and 101 ulps)
and its bfloat16 asin near the smallest normal number (255).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import flint
import numpy as np
from flint import arb, arb_series

from oracles.exact.program import cylinders, hypergeometric, inverses, series
from oracles.exact.program.balls import ONE, all_finite, each, filled, zeros
from oracles.exact.program.jets import JETS, Jet, Lazy
from oracles.exact.program.losses import BETA_LOWER, GAMMA_LOWER, GAMMA_UPPER, POLYGAMMA, SERIES_1F1, Loss
from oracles.exact.program.program import Array

Series = Callable[..., Any]
Coefficients = Callable[..., list[arb]]
HALVES = frozenset({"float16", "bfloat16"})
HALF_ULPS = 1.0  # float16 and bfloat16 are computed in float32 and rounded once


class Accuracy(NamedTuple):
    """The most ulps a function may be off in each library, and where that is from.

    JAX composes some functions in the half formats themselves: `jax_half` is what was seen at every number of
    both, times 1.5, rounded up. A function with zeros is also off by `ones` unit roundoffs of 1 (in NumPy and
    in half precision, in PyTorch, in JAX), and by `argument` of its argument.
    """

    numpy: float
    torch: float
    jax: float
    source: str
    jax_half: float = HALF_ULPS
    argument: float = 0.0
    ones: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def of_one(self, library: str, dtype: str) -> float:
        """Likewise in unit roundoffs of 1, near a zero."""
        return self.ones[0 if dtype in HALVES else ("numpy", "torch", "jax").index(library)]

    def ulps(self, library: str, dtype: str) -> float:
        """The most that `library` may be off in this dtype, in ulps of the result."""
        if dtype in HALVES:
            return self.jax_half if library == "jax" else HALF_ULPS
        found: float = getattr(self, library)
        return found


def vector(jax: float, source: str = "seen", jax_half: float = HALF_ULPS) -> Accuracy:
    """NumPy's and PyTorch's vector functions, and what JAX does."""
    return Accuracy(4, 2, jax, f"numpy: svml; torch: sleef; jax: {source}", jax_half)


OTHER = Accuracy(8, 8, 8, "no measurement: a few ulps, as the functions that were measured")
CROSSING = OTHER._replace(
    source="near a zero by so much of 1: 3 units seen for SciPy's gammaln", ones=(8, 8, 8)
)
# Between its zeros log Gamma is some units of 1; 50 were seen of JAX's, 4 of SciPy's and torch's.
LGAMMA = OTHER._replace(source="near its zeros by so much of 1: seen", jax_half=4, ones=(8, 8, 76))
# Torch and JAX sum ten terms 1 / (x + k) and subtract that from a logarithm; below 0 pi x is rounded before
# its cotangent.
DIGAMMA = OTHER._replace(
    source="near its zeros by so much of 1: 12.5 units seen of torch's, 18.8 of JAX's",
    jax_half=4,
    argument=1,
    ones=(8, 19, 29),
)
# Below 0, zeta(s, q) for odd s is a sum of terms of both signs, and q within 1/2 of a pole: the largest is
# 2^s at the least, and rounding it once loses 2^(s-1) units of 1, whatever the sum is: 4 of psi_2's.
BETWEEN_POLES = OTHER._replace(
    source="its terms cancel between poles: 2^(s-1) units, s = 3, and twice that", ones=(8, 8, 8)
)
LOGISTIC = Accuracy(4, 4, 4, "seen", 4)
SOFTPLUS = Accuracy(8, 8, 8, "log1p(e^x): the errors of both, which nothing magnifies beyond 1 / log 2")
BESSEL_J = Accuracy(
    1,
    1,
    1,
    "seen up to 1e5; torch's float64, off by 1e-8 below 26, is a defect",
    argument=1,
    ones=(11, 11, 11),
)
# The first three have a Loss besides: these are the ulps of a small exponent.
LOWER = Accuracy(30, 30, 30, "seen, in unit roundoffs: 40 in each")
UPPER = Accuracy(79, 48, 48, "seen, in unit roundoffs: 105 in SciPy's, 64 in the others'")
SHARE = Accuracy(239, 8, 419, "seen, in unit roundoffs: 318 in SciPy's float32, 558 in JAX's float64")
EXPINT = Accuracy(24, 8, 44, "seen, in unit roundoffs: 58 in JAX's near 1, 13 in SciPy's")
HYPOT = Accuracy(2, 2, 4, "C's, without overflow inside; jax scales by the larger one: seen")
ERF = Accuracy(5, 2, 8, "seen; numpy has SciPy's")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A function of one real variable (and parameters held fixed): its series, or its coefficients.

    Attributes:
        series: The function of a power series.
        value: Arb's own function for the constant term.
        coefficients: `coefficients(x, order, *parameters)` where there is no such series.
        arrays: The same for a whole array at once, where that is worth it; None where it is not.
        mixed: Where the parameter may move too: `mixed(x, order, parameter, along=j)` gives the coefficients
            of the j-th Taylor coefficient in the parameter.
        accuracy: How far the libraries' own functions are off.
        positive: Whether what a library returns is never below 0.
        levels: Whether it levels off: its slope (1 - f^2 and the like) is off by so much of 1.
        own_slope: Whether its slope is computed from the function itself, and is as accurate.
        loss: What kernels lose besides (see `losses`), if that is more than ulps of the result.
    """

    series: Series | None = None
    value: Series | None = None
    coefficients: Coefficients | None = None
    arrays: Callable[..., Sequence[Array] | None] | None = None
    mixed: Coefficients | None = None
    accuracy: Accuracy = OTHER
    positive: bool = False
    levels: bool = False
    own_slope: bool = False
    loss: Loss | None = None

    def taylor(self, x: arb, order: int, *parameters: arb, **static: Any) -> list[arb]:
        """The coefficients c_0 to c_order of f at x; `parameters` are further arguments, held fixed."""
        (found,) = self.rows([(x, *parameters)], order, **static)
        return found

    def rows(self, points: Iterable[tuple[arb, ...]], order: int, **static: Any) -> list[list[arb]]:
        """The same at each of several points, (x, *parameters)."""
        coefficients, found = self._coefficients(order, **static), []
        for point in points:
            try:
                found.append(coefficients(*point))
            except (ValueError, ZeroDivisionError):  # by a series that may be 0, or is: nothing is known here
                found.append([arb("nan")] * (order + 1))
        return found

    def _coefficients(self, order: int, **static: Any) -> Callable[..., list[arb]]:
        """What gives the coefficients at one point: what it depends on besides is decided here, once."""
        given = self.mixed if static.get("along") else self.coefficients
        if given is not None:
            return lambda x, *parameters: given(x, order, *parameters, **static)
        value, function, arrays = self.value, self.series, self.arrays
        if function is None:
            assert arrays is not None
            return lambda x: [c.item() for c in arrays(filled([x], ()), order) or ()]
        if order == 0 and value is not None:
            return lambda *point: [value(*point)]

        def of_series(x: arb, *parameters: arb) -> list[arb]:
            flint.ctx.cap = order + 1
            series = function(arb_series([x, 1], order + 1), *parameters)
            if value is None:
                return [series[k] for k in range(order + 1)]
            return [value(x, *parameters), *[series[k] for k in range(1, order + 1)]]

        return of_series


def _cube_root(x: arb) -> arb:
    if x.is_zero():
        return x
    return (x.log() / 3).exp() if not (x < 0) else -((-x).log() / 3).exp()


class _Values:
    """What the recurrences of `jets` are written with, for flat arrays of balls."""

    def number(self, above: int, below: int = 1) -> arb:
        return arb(above) / below

    def two_over_root_pi(self, sign: int) -> arb:
        return 2 * sign / arb.pi().sqrt()

    def logarithm(self, number: int, power: int) -> arb:
        return arb(number).log() ** power

    def magnitude(self, x: Array) -> Array:
        return np.absolute(x)

    def reciprocal(self, x: Array) -> Array:
        return each(lambda b: ONE / b, x)

    def exp2(self, x: Array) -> Array:
        return each(arb.exp, np.asarray(x * self.logarithm(2, 1)))

    def log2(self, x: Array) -> Array:
        return np.asarray(each(arb.log, x) * self.logarithm(2, -1))

    def log10(self, x: Array) -> Array:
        return np.asarray(each(arb.log, x) * self.logarithm(10, -1))

    def length(self, x: Array) -> Array:
        return each(lambda b: b.nonnegative_part().sqrt(), x)

    def cbrt(self, x: Array) -> Array:
        return each(_cube_root, x)

    def __getattr__(self, name: str) -> Callable[[Array], Array]:
        function = getattr(arb, name)
        return lambda x: each(function, x)


def _by_recurrence(jet: Jet) -> Callable[[Array, int], Lazy]:
    """The coefficients of a whole array at once, which has an axis meanwhile: NumPy unwraps those without."""

    def coefficients(x: Array, order: int) -> Lazy:
        found = jet(_Values(), x.reshape(-1), order)
        return Lazy(lambda k: np.reshape(found[k], x.shape), order + 1)

    return coefficients


def _powers(x: Array, order: int, exponents: Array) -> list[Array] | None:
    """(x + t)^n by the binomial theorem, for a whole array with one exponent n >= 0."""
    n = exponents.flat[0] if exponents.size and exponents.dtype.kind in "iu" else -1
    if n < 0 or not (exponents == n).all():
        return None
    return [
        np.asarray(_power(x, int(n - k)) * math.comb(n, k)) if k <= n else zeros(x.shape)
        for k in range(order + 1)
    ]


def _power(x: Array, n: int) -> Array:
    """x^n; a ball around 0 itself is multiplied out, for Arb's power of it is NaN."""
    found = np.asarray(x**n)
    if all_finite(found):
        return found
    return each(lambda b, p: p if p.is_finite() or not b.is_finite() else math.prod([b] * n), x, found)


def _cylinder(kind: str) -> Scalar:
    return Scalar(coefficients=cylinders.cylinder(kind), mixed=cylinders.cylinder_mixed(kind))


SCALARS: dict[str, Scalar] = {
    "exp": Scalar(accuracy=vector(3), positive=True, own_slope=True),
    "expm1": Scalar(accuracy=vector(8, jax_half=4)),
    "log": Scalar(accuracy=vector(2)),
    "log1p": Scalar(accuracy=vector(4, "its float32, seen")),
    "log2": Scalar(accuracy=vector(4)),
    "log10": Scalar(accuracy=vector(4)),
    "exp2": Scalar(accuracy=vector(4, "as its exp"), positive=True),
    "sqrt": Scalar(
        accuracy=Accuracy(0.5, 1, 0.5, "ieee; torch's float64 reaches 0.75"),
        positive=True,
    ),
    "length": Scalar(  # the root of what is known to be a sum of squares, at the least 0
        accuracy=Accuracy(0.5, 1, 0.5, "as sqrt"),
        positive=True,
    ),
    "rsqrt": Scalar(accuracy=Accuracy(2, 3, 2, "seen"), positive=True),
    "cbrt": Scalar(accuracy=Accuracy(4, 4, 5, "numpy: svml; others: seen")),
    "reciprocal": Scalar(
        accuracy=Accuracy(1, 1, 1, "ieee, and 1 where it is a multiplication by an approximate one"),
    ),
    "power": Scalar(series.power, series.power, arrays=_powers, own_slope=True),
    "real_power": Scalar(coefficients=series.real_power, mixed=series.real_power, accuracy=vector(2)),
    "sin": Scalar(accuracy=vector(2)),
    "cos": Scalar(accuracy=vector(2)),
    "tan": Scalar(accuracy=vector(2)),
    "sinh": Scalar(accuracy=vector(4, "as its expm1")),
    "cosh": Scalar(accuracy=vector(4, "as its exp"), positive=True),
    "tanh": Scalar(accuracy=vector(10), levels=True),
    "asin": Scalar(accuracy=vector(4, jax_half=2)),
    "acos": Scalar(accuracy=vector(3, jax_half=2)),
    "atan": Scalar(accuracy=vector(2)),
    "asinh": Scalar(accuracy=Accuracy(4, 3, 5, "numpy: svml; others: seen", 2)),
    "acosh": Scalar(accuracy=Accuracy(4, 3, 5, "numpy: svml; others: seen", 3)),
    "atanh": Scalar(accuracy=vector(4, "its float32, seen", 2)),
    "erf": Scalar(accuracy=ERF, levels=True),
    "erfc": Scalar(accuracy=ERF, positive=True, levels=True),
    "erfinv": Scalar(coefficients=series.erfinv),
    "erfcinv": Scalar(coefficients=series.erfcinv),
    "digamma": Scalar(coefficients=series.digamma, accuracy=DIGAMMA),
    "lgamma": Scalar(coefficients=series.lgamma, accuracy=LGAMMA),
    "polygamma": Scalar(coefficients=series.polygamma, accuracy=BETWEEN_POLES, loss=POLYGAMMA),
    "hurwitz_zeta": Scalar(
        coefficients=series.hurwitz_zeta, mixed=series.hurwitz_zeta_mixed, accuracy=BETWEEN_POLES
    ),
    "bessel_i": Scalar(coefficients=series.bessel_i),
    "bessel_j": Scalar(coefficients=series.bessel_j, accuracy=BESSEL_J, levels=True),
    "beta_lower": Scalar(coefficients=series.beta_lower, accuracy=SHARE, loss=BETA_LOWER),
    "expi": Scalar(lambda s: s.ei(), arb.ei, accuracy=CROSSING),
    "expint": Scalar(coefficients=series.expint, accuracy=EXPINT),
    "sine_integral": Scalar(lambda s: s.si(), arb.si),
    "cosine_integral": Scalar(lambda s: s.ci(), arb.ci, accuracy=CROSSING),
    "fresnel_s": Scalar(lambda s: s.fresnel_s(), arb.fresnel_s),
    "fresnel_c": Scalar(lambda s: s.fresnel_c(), arb.fresnel_c),
    "erfi": Scalar(lambda s: s.erfi(), arb.erfi),
    "sinh_integral": Scalar(lambda s: s.shi(), arb.shi),
    "cosh_integral": Scalar(lambda s: s.chi(), arb.chi, accuracy=CROSSING),
    "airy_ai": Scalar(lambda s: s.airy_ai(), arb.airy_ai),
    "airy_bi": Scalar(lambda s: s.airy_bi(), arb.airy_bi),
    "bessel_jv": _cylinder("bessel_j"),
    "bessel_yv": _cylinder("bessel_y"),
    "bessel_iv": _cylinder("bessel_i"),
    "bessel_kv": _cylinder("bessel_k"),
    "kelvin": Scalar(coefficients=cylinders.kelvin),
    "struve": Scalar(coefficients=cylinders.struve),
    "hyp0f1": Scalar(coefficients=hypergeometric.hyp0f1),
    "hyp1f1": Scalar(coefficients=hypergeometric.hyp1f1, mixed=hypergeometric.hyp1f1_mixed, loss=SERIES_1F1),
    "hyp2f1": Scalar(coefficients=hypergeometric.hyp2f1),
    "erfcx": Scalar(coefficients=hypergeometric.erfcx, positive=True),
    "hyperu": Scalar(coefficients=hypergeometric.hyperu),
    "hermite": Scalar(coefficients=hypergeometric.hermite),
    "elliptic": Scalar(coefficients=hypergeometric.elliptic),
    "gamma_lower_inverse": Scalar(coefficients=inverses.gamma_lower),
    "gamma_upper_inverse": Scalar(coefficients=inverses.gamma_upper),
    "beta_lower_inverse": Scalar(coefficients=inverses.beta_lower),
    "wright_omega": Scalar(coefficients=hypergeometric.wright_omega),
    "sinc": Scalar(coefficients=series.sinc),
    "spence": Scalar(coefficients=series.spence, accuracy=CROSSING),
    "gamma_lower": Scalar(
        coefficients=series.gamma_lower, mixed=series.gamma_lower_mixed, accuracy=LOWER, loss=GAMMA_LOWER
    ),
    "gamma_upper": Scalar(
        coefficients=series.gamma_upper, mixed=series.gamma_upper_mixed, accuracy=UPPER, loss=GAMMA_UPPER
    ),
}


SCALARS.update({name: replace(SCALARS[name], arrays=_by_recurrence(jet)) for name, jet in JETS.items()})


# -- what kernels lose besides: what is counted as one function, and by hand ------------------------------

# Calls of several equations that the libraries compute as one function: what is inside does not round.
CALLS = {
    "logistic": LOGISTIC,
    "sigmoid": LOGISTIC,
    "expit": LOGISTIC,
    "log1p_exp": SOFTPLUS,
    "hypot": HYPOT,
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
