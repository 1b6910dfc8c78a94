"""Taylor coefficients of hypergeometric functions and their kin, whose parameters are held fixed."""

from __future__ import annotations

import math
from collections.abc import Callable

import flint
from flint import acb, acb_series, arb, arb_series

from oracles.exact.program.errors import Unsupported

MOST = 512  # an argument whose bits are added, twice: beyond it a ball at more bits takes too long


def _shifted(
    value: Callable[..., arb], above: tuple[arb, ...], below: tuple[arb, ...], order: int
) -> list[arb]:
    """F with all parameters one larger, times the ones above by those below, is the derivative of F."""
    factor, found = arb(1), []
    for k in range(order + 1):
        top, bottom = [a + k for a in above], [b + k for b in below]
        found.append(arb(0) if factor.is_zero() else factor * value(*top, *bottom))
        factor = factor * math.prod(top) / (math.prod(bottom) * (k + 1))
    return found


def hyp2f1(x: arb, order: int, a: arb, b: arb, c: arb) -> list[arb]:
    """F(a, b; c; x) (DLMF 15.5.2)."""
    return _shifted(x.hypgeom_2f1, (a, b), (c,), order)


def hyp1f1(x: arb, order: int, a: arb, b: arb) -> list[arb]:
    """M(a, b, x) (DLMF 13.3.15). Its terms cancel by e^|x|, and Arb finds nothing where all bits do."""
    bits = flint.ctx.prec
    size = abs(x).upper()
    flint.ctx.prec += int(2 * float(size)) if size < MOST else 0
    try:
        found = _shifted(x.hypgeom_1f1, (a,), (b,), order)
    finally:
        flint.ctx.prec = bits
    return [c + 0 for c in found]  # rounded to as many bits as were asked for


def hyp1f1_mixed(x: arb, order: int, a: arb, b: arb, *, along: tuple[int, int]) -> list[arb]:
    """The same of M(a + e, b + f, x) by powers of e, or of f."""
    if along[0] and along[1]:
        raise Unsupported("hyp1f1 has no rule for the derivative with respect to both of its parameters")
    last = max(along)
    flint.ctx.cap = last + 1
    above = acb_series([acb(a), acb(bool(along[0]))], last + 1)
    below = acb_series([acb(b), acb(bool(along[1]))], last + 1)
    factor, found = acb_series([1], last + 1), []
    for k in range(order + 1):
        series = acb_series.hypgeom([above + k], [below + k], acb_series([acb(x)], last + 1))
        found.append((factor * series)[last].real)
        factor = factor * (above + k) / ((below + k) * (k + 1))
    return found


def hyp0f1(x: arb, order: int, b: arb) -> list[arb]:
    """0F1(; b; x) (DLMF 16.3.1)."""
    return _shifted(x.hypgeom_0f1, (), (b,), order)


def hyperu(x: arb, order: int, a: arb, b: arb) -> list[arb]:
    """U(a, b, x), whose derivative is -a U(a + 1, b + 1, x) (DLMF 13.3.22)."""
    factor, found = arb(1), []
    for k in range(order + 1):
        found.append(factor * x.hypgeom_u(a + k, b + k))
        factor = -factor * (a + k) / (k + 1)
    return found


def erfcx(x: arb, order: int) -> list[arb]:
    """e^(x^2) erfc(x), without its overflow and the derivatives' cancellation where x is large.

    There c_k = (-1)^k U((k + 1)/2, 1/2, x^2) / sqrt(pi) (DLMF 7.18.9 and 7.18.10), in whose asymptotic series
    nothing cancels; elsewhere c_1 = 2 x c_0 - 2/sqrt(pi), and (k + 1) c_{k+1} = 2 (x c_k + c_{k-1}).
    """
    root = arb.pi().sqrt()
    if x > flint.ctx.prec**0.5:  # where the asymptotic series has all digits
        return [(-1) ** k * (x * x).hypgeom_u(arb(k + 1) / 2, arb(0.5)) / root for k in range(order + 1)]
    value = (x * x).exp() * x.erfc()
    found = [value, 2 * x * value - 2 / root]
    for k in range(1, order):
        found.append(2 * (x * found[k] + found[k - 1]) / (k + 1))
    return found[: order + 1]


def hermite(x: arb, order: int, n: arb) -> list[arb]:
    """H_n, whose derivative is 2n H_{n-1} (DLMF 18.9.25)."""
    factor, found = arb(1), []
    for k in range(order + 1):
        found.append(arb(0) if factor.is_zero() else factor * x.hermite_h(n - k))
        factor = factor * 2 * (n - k) / (k + 1)
    return found


def elliptic(x: arb, order: int, m: arb, *, kind: str) -> list[arb]:
    """F(x | m) or E(x | m): the integral of (1 - m sin^2 x)^(-1/2) or ^(1/2) from 0 (DLMF 19.2.4 and 5)."""
    of = acb.elliptic_f if kind == "f" else acb.elliptic_e_inc
    value = of(acb(x), acb(m))
    found = value.real if value.imag.contains(0) else arb("nan")
    if order == 0:
        return [found]
    flint.ctx.cap = order
    inside = 1 - m * arb_series([x, 1], order).sin() ** 2
    slope = inside.rsqrt() if kind == "f" else inside.sqrt()
    return [found, *(slope[k] / (k + 1) for k in range(order))]


def wright_omega(x: arb, order: int) -> list[arb]:
    """The w of w + log w = x: W(e^x); the series of its inverse, reverted."""
    w = x.exp().lambertw()
    if order == 0:
        return [w]
    flint.ctx.cap = order + 1
    s = arb_series([w, 1], order + 1)
    forward = s + s.log()
    inverse = arb_series([0, *(forward[k] for k in range(1, order + 1))], order + 1).reversion()
    return [w, *(inverse[k] for k in range(1, order + 1))]
