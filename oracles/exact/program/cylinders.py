"""Taylor coefficients of Bessel's, Kelvin's and Struve's functions of real order, which is held fixed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flint
from flint import acb, acb_series, arb, arb_series

# Which way the neighbours go into the slope 2 C' = C_{nu-1} + sign C_{nu+1}, and the sign before it.
_NEIGHBOURS = {"bessel_j": (1, -1), "bessel_y": (1, -1), "bessel_i": (1, 1), "bessel_k": (-1, 1)}


def cylinder(kind: str) -> Callable[..., list[arb]]:
    """J, Y, I or K of order nu at x: C^(k) = (+-1/2)^k sum_j (+-1)^j binom(k, j) C_{nu-k+2j}.

    DLMF 10.6.7 for J and Y, 10.29.5 for I and e^(nu pi i) K.
    """

    def coefficients(x: arb, order: int, nu: arb) -> list[arb]:
        return _derivatives(kind, x, order, nu)

    return coefficients


def _derivatives(kind: str, z: Any, order: int, nu: Any) -> list[Any]:
    """The Taylor coefficients at a real or complex number."""
    outer, inner = _NEIGHBOURS[kind]
    values = [getattr(z, kind)(nu + m) for m in range(-order, order + 1)]
    found = []
    for k in range(order + 1):
        terms = (inner**j * math.comb(k, j) * values[order - k + 2 * j] for j in range(k + 1))
        found.append(sum(terms, 0 * values[order]) * outer**k / (2**k * math.factorial(k)))
    return found


def cylinder_mixed(kind: str) -> Callable[..., list[arb]]:
    """The same of order nu + e by powers of e, for x > 0; K and Y where nu is no integer."""

    def coefficients(x: arb, order: int, nu: arb, *, along: int) -> list[arb]:
        flint.ctx.cap = along + 1
        if not x > 0:
            return [arb("nan")] * (order + 1)
        return [c[along] for c in _derivatives(kind, _Moved(x, along), order, arb_series([nu, 1], along + 1))]

    return coefficients


class _Moved:
    """What gives the functions of x as series in their order."""

    def __init__(self, x: arb, along: int) -> None:
        self.x, self.length = x, along + 1

    def bessel_j(self, nu: Any) -> Any:
        return self._first(nu, -1)

    def bessel_i(self, nu: Any) -> Any:
        return self._first(nu, 1)

    def bessel_k(self, nu: Any) -> Any:
        """pi/2 (I_-nu - I_nu) / sin(nu pi) (DLMF 10.27.4)."""
        return (self.bessel_i(-nu) - self.bessel_i(nu)) * arb.pi() / 2 / nu.sin_pi()

    def bessel_y(self, nu: Any) -> Any:
        """(J_nu cos(nu pi) - J_-nu) / sin(nu pi) (DLMF 10.2.3)."""
        return (self.bessel_j(nu) * nu.cos_pi() - self.bessel_j(-nu)) / nu.sin_pi()

    def _first(self, nu: Any, sign: int) -> Any:
        """(x/2)^nu / Gamma(nu + 1) 0F1(; nu + 1; +-x^2/4) (DLMF 10.2.2 and 10.25.2)."""
        argument = acb_series([acb(sign * self.x * self.x / 4)], self.length)
        below = acb_series([acb(nu[k] + (k == 0)) for k in range(self.length)], self.length)
        series = acb_series.hypgeom([], [below], argument)
        whole = arb_series([series[k].real for k in range(self.length)], self.length)
        return (nu * (self.x / 2).log()).exp() * (nu + 1).rgamma() * whole


_KELVIN = {"ber": ("bessel_j", 3), "bei": ("bessel_j", 3), "ker": ("bessel_k", 1), "kei": ("bessel_k", 1)}


def kelvin(x: arb, order: int, *, kind: str) -> list[arb]:
    """ber + i bei = J_0(x e^(3 pi i/4)), ker + i kei = K_0(x e^(pi i/4)) (DLMF 10.61.1 and 2)."""
    name, eighths = _KELVIN[kind]
    if name == "bessel_k" and not x > 0:
        return [arb("nan")] * (order + 1)
    turn = acb(arb(eighths) / 4).exp_pi_i()
    found = [c * turn**k for k, c in enumerate(_derivatives(name, turn * x, order, acb(0)))]
    return [c.real if kind.endswith("r") else c.imag for c in found]


def struve(x: arb, order: int, nu: arb, *, modified: bool) -> list[arb]:
    """(x/2)^(nu+1) / (Gamma(3/2) Gamma(nu+3/2)) 1F2(1; 3/2, nu+3/2; -+x^2/4) (DLMF 11.2.1 and 2)."""
    flint.ctx.cap = order + 1
    half = acb_series([acb(x) / 2, acb(1) / 2], order + 1)
    argument = half * half if modified else -half * half
    above, below = [acb_series([1])], [acb_series([acb(1.5)]), acb_series([acb(nu) + 1.5])]
    series = acb_series.hypgeom(above, below, argument, regularized=True)
    power = nu + 1
    whole = power.unique_fmpz() if power.is_exact() else None
    if whole is not None and whole >= 0:
        front = half ** int(whole)
    elif x > 0:
        front = (half.log() * acb(power)).exp()
    else:
        return [arb("nan")] * (order + 1)
    found = front * series
    return [found[k].real for k in range(order + 1)]
