"""The floating-point formats of programs, and how a ball grows at an operation that rounds to one of them.

IEEE 754-2019 for float64, float32 and float16; bfloat16 is float32 with 16 bits less. After each operation
the ball holds whatever the library may have computed: so many unit roundoffs of every number in it, nothing
lost of a sign, and at the two ends of the format overflow and underflow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.program.balls import ZERO, as_balls, each, exact, filled, precision
from oracles.exact.program.program import Array, Equation, Var


@cache
def _power(exponent: int) -> arb:
    return arb(2) ** exponent


@cache
def _overflow(digits: int, greatest_exponent: int) -> arb:
    with precision(64):
        return (2 - arb(2) ** -digits) * arb(2) ** greatest_exponent


@dataclass(frozen=True, slots=True)
class Format:
    """A binary format with `digits` bits of significand and normal numbers from 2^`least_exponent`.

    Attributes:
        name: What programs call it.
        digits: The bits of the significand, the leading one included.
        least_exponent, greatest_exponent: Of the normal numbers: 2^least to below 2^(greatest + 1).
    """

    name: str
    digits: int
    least_exponent: int
    greatest_exponent: int

    @property
    def unit(self) -> float:
        """The unit roundoff: half the distance from 1 to the next number, relative to 1."""
        return 2.0**-self.digits

    @property
    def normal(self) -> float:
        """The smallest normal number."""
        return 2.0**self.least_exponent

    @property
    def least(self) -> arb:
        """The smallest number above 0; below float64's own for nobody."""
        return _power(self.least_exponent - self.digits + 1)

    @property
    def largest(self) -> arb:
        """The largest finite number."""
        return (2 - arb(2) ** (1 - self.digits)) * arb(2) ** self.greatest_exponent

    @property
    def overflow(self) -> arb:
        """Where rounding to nearest gives infinity: half an ulp above the largest number."""
        return _overflow(self.digits, self.greatest_exponent)

    @property
    def finite(self) -> arb:
        """What is below this is finite once it is rounded.

        Narrow formats are computed in float32, which rounds first, and may round to the overflow itself.
        """
        return self.overflow if self.digits >= 24 else self.overflow * (1 - arb(2) ** -22)

    def ulp(self, numbers: Array) -> NDArray[np.float64]:
        """The distance between neighbours at each number (an array of float64); at 0 the least number.

        Beyond the largest number it is what it is there.
        """
        bits = np.asarray(numbers, np.float64).view(np.int64)
        # Below every exponent where a number is 0 or subnormal, above all where it is no number.
        exponent = (bits >> 52 & 0x7FF) - 1023
        exponent = np.minimum(np.maximum(exponent, self.least_exponent), self.greatest_exponent)
        return np.asarray(np.ldexp(1.0, exponent - (self.digits - 1)), np.float64)

    def rounded(self, number: float) -> float:
        """The nearest number of the format, ties to even; halves of infinity are infinity."""
        if not np.isfinite(number) or number == 0:
            return number
        ulp = float(self.ulp(np.asarray(number)))
        nearest = float(np.round(number / ulp)) * ulp
        return nearest if abs(nearest) <= float(self.largest) else float(np.copysign(np.inf, number))

    def shortest(self, number: float) -> str:
        """The fewest digits that a reader of this format takes for the number."""
        if not np.isfinite(number):
            return str(number)
        written = (f"{number:.{digits}g}" for digits in range(1, 18))
        read = float if self.digits == 53 else self._read
        return next((text for text in written if read(text) == number), repr(number))

    def _read(self, text: str) -> float:
        return self.rounded(float(text))


FORMATS = {
    f.name: f
    for f in (
        Format("float64", 53, -1022, 1023),
        Format("float32", 24, -126, 127),
        Format("float16", 11, -14, 15),
        Format("bfloat16", 8, -126, 127),
    )
}


def format_of(dtype: str) -> Format:
    """The format of that name.

    Raises:
        ValueError: There is no rounding model for it.
    """
    if dtype not in FORMATS:
        raise ValueError(f"no rounding model for dtype {dtype!r}; there is one for {', '.join(FORMATS)}")
    return FORMATS[dtype]


# -- growth -----------------------------------------------------------------------------------------------

WIDE_HALF = Format("float16", 11, -14, 127)  # float16 with the greatest exponent of float32
UNKNOWN = arb("[+/- inf]")
INFINITY = arb("inf")


@dataclass(frozen=True, slots=True)
class RoundingModel:
    """Who runs the program, and what it may do besides rounding.

    Attributes:
        library: "numpy", "torch" or "jax": whose library functions.
        flushes: Whether a number below the normal ones may be taken for 0, before or after any operation.
        flushes_products: Whether matrix products of bfloat16 do so, as those of AVX512_BF16 do.
        wide_products: Whether matrix products of bfloat16 are summed in float32.
        wide_inside: Whether a call may hold numbers beyond float16 inside, in float32.
        fuses: Whether a compiler may compute a value twice, each time rounded in another way, keep it wider
            than its dtype, and multiply constants first: what overflows as it is written may not.
    """

    library: str
    flushes: bool = False
    flushes_products: bool = False
    wide_products: bool = False
    wide_inside: bool = False
    fuses: bool = False


ROUNDING_MODELS = {
    "numpy": RoundingModel("numpy"),
    "torch": RoundingModel("torch", flushes_products=True, wide_inside=True),
    # XLA sets flush-to-zero on the CPU; its dot of bfloat16 is done in float32 and rounded once.
    "jax": RoundingModel("jax", flushes=True, wide_products=True, fuses=True),
}


@dataclass(slots=True)
class Growth:
    """What one run of a program loses under a rounding model, equation by equation.

    Attributes:
        model: Who runs it, and how it rounds.
        keeping: Whether to remember in `local` how much each ball grew at its own equation.
        overflow, underflow: The first equation that may overflow, and the first that may lose a number that
            is not 0 to it.
    """

    model: RoundingModel
    keeping: bool = False
    local: dict[Var, Array] = field(default_factory=dict)
    overflow: Equation | None = None
    underflow: Equation | None = None

    def format(self, equation: Equation) -> Format:
        """That of the output; inside a call float16 may overflow later than outside."""
        wide = self.model.wide_inside and equation.output.dtype == "float16" and equation.origin is not None
        return WIDE_HALF if wide else FORMATS[equation.output.dtype]

    def library(self, equation: Equation) -> str:
        """Whose function an equation is: of who runs the program, or of a library that it calls."""
        return (equation.origin.library if equation.origin else "") or self.model.library

    def flushed(self, target: Format, product: bool = False) -> float:
        """Below what a number may be taken for 0: float16 is computed in float32, far above that."""
        model = self.model
        if model.flushes and target.name != "float16":
            return target.normal
        return target.normal if product and model.flushes_products and target.name == "bfloat16" else 0.0

    def stored(self, x: Array, dtype: str, product: bool = False) -> Array:
        """Numbers as an operation finds them: a subnormal one may be flushed before it is used."""
        if dtype not in FORMATS or not (normal := self.flushed(FORMATS[dtype], product)):
            return x
        return each(lambda b: b if b.is_zero() or b >= normal or b <= -normal else b.union(ZERO), x)

    def grown(
        self, equation: Equation, result: Array, units: float, inexact: bool, target: Format | None = None
    ) -> Array:
        """The result with `units` unit roundoffs of error, and what happens beyond the normal numbers.

        `inexact` operations lose bits below the normal numbers; sums do not.
        """
        target = target or self.format(equation)
        result = np.asarray(result)
        wider = np.asarray(result * arb(1, units * target.unit))
        before, flat = result.ravel().tolist(), wider.ravel().tolist()
        mids = np.abs(np.fromiter(map(float, flat), np.float64, len(flat)))
        bits = np.fromiter(map(arb.rel_accuracy_bits, flat), np.float64, len(flat))
        inside = (bits > 2) & (mids < 2.0 ** (target.greatest_exponent - 1)) & (mids > 8 * target.normal)
        flushed = self.flushed(target)
        lost = arb(flushed) if flushed else target.least / 2 * (max(units, 1) if inexact else 0)
        for i in np.flatnonzero(~inside).tolist():
            if not flat[i].is_zero():
                flat[i] = self._edge(equation, target, before[i], flat[i], lost, units <= 1)
        whole = filled(flat, result.shape)
        if self.keeping:  # not the difference of two radii: of one that is wide, thirty bits say nothing
            sizes = np.where(np.isfinite(mids), mids, 0.0)
            own = units * target.unit * sizes + np.where(mids > 8 * target.normal, 0.0, float(lost))
            self.local[equation.output] = self.local.get(equation.output, 0.0) + own.reshape(result.shape)
        return whole

    def _edge(self, equation: Equation, target: Format, before: arb, ball: arb, lost: arb, once: bool) -> arb:
        """One number that is wide, may overflow, or may lie below the normal numbers, and is `lost` there.

        Rounded `once`, what is below the overflow is finite: a mask of the largest number, less a maximum.
        """
        if not before.is_finite():  # an infinity that goes in comes out
            return UNKNOWN if before.mid().is_finite() else before.mid()
        if once and not abs(ball) < target.overflow and abs(before) < target.finite:
            # Fused, it is not rounded, and may lie beyond the largest.
            most = max(target.largest, before.abs_upper())
            ball = max(-most, ball.lower()).union(min(most, ball.upper()))
        elif not abs(ball) < target.overflow:
            self.overflow = self.overflow or equation
            certain = not self.model.fuses  # one that is made here may not be, once fused
            if ball > target.overflow and certain:
                return INFINITY
            return -INFINITY if -ball > target.overflow and certain else UNKNOWN
        if not lost.is_zero() and not abs(ball) > target.normal:
            if before != 0 and not abs(before) > lost:
                self.underflow = self.underflow or equation
            ball = ball + arb(0, lost)
        return ball.nonnegative_part() if before >= 0 else ball


def radii(balls: Array) -> NDArray[np.float64]:
    """How wide balls are, to the nearest double."""
    return np.array([float(ball.rad()) for ball in balls.ravel().tolist()]).reshape(balls.shape)


def exactly(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """Moves and choices do not round."""
    return exact(equation.primitive.evaluate(*operands, **equation.params))


def once(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """Rounded once."""
    return growth.grown(equation, equation.primitive.evaluate(*map(as_balls, operands)), 1, True)
