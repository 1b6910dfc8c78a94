"""Scalar functions and all their derivatives, from Arb's power series: none is typed in by hand.

The k-th Taylor coefficient of f at x is the k-th coefficient of f(x + t) as a power series in t, which Arb
computes with proven bounds from the series x + t. A coefficient function has a coefficient function as its
derivative, d/dx c_k = (k + 1) c_{k+1}, so one rule (in `primitives.elementwise`) gives every order.

`series` must be right for a series argument; `value` is Arb's own function for the constant term, where a
composition would lose digits there. The functions without a power series in Arb say where theirs comes from.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
from flint import arb, arb_series

from oracles.exact.program.balls import ZERO, each, filled, zeros
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import Array

Series = Callable[..., Any]
Coefficients = Callable[..., list[arb]]


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
    """

    series: Series | None = None
    value: Series | None = None
    coefficients: Coefficients | None = None
    arrays: Callable[..., list[Array] | None] | None = None
    mixed: Coefficients | None = None

    def taylor(self, x: arb, order: int, *parameters: arb, **static: Any) -> list[arb]:
        """The coefficients c_0 to c_order of f at x; `parameters` are further arguments, held fixed."""
        try:
            return self._taylor(x, order, *parameters, **static)
        except ValueError:  # a series divided by one that may be 0: nothing is known at this precision
            return [arb("nan")] * (order + 1)

    def _taylor(self, x: arb, order: int, *parameters: arb, **static: Any) -> list[arb]:
        if static.get("along"):
            assert self.mixed is not None
            return self.mixed(x, order, *parameters, **static)
        if self.arrays is not None and not parameters:
            whole = self.arrays(filled([x], ()), order)
            return [c.item() for c in whole or ()]
        if self.coefficients is not None:
            return self.coefficients(x, order, *parameters, **static)
        if order == 0 and self.value is not None:
            return [self.value(x, *parameters)]
        assert self.series is not None
        flint.ctx.cap = order + 1
        series = self.series(arb_series([x, 1], order + 1), *parameters)
        found = [series[k] for k in range(order + 1)]
        if self.value is not None:
            found[0] = self.value(x, *parameters)
        return found


def _odd(series: Series) -> Series:
    """An odd function from a series that keeps its digits for positive arguments only."""
    return lambda s: series(s) if not (s[0] < 0) else -series(-s)


def _cosh(s: Any) -> Any:
    return (s.exp() + (-s).exp()) / 2


def _tanh(s: Any) -> Any:
    return 1 - 2 / ((2 * s).exp() + 1)


def _log1p_ratio(s: Any) -> Any:
    return ((1 + s).log() - (1 - s).log()) / 2


def _digamma_series(s: Any) -> Any:
    """-(1/Gamma)' / (1/Gamma), good on both sides of zero; the derivative costs one more coefficient."""
    order = flint.ctx.cap
    flint.ctx.cap = order + 1
    r = arb_series([s[0], 1], order + 1).rgamma()
    return -(r.derivative() / r)


def _lgamma(x: arb, order: int) -> list[arb]:
    """log|Gamma|: Arb's series for positive x; for negative x its constant term is -log|1/Gamma|."""
    if x > 0:
        flint.ctx.cap = order + 1
        series = arb_series([x, 1], order + 1).lgamma()
        return [series[k] for k in range(order + 1)]
    constant = -abs(x.rgamma()).log()
    if order == 0:
        return [constant]
    slope = SCALARS["digamma"].taylor(x, order - 1)
    return [constant, *(c / (k + 1) for k, c in enumerate(slope))]


def _polygamma(x: arb, order: int, which: arb) -> list[arb]:
    """psi^(n) is the n-th derivative of digamma: c_k of it is (n+k)!/k! times c_{n+k} of digamma."""
    n = _integer(which)
    base = SCALARS["digamma"].taylor(x, n + order)
    return [base[n + k] * (math.factorial(n + k) // math.factorial(k)) for k in range(order + 1)]


def _hurwitz_zeta(q: arb, order: int, s: arb) -> list[arb]:
    """Zeta(s, q + t) = sum_n (n + q + t)^-s, expanded term by term: c_k = binom(-s, k) zeta(s + k, q)."""
    factor, found = arb(1), []
    for k in range(order + 1):
        found.append(factor * arb.zeta(s + k, q))
        factor = factor * -(s + k) / (k + 1)
    return found


def _hurwitz_zeta_mixed(q: arb, order: int, s: arb, *, along: int) -> list[arb]:
    """The same with s + e for s, as series in e."""
    flint.ctx.cap = along + 1
    moved, factor, found = arb_series([s, 1], along + 1), arb_series([1], along + 1), []
    for k in range(order + 1):
        found.append((factor * (moved + k).zeta(q))[along])
        factor = factor * -(moved + k) / (k + 1)
    return found


def _bessel_i(x: arb, order: int, *, nu: int, scaled: bool) -> list[arb]:
    """I_nu^(k) = 2^-k sum_j binom(k, j) I_{nu-k+2j} (DLMF 10.29.5); scaled: times exp(-|x|) as a series."""
    found = [
        sum((math.comb(k, j) * x.bessel_i(arb(abs(nu - k + 2 * j))) for j in range(k + 1)), arb(0))
        / (2**k * math.factorial(k))
        for k in range(order + 1)
    ]
    if not scaled:
        return found
    flint.ctx.cap = order + 1
    decay = arb_series([-x, -1] if x > 0 else [x, 1], order + 1).exp()
    if not (x > 0 or x < 0) and order > 0:
        return [decay[0] * found[0], *([arb("nan")] * order)]  # |x| has a kink at 0
    product = arb_series(found, order + 1) * decay
    return [product[k] for k in range(order + 1)]


def _erfcinv(x: arb, order: int) -> list[arb]:
    """erfcinv(x) = erfinv(1 - x), from its own value, which keeps its digits for small x."""
    y = x.erfcinv()
    if order == 0:
        return [y]
    flint.ctx.cap = order + 1
    forward = arb_series([y, 1], order + 1).erfc()
    inverse = arb_series([0, *(forward[k] for k in range(1, order + 1))], order + 1).reversion()
    return [y, *(inverse[k] for k in range(1, order + 1))]


def _erfinv(x: arb, order: int) -> list[arb]:
    """The inverse series: erf(y + t) - x, reverted."""
    y = x.erfinv()
    if order == 0:
        return [y]
    flint.ctx.cap = order + 1
    forward = arb_series([y, 1], order + 1).erf()
    inverse = arb_series([0, *(forward[k] for k in range(1, order + 1))], order + 1).reversion()
    return [y, *(inverse[k] for k in range(1, order + 1))]


def _sinc(x: arb, order: int) -> list[arb]:
    """sin(x)/x. Near 0 its Taylor series about 0, differentiated: c_k = sum_n a_n binom(n, k) x^(n-k).

    With a_n = (-1)^(n/2) / (n+1)! for even n. The terms beyond N are at most 2 |a_N| binom(N, k) |x|^(N-k)
    in all for |x| <= 1, since each is then less than half of the one before.
    """
    if x > 0.5 or x < -0.5:
        flint.ctx.cap = order + 1
        s = arb_series([x, 1], order + 1)
        quotient = s.sin() / s
        return [quotient[k] for k in range(order + 1)]
    last = 2 * order + 8
    while math.lgamma(last + 2) / math.log(2) < flint.ctx.prec + 8 * order + 16:
        last += 2
    found = []
    for k in range(order + 1):
        first = k + k % 2
        total = sum(
            (
                arb((-1) ** (n // 2) * math.comb(n, k)) / math.factorial(n + 1) * x ** (n - k)
                for n in range(first, last, 2)
            ),
            arb(0),
        )
        tail = 2 * arb(math.comb(last, k)) / math.factorial(last + 1) * abs(x) ** (last - k)
        found.append(total + tail.union(-tail))
    return found


def _exp(x: Array, order: int) -> list[Array]:
    """e^(x + t) = e^x e^t: the series at 0, times e^x. Works on a whole array."""
    e = each(arb.exp, x)
    flint.ctx.cap = order + 1
    at_zero = arb_series([0, 1], order + 1).exp()
    return [e if at_zero[k] == 1 else np.asarray(e * at_zero[k]) for k in range(order + 1)]


def _powers(x: Array, order: int, exponents: Array) -> list[Array] | None:
    """(x + t)^n by the binomial theorem, for a whole array with one exponent n >= 0."""
    n = exponents.flat[0] if exponents.size and exponents.dtype.kind in "iu" else -1
    if n < 0 or not (exponents == n).all():
        return None
    return [
        np.asarray(x ** int(n - k) * math.comb(n, k)) if k <= n else zeros(x.shape) for k in range(order + 1)
    ]


def _power(s: Any, n: arb) -> Any:
    return s ** _integer(n)


def _integer(x: arb) -> int:
    """The integer that a parameter is."""
    whole = x.unique_fmpz()
    if whole is None or not x.is_exact():
        raise Unsupported(f"this parameter must be an integer, not {x}")
    return int(whole)


def _real_power(x: arb, order: int, y: arb, *, along: int = 0) -> list[arb]:
    """(x + t)^(y + e): t^k has (y + e over k) x^(y - k) e^(e log x), of which [e^along] is asked for."""
    flint.ctx.cap = along + 1
    moved = arb_series([y, 1], along + 1)
    binomial, found = arb_series([1], along + 1), []
    for k in range(order + 1):
        found.append(_times_power(binomial, x, y - k, along))
        binomial = binomial * (moved - k) / (k + 1)
    return found


def _times_power(factor: Any, x: arb, y: arb, along: int) -> arb:
    """[e^along] of a factor times x^(y + e). At 0 from above: 0 for y > 0, 1 for y = 0."""
    if along == 0:
        return ZERO if factor[0].is_zero() else factor[0] * _to_the(x, y)
    if x.is_zero():
        return ZERO if y > 0 else arb("nan")
    found: arb = (factor * (arb_series([0, 1], along + 1) * x.log()).exp())[along] * _to_the(x, y)
    return found


def _to_the(x: arb, y: arb) -> arb:
    whole = y.unique_fmpz() if y.is_exact() else None
    if whole is not None:
        return x ** int(whole)
    if x.is_zero():
        return ZERO if y > 0 else arb("nan")
    if x > 0 or not (x >= 0 and y > 0):
        return x**y
    return (x.upper() ** y).union(ZERO)


def _gamma_upper(s: Any, a: arb) -> Any:
    return arb_series.gamma_upper(a, s, 1)


def _gamma_lower(s: Any, a: arb) -> Any:
    return arb_series.gamma_lower(a, s, 1)


def _gamma_lower_mixed(x: arb, order: int, a: arb, *, along: int) -> list[arb]:
    """P(a + e, x + t) as a series in e and t: P itself for t^0, its slope (below) for the others."""
    flint.ctx.cap = along + 1
    moved = arb_series([a, 1], along + 1)
    # (x + t)^(a-1) e^-(x+t) / Gamma(a), by powers of t: (1 + t/x)^(a-1) times e^-t
    front = ((moved - 1) * x.log() - x).exp() * moved.rgamma()
    binomials = [arb_series([1], along + 1)]
    for i in range(order):
        binomials.append(binomials[-1] * (moved - 1 - i) / ((i + 1) * x))
    found = [_gamma_lower_along(x, moved, along)]
    for k in range(order):
        signed = (b * (arb(-1) ** (k - i) / math.factorial(k - i)) for i, b in enumerate(binomials[: k + 1]))
        slope = sum(signed, arb_series([0], along + 1))
        found.append((front * slope)[along] / (k + 1))
    return found


def _gamma_lower_along(x: arb, moved: Any, along: int) -> arb:
    """[e^j] of P(a + e, x) = x^(a+e) / Gamma(a+e) sum_n (-x)^n / (n! (a+e+n)) (DLMF 8.7.1).

    From n = N > 2 x with a + N > 1 on, the terms of every coefficient are below x^n / n! and halve at least.
    """
    a, bits = moved[0], flint.ctx.prec
    if not (a > 0 and x > 0 and x < 2**14):
        raise Unsupported(
            f"the incomplete gamma function's derivative in a needs a > 0, 0 < x < 2^14: {a}, {x}"
        )
    flint.ctx.prec += int(float(x.upper()) * 1.5) + 16  # the terms cancel: e^x
    try:
        total, term, n = arb_series([0], along + 1), arb(1), 0
        while not (n > 2 * x + 1 and term < arb(2) ** -flint.ctx.prec):
            total += (moved + n).inv() * (term if n % 2 == 0 else -term)
            n += 1
            term = term * x / n
        tail = (2 * term).union(-2 * term)
        total += arb_series([tail] * (along + 1), along + 1)
        found: arb = ((moved * x.log()).exp() * moved.rgamma() * total)[along]
        return found
    finally:
        flint.ctx.prec = bits


def _gamma_upper_mixed(x: arb, order: int, a: arb, *, along: int) -> list[arb]:
    """Q = 1 - P."""
    return [-c for c in _gamma_lower_mixed(x, order, a, along=along)]


def _expint(x: arb, order: int, n: arb) -> list[arb]:
    """E_n, whose derivative is -E_{n-1} (DLMF 8.19.13)."""
    return [arb(-1) ** k / math.factorial(k) * x.expint(n - k) for k in range(order + 1)]


def _hyp1f1(x: arb, order: int, a: arb, b: arb) -> list[arb]:
    """M(a, b, x), whose derivative is a/b M(a + 1, b + 1, x) (DLMF 13.3.15)."""
    factor, found = arb(1), []
    for k in range(order + 1):
        found.append(factor * x.hypgeom_1f1(a + k, b + k))
        factor = factor * (a + k) / ((b + k) * (k + 1))
    return found


SCALARS: dict[str, Scalar] = {
    "exp": Scalar(arrays=_exp),
    "expm1": Scalar(lambda s: s.exp() - 1, arb.expm1),
    "log": Scalar(lambda s: s.log(), arb.log),
    "log1p": Scalar(lambda s: (1 + s).log(), arb.log1p),
    "log2": Scalar(lambda s: s.log() / arb(2).log()),
    "log10": Scalar(lambda s: s.log() / arb(10).log()),
    "exp2": Scalar(lambda s: (s * arb(2).log()).exp()),
    "sqrt": Scalar(lambda s: s.sqrt(), arb.sqrt),
    "rsqrt": Scalar(lambda s: s.rsqrt(), arb.rsqrt),
    "cbrt": Scalar(_odd(lambda s: (s.log() / 3).exp())),
    "reciprocal": Scalar(lambda s: 1 / s, lambda x: 1 / x),
    "power": Scalar(_power, _power, arrays=_powers),
    "real_power": Scalar(coefficients=_real_power, mixed=_real_power),
    "sin": Scalar(lambda s: s.sin(), arb.sin),
    "cos": Scalar(lambda s: s.cos(), arb.cos),
    "tan": Scalar(lambda s: s.tan(), arb.tan),
    "sinh": Scalar(lambda s: (s.exp() - (-s).exp()) / 2, arb.sinh),
    "cosh": Scalar(_cosh, arb.cosh),
    "tanh": Scalar(_tanh, arb.tanh),
    "asin": Scalar(lambda s: s.asin(), arb.asin),
    "acos": Scalar(lambda s: s.acos(), arb.acos),
    "atan": Scalar(lambda s: s.atan(), arb.atan),
    "asinh": Scalar(_odd(lambda s: (s + (s * s + 1).sqrt()).log()), arb.asinh),
    "acosh": Scalar(lambda s: (s + (s - 1).sqrt() * (s + 1).sqrt()).log(), arb.acosh),
    "atanh": Scalar(_log1p_ratio, arb.atanh),
    "erf": Scalar(lambda s: s.erf(), arb.erf),
    "erfc": Scalar(lambda s: s.erfc(), arb.erfc),
    "erfinv": Scalar(coefficients=_erfinv),
    "erfcinv": Scalar(coefficients=_erfcinv),
    "digamma": Scalar(_digamma_series, arb.digamma),
    "lgamma": Scalar(coefficients=_lgamma),
    "polygamma": Scalar(coefficients=_polygamma),
    "hurwitz_zeta": Scalar(coefficients=_hurwitz_zeta, mixed=_hurwitz_zeta_mixed),
    "bessel_i": Scalar(coefficients=_bessel_i),
    "beta_lower": Scalar(
        lambda s, a, b: arb_series.beta_lower(a, b, s, 1), lambda x, a, b: x.beta_lower(a, b, 1)
    ),
    "expi": Scalar(lambda s: s.ei(), arb.ei),
    "expint": Scalar(coefficients=_expint),
    "sine_integral": Scalar(lambda s: s.si(), arb.si),
    "cosine_integral": Scalar(lambda s: s.ci(), arb.ci),
    "fresnel_s": Scalar(lambda s: s.fresnel_s(), arb.fresnel_s),
    "fresnel_c": Scalar(lambda s: s.fresnel_c(), arb.fresnel_c),
    "erfi": Scalar(lambda s: s.erfi(), arb.erfi),
    "hyp1f1": Scalar(coefficients=_hyp1f1),
    "sinc": Scalar(coefficients=_sinc),
    "gamma_lower": Scalar(_gamma_lower, lambda x, a: x.gamma_lower(a, 1), mixed=_gamma_lower_mixed),
    "gamma_upper": Scalar(_gamma_upper, lambda x, a: x.gamma_upper(a, 1), mixed=_gamma_upper_mixed),
}
