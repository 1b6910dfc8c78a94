from __future__ import annotations

import math
import re

import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.program.balls import filled, precision

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def enclosure(*balls: arb, bits: int = 128) -> Enclosure:
    return Enclosure(filled(list(balls), (len(balls),)), bits)


@pytest.mark.parametrize(
    ("index", "said"), [((), "of length 1; that of () is 0"), ((0, 0), "that of (0, 0) is 2")]
)
def test_an_index_that_names_no_element_is_refused(index, said):
    with pytest.raises(
        IndexError, match=r"the enclosure has shape \(1,\): say which element.*" + re.escape(said)
    ):
        enclosure(arb(1)).digits(index)


@pytest.mark.parametrize("index", [None, slice(None), [0], np.array([True]), True, 0.0, "0"])
@pytest.mark.parametrize("door", ["ball", "at", "digits", "shown"])
def test_an_index_that_is_no_integer_names_no_element(door, index):
    with pytest.raises(IndexError, match="an index must be integers, which name one element, got "):
        getattr(enclosure(arb(1)), door)(index)


def test_an_integer_of_numpys_names_an_element():
    assert enclosure(arb(1), arb(2)).digits(np.int64(1), np.int64(3)) == "2.00"


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "3"])
@pytest.mark.parametrize("door", ["digits", "shown"])
def test_a_count_of_digits_below_one_is_refused(door, n):
    with pytest.raises(ValueError, match=re.escape(f"n must be an integer >= 1, got {n!r}")):
        getattr(enclosure(arb(1, 0.1)), door)(0, n)


@given(FINITE.filter(bool), st.integers(2, 60))
def test_no_more_digits_than_are_proven_are_tried_and_none_is_lost(number, bits):
    with precision(256):
        ball = arb(number) * (1 + arb(0, arb(2) ** -bits))
        ends = ball.lower().mid(), ball.upper().mid()
        each = ([str(end.str(k, radius=False)) for end in ends] for k in range(100, 0, -1))
        wanted = next((low for low, high in each if low == high), "?")
    assert enclosure(ball, bits=256).digits(0, 10**6) == wanted


def test_digits_are_the_ones_that_both_ends_round_to():
    with precision(256):
        pi = arb.pi()
        wide = pi + arb(0, 1e-6)
    mpmath.mp.dps = 60
    assert enclosure(pi).digits(0, 30) == mpmath.nstr(mpmath.pi, 30)
    assert enclosure(wide).digits(0) == "3.14159"
    assert enclosure(arb(0, 1)).digits(0) == "?"


def test_digits_of_an_exact_number_are_at_most_what_was_asked():
    assert enclosure(arb(0.5)).digits(0, 3) == "0.500"


@given(FINITE)
def test_an_exact_ball_contains_its_number_and_no_neighbour(number):
    e = enclosure(arb(number))
    assert e.contains([number]).all()
    assert not e.contains([math.nextafter(number, math.inf)]).any()
    assert e.mid[0] == number
    assert e.radius[0] == 0


def test_nan_and_infinity_are_contained_nowhere():
    e = enclosure(arb(1), arb("nan"), arb(0, "inf"))
    assert not e.contains([math.nan, math.nan, math.inf]).any()
    assert e.radius[1] == math.inf


def test_contains_refuses_another_shape():
    with pytest.raises(ValueError, match=r"shape \(3,\), the enclosure \(1,\)"):
        enclosure(arb(1)).contains(np.zeros(3))


@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300))
def test_the_radius_is_never_below_the_ball_s(mid, radius):
    ball = arb(mid, radius)
    assert not ball.rad() > arb(enclosure(ball).radius[0])


def test_proven_digits_count_what_the_radius_leaves():
    assert enclosure(arb(1, 1e-10)).proven_digits[0] == pytest.approx(10, abs=0.5)
    assert enclosure(arb(0, 1)).proven_digits[0] == 0
    assert enclosure(arb(2)).proven_digits[0] == pytest.approx(128 * math.log10(2))


def test_it_shows_a_wide_ball_by_its_ends():
    assert "0.25" in repr(enclosure(arb(0.25)))
    assert " to " in repr(enclosure(arb(0).union(arb(1))))


def test_a_number_whose_exponent_nobody_reads_is_shown_as_a_power_of_ten():
    with precision(1024):
        far = arb(10) ** 200
        huge = enclosure(far.exp(), -far.exp(), (-far).exp(), arb(2))
    powers = ["10^(4.3429e+199)", "-10^(4.3429e+199)", "10^(-4.3429e+199)"]
    assert [huge.shown(k) for k in range(4)] == [*powers, "2.00000000000"]
