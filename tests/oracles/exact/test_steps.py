"""What the fast core says of each value on the way is what Arb says."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from oracles.exact.core import library
from oracles.exact.program import functions as fn
from oracles.exact.program.primitives import arithmetic, arrays, linear_algebra, orders, taylor
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from oracles.exact.rounding.steps import by_plan, of_bound
from tests.oracles.exact.test_rounding import build

ROWS = np.random.default_rng(0).normal(size=(4, 6))


def softmax(x):
    e = taylor.scalar("exp", x)
    return e / x.builder.broadcast(arrays.reduce_sum(e, (1,), keepdims=True), x.shape)


def twice(x):
    """The same product three times, of which two are one value."""
    square = x * x
    return arithmetic.detach(square) + square * (x * x)


FUNCTIONS = {
    "softmax": softmax,
    "sums that run": lambda x: orders.cumsum(x * 3.0, 1) * x,
    "products of matrices": lambda x: linear_algebra.matmul(x, arrays.permute(x, (1, 0))) - 1.0,
    "the same twice": twice,
    "what cancels": lambda x: (x + 1e4) - 1e4,
}


@pytest.mark.skipif(bool(library.problem()), reason="the core is not built")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("model", ["numpy", "jax"])
def test_each_value_and_what_it_adds_are_those_of_arb(name, dtype, model):
    x = ROWS.astype(dtype)
    program = build(FUNCTIONS[name], x)
    quick = by_plan(program, [x], ROUNDING_MODELS[model])
    slow = of_bound(bound(program, [x], ROUNDING_MODELS[model], keep=True))
    assert quick is not None
    told = 0
    for v in {e.output for e in program.equations if e.output.is_float}:
        assert np.allclose(quick.middle(v), slow.middle(v), rtol=1e-6, atol=1e-300)
        assert np.allclose(quick.radius(v), slow.radius(v), rtol=0.02, atol=1e-300)
        if v in quick.own and v in slow.own:
            told += 1
            assert np.allclose(quick.own[v], slow.own[v], rtol=0.02, atol=1e-4 * np.max(slow.own[v]) + 1e-40)
    assert told


def test_a_value_that_is_only_moved_adds_nothing():
    """What is detached is the same number, and rounds no second time."""
    x = ROWS.astype("float32")
    program = build(lambda x: arithmetic.detach(x * x) * 1.0, x)
    steps = by_plan(program, [x], ROUNDING_MODELS["numpy"])
    if steps is None:
        pytest.skip("the core is not built")
    added = [e.primitive.name for e in program.equations if np.any(steps.own.get(e.output, 0.0))]
    assert added[0] == "mul"
    assert "detach" not in added


def test_what_a_value_cannot_be_is_no_rounding():
    """A sum of exponentials beside the largest is at least 1: its ball is cut there, and still rounded."""
    x = (4 * ROWS).astype(ml_dtypes.bfloat16)
    program = build(lambda x: fn.softmax(linear_algebra.matmul(x, arrays.permute(x, (1, 0))), 1), x)
    steps = by_plan(program, [x], ROUNDING_MODELS["torch"])
    if steps is None:
        pytest.skip("the core is not built")
    (total,) = [e.output for e in program.equations if e.primitive.name == "reduce_sum"]
    assert np.all(steps.own[total] > 0)
    assert all(np.all(own >= 0) for own in steps.own.values())


def test_without_the_core_nothing_is_said_by_it():
    program = build(softmax, ROWS)
    with library.without():
        assert by_plan(program, [ROWS], ROUNDING_MODELS["numpy"]) is None
