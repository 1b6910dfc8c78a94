"""Balls as arrays: a midpoint h + l as pairs of doubles, and a radius r, for all elements at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.program.balls import filled, precision
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import Array, Shape

Numbers = NDArray[np.float64]
WIDE = 2200  # bits: any sum of two doubles is exact


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Balls: element by element the number is within r of h + l.

    Attributes:
        h, l: The midpoint: h is the double nearest to it, l what that leaves. An infinite h with radius 0 is
            that infinity, as it stands in masks.
        r: The radius; not finite where nothing is known. {0, 0, infinity} has no end, as Arb's has none.
    """

    h: Numbers
    l: Numbers  # noqa: E741 (low, beside high)
    r: Numbers

    @property
    def shape(self) -> Shape:
        """The shape of the array."""
        return self.h.shape

    @property
    def size(self) -> int:
        """How many balls there are."""
        return self.h.size

    @property
    def flat(self) -> Pairs:
        """The balls in one row."""
        return Pairs(self.h.reshape(-1), self.l.reshape(-1), self.r.reshape(-1))

    def reshape(self, shape: Shape) -> Pairs:
        """The balls in another shape."""
        return Pairs(self.h.reshape(shape), self.l.reshape(shape), self.r.reshape(shape))

    def __getitem__(self, index: Any) -> Pairs:
        return Pairs(self.h[index], self.l[index], self.r[index])

    @property
    def known(self) -> bool:
        """Whether every element has a ball."""
        return bool(np.isfinite(self.h).all() and np.isfinite(self.r).all())

    @property
    def settled(self) -> bool:
        """Whether every element has a ball, or is known to have none that ends."""
        return bool((self.is_endless() | (np.isfinite(self.h) & np.isfinite(self.r))).all())

    @property
    def balls(self) -> Array:
        """The same as Arb's balls, nothing of them rounded."""
        columns = (a.ravel().tolist() for a in (self.h, self.l, self.r))
        with precision(WIDE):
            return filled([_ball(*element) for element in zip(*columns, strict=True)], self.shape)

    def ball(self, index: Any) -> arb:
        """The ball of one element."""
        with precision(WIDE):
            return _ball(*(float(a[index]) for a in (self.h, self.l, self.r)))

    def is_zero(self) -> NDArray[np.bool_]:
        """Where it is exactly 0."""
        return np.asarray((self.h == 0) & (self.l == 0) & (self.r == 0))

    def is_endless(self) -> NDArray[np.bool_]:
        """Where it is known to have no end."""
        return np.asarray((self.h == 0) & (self.l == 0) & (self.r == np.inf))

    def contains(self, numbers: Numbers) -> NDArray[np.bool_]:
        """Where a number may be the one that is meant; NaN and infinities are none."""
        with np.errstate(invalid="ignore"):
            apart = np.abs((numbers - self.h) - self.l)
            return np.asarray(np.isfinite(numbers) & ~(apart * (1 - 2.0**-50) > self.r))

    def meets(self, other: Pairs) -> NDArray[np.bool_]:
        """Where both balls certainly hold a common number; False says nothing."""
        apart, slack = self._apart(other)
        return np.asarray(apart + slack <= (self.r + other.r) * (1 - 2.0**-50))

    def misses(self, other: Pairs) -> NDArray[np.bool_]:
        """Where they certainly hold no common number; False says nothing."""
        apart, slack = self._apart(other)
        return np.asarray(apart > (self.r + other.r) * (1 + 2.0**-50) + slack)

    def _apart(self, other: Pairs) -> tuple[Numbers, Numbers]:
        """How far apart the middles are, up to 2^-52 of it, and what else rounding may have lost of it.

        Of equal high parts only the difference of the low ones is rounded, once: numbers meet themselves.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.abs((self.h - other.h) + (self.l - other.l))
            slack = np.where(self.h == other.h, 0.0, 2.0**-104 * (np.abs(self.h) + np.abs(other.h)))
        return apart, slack


def of_numbers(numbers: Any) -> Pairs:
    """The balls of radius 0 around floating numbers; around NaN and infinities, as inputs, nothing is known.

    Raises:
        Unsupported: They are no real floating numbers.
    """
    array = np.asarray(numbers)
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise Unsupported(f"{array.dtype} for a floating value")
    wide = array.astype(np.float64)
    none = np.zeros(wide.shape)
    with np.errstate(invalid="ignore"):
        return Pairs(wide, none, wide - wide)


def sum_of_numbers(x: Numbers, y: Numbers) -> Pairs:
    """x + y, exactly: Moller and Knuth's sum of two; infinities stay."""
    s = x + y
    with np.errstate(invalid="ignore"):
        z = s - x
        low = (x - (s - z)) + (y - z)
    return Pairs(s, np.where(np.isinf(x), 0.0, low), np.zeros(s.shape))


def of_balls(balls: Array) -> Pairs:
    """Pairs around Arb's balls, each radius larger by what its midpoint loses."""
    with precision(WIDE):
        rows = [_pair(ball) for ball in balls.ravel().tolist()]
    columns = np.array(rows, np.float64).reshape(-1, 3).T
    h, low, r = (np.ascontiguousarray(c).reshape(balls.shape) for c in columns)
    return Pairs(h, low, r)


def _ball(h: float, low: float, r: float) -> arb:
    if not math.isfinite(r):
        return arb("nan")  # which may be a pole, where there is no number at all
    middle = arb(h) + low if low else arb(h)
    return arb(middle, r) if r else middle


def _pair(ball: arb) -> tuple[float, float, float]:
    if not ball.is_finite():
        infinite = ball.is_exact() and not ball.is_nan()
        return (float(ball), 0.0, 0.0) if infinite else (np.nan, np.nan, np.inf)
    high = float(ball)
    rest = ball - high
    low = float(rest)
    if low and high + low != high:  # `float` need not give the nearest
        high, low = high + low, low - ((high + low) - high)
    left = ball - high - low
    if left.is_zero():
        return high, low, 0.0
    return high, low, float(np.nextafter(float(left.abs_upper()), np.inf))
