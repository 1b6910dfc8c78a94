"""The true value of an array: a ball for each element."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.core.pairs import Pairs
from oracles.exact.program.balls import filled, from_integers, in_integers, precision
from oracles.exact.program.program import Array

Index = tuple[int, ...] | int
READABLE = 12  # digits of an exponent
DIGITS, SHOWN = 20, 400  # in a notebook: of an element, and elements
LEAST = arb(2) ** -1076  # a quarter of float64's least number


@dataclass(frozen=True)
class Enclosure:
    """The true value of every element, each as a ball: a midpoint and a proven error.

    Attributes:
        found: The balls, each of which contains the exact value: an object array of Arb's, or pairs.
        bits: The precision at which they were computed.
        kinks: Where the point lies on a kink: there the ball is the hull of the legal one-sided values.
        leaps: At which elements what is differentiated jumps, so that it has no slope and the ball says what
            its sides have; None where it does at none.
        apart: At which elements the branch that holds at this point alone has another slope than those
            around, which the ball is of; None where it has it at none.
    """

    found: Array | Pairs
    bits: int
    kinks: tuple[str, ...] = ()
    leaps: NDArray[np.bool_] | None = None
    apart: NDArray[np.bool_] | None = None

    @property
    def pairs(self) -> Pairs | None:
        """The balls as pairs of doubles, where the fast core computed them."""
        return self.found if isinstance(self.found, Pairs) else None

    @cached_property
    def balls(self) -> Array:
        """Object array of Arb's balls."""
        return self.found.balls if isinstance(self.found, Pairs) else self.found

    def at(self, index: Index) -> Enclosure:
        """One element by itself, as an enclosure of no axes.

        Raises:
            IndexError: There is no such element, or the index names several.
        """
        place = self._place(index)
        found = self.pairs[place] if self.pairs else filled([self.balls[place]], ())
        return Enclosure(found, self.bits)

    def ball(self, index: Index = ()) -> arb:
        """The ball of one element.

        Raises:
            IndexError: There is no such element, or the index names several.
        """
        place = self._place(index)
        return self.pairs.ball(place) if self.pairs else self.balls[place]

    def _place(self, index: Index) -> tuple[int, ...]:
        at = index if isinstance(index, tuple) else (index,)
        if len(at) != (axes := len(self.shape)):
            raise IndexError(
                f"the enclosure has shape {self.shape}: say which element by an index of length {axes}; "
                f"that of {index!r} is {len(at)}"
            )
        for one in at:
            if not isinstance(one, int | np.integer) or isinstance(one, bool):
                raise IndexError(f"an index must be integers, which name one element, got {one!r}")
        return at

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.found.shape

    @property
    def mid(self) -> NDArray[np.float64]:
        """The float64 nearest to each ball's midpoint, in the shape of the enclosure."""
        return self.pairs.h if self.pairs else self._read(float)

    @property
    def rest(self) -> NDArray[np.float64]:
        """What `mid` leaves of each midpoint, as float64: `mid + rest` has about 106 bits.

        In the shape of the enclosure.
        """
        if self.pairs:
            return self.pairs.l
        return self._read(lambda b: float(b - float(b)) if b.is_finite() else math.nan)

    @property
    def is_zero(self) -> bool:
        """Whether every element is 0, or taken for it: nearer to 0 than any number of a dtype."""
        if self.pairs:
            return bool(self.pairs.is_zero().all())
        with precision(64):
            return all(b.abs_upper() < LEAST for b in self.balls.ravel().tolist())

    @property
    def wide(self) -> NDArray[np.bool_]:
        """Elements with hardly a proven digit: at a kink, the hulls of several legal values.

        Booleans in the shape of the enclosure.
        """
        if self.pairs:  # accepted by their digits, or as small beside the largest
            return np.asarray(self.pairs.r > 2.0**-32 * np.abs(self.pairs.h))
        wide = [not b.is_exact() and b.rel_accuracy_bits() < 32 for b in self.balls.ravel()]
        return np.array(wide, bool).reshape(self.shape)

    @property
    def radius(self) -> NDArray[np.float64]:
        """The proven error of each ball's midpoint, as float64 rounded up; infinite where nothing is known.

        In the shape of the enclosure. The midpoint has `bits` bits and `mid` only 53: the error of `mid` is
        this plus half an ulp.
        """
        if self.pairs:
            return self.pairs.r
        return self._read(lambda b: _up(b.rad()) if b.is_finite() else math.inf)

    @property
    def largest(self) -> float:
        """The size of the largest midpoint that is finite; 0 of none."""
        size = np.abs(self.mid)
        return float(np.max(size, where=np.isfinite(size), initial=0.0))

    @property
    def proven_error(self) -> float:
        """The largest radius off the kinks, relative to the largest element (at least the least float64)."""
        if self.pairs and not self.kinks:
            pairs = self.pairs
            largest = max(float(np.max(np.abs(pairs.h) - pairs.r, initial=0.0)), 5e-324)
            return float(np.max(pairs.r, initial=0.0)) / largest
        radius, size = arb(0), arb(2) ** -1074
        for ball in self.balls[~self.wide] if self.kinks else self.balls.ravel():
            radius = ball.rad() if not ball.rad() <= radius else radius
            size = ball.abs_lower() if ball.abs_lower() > size else size
        return float(radius / size) if radius.is_finite() else math.inf

    @property
    def proven_digits(self) -> NDArray[np.float64]:
        """How many decimal digits of each element are proven: -log10(radius / |midpoint|), 0 at the least.

        As float64, in the shape of the enclosure.
        """
        return self._read(lambda b: min(max(b.rel_accuracy_bits(), 0), self.bits) * math.log10(2))

    def digits(self, index: Index = (), n: int | None = None) -> str:
        """The element at `index` in decimal, with as many digits as are proven, at most n.

        Both ends of the ball round to what is given, so every digit is right. A ball that is too wide for one
        digit gives "?"; ask for more `bits`. n is an integer of 1 or more; what the bits hold if not given.

        Raises:
            IndexError: There is no such element, or the index names several.
            ValueError: n is no such integer.
        """
        ball = self.ball(index)
        if n is None:
            n = max(1, math.floor(self.bits * math.log10(2)))
        elif not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
            raise ValueError(f"n must be an integer >= 1, got {n!r}: it is the most digits to give")
        most = n if ball.is_exact() else min(n, _most_digits(ball))
        with precision(2 * self.bits + 64):
            for count in range(most, 0, -1):
                low, high = (_decimal(end, count) for end in (ball.lower(), ball.upper()))
                if low == high:
                    return low
        return "?"

    def shown(self, index: Index = (), n: int = 12) -> str:
        """The element by its proven digits, at most n, or, at a kink or where it is wide, by its ends.

        Raises:
            IndexError: There is no such element, or the index names several.
            ValueError: n is no integer of 1 or more.
        """
        text = self.digits(index, n)
        ball = self.ball(index)
        exponent = text.partition("e")[2]
        if len(exponent) > READABLE:  # of e^(1e200)
            return f"{'-' * text.startswith('-')}10^({Decimal(exponent):.4e})"
        if text != "?" or not ball.is_finite():
            return text
        low, high = (float(end) for end in (ball.lower(), ball.upper()))
        small = 2**-24 * max(abs(low), abs(high))  # Arb's radii have 30 bits
        low, high = (0.0 if abs(end) < small else end for end in (low, high))
        return f"{low:.6g} to {high:.6g}"

    def contains(self, array: Any) -> NDArray[np.bool_]:
        """Elementwise: could this number be the exact value? NaN and infinities could not.

        Args:
            array: Numbers in the shape of the enclosure; nothing is broadcast.

        Raises:
            ValueError: The shape is another one.
        """
        numbers = np.asarray(array)
        if numbers.shape != self.shape:
            raise ValueError(f"the array has shape {numbers.shape}, the enclosure {self.shape}")
        if self.pairs:
            return self.pairs.contains(numbers.astype(np.float64))
        flat = zip(self.balls.ravel(), numbers.astype(np.float64).ravel().tolist(), strict=True)
        inside = [math.isfinite(v) and v in b for b, v in flat]
        return np.array(inside, bool).reshape(self.shape)

    def __getstate__(self) -> dict[str, Any]:
        """With its balls as integers: Arb's do not pickle."""
        own = {name: value for name, value in vars(self).items() if name != "balls"}
        if self.pairs:
            return own
        plain = [in_integers(b) if isinstance(b, arb) else b for b in self.balls.ravel().tolist()]
        return {**own, "found": (self.shape, plain)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        found = state["found"]
        if isinstance(found, tuple):
            shape, plain = found
            balls = [from_integers(one) if isinstance(one, tuple) else one for one in plain]
            found = filled(balls, shape)
        self.__dict__.update(state, found=found)

    def _read(self, number: Callable[[arb], float]) -> NDArray[np.float64]:
        found = map(number, self.balls.ravel().tolist())
        return np.fromiter(found, np.float64, self.balls.size).reshape(self.shape)

    def _repr_html_(self) -> str:
        """For notebooks: the elements by their proven digits, in rows and columns."""
        from oracles.exact.enclose.notebook import table

        texts = [self.shown(tuple(at), DIGITS) for at in list(np.ndindex(self.shape))[:SHOWN]]
        return table(self.shape, texts, float(np.min(self.proven_digits, initial=math.inf)), self.kinks)

    def __repr__(self) -> str:
        shown = [_shown(b) for b in self.balls.ravel()[:6]]
        more = ", …" if self.balls.size > 6 else ""
        return f"Enclosure(shape={self.shape}, [{', '.join(shown)}{more}])"


def _shown(ball: arb) -> str:
    """A narrow ball by its digits, a wide one by its ends."""
    if ball.rel_accuracy_bits() > 8 or not ball.is_finite():
        return str(ball.str(12))
    return f"{_decimal(ball.lower(), 4)} to {_decimal(ball.upper(), 4)}"


def _most_digits(ball: arb) -> int:
    """More digits than these two ends never share; two for how the accuracy is rounded."""
    return max(1, math.ceil(ball.rel_accuracy_bits() * math.log10(2)) + 2)


def _up(radius: arb) -> float:
    """A radius as float64, never smaller than it is."""
    number = float(radius)
    return number if not radius > number else math.nextafter(number, math.inf)


def _decimal(number: arb, count: int) -> str:
    return str(number.mid().str(count, radius=False))
