"""Taylor coefficients of functions without a power series in Arb, each with where they come from.

`name(x, order, *parameters)` gives c_0 to c_order of f(x + t) as balls; `along=j` those of the j-th Taylor
coefficient in the parameter, where that may move too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import flint
from flint import acb, arb, arb_poly, arb_series

from oracles.exact.program.balls import ZERO
from oracles.exact.program.errors import Unsupported

HUGE_S = 1e20  # beyond it zeta is not asked of Arb: after minutes it knows nothing


def digamma(x: arb, order: int) -> list[arb]:
    """Arb's own value, and the slopes of -(1/Gamma)' / (1/Gamma), good on both sides of zero.

    Above 0 each coefficient only rises or only falls: of a ball it is between those at its ends, which is
    up to twenty times narrower. (-1)^(k+1) c_k is zeta(k + 1, x): positive terms that fall (DLMF 5.15.1).
    """
    if x > 0 and _is_wide(x):
        ends = (digamma(x.lower(), order), digamma(x.upper(), order))
        return [low.union(high) for low, high in zip(*ends, strict=True)]
    value = x.digamma()
    if order == 0:
        return [value]
    flint.ctx.cap = order + 2  # the derivative costs one more coefficient
    r = arb_series([x, 1], order + 2).rgamma()
    try:
        series = -(r.derivative() / r)
    except ValueError:  # 1/Gamma may be 0: nothing is known at this precision
        return [arb("nan")] * (order + 1)
    return [value, *(series[k] for k in range(1, order + 1))]


def lgamma(x: arb, order: int) -> list[arb]:
    """log|Gamma|: Arb's series for positive x; for negative x its constant term is -log|1/Gamma|.

    Of a ball above 0 the value is off from that at the middle by the largest slope times the radius.
    """
    if x > 0 and _is_wide(x):
        slopes = digamma(x, max(order - 1, 0))
        value = arb(x.mid()).lgamma() + arb(0, x.rad() * abs(slopes[0]).upper())
    elif x > 0:
        flint.ctx.cap = order + 1
        series = arb_series([x, 1], order + 1).lgamma()
        return [series[k] for k in range(order + 1)]
    else:
        value = -abs(x.rgamma()).log()
        slopes = digamma(x, order - 1) if order else []
    return [value, *(c / (k + 1) for k, c in enumerate(slopes[:order]))]


def _is_wide(x: arb) -> bool:
    """Whether the ball of an argument matters beside what is lost at this precision."""
    return x.rel_accuracy_bits() < flint.ctx.prec - 16 and x.is_finite()


def polygamma(x: arb, order: int, which: arb) -> list[arb]:
    """psi^(n) is the n-th derivative of digamma: c_k of it is (n+k)!/k! times c_{n+k} of digamma."""
    n = integer(which)
    base = digamma(x, n + order)
    return [base[n + k] * (math.factorial(n + k) // math.factorial(k)) for k in range(order + 1)]


def hurwitz_zeta(q: arb, order: int, s: arb) -> list[arb]:
    """Zeta(s, q + t) = sum_n (n + q + t)^-s, expanded term by term: c_k = binom(-s, k) zeta(s + k, q)."""
    return hurwitz_zeta_mixed(q, order, s, along=0)


def hurwitz_zeta_mixed(q: arb, order: int, s: arb, *, along: int) -> list[arb]:
    """The same with s + e for s, as series in e."""
    flint.ctx.cap = along + 1
    moved, factor, found = arb_series([s, 1], along + 1), arb_series([1], along + 1), []
    for k in range(order + 1):
        found.append((factor * _zeta_series(s + k, q, along))[along])
        factor = factor * -(moved + k) / (k + 1)
    return found


def _zeta_series(s: arb, q: arb, along: int) -> arb_series:
    """Zeta(s + e, q) in powers of e.

    Arb's sum takes for ever where s is huge, and has no digit. There all terms but q^-s are negligible. The
    others' sum, divided by it, is sum_n r_n^(s + e) with r_n = q / (q + n), where the coefficient of e^j is
    one of r_n^s log(r_n)^j / j!, and |log r|^j / j! <= 1/r. What is left, sum_n r_n^(s-1), is at most its
    first term and an integral.
    """
    if s > 2 and q > 0:
        tail = (q / (q + 1)) ** (s - 1) * (1 + (q + 1) / (s - 2))
        if tail < arb(2) ** -flint.ctx.prec:
            rest = tail.union(-tail)
            first = arb_series([0, -q.log()], along + 1).exp() * q**-s
            return first * arb_series([1 + rest, *([rest] * along)], along + 1)
    if abs(s) > HUGE_S:
        return arb_series([arb("nan")] * (along + 1), along + 1)
    return arb_series([s, 1], along + 1).zeta(q)


def bessel_i(x: arb, order: int, *, nu: int, scaled: bool) -> list[arb]:
    """I_nu^(k) = 2^-k sum_j binom(k, j) I_{nu-k+2j} (DLMF 10.29.5); scaled: times exp(-|x|) as a series."""
    values = {n: x.bessel_i(n) for n in {abs(nu + n) for n in range(-order, order + 1)}}
    found = [
        sum((math.comb(k, j) * values[abs(nu - k + 2 * j)] for j in range(k + 1)), arb(0))
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


def bessel_j(x: arb, order: int, *, nu: int) -> list[arb]:
    """J_nu^(k) = 2^-k sum_j (-1)^j binom(k, j) J_{nu-k+2j} (DLMF 10.6.7)."""

    def j_of(n: int) -> arb:
        return x.bessel_j(abs(n)) * (-1 if n < 0 and n % 2 else 1)

    return [
        sum(((-1) ** j * math.comb(k, j) * j_of(nu - k + 2 * j) for j in range(k + 1)), arb(0))
        / (2**k * math.factorial(k))
        for k in range(order + 1)
    ]


def erfcinv(x: arb, order: int) -> list[arb]:
    """erfcinv(x) = erfinv(1 - x), from its own value, which keeps its digits for small x."""
    return _inverse(x.erfcinv(), order, arb_series.erfc)


def erfinv(x: arb, order: int) -> list[arb]:
    """The inverse of erf."""
    return _inverse(x.erfinv(), order, arb_series.erf)


def _inverse(y: arb, order: int, function: Callable[[Any], Any]) -> list[arb]:
    """The inverse of a function f at f(y), where it is y: the series f(y + t) - f(y), reverted."""
    if order == 0:
        return [y]
    flint.ctx.cap = order + 1
    forward = function(arb_series([y, 1], order + 1))
    inverse = arb_series([0, *(forward[k] for k in range(1, order + 1))], order + 1).reversion()
    return [y, *(inverse[k] for k in range(1, order + 1))]


def spence(x: arb, order: int) -> list[arb]:
    """Spence's function, the dilogarithm of 1 - x (DLMF 25.12.1), whose slope is log(x) / (1 - x).

    That is -F(1, 1; 2; 1 - x) (DLMF 15.4.1), which has no singularity at 1; F's derivatives are DLMF 15.5.2.
    """
    value = acb(1 - x).polylog(2).real
    if 0 < x < 0.5:  # 1 - x may be rounded to 1, where the dilogarithm has a branch point (DLMF 25.12.6)
        value = arb.pi() ** 2 / 6 - x.log() * (-x).log1p() - acb(x).polylog(2).real
    if order == 0:
        return [value]
    if x < 0.5 or x > 2:
        flint.ctx.cap = order
        here = arb_series([x, 1], order)
        slope = here.log() / (1 - here)
        return [value, *(slope[j] / (j + 1) for j in range(order))]
    slopes = [(-1) ** (j + 1) * (1 - x).hypgeom_2f1(1 + j, 1 + j, 2 + j) / (j + 1) ** 2 for j in range(order)]
    return [value, *slopes]


def sinc(x: arb, order: int) -> list[arb]:
    """sin(x)/x. Near 0 its Taylor series about 0, differentiated: c_k = sum_n a_n binom(n, k) x^(n-k).

    With a_n = (-1)^(n/2) / (n+1)! for even n. The terms beyond N are at most 2 |a_N| binom(N, k) |x|^(N-k)
    in all for |x| <= 1, since each is then less than half of the one before.
    """
    if x > 0.5 or x < -0.5:
        flint.ctx.cap = order + 1
        s = arb_series([x, 1], order + 1)
        quotient = s.sin() / s
        return [quotient[k] for k in range(order + 1)]
    found, last = [], _last_of_sinc(order, flint.ctx.prec)
    for k in range(order + 1):
        total = _sinc_terms(k, last, flint.ctx.prec)(x**2) * x ** (k % 2)
        tail = 2 * arb(math.comb(last, k)) / math.factorial(last + 1) * abs(x) ** (last - k)
        found.append(total + tail.union(-tail))
    return found


@lru_cache
def _last_of_sinc(order: int, bits: int) -> int:
    """The first term that is left out."""
    last = 2 * order + 8
    while math.lgamma(last + 2) / math.log(2) < bits + 8 * order + 16:
        last += 2
    return last


@lru_cache
def _sinc_terms(k: int, last: int, bits: int) -> arb_poly:
    """a_n binom(n, k) of the terms before the last one, with so many bits, in powers of x^2."""
    terms = range(k + k % 2, last, 2)
    return arb_poly([arb((-1) ** (n // 2) * math.comb(n, k)) / math.factorial(n + 1) for n in terms])


def integer(x: arb) -> int:
    """The integer that a parameter is.

    Raises:
        Unsupported: It is none, or not known exactly.
    """
    whole = x.unique_fmpz()
    if whole is None or not x.is_exact():
        raise Unsupported(f"this parameter must be an integer, not {x}")
    return int(whole)


def power(s: Any, n: arb) -> Any:
    """s^n by multiplications."""
    return s ** integer(n)


def real_power(x: arb, order: int, y: arb, *, along: int = 0) -> list[arb]:
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


LARGE = 16  # a parameter of an incomplete gamma function


def gamma_lower(x: arb, order: int, a: arb) -> list[arb]:
    """P(a, x + t) by powers of t."""
    return [_gamma_lower(x, a), *_gamma_slopes(x, order, a)]


def gamma_upper(x: arb, order: int, a: arb) -> list[arb]:
    """Q = 1 - P."""
    return [x.gamma_upper(a, 1), *(-c for c in _gamma_slopes(x, order, a))]


def _gamma_slopes(x: arb, order: int, a: arb) -> list[arb]:
    """c_1 to c_order of P(a, x + t), whose slope is (x + t)^(a-1) e^-(x+t) / Gamma(a) (DLMF 8.8.13)."""
    powers = real_power(x, order - 1, a - 1) if order else []
    scale, found = (-x).exp() * a.rgamma(), []
    for k in range(order):
        slope = sum((powers[i] * (arb(-1) ** (k - i) / math.factorial(k - i)) for i in range(k + 1)), ZERO)
        found.append(scale * slope / (k + 1))
    return found


def _gamma_lower(x: arb, a: arb) -> arb:
    """P(a, x). For a large a and an x below some 1.1 a Arb's own takes up to a second, and finds little.

    The series below has few terms there but for a huge x beside a, where P is no small part of 1.
    """
    if not (a > LARGE and x > 0):
        return x.gamma_lower(a, 1)
    if x < a and (x < 2**22 or 10 * x < 9 * a):
        return _gamma_lower_along(x, arb_series([a], 1), 0)
    return 1 - x.gamma_upper(a, 1)


def gamma_lower_mixed(x: arb, order: int, a: arb, *, along: int) -> list[arb]:
    """P(a + e, x + t) as a series in e and t: P itself for t^0, its slope (below) for the others.

    P(a, 0) is 0 for every a > 0; for a <= 0 the libraries have no value.
    """
    if not (a > 0 and x > 0):
        return [ZERO if a > 0 and x.is_zero() else arb("nan"), *[arb("nan")] * order]
    flint.ctx.cap = along + 1
    moved = arb_series([a, 1], along + 1)
    # (x + t)^(a-1) e^-(x+t) / Gamma(a), by powers of t: (1 + t/x)^(a-1) times e^-t
    front = ((moved - 1) * x.log() - x).exp() * moved.rgamma()
    binomials = [arb_series([1], along + 1)]
    for i in range(order):
        binomials.append(binomials[-1] * (moved - 1 - i) / ((i + 1) * x))
    found = [_gamma_lower_along(x, moved, along) if x < 2**14 else _gamma_lower_far(x, a, along)]
    for k in range(order):
        signed = (b * (arb(-1) ** (k - i) / math.factorial(k - i)) for i, b in enumerate(binomials[: k + 1]))
        slope = sum(signed, arb_series([0], along + 1))
        found.append((front * slope)[along] / (k + 1))
    return found


def _gamma_lower_along(x: arb, moved: Any, along: int) -> arb:
    """[e^j] of P(a + e, x) = x^(a+e) e^-x / Gamma(a+e+1) sum_n T_n, T_n = T_(n-1) x / (a+e+n) (DLMF 8.11.4).

    After N are T_N times products of q / (1 - e/c) at the most, with c = a + N and q = x/c. Where c >= x + 1
    the coefficients of their sum, sum_m C(m+j-1, j) q^m / c^j <= r (r/c)^j with r = 1 / (1 - q) <= c, are at
    most r: all that is left out is below r times the sum of T_N's own coefficients.
    """
    bits = flint.ctx.prec
    flint.ctx.prec += 32  # thousands of terms, each rounded
    try:
        total = term = arb_series([1], along + 1)
        last, n = arb(2) ** -flint.ctx.prec, 0
        while True:
            n += 1
            term = term * (x / (moved + n))
            total += term
            c = moved[0] + n
            if n % 8 == 0 and c >= x + 1:
                left = c / (c - x) * sum((abs(term[j]) for j in range(along + 1)), ZERO)
                if left < last * total[0].abs_upper() or not left.is_finite():
                    break
        total += arb_series([left.union(-left)] * (along + 1), along + 1)
        found: arb = ((moved * x.log() - x).exp() * (moved + 1).rgamma() * total)[along]
        return found
    finally:
        flint.ctx.prec = bits


def _gamma_lower_far(x: arb, a: arb, along: int) -> arb:
    """[e^j] of P(a + e, x) for a large x, where it is next to nothing: that of -Q.

    The derivatives of Q in a are integrals of t^(a-1) e^-t / Gamma(a) from x on, times log t - psi(a), and
    times (log t - psi(a))^2 - psi'(a). With 0 <= log t <= t they are bounded by Q(a+1, x) and Q(a+2, x).
    """
    if along > 2:
        raise Unsupported(f"the incomplete gamma function's derivative of order {along} in a at x = {x}")
    psi, own = abs(a.digamma()), x.gamma_upper(a, 1)
    bound = a * x.gamma_upper(a + 1, 1) + psi * own
    if along == 2:
        bound = a * (a + 1) * x.gamma_upper(a + 2, 1) + (psi**2 + arb(2).zeta(a) / 2) * own
    return bound.union(-bound)


def gamma_upper_mixed(x: arb, order: int, a: arb, *, along: int) -> list[arb]:
    """Q = 1 - P."""
    return [-c for c in gamma_lower_mixed(x, order, a, along=along)]


def beta_lower(x: arb, order: int, a: arb, b: arb) -> list[arb]:
    """I_x(a, b); beyond the mean 1 - I_(1-x)(b, a) (DLMF 8.17.4), where Arb's own finds few digits."""
    far = a > 0 and b > 0 and (a + b) * x > a
    value = 1 - (1 - x).beta_lower(b, a, 1) if far else x.beta_lower(a, b, 1)
    if order == 0:
        return [value]
    flint.ctx.cap = order + 1
    found = arb_series.beta_lower(a, b, arb_series([x, 1], order + 1), 1)
    return [value, *(found[k] for k in range(1, order + 1))]


def expint(x: arb, order: int, n: arb) -> list[arb]:
    """E_n, whose derivative is -E_{n-1} (DLMF 8.19.13)."""
    return [arb(-1) ** k / math.factorial(k) * x.expint(n - k) for k in range(order + 1)]
