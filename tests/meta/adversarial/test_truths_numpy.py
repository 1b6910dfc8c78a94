"""Truths of NumPy functions against numbers that are not ours: integers that wrap, -0.0, empty arrays."""

from __future__ import annotations

import math

import numpy as np
import pytest

import harness
from oracles.exact.program.errors import Undecided

X = np.array([1.5, -2.0, 0.75])


def slopes(function, *args):
    """The gradient of the sum, as floats."""
    found = harness.exact_gradient(lambda *a: np.sum(function(*a)), args or (X,), argnums=0)
    return found.mid.ravel().tolist()


def whole(dtype, *numbers):
    """Integers that come from what moves: their numbers plus 0."""
    return lambda x: (np.array(numbers, float) + (x[: len(numbers)] > 9)).astype(dtype)


U8, I8, I32, I64 = np.uint8, np.int8, np.int32, np.int64

WRAPS = {
    "uint8 below 0": (lambda x: (x > 9).astype(U8) - U8(1), 255),
    "uint8 above 255": (lambda x: whole(U8, 200, 200, 200)(x) + U8(100), 44),
    "int8 product": (lambda x: whole(I8, 100, 100, 100)(x) * I8(3), 44),
    "int32 product": (lambda x: whole(I32, 2e9, 2e9, 2e9)(x) * I32(2), 4_000_000_000 - 2**32),
    "int64 product": (lambda x: whole(I64, 2**62, 2**62, 2**62)(x) * 4, 0),
    "negative uint8": (lambda x: -whole(U8, 3, 3, 3)(x), 253),
    "the least int8": (lambda x: np.abs(whole(I8, -128, -128, -128)(x)), -128),
    "sum in int8": (lambda x: np.sum(whole(I8, 100, 100, 100)(x), dtype=I8), 44),
    "sum is int64": (lambda x: np.sum(whole(I8, 100, 100, 100)(x)), 300),
    "sum of uint8 is uint64": (lambda x: np.sum(whole(U8, 200, 200, 200)(x)), 600),
    "add.reduce in int8": (lambda x: np.add.reduce(whole(I8, 100, 100, 100)(x), dtype=I8), 44),
    "prod in int8": (lambda x: np.prod(whole(I8, 100, 100, 1)(x), dtype=I8), 16),
    "multiply.reduce in int8": (lambda x: np.multiply.reduce(whole(I8, 100, 100, 1)(x), dtype=I8), 16),
    "cumsum in int8": (lambda x: np.cumsum(whole(I8, 100, 100, 100)(x), dtype=I8)[-1], 44),
    "cumsum is int64": (lambda x: np.cumsum(whole(I8, 100, 100, 100)(x))[-1], 300),
    "cumprod in int8": (lambda x: np.cumprod(whole(I8, 100, 100, 1)(x), dtype=I8)[-1], 16),
    "dot": (lambda x: np.dot(whole(I8, 100, 100, 0)(x), whole(I8, 1, 2, 0)(x)), 44),
    "square": (lambda x: np.square(whole(U8, 100, 100, 100)(x)), 16),
    "floor division": (lambda x: whole(I8, -128, -128, -128)(x) // I8(3), -43),
    "the least by -1": (lambda x: whole(I8, -128, -128, -128)(x) // I8(-1), -128),
    "remainder": (lambda x: whole(I8, -7, -7, -7)(x) % I8(3), 2),
    "fmod": (lambda x: np.fmod(whole(I8, -7, -7, -7)(x), I8(3)), -1),
    "argmin of uint8": (lambda x: np.argmin(whole(U8, 3, 0, 9)(x)), 1),
    "bool and bool": (lambda x: (x < 9) + (x < 9), 1),
    "sum of bools": (lambda x: np.sum(x < 9), 3),
    "a narrower int": (lambda x: whole(I32, 300, 300, 300)(x).astype(I8), 44),
    "diff of uint8": (lambda x: np.diff(whole(U8, 3, 1, 0)(x))[0], 254),
    "trace in int8": (lambda x: np.trace(np.diag(whole(I8, 100, 100, 100)(x)), dtype=I8), 44),
}  # fmt: skip


@pytest.mark.parametrize("name", WRAPS)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_integers_wrap(name):
    integer, value = WRAPS[name]
    assert slopes(lambda x: x * integer(x)) == [float(value)] * 3


OUT_OF_RANGE = {
    "uint8": lambda x: x * (x * 1000).astype(U8),
    "negative uint8": lambda x: x * (x - 9).astype(U8),
    "int32": lambda x: x * (x * 1e20).astype(I32),
    "int64": lambda x: x * (x * 1e30).astype(I64),
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_a_float_out_of_the_range_of_an_integer_is_undecided(name):
    with pytest.raises(Undecided, match=r"not in the range of u?int|jump"):
        slopes(OUT_OF_RANGE[name])


def test_an_integer_divided_by_zero_is_undecided():
    with pytest.raises(Undecided, match="divided by 0"):
        slopes(lambda x: x * ((x < 9).astype(I32) // (x > 9).astype(I32)))


Z = np.array([-0.0, -0.0, -0.0])
MINUS_ZERO = {
    "copysign, a number": (lambda x: np.copysign(x, -0.0), [-1, 1, -1]),
    "copysign, an array": (lambda x: np.copysign(x, Z), [-1, 1, -1]),
    "copysign, a moved array": (lambda x: np.copysign(x, Z[::-1].reshape(3, 1)[:, 0]), [-1, 1, -1]),
    "copysign, 0.0": (lambda x: np.copysign(x, 0.0), [1, -1, 1]),
    "signbit": (lambda x: np.where(np.signbit(Z), 3 * x, 2 * x), [3, 3, 3]),
    "atan2 on the cut": (lambda x: x * np.arctan2(Z, -1.0), [-math.pi] * 3),
}  # fmt: skip


@pytest.mark.parametrize("name", MINUS_ZERO)
def test_the_sign_of_a_zero(name):
    function, expected = MINUS_ZERO[name]
    assert slopes(function) == pytest.approx(expected, rel=1e-15)


def test_the_sign_of_a_zero_that_is_an_argument():
    assert slopes(lambda x, z: x * np.arctan2(z, -1.0), X, Z) == pytest.approx([-math.pi] * 3, rel=1e-15)


def test_the_sign_of_a_zero_that_is_written_into_an_array():
    def masked(x):
        signs = np.ones(3)
        signs[1:] = -0.0
        return np.copysign(x, signs)

    assert slopes(masked) == [1.0, 1.0, -1.0]


ZEROS = {
    "product": lambda x: x * 0.0,
    "floor": lambda x: np.floor(np.abs(x) / 9),
    "choice": lambda x: np.where(x > 9, 1.0, Z),
    "sum": lambda x: Z + (x > 9),
}


@pytest.mark.parametrize("zero", ZEROS.values(), ids=ZEROS)
def test_the_sign_of_a_computed_zero_is_not_known(zero):
    with pytest.raises(Undecided, match=r"whether that is 0\.0 or -0\.0|jumps where two numbers are equal"):
        slopes(lambda x: np.copysign(x, zero(x)))


def test_what_cancels_is_plus_zero():
    assert slopes(lambda x: np.copysign(x, x - x)) == [1, -1, 1]


A = np.array([[2.0, 0.5], [0.5, 1.0]])
EMPTY = {
    "solve": lambda a: np.linalg.solve(a, np.zeros((2, 0))),
    "max of no rows": lambda a: a[:0].max(1),
    "sum of nothing": lambda a: a[:0].sum(),
    "prod of no rows": lambda a: a[:0].prod(1),
    "inverse of nothing": lambda a: np.linalg.inv(a[:0, :0]),
    "mean of no rows": lambda a: a[:0].mean(1),
    "sort of nothing": lambda a: np.sort(a[:, :0]),
    "cumsum of nothing": lambda a: np.cumsum(a[:0]),
    "matrix product": lambda a: a[:, :0] @ a[:0],
    "concatenate": lambda a: np.concatenate([a[:0], a[:0]]),
}


@pytest.mark.parametrize("name", EMPTY)
def test_empty_arrays_add_nothing(name):
    assert slopes(lambda a: EMPTY[name](a).sum() + 3 * a.sum(), A) == [3.0] * 4
