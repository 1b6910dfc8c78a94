"""The floating-point formats of programs: what rounding to each of them can do to a number.

IEEE 754-2019 for float64, float32 and float16; bfloat16 is float32 with 16 bits less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.program.balls import precision
from oracles.exact.program.program import Array


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
        return arb(2) ** (self.least_exponent - self.digits + 1)

    @property
    def largest(self) -> arb:
        """The largest finite number."""
        return (2 - arb(2) ** (1 - self.digits)) * arb(2) ** self.greatest_exponent

    @property
    def overflow(self) -> arb:
        """Where rounding to nearest gives infinity: half an ulp above the largest number."""
        with precision(64):
            return (2 - arb(2) ** -self.digits) * arb(2) ** self.greatest_exponent

    def ulp(self, numbers: Array) -> NDArray[np.float64]:
        """The distance between neighbours at each number (an array of float64); at 0 the least number.

        Beyond the largest number it is what it is there.
        """
        _, exponent = np.frexp(np.where(np.isfinite(numbers), numbers, 0.0))
        exponent = np.where(numbers == 0, self.least_exponent, exponent - 1)
        exponent = np.where(np.isfinite(numbers), exponent, self.greatest_exponent)
        exponent = np.clip(exponent, self.least_exponent, self.greatest_exponent)
        return np.asarray(np.ldexp(1.0, exponent - (self.digits - 1)), np.float64)

    def rounded(self, number: float) -> float:
        """The nearest number of the format, ties to even; halves of infinity are infinity."""
        if not np.isfinite(number) or number == 0:
            return number
        ulp = float(self.ulp(np.asarray(number)))
        nearest = float(np.round(number / ulp)) * ulp
        return nearest if abs(nearest) <= float(self.largest) else float(np.copysign(np.inf, number))


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
