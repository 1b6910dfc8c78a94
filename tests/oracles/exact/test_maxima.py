"""What is known of the largest of a row bounds softmax, and is not taken for another row's."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from flint import arb

from oracles.exact.program import functions as fn
from oracles.exact.program.balls import filled
from oracles.exact.program.primitives import (
    arithmetic,
    arrays,
    comparisons,
    linear_algebra,
    reductions,
    taylor,
)
from oracles.exact.rounding.bound import ROUNDING_MODELS
from tests.oracles.exact.test_rounding import assert_inside, run

BF16 = np.dtype(ml_dtypes.bfloat16)
ROWS = np.random.default_rng(0).normal(size=(3, 3)).astype(BF16)


def exp(x):
    return taylor.scalar("exp", x)


def top(x, axis=1):
    return reductions.reduce_max(x, (axis,), keepdims=True)


def scores(x):
    """Large, and known to a few units only."""
    return linear_algebra.matmul(x * 20.0, arrays.permute(x, (1, 0)))


def above_nothing(x):
    """As JAX writes the largest of a row."""
    return fn.maximum(x, filled([arb("-inf")], ()))


def finite(found):
    return all(b.is_finite() for array in found.balls for b in array.ravel())


@pytest.mark.parametrize("model", ROUNDING_MODELS)
@pytest.mark.parametrize("move", [lambda m: m, arithmetic.detach, above_nothing])
def test_the_softmax_of_computed_scores_is_bounded_in_bfloat16(model, move):
    def softmax(x):
        s = scores(x)
        e = exp(s - move(top(s)))
        return e / arrays.reduce_sum(e, (1,), keepdims=True)

    assert finite(run(softmax, ROWS, model=ROUNDING_MODELS[model]))


def test_a_difference_to_the_largest_is_not_positive_and_the_powers_sum_to_at_least_1():
    def parts(x):
        s = scores(x)
        shifted = s - top(s)
        e = exp(shifted)
        return shifted, e, arrays.reduce_sum(e, (1,))

    shifted, e, total = run(parts, ROWS).balls
    assert all(b <= 0 for b in shifted.ravel())
    assert all(b <= 1 for b in e.ravel())
    assert all(b >= 1 for b in total)
    s = scores_in_bfloat16()
    assert_inside(s - s.max(1, keepdims=True), shifted)


def scores_in_bfloat16():
    x = ROWS * BF16.type(20)
    return (x.astype(float) @ ROWS.T.astype(float)).astype(BF16)


def test_where_a_compiler_computes_it_twice_a_difference_may_be_positive():
    shifted = run(lambda x: scores(x) - top(scores(x)), ROWS, model=ROUNDING_MODELS["jax"]).balls[0]
    assert not any(b <= 0 for b in shifted.ravel() if b.rad() > 1)
    s, again = run(lambda x: (s := scores(x), s - top(s)), ROWS, model=ROUNDING_MODELS["jax"]).balls
    assert max(float(b.upper()) for b in again.ravel()) >= 2 * min(float(b.rad()) for b in s.ravel())


@pytest.mark.parametrize(
    "misaligned",
    [
        lambda s: s - arrays.permute(top(s), (1, 0)),
        lambda s: s - top(s)[::-1],
        lambda s: s * 1.0 - top(s),
        lambda s: s - arrays.take(top(s), np.array([[-1] * 3, [1] * 3, [2] * 3])),
    ],
    ids=["transposed", "of other rows", "of another array", "with a gap"],
)
def test_the_largest_of_something_else_says_nothing(misaligned):
    x = np.array([[1, 4, 2], [8, 3, 16], [0.5, 32, 5]]).astype(BF16)
    assert not all(b <= 0 for b in run(lambda x: misaligned(scores(x)), x).balls[0].ravel())


def test_the_largest_of_columns_is_that_of_columns():
    shifted = run(lambda x: (s := scores(x)) - top(s, 0), ROWS).balls[0]
    assert all(b <= 0 for b in shifted.ravel())


def test_an_element_taken_three_times_is_not_a_row():
    """Of (0, -9, -9) the smallest power, three times: far below 1."""
    x = np.array([[9.0, 0.0, 0.0]], np.float32)
    smallest = np.array([[1, 1, 1]])

    def function(x):
        s = x * 1.5
        e = exp(s - top(s))
        return arrays.reduce_sum(arrays.take(e, smallest), (1,)), arrays.reduce_sum(e[:, ::-1], (1,))

    three, whole = (b.item() for b in run(function, x).balls)
    assert three < 1e-4
    assert whole >= 1


def counts(x):
    s = x * 1.1
    equal = arithmetic.convert(comparisons.compare("eq", s, arrays_like(top(s), s)), "bfloat16")
    return equal, arrays.reduce_sum(equal, (1,))


def arrays_like(x, like):
    return x.builder.broadcast(x, like.shape)


def test_candidates_for_the_largest_are_those_that_rounding_may_make_it():
    x = np.array([[1, 1.0078125, 3, -1], [3, 3.015625, -8, 3.03125]]).astype(BF16)
    equal, total = run(counts, x).balls
    assert [b.is_exact() and float(b) for b in equal[0]] == [0, 0, 1, 0]
    assert equal[1, 2] == 0
    for k in (1, 3):
        assert arb(0) in equal[1, k]
        assert arb(1) in equal[1, k]
    assert all(b >= 1 for b in total)
    assert arb(1.05) not in total[0]
    assert arb(2) in total[1]


def test_exact_ties_are_all_the_largest():
    x = np.array([[2.0, 1.0, 2.0]], np.float32)
    equal = run(
        lambda x: arithmetic.convert(comparisons.compare("eq", arrays_like(top(x), x), x), "float32"), x
    )
    assert [float(b) for b in equal.balls[0][0]] == [1, 0, 1]
    assert all(b.is_exact() for b in equal.balls[0][0])


@pytest.mark.parametrize("target", ["float32", "bfloat16"])
def test_a_cast_that_loses_nothing_keeps_the_facts(target):
    def softmax(x):
        s = scores(x)
        e = exp(arithmetic.convert(s, target) - arithmetic.convert(top(s), target))
        return (arrays.reduce_sum(e, (1,)),)

    assert all(b >= 1 for b in run(softmax, ROWS).balls[0])
