"""Infinities, as masks hold them: what the core says of them is what Arb says, or that it does not know."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from flint import arb

from oracles.exact.core import library
from oracles.exact.core.nodes import FUNCTIONS
from oracles.exact.core.pairs import Pairs, of_balls, of_numbers
from oracles.exact.core.plan import Plan
from oracles.exact.core.rules import rule
from oracles.exact.program import functions as fn
from oracles.exact.program.balls import filled, precision
from oracles.exact.program.primitives import choices
from oracles.exact.program.program import Builder
from tests.oracles.exact.core.kernels import applied, decided

pytestmark = pytest.mark.skipif(library.loaded() is None, reason="the core is not built here")
INF = np.inf
POINTS = [
    (INF, 0.0),
    (-INF, 0.0),
    (0.0, 0.0),
    (1.5, 0.0),
    (-1e300, 0.0),
    (2.0, 1.0),
    (7.0, INF),
    (np.nan, np.nan),
]
LIMITS = {
    "exp": {-INF: 0.0},
    "tanh": {INF: 1.0, -INF: -1.0},
    "erf": {INF: 1.0, -INF: -1.0},
    "erfc": {INF: 0.0, -INF: 2.0},
    "expm1": {-INF: -1.0},
    "atan": {INF: np.pi / 2, -INF: -np.pi / 2},
}
KNOWN = {"add", "sub", "mul", "div", "larger", "smaller", "neg", "abs"}


def balls(points) -> Pairs:
    h, r = np.array(points, np.float64).reshape(-1, 2).T
    return Pairs(h, np.zeros(h.size), r)


def middle(point) -> arb:
    return arb(point[0]) if np.isfinite(point[1]) else arb("nan")


TRUTHS = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "larger": lambda x, y: x.max(y),
    "smaller": lambda x, y: x.min(y),
    "neg": lambda x: -x,
    "abs": abs,
}


@pytest.mark.parametrize("name", TRUTHS)
def test_arithmetic(name):
    count = 1 if name in ("neg", "abs") else 2
    said = 0
    for points in itertools.product(POINTS, repeat=count):
        z = applied(name, *(balls([p]) for p in points))
        if not np.isfinite(z.r[0]):
            continue
        with precision(2400):
            true = TRUTHS[name](*map(middle, points))
            if np.isinf(z.h[0]):
                assert (z.r[0], z.l[0]) == (0, 0)
                said += 1
                assert true == arb(z.h[0]), points
            else:
                assert z.ball(0).contains(true), points
    assert bool(said) == (name in KNOWN)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@pytest.mark.parametrize("end", [INF, -INF])
def test_a_function_of_an_infinity_is_its_limit_or_unknown(name, end):
    z = applied(name, balls([(end, 0.0)]))
    if np.isfinite(z.r[0]):
        assert abs(z.h[0] - LIMITS[name][end]) <= z.r[0] + 1e-16
    else:
        assert name not in ("exp", "tanh") or end == INF


def test_comparisons_and_extremes():
    x, y = balls([(-INF, 0.0)]), balls([(3.0, 0.5)])
    assert applied("lt", x, y, integers=True)[0] == 1
    assert applied("gt", x, y, integers=True)[0] == 0
    assert applied("eq", x, x, integers=True)[0] == 1
    assert applied("lt", x, balls([(7.0, INF)]), integers=True) is None
    row = balls([(-INF, 0.0), (3.0, 0.0), (-INF, 0.0), (2.0, 0.5)])
    top = applied("top", row, size=1, numbers=(4, 1, 1))
    assert (top.h[0], top.r[0]) == (3.0, 0.0)
    none = applied("top", balls([(-INF, 0.0)] * 3), size=1, numbers=(3, 1, 1))
    assert (none.h[0], none.r[0]) == (-INF, 0.0)
    unknown = applied("top", balls([(-INF, 0.0), (np.nan, 0.0)]), size=1, numbers=(2, 1, 1))
    assert not np.isfinite(unknown.r[0])
    (weights,) = decided("weights", row, rows=1, count=4, numbers=(4, 1, 1))
    assert weights.h.tolist() == [0, 1, 0, 0]


def test_infinities_that_are_written_are_known_and_as_inputs_they_are_not():
    written = of_balls(filled([arb(v) for v in ("inf", "-inf", "nan", "1")], (4,)))
    assert written.h[:2].tolist() == [INF, -INF]
    assert written.r[[0, 1, 3]].tolist() == [0, 0, 0]
    assert not np.isfinite(written.r[2])
    assert not written.known
    assert str(written.balls[1]) == str(arb("-inf"))
    given = of_numbers(np.array([INF, -INF, np.nan, 1.0]))
    assert np.isfinite(given.r).tolist() == [False, False, False, True]


def _masked_softmax(builder, x):
    mask = builder.constant(np.array([[True, False, True], [False, True, True]]))
    low = builder.broadcast(builder.constant(filled([arb("-inf")], ())), x.shape)
    return fn.softmax(choices.select(mask, x, low), 1)


def test_a_masked_softmax_is_the_core_s():
    builder = Builder()
    x = builder.input((2, 3), "float64")
    plan = Plan(builder.program([_masked_softmax(builder, x)]), rule)
    (found,) = plan.run([np.array([[0.5, 9.0, 1.0], [2.0, 0.0, -1.0]])])
    assert found.known
    assert not any(n.operation == "detour" for n in plan.nodes)
    assert found.h[0, 1] == found.r[0, 1] == found.h[1, 0] == 0
    assert np.allclose(found.h.sum(1), 1)
