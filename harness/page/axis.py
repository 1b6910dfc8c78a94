"""An axis on which every number of a dtype has its place: 1e-300, 1 and 1e300 alike.

A number's ordinal is its place among the numbers of its dtype, 0 at zero. The axis goes by ordinals, so that
each power of two has the same width, and draws those near 1 wider: most functions do there what they do.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from oracles.exact.program.formats import format_of

Numbers = NDArray[np.float64]
STRETCH = 1.0  # powers of two around 1 that are drawn at full width
STEPS = 2.0**24  # into which a power of two is parted
TICKS = {
    "float64": ("1e-30", "0.01", "1", "100", "1e30", "1e300"),
    "float32": ("1e-20", "0.01", "1", "100", "1e20", "1e38"),
    "float16": ("1e-5", "0.03", "1", "30", "6e4"),
}


def ordinals(numbers: Numbers, dtype: str) -> Numbers:
    """How many numbers of the dtype lie between 0 and each number, in powers of two, with its sign.

    float64 holds this to about 2^-41 of a power of two: enough to draw, not to tell neighbours apart.
    """
    kind, size = format_of(dtype), np.abs(numbers)
    fraction, exponent = np.frexp(np.where(size == 0, 1.0, size))
    least = kind.least_exponent
    whole = (exponent - 1) - least + 1 + (2 * fraction - 1)
    with np.errstate(over="ignore"):
        small = size / math.ldexp(1.0, least)  # below the normal numbers: equally spaced
    return np.asarray(np.copysign(np.where(size < math.ldexp(1.0, least), small, whole), numbers))


def numbers(ordinals: Numbers, dtype: str) -> Numbers:
    """The numbers at these ordinals, rounded to the dtype; beyond its largest, that."""
    kind = format_of(dtype)
    least, size = kind.least_exponent, np.abs(ordinals)
    whole = np.floor(size)
    with np.errstate(over="ignore"):
        normal = np.ldexp(1 + (size - whole), (whole - 1 + least).astype(int))
        found = np.where(size < 1, size * math.ldexp(1.0, least), normal)
        rounded = np.round(found / kind.ulp(found)) * kind.ulp(found)
    return np.asarray(np.copysign(np.minimum(rounded, float(kind.largest)), ordinals))


def places(numbers: Numbers, dtype: str) -> Numbers:
    """Where numbers are drawn: 0 at zero, growing with their ordinals, from -1 to 1."""
    one, whole = _reach(dtype)
    size = np.arcsinh((np.abs(ordinals(numbers, dtype)) - one) / STRETCH) + math.asinh(one / STRETCH)
    size = np.where(np.isfinite(numbers), size / whole, 1.0)
    return np.asarray(np.copysign(np.where(numbers == 0, 0.0, size), numbers))


def _reach(dtype: str) -> tuple[float, float]:
    """The ordinal of 1, and how far the largest number would be drawn."""
    kind = format_of(dtype)
    one = 1.0 - kind.least_exponent
    last = kind.greatest_exponent + 2.0 - kind.least_exponent
    return one, math.asinh((last - one) / STRETCH) + math.asinh(one / STRETCH)


def ticks(dtype: str) -> tuple[list[float], list[str]]:
    """Where the axis has labels, and what they say."""
    texts = TICKS["float32" if dtype == "bfloat16" else dtype]
    labels = [*(f"-{text}" for text in reversed(texts)), "0", *texts]
    found = places(np.array([float(text) for text in labels]), dtype)
    return [round(float(p), 6) for p in found], [text.replace("-", "\N{MINUS SIGN}") for text in labels]


def spread(count: int, dtype: str) -> Numbers:
    """So many numbers, about evenly spread over the axis, both ends and zero among them."""
    one, whole = _reach(dtype)
    at = np.linspace(0.0, whole, count // 2 + 1) - math.asinh(one / STRETCH)
    # Machines differ in the last bits of sinh: rounded to steps far below what is drawn they agree.
    found = numbers(np.round(np.maximum(np.sinh(at) * STRETCH + one, 0.0) * STEPS) / STEPS, dtype)
    return np.unique(np.concatenate([-found[::-1], found])) + 0.0


def between(low: float, high: float, dtype: str) -> float:
    """The number whose ordinal is in the middle."""
    ends = ordinals(np.array([low, high]), dtype)
    return float(numbers(np.array([ends.mean()]), dtype)[0])
