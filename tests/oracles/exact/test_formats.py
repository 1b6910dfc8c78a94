from __future__ import annotations

import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles.exact.program.formats import FORMATS, format_of
from tests.oracles.exact.floats import DTYPES, fraction, nearest, numbers, of_bits
from tests.sampling import draws

EVERY = pytest.mark.parametrize("dtype", DTYPES)
steady = settings(derandomize=True, deadline=None, max_examples=draws(60, 200))


def limits(dtype):
    """The bits of the largest finite number, and of the smallest normal one."""
    width, digits = 8 * DTYPES[dtype].itemsize, FORMATS[dtype].digits
    return ((1 << (width - digits)) - 1 << digits - 1) - 1, 1 << (digits - 1)


@EVERY
@steady
@given(data=st.data())
def test_an_ulp_is_the_distance_to_the_next_number(dtype, data):
    largest, _ = limits(dtype)
    bits = data.draw(st.integers(0, largest - 1))
    here, there = (fraction(of_bits(b, dtype)) for b in (bits, bits + 1))
    ulp = FORMATS[dtype].ulp(np.array([float(here), -float(here)]))
    assert [fraction(u) for u in ulp] == [there - here] * 2


@EVERY
def test_the_ends_are_those_of_the_numbers_themselves(dtype):
    kind, (largest, normal) = FORMATS[dtype], limits(dtype)
    assert kind.largest == arb(float(of_bits(largest, dtype)))
    assert not np.isfinite(of_bits(largest + 1, dtype).astype(float))
    assert kind.normal == float(of_bits(normal, dtype))
    assert float(kind.least) == float(of_bits(1, dtype))
    assert kind.unit == float(kind.ulp(np.array(1.0))) / 2


@EVERY
def test_beyond_the_largest_number_the_ulp_is_the_largest(dtype):
    kind = FORMATS[dtype]
    largest = float(kind.largest)
    assert set(kind.ulp(np.array([np.inf, -np.inf, np.nan])).tolist()) == {float(kind.ulp(np.array(largest)))}


@EVERY
@steady
@given(data=st.data())
def test_rounding_is_that_of_exact_fractions(dtype, data):
    """Of float64 numbers close to those of the format, and of the midpoints between them."""
    largest, _ = limits(dtype)
    bits = data.draw(st.integers(0, largest - 2))
    low, high = (float(of_bits(b, dtype)) for b in (bits, bits + 1))
    share = data.draw(st.sampled_from([0.0, 0.5]) | st.floats(0, 1))
    number = data.draw(st.sampled_from([1, -1])) * (low + share * (high - low))
    assert fraction(FORMATS[dtype].rounded(number)) == nearest(fraction(number), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@steady
@given(data=st.data())
def test_rounding_is_numpys(dtype, data):
    number = float(data.draw(numbers("float64")))
    with np.errstate(over="ignore"):
        assert FORMATS[dtype].rounded(number) == float(np.array(number).astype(DTYPES[dtype]))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_halfway_beyond_the_largest_number_is_infinity(dtype):
    kind = FORMATS[dtype]
    edge = float(kind.overflow)
    below = np.nextafter(edge, 0)
    with np.errstate(over="ignore"):
        assert np.isinf(np.array(edge).astype(DTYPES[dtype]))
    assert [kind.rounded(v) for v in (edge, -edge, below)] == [np.inf, -np.inf, float(kind.largest)]
    assert kind.overflow.is_exact()


def test_the_overflow_of_float64_is_exact_at_any_precision():
    assert FORMATS["float64"].overflow.is_exact()
    assert FORMATS["float64"].overflow > arb(np.finfo(float).max)


@pytest.mark.parametrize("number", [np.inf, -np.inf, 0.0, -0.0])
def test_what_is_already_a_number_of_every_format_stays(number):
    for kind in FORMATS.values():
        assert np.array_equal(np.signbit(kind.rounded(number)), np.signbit(number))
        assert kind.rounded(number) == number


def test_an_unknown_dtype_is_refused_with_the_known_ones():
    message = (
        "no rounding model for dtype 'float8_e5m2'; there is one for float64, float32, float16, bfloat16"
    )
    with pytest.raises(ValueError, match=message):
        format_of("float8_e5m2")
