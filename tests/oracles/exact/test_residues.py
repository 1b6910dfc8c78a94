"""Arithmetic modulo 2^61 - 1 against Python's integers and fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracles.exact.program import residues as field
from oracles.exact.program.residues import PRIME

EDGES = [0, 1, 2, 2**30, 2**31 - 1, 2**31, 2**60, PRIME - 2, PRIME - 1]
NUMBERS = st.one_of(st.sampled_from(EDGES), st.integers(0, PRIME - 1))
ROWS = st.lists(NUMBERS, min_size=1, max_size=40)


def _array(numbers: list[int]) -> field.Residues:
    return np.array(numbers, np.uint64)


@given(ROWS, NUMBERS)
def test_sums_and_products_are_those_of_integers(row: list[int], one: int) -> None:
    x, y = _array(row), np.asarray(one, np.uint64)
    assert field.added(x, y).tolist() == [(a + one) % PRIME for a in row]
    assert field.multiplied(x, y).tolist() == [a * one % PRIME for a in row]
    assert field.negative(x).tolist() == [-a % PRIME for a in row]
    assert field.inverse(x).tolist() == [pow(a, PRIME - 2, PRIME) for a in row]
    assert field.total(x, (0,)).tolist() == sum(row) % PRIME
    assert field.running(x, 0).tolist() == [sum(row[: k + 1]) % PRIME for k in range(len(row))]


@given(ROWS, st.integers(-2000, 2000))
def test_a_power_of_two_turns_the_bits(row: list[int], power: int) -> None:
    factor = pow(2, power % 61, PRIME)
    assert field.shifted(_array(row), power).tolist() == [a * factor % PRIME for a in row]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_its_fraction(number: float) -> None:
    exact = Fraction(number)
    assert field.fraction(np.array(number)) == exact.numerator * pow(exact.denominator, -1, PRIME) % PRIME


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint64", "bool"])
def test_an_integer_is_itself(dtype: str) -> None:
    ends = [0, 1] if dtype == "bool" else [np.iinfo(dtype).min, np.iinfo(dtype).max, 1]
    assert field.whole(np.array(ends, dtype)).tolist() == [int(n) % PRIME for n in ends]


@pytest.mark.parametrize("inner", [1, 7, field.EXACT, field.EXACT + 3])
def test_a_product_of_matrices_is_exact_whatever_its_length(inner: int) -> None:
    rng = np.random.default_rng(inner)
    x, y = (rng.integers(0, PRIME, shape, dtype=np.uint64) for shape in ((2, 3, inner), (inner, 2)))
    x[0, 0], y[:, 0] = PRIME - 1, PRIME - 1  # the largest thirds
    expected = [
        [[sum(int(a) * int(b) for a, b in zip(r, c, strict=True)) % PRIME for c in y.T] for r in rows]
        for rows in x
    ]
    assert field.product(x, y).tolist() == expected
    assert field.product(np.swapaxes(x, 0, 1)[:, :, :], y).shape == (3, 2, 2)


def test_what_many_places_get_is_added() -> None:
    rng = np.random.default_rng(0)
    x, where = rng.integers(0, PRIME, 1000, dtype=np.uint64), rng.integers(0, 7, 1000)
    expected = [sum(int(a) for a in x[where == k]) % PRIME for k in range(8)]
    assert field.scattered(x, where, 8).tolist() == expected


def test_a_large_array_is_multiplied_part_by_part() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, PRIME, (3, field.AT_ONCE), dtype=np.uint64)
    y = rng.integers(0, PRIME, (3, 1), dtype=np.uint64)
    found = field.multiplied(x, y)
    assert found.shape == x.shape
    for k in (0, 1, field.AT_ONCE - 1):
        assert found[:, k].tolist() == [
            int(a) * int(b) % PRIME for a, b in zip(x[:, k], y[:, 0], strict=True)
        ]


def test_what_is_drawn_depends_on_the_name_and_on_each_element() -> None:
    x = np.arange(2**14, dtype=np.uint64)
    one, other = field.drawn("sqrt", x), field.drawn("exp", x)
    assert (one == field.drawn("sqrt", x)).all()
    assert len({*one.tolist(), *other.tolist()}) == 2 * x.size
    assert (field.drawn("f", x, x[::-1]) != field.drawn("f", x[::-1], x)).all()
    assert int(one.max()) < PRIME
    bits = np.unpackbits(one.view(np.uint8)).mean() * 64 / 61
    assert abs(bits - 0.5) < 0.003  # as many ones as zeros
