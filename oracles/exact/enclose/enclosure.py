"""An array of proven enclosures, and the numbers a user reads off it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.program.balls import precision
from oracles.exact.program.program import Array

Index = tuple[int, ...] | int


@dataclass(frozen=True)
class Enclosure:
    """The true value of every element, each as a ball: a midpoint and a proven error.

    Attributes:
        balls: Object array of Arb's balls; each contains the exact value.
        bits: The precision at which they were computed.
        kinks: Where the point lies on a kink: there the ball is the hull of the legal one-sided values.
    """

    balls: Array
    bits: int
    kinks: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.balls.shape

    @property
    def mid(self) -> NDArray[np.float64]:
        """The float64 nearest to each ball's midpoint."""
        return self._read(lambda b: float(b.mid()))

    @property
    def rest(self) -> NDArray[np.float64]:
        """What `mid` leaves of each midpoint, as float64: `mid + rest` has about 106 bits."""
        return self._read(lambda b: float(b.mid() - arb(float(b.mid()))) if b.is_finite() else math.nan)

    @property
    def wide(self) -> NDArray[np.bool_]:
        """Elements with hardly a proven digit: at a kink, the hulls of several legal values."""
        wide = [not b.is_exact() and b.rel_accuracy_bits() < 32 for b in self.balls.ravel()]
        return np.array(wide, bool).reshape(self.shape)

    @property
    def radius(self) -> NDArray[np.float64]:
        """The proven error of each ball's midpoint, as float64 rounded up; infinite where nothing is known.

        The midpoint has `bits` bits and `mid` only 53: the error of `mid` is this plus half an ulp.
        """
        return self._read(lambda b: _up(b.rad()) if b.is_finite() else math.inf)

    @property
    def proven_error(self) -> float:
        """The largest radius off the kinks, relative to the largest element (at least the least float64)."""
        radius, size = arb(0), arb(2) ** -1074
        for ball in self.balls[~self.wide] if self.kinks else self.balls.ravel():
            radius = ball.rad() if not ball.rad() <= radius else radius
            size = ball.abs_lower() if ball.abs_lower() > size else size
        return float(radius / size) if radius.is_finite() else math.inf

    @property
    def proven_digits(self) -> NDArray[np.float64]:
        """How many decimal digits of each element are proven: -log10(radius / |midpoint|), 0 at the least."""
        return self._read(lambda b: min(max(b.rel_accuracy_bits(), 0), self.bits) * math.log10(2))

    def digits(self, index: Index = (), n: int | None = None) -> str:
        """The element at `index` in decimal, with as many digits as are proven, at most n.

        Both ends of the ball round to what is given, so every digit is right. A ball that is too wide for one
        digit gives "?"; ask for more `bits`.
        """
        ball = self.balls[index]
        most = n or max(1, math.floor(self.bits * math.log10(2)))
        with precision(2 * self.bits + 64):
            for count in range(most, 0, -1):
                low, high = (_decimal(end, count) for end in (ball.lower(), ball.upper()))
                if low == high:
                    return low
        return "?"

    def shown(self, index: Index = (), n: int = 12) -> str:
        """The element by its proven digits, or, at a kink or where it is wide, by its ends."""
        text = self.digits(index, n)
        ball = self.balls[index]
        if text != "?" or not ball.is_finite():
            return text
        low, high = (float(end) for end in (ball.lower(), ball.upper()))
        small = 2**-24 * max(abs(low), abs(high))  # Arb's radii have 30 bits
        low, high = (0.0 if abs(end) < small else end for end in (low, high))
        return f"{low:.6g} to {high:.6g}"

    def contains(self, array: Any) -> NDArray[np.bool_]:
        """Elementwise: could this number be the exact value? NaN and infinities could not.

        Raises:
            ValueError: The shape is another one.
        """
        numbers = np.asarray(array)
        if numbers.shape != self.shape:
            raise ValueError(f"the array has shape {numbers.shape}, the enclosure {self.shape}")
        flat = zip(self.balls.ravel(), numbers.astype(np.float64).ravel().tolist(), strict=True)
        inside = [math.isfinite(v) and v in b for b, v in flat]
        return np.array(inside, bool).reshape(self.shape)

    def _read(self, number: Callable[[arb], float]) -> NDArray[np.float64]:
        return np.array([number(b) for b in self.balls.ravel()], np.float64).reshape(self.shape)

    def __repr__(self) -> str:
        shown = [_shown(b) for b in self.balls.ravel()[:6]]
        more = ", …" if self.balls.size > 6 else ""
        return f"Enclosure(shape={self.shape}, [{', '.join(shown)}{more}])"


def _shown(ball: arb) -> str:
    """A narrow ball by its digits, a wide one by its ends."""
    if ball.rel_accuracy_bits() > 8 or not ball.is_finite():
        return str(ball.str(12))
    return f"{_decimal(ball.lower(), 4)} to {_decimal(ball.upper(), 4)}"


def _up(radius: arb) -> float:
    """A radius as float64, never smaller than it is."""
    number = float(radius)
    return number if not radius > number else float(np.nextafter(number, math.inf))


def _decimal(number: arb, count: int) -> str:
    return str(number.mid().str(count, radius=False))
