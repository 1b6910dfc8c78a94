"""Numbers that only products of matrices read stay numbers until then, and are the same balls."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from oracles.exact.enclose import evaluate as room
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives.arrays import reshape
from oracles.exact.program.primitives.linear_algebra import matmul, transpose
from oracles.exact.program.primitives.taylor import scalar
from oracles.exact.program.program import Builder

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(4, 3))
PRODUCTS = {
    "both given": lambda x, y: matmul(x, y),
    "one that is moved": lambda x, y: matmul(reshape(x, (6, 4)), y),
    "one that is transposed": lambda x, y: matmul(transpose(y), transpose(x)),
    "one that is read elsewhere, too": lambda x, y: matmul(x, y) + matmul(scalar("exp", x), y) * 3.0,
    "one that is squared, too": lambda x, y: matmul(x * x, y) + matmul(x, y),
    "with a vector": lambda x, y: matmul(x, reshape(y, (4, 3))[:, :1]),
    "with a constant": lambda x, y: matmul(x, x.builder.constant(RNG.normal(size=(4, 2)))),
    "with a constant that is a ball": lambda x, y: matmul(x, x.builder.constant(np.full((4, 2), 0.1)) / 3.0),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("name", PRODUCTS)
def test_the_balls_are_those_of_numbers_made_balls_first(name, dtype, monkeypatch):
    builder = Builder()
    inputs = [builder.input(a.shape, dtype) for a in (X, Y)]
    program = builder.program([PRODUCTS[name](*inputs)])
    given = [a.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype) for a in (X, Y)]
    gradient = vjp(program, [0, 1])
    for one, at in ((program, given), (gradient, [*given, np.ones(program.outputs[0].shape)])):
        found = evaluate(one, at, 128)
        with monkeypatch.context() as patch:
            patch.setattr(room, "_plain", lambda program: set())
            true = evaluate(one, at, 128)
        for a, b in zip(found, true, strict=True):
            assert a.dtype == object
            assert all(p == q or p.overlaps(q) for p, q in zip(a.ravel(), b.ravel(), strict=True))
            assert [p.rad() for p in a.ravel()] == [q.rad() for q in b.ravel()]


def test_a_number_that_is_not_finite_is_refused_here_too():
    builder = Builder()
    program = builder.program([matmul(*(builder.input((2, 2), "float64") for _ in range(2)))])
    with pytest.raises(Unsupported, match=r"the element at \(0, 1\) is inf"):
        evaluate(program, [np.array([[1.0, np.inf], [0.0, 0.0]]), np.ones((2, 2))], 128)
