"""Which inputs are moved in all ways: where each element depends on one number of each."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from oracles.exact.core import library
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program import functions as fn
from oracles.exact.program.derive import jvp, vjp
from oracles.exact.program.primitives import arrays, choices, comparisons, orders, taylor
from oracles.exact.program.program import PRIMITIVES
from oracles.exact.rounding.perturbed import half_ulps
from oracles.exact.rounding.ways import BY_ELEMENT, Ways, is_by_element, ways
from tests.oracles.exact.programs import SAMPLES
from tests.oracles.exact.programs import build as built
from tests.oracles.exact.test_attainable import spread
from tests.oracles.exact.test_rounding import build

BITS = 128
X, Y = np.random.default_rng(5).normal(size=(2, 6)).astype(np.float32)
APART = {
    "a polynomial": lambda x: x * x * x,
    "a quotient": lambda x: x / (1.0 + fn.square(x)),
    "functions": lambda x: taylor.scalar("exp", x) * taylor.scalar("erf", x),
    "branches": lambda x: choices.select(comparisons.compare("gt", x, 0.0), x, 0.5 * x) * x,
    "with axes": lambda x: arrays.reshape(arrays.reshape(x, (3, 2)) * 2.0, (6,)) * x,
    "a sum's gradient": lambda x: arrays.reduce_sum(x * x * x, (0,)),
}
NOT_APART = {
    "running sums": lambda x: orders.cumsum(x, 0) * x,
    "softmax": lambda x: fn.softmax(x, 0),
    "centred": lambda x: fn.square(x - arrays.reduce_sum(x, (0,), keepdims=True)),
    "all pairs": lambda x: arrays.reduce_sum(fn.square(arrays.reshape(x, (6, 1)) - x), (0, 1)),
    "turned": lambda x: arrays.reshape(
        arrays.permute(arrays.reshape(x, (3, 2)), (1, 0)) * arrays.reshape(x, (2, 3)), (6,)
    ),
}


@pytest.mark.parametrize("function", APART.values(), ids=APART)
def test_all_ways_are_tried_where_each_element_is_of_one_number_of_each_input(function):
    gradient = vjp(build(function, X), [0])
    assert ways(gradient, [0, 1], 16) == Ways(range(4), together=True)


@pytest.mark.parametrize("function", NOT_APART.values(), ids=NOT_APART)
def test_elsewhere_they_are_drawn(function):
    assert ways(vjp(build(function, X), [0]), [0, 1], 16) == Ways(range(16))


def test_too_many_inputs_for_all_ways_are_drawn():
    gradient = vjp(build(lambda a, b, c, d: a * b * c * d, X, X, X, X), [0])
    assert ways(gradient, range(5), 16) == Ways(range(16))
    assert ways(gradient, range(4), 16) == Ways(range(16), together=True)
    assert ways(gradient, [], 16) == Ways(range(0))


def test_every_combination_of_ups_is_one_of_the_ways():
    all_ = Ways(range(8), together=True)
    shapes = ((2,), (), (3, 1))
    seen = {tuple(bool(up) for up in all_.ups(seed, shapes)) for seed in all_.seeds}
    assert seen == set(itertools.product([False, True], repeat=3))


@pytest.mark.parametrize("core", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_is_the_largest_change_of_all(core, dtype):
    """Of x y, whose gradient is c y: at every corner of what c and y may have been."""
    x, y, c = (v.astype(dtype) for v in (X, Y, X + Y))
    if core:
        found, _ = spread(lambda x, y: x * y, [x, y], c)
    else:
        with library.without():
            found, _ = spread(lambda x, y: x * y, [x, y], c)
    cc, yy = c.astype(np.longdouble), y.astype(np.longdouble)
    dc, dy = half_ulps(c, dtype, True), half_ulps(y, dtype, True)
    corners = [
        np.abs((cc + s * dc) * (yy + t * dy) - cc * yy) for s, t in itertools.product((1, -1), repeat=2)
    ]
    wanted = np.max(corners, 0) + half_ulps(c * y, dtype, True)
    np.testing.assert_allclose(
        found.astype(float), wanted.astype(float), rtol=1e-3 if dtype == "float64" else 1e-6
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_a_program_that_is_by_element_moves_in_one_element_with_one_number(name):
    """That it says so is a claim about the program: here it is asked of the program itself."""
    sample = SAMPLES[name]
    points = [np.asarray(p, float) for p in sample.points]
    program = built(sample.function, sample.points)
    every = list(range(len(points)))
    for derived in (vjp(program, every), jvp(program, every)):
        moving = list(range(len(derived.inputs)))
        if not is_by_element(derived, moving):
            continue
        numbers = [*points, *(np.full(v.shape, 0.7) for v in derived.inputs[len(points) :])]
        here = evaluate(derived, numbers, BITS)
        for i, given in enumerate(numbers):
            if given.size < 2:
                continue
            moved = [x.copy() for x in numbers]
            moved[i].flat[1] *= 1.01
            for a, b in zip(here, evaluate(derived, moved, BITS), strict=True):
                same = [
                    p == q or (p.contains(q) and q.contains(p))
                    for p, q in zip(a.ravel(), b.ravel(), strict=True)
                ]
                assert all(s for k, s in enumerate(same) if k != 1), name


def test_the_names_are_those_of_primitives_and_many_samples_are_by_element():
    assert PRIMITIVES.keys() >= BY_ELEMENT
    programs = [vjp(built(s.function, s.points), [0]) for s in SAMPLES.values()]
    assert sum(is_by_element(p, range(len(p.inputs))) for p in programs) > 30
