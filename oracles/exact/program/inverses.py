"""Taylor coefficients of the inverses of distribution functions, whose parameters are held fixed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import flint
from flint import arb, arb_series

from oracles.exact.program import series

Forward: TypeAlias = Callable[[arb, int], list[arb]]  # its coefficients 0 to an order, at a number

STEPS, NEWTON = 2_000, 200  # halvings of an interval, and steps that double the digits


def _inverted(forward: Forward, x: arb, order: int, high: arb) -> list[arb]:
    """The y in (0, high) with forward(y) = x, for a function that rises or falls there; its series, reverted.

    What is found is proven by the signs of forward - x on both sides of it.
    """
    y = _enclosed(forward, x, high)
    if order == 0 or not y.is_finite():
        return [y] + [arb("nan")] * order
    slopes = forward(y, order)[1:]
    flint.ctx.cap = order + 1
    inverse = arb_series([0, *slopes], order + 1).reversion()
    return [y, *(inverse[k] for k in range(1, order + 1))]


def _enclosed(forward: Forward, x: arb, high: arb) -> arb:
    def value(y: arb) -> arb:
        return forward(y, 0)[0]

    low, top = arb(0), arb(1) if not high.is_finite() else high
    rises = bool(value(top / 2) < value(top * 3 / 4))
    while not high.is_finite() and not _beyond(value(top), x, rises):
        top *= 2
        if top > arb(2) ** 1100:
            return arb("nan")
    for _ in range(STEPS):  # to a few digits
        middle = ((low + top) / 2).mid()
        if low > 0 and top < low * (1 + arb(2) ** -16):
            break
        if _beyond(value(middle), x, rises):
            top = middle
        else:
            low = middle
    y, bits = ((low + top) / 2).mid(), flint.ctx.prec
    for _ in range(NEWTON):
        at = forward(y, 1)
        step = ((x.mid() - at[0]) / at[1]).mid()
        if not step.is_finite():
            return arb("nan")
        y = (y + step).mid()
        if abs(step) <= abs(y) * arb(2) ** (4 - bits):
            break
    width = abs(y) * arb(2) ** (8 - bits)
    for _ in range(bits):
        sides = [value(y + width) - x, value(y - width) - x]
        if (sides[0] > 0 and sides[1] < 0) if rises else (sides[0] < 0 and sides[1] > 0):
            return y + arb(0, width.upper())
        width *= 2
    return arb("nan")


def _beyond(found: arb, x: arb, rises: bool) -> bool:
    return bool(found.mid() > x.mid()) if rises else bool(found.mid() < x.mid())


def _inside(x: arb) -> bool:
    return bool(x > 0 and x < 1)


def gamma_lower(x: arb, order: int, a: arb) -> list[arb]:
    """The y with P(a, y) = x."""
    if not _inside(x):
        return [arb("nan")] * (order + 1)
    return _inverted(lambda y, k: series.gamma_lower(y, k, a), x, order, arb("inf"))


def gamma_upper(x: arb, order: int, a: arb) -> list[arb]:
    """The y with Q(a, y) = x."""
    if not _inside(x):
        return [arb("nan")] * (order + 1)
    return _inverted(lambda y, k: series.gamma_upper(y, k, a), x, order, arb("inf"))


def beta_lower(x: arb, order: int, a: arb, b: arb) -> list[arb]:
    """The y with I_y(a, b) = x."""
    if not _inside(x):
        return [arb("nan")] * (order + 1)
    return _inverted(lambda y, k: series.beta_lower(y, k, a, b), x, order, arb(1))
