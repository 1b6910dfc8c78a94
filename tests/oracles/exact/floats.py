"""Numbers of the four formats, rounded by Python's fractions: an independent truth for the rounding model."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
from flint import arb
from hypothesis import strategies as st

from oracles.exact.program.balls import precision
from oracles.exact.program.formats import FORMATS

DTYPES = {
    "float64": np.dtype(np.float64),
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}


def of_bits(bits: int, dtype: str) -> np.ndarray:
    """The number with these bits, as an array without axes."""
    return np.array(bits, f"uint{8 * DTYPES[dtype].itemsize}").view(DTYPES[dtype])


def numbers(dtype: str) -> st.SearchStrategy[np.ndarray]:
    """Any finite number of the format, subnormal ones and both ends included."""
    width = 8 * DTYPES[dtype].itemsize
    found = st.integers(0, 2**width - 1).map(lambda bits: of_bits(bits, dtype))
    return found.filter(lambda x: np.isfinite(float(x)))


def plain(dtype: str) -> st.SearchStrategy[np.ndarray]:
    """Numbers of ordinary size, rounded to the format."""
    return st.floats(-64, 64).map(lambda v: np.array(v).astype(DTYPES[dtype]))


def rows(dtype: str, most: int = 12) -> st.SearchStrategy[np.ndarray]:
    """A few numbers of ordinary size."""
    return st.lists(plain(dtype), min_size=1, max_size=most).map(np.array)


def fraction(x: object) -> Fraction:
    return Fraction(float(x))


def nearest(q: Fraction, dtype: str) -> Fraction:
    """The nearest number of the format, ties to even, without an upper end."""
    if q == 0:
        return q
    kind = FORMATS[dtype]
    exponent = abs(q.numerator).bit_length() - q.denominator.bit_length()
    exponent -= Fraction(2) ** exponent > abs(q)
    step = Fraction(2) ** (max(exponent, kind.least_exponent) - kind.digits + 1)
    return round(q / step) * step


def as_arb(q: Fraction) -> arb:
    """A fraction, to 2000 bits."""
    with precision(2000):
        return arb(q.numerator) / q.denominator
