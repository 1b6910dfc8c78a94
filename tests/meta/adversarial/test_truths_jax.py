"""Truths of JAX functions against numbers that are not ours: integers, -0.0, empty arrays."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import harness
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_jaxpr import record
from oracles.exact.program.errors import Undecided

X = np.array([1.5, -2.0, 0.75])


def slopes(function, *args):
    """The gradient of the sum, as floats."""
    with jax.enable_x64(True):
        given = [jnp.asarray(a) for a in args or (X,)]
        found = harness.exact_gradient(lambda *a: function(*a).sum(), given, argnums=0)
    return found.mid.ravel().tolist()


def whole(dtype, *numbers):
    """Integers that come from what moves: their numbers plus 0."""
    return lambda x: (jnp.array(numbers, jnp.float64) + (x[: len(numbers)] > 9)).astype(dtype)


U8, I8, I32, I64 = jnp.uint8, jnp.int8, jnp.int32, jnp.int64
ONES = np.ones(3, np.int8)

WRAPS = {
    "uint8 below 0": (lambda x: (x > 9).astype(U8) - U8(1), 255),
    "uint8 above 255": (lambda x: whole(U8, 200, 200, 200)(x) + U8(100), 44),
    "int8 product": (lambda x: whole(I8, 100, 100, 100)(x) * I8(3), 44),
    "int32 product": (lambda x: whole(I32, 2e9, 2e9, 2e9)(x) * I32(2), 4_000_000_000 - 2**32),
    "int64 product": (lambda x: whole(I64, 2**62, 2**62, 2**62)(x) * 4, 0),
    "negative uint8": (lambda x: -whole(U8, 3, 3, 3)(x), 253),
    "the least int8": (lambda x: jnp.abs(whole(I8, -128, -128, -128)(x)), -128),
    "sum in int8": (lambda x: whole(I8, 100, 100, 100)(x).sum(dtype=I8), 44),
    "sum is int64": (lambda x: whole(I8, 100, 100, 100)(x).sum(), 300),
    "prod in int8": (lambda x: whole(I8, 100, 100, 1)(x).prod(dtype=I8), 16),
    "cumsum in int8": (lambda x: jnp.cumsum(whole(I8, 100, 100, 100)(x), dtype=I8)[-1], 44),
    "cumprod in int8": (lambda x: jnp.cumprod(whole(I8, 100, 100, 1)(x), dtype=I8)[-1], 16),
    "dot": (lambda x: jnp.dot(whole(I8, 100, 100, 0)(x), whole(I8, 1, 2, 0)(x)), 44),
    "integer power": (lambda x: whole(I8, 3, 3, 3)(x) ** 7, 2187 - 2304),
    "square": (lambda x: jnp.square(whole(U8, 100, 100, 100)(x)), 16),
    "left shift": (lambda x: whole(U8, 3, 3, 3)(x) << U8(7), 128),
    "logical right shift": (lambda x: lax.shift_right_logical(whole(I8, -8, -8, -8)(x), ONES), 124),
    "floor division": (lambda x: whole(I8, -128, -128, -128)(x) // I8(3), -43),
    "the least by -1": (lambda x: lax.div(whole(I8, -128, -128, -128)(x), -jnp.ones(3, I8)), -128),
    "division towards 0": (lambda x: lax.div(whole(I8, -7, -7, -7)(x), jnp.full(3, 2, I8)), -3),
    "remainder": (lambda x: whole(I8, -7, -7, -7)(x) % I8(3), 2),
    "argmin of uint8": (lambda x: whole(U8, 3, 0, 9)(x).argmin(), 1),
    "top_k of uint8": (lambda x: lax.top_k(whole(U8, 0, 9, 3)(x), 1)[0], 9),
    "bool and bool": (lambda x: (x < 9) + (x < 9), 1),
    "sum of bools": (lambda x: (x < 9).sum(), 3),
    "a narrower int": (lambda x: whole(I32, 300, 300, 300)(x).astype(I8), 44),
}  # fmt: skip


@pytest.mark.parametrize("name", WRAPS)
def test_integers_wrap(name):
    integer, value = WRAPS[name]
    assert slopes(lambda x: x * integer(x)) == [value] * 3


SATURATES = {
    "uint8": (lambda x: (x * 0 + 1000).astype(U8), 255),
    "negative uint8": (lambda x: (x * 0 - 9).astype(U8), 0),
    "int8": (lambda x: (x * 0 - 1000.5).astype(I8), -128),
    "int32": (lambda x: (x * 0 + 1e20).astype(I32), 2**31 - 1),
    "truncated": (lambda x: (x * 0 - 2.7).astype(I8), -2),
    "to a bool": (lambda x: (x * 0 + 1e20).astype(bool), 1),
}


@pytest.mark.parametrize("name", SATURATES)
def test_xla_takes_the_nearest_integer(name):
    integer, value = SATURATES[name]
    assert slopes(lambda x: x * integer(x)) == [float(value)] * 3


Z = np.array([-0.0, -0.0, -0.0])
MINUS_ZERO = {
    "copysign, a number": (lambda x: jnp.copysign(x, -0.0), [-1, 1, -1]),
    "copysign, an array": (lambda x: jnp.copysign(x, Z), [-1, 1, -1]),
    "copysign, its negative": (lambda x: jnp.copysign(x, -jnp.asarray(Z)), [1, -1, 1]),
    "copysign, 0.0": (lambda x: jnp.copysign(x, 0.0), [1, -1, 1]),
    "signbit": (lambda x: jnp.where(jnp.signbit(Z), 3 * x, 2 * x), [3, 3, 3]),
    "atan2 on the cut": (lambda x: x * jnp.arctan2(Z, -jnp.ones(3)), [-math.pi] * 3),
}


@pytest.mark.parametrize("name", MINUS_ZERO)
def test_the_sign_of_a_zero(name):
    function, expected = MINUS_ZERO[name]
    assert slopes(function) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("zero", [lambda x: x * 0.0, lambda x: jnp.floor(abs(x) / 9)])
def test_the_sign_of_a_computed_zero_is_not_known(zero):
    with pytest.raises(Undecided, match=r"whether that is 0\.0 or -0\.0"):
        slopes(lambda x: jnp.copysign(x, lax.stop_gradient(zero(x))))


def test_what_cancels_is_plus_zero():
    assert slopes(lambda x: jnp.copysign(x, lax.stop_gradient(x - x))) == [1, -1, 1]


A = np.array([[2.0, 0.5], [0.5, 1.0]])
EMPTY = {
    "solve": lambda a: jnp.linalg.solve(a, jnp.zeros((2, 0))),
    "solve_triangular": lambda a: jax.scipy.linalg.solve_triangular(a, jnp.zeros((2, 0))),
    "softmax": lambda a: jax.nn.softmax(a[:, :0], 1),
    "max of no rows": lambda a: a[:0].max(1),
    "a batch of no matrices": lambda a: jnp.linalg.cholesky(jnp.broadcast_to(a, (0, 2, 2))),
}


@pytest.mark.parametrize("name", EMPTY)
def test_empty_arrays_add_nothing(name):
    assert slopes(lambda a: EMPTY[name](a).sum() + 3 * a.sum(), A) == [3.0] * 4


FOUR = np.array([3.0, -5.0, 2.0, 8.0])


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32, jnp.float16, jnp.int8])
@pytest.mark.parametrize(
    ("function", "expected"), [(jnp.nanmedian, 2.5), (jnp.nanmax, 8.0), (jnp.nanmean, 2.0), (jnp.nansum, 8.0)]
)
def test_what_is_no_nan_counts_in_every_dtype(function, expected, dtype):
    """A mask of NaN that is cast with its array stays a mask."""
    with jax.enable_x64(True):
        made = record(lambda x: function(x.astype(dtype)), (FOUR,), {})
        (found,) = evaluate(made.program, made.values, 64)
        assert float(np.asarray(found).item()) == expected


OF_INTEGERS = {
    "sinc": (jnp.sinc, 0.0),
    "hypot": (lambda x: jnp.hypot(x, x + 1), 5.0),
    "ldexp": (lambda x: jnp.ldexp(x, x), 24.0),
    "expi": (jax.scipy.special.expi, 9.933832570625416),
    "inverse": (lambda x: jnp.linalg.inv(jnp.diag(x)), 1 / 3),
}


@pytest.mark.parametrize("name", OF_INTEGERS)
def test_library_functions_take_integers(name):
    function, expected = OF_INTEGERS[name]
    with jax.enable_x64(True):
        made = record(lambda x: function(x.astype(jnp.int64)), (np.array([3.0]),), {})
        (found,) = evaluate(made.program, made.values, 64)
        assert float(np.asarray(found).ravel()[0].mid()) == pytest.approx(expected, abs=1e-12)
