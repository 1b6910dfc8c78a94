"""At kinks by the fast core: hulls whose ends the slopes around reach are those that Arb gives."""

from __future__ import annotations

import numpy as np
import pytest

from oracles.exact.core import library
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.enclose.legal import are_legal
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.slopes import slopes
from oracles.exact.program import functions as fn
from oracles.exact.program.derive import contracted, jvp, vjp
from oracles.exact.program.primitives.arrays import reduce_sum
from oracles.exact.program.primitives.choices import select
from oracles.exact.program.primitives.comparisons import compare
from oracles.exact.program.primitives.linear_algebra import matmul
from oracles.exact.program.primitives.reductions import reduce_max
from oracles.exact.program.primitives.taylor import scalar
from oracles.exact.rounding.attainable import attainable
from tests.oracles.exact.programs import build

X = np.array([[0.0, 1.0, -1.0, 0.0], [0.0, 0.0, 2.0, 2.0]])


def relu(x):
    return fn.maximum(x, 0.0)


def stable(x):
    """A sigmoid in two halves, which meet smoothly at 0."""
    e = scalar("exp", -fn.absolute(x))
    return select(compare("ge", x, 0.0), 1.0 / (1.0 + e), e / (1.0 + e))


def mixed(x):
    """Sums of kinks: more slopes than two, of which a few directions see no end."""
    return reduce_sum(relu(x) - 2.0 * fn.absolute(x), (1,)) * reduce_sum(relu(x), (0, 1))


def layer(x):
    """Many slopes, at planes that all meet at X."""
    weights = np.cos(np.arange(18.0)).reshape(9, 2)
    return reduce_sum(relu(matmul(x.builder.constant(weights), x - X)), (0,))


# With whether the fast core tells that the hulls are legal.
KINKS = {
    "relu": (relu, True),
    "relu of relu": (lambda x: relu(relu(x)), True),
    "|x|": (fn.absolute, True),
    "an edge of clamp": (lambda x: fn.minimum(fn.maximum(x, -1.0), 1.0), True),
    "at 1": (lambda x: relu(x - 1.0), True),
    "two in one place": (lambda x: relu(x) + 3.0 * fn.absolute(x), True),
    "ties for the largest": (lambda x: reduce_max(x, (1,)), True),
    "three slopes": (lambda x: reduce_max(x, (0, 1)), True),
    "many ties": (lambda x: reduce_max(x - X, (0, 1)), True),
    "the least of many ties": (lambda x: -reduce_max(X - x, (0, 1)), True),
    "two halves": (stable, False),
    "sums of kinks": (mixed, False),
    "a layer at 0": (layer, True),
    "of what is about 0": (lambda x: relu(x / 3.0 - x / 3.0), False),
    "far from 1": (lambda x: relu(1e-200 * x), True),
}


@pytest.mark.parametrize("derive", [vjp, jvp])
@pytest.mark.parametrize("name", KINKS)
def test_the_hulls_are_those_of_arb(name, derive):
    function, _ = KINKS[name]
    program = build(function, (X,))
    along = np.linspace(0.5, -1.5, X.size).reshape(X.shape)
    given = along.ravel()[: program.outputs[0].size].reshape(program.outputs[0].shape)
    asked = ([X], [given if derive is vjp else along], [0], 128, Limits())
    (found,), *_ = slopes(program, derive, *asked, quickly=True)
    (true,), *_ = slopes(program, derive, *asked, quickly=False)
    assert bool(found.kinks) == bool(true.kinks)
    size = np.abs(true.mid) + true.radius
    np.testing.assert_allclose(found.mid, true.mid, rtol=0, atol=1e-6 * np.max(size))
    assert (np.abs(found.radius - true.radius) <= 1e-5 * size + 1e-100).all()  # what is 0 is 0 by the core


@pytest.mark.parametrize("name", KINKS)
def test_legal_hulls_stay_on_the_fast_core(name):
    function, stays = KINKS[name]
    program = build(function, (X,))
    given = np.linspace(0.5, -1.5, program.outputs[0].size).reshape(program.outputs[0].shape)
    (found,), *_ = slopes(program, vjp, [X], [given], [0], 128, Limits(), quickly=True)
    assert bool(found.pairs) == stays


def test_a_hull_that_is_wider_than_the_slopes_around_is_not_legal():
    """[0, 1] at 0, of slopes 0 and 1; then 1/1000 more at either end, and one that leaves a slope out."""
    x = np.array([0.0])

    def run(moved):
        at = moved[0].h
        return [Pairs(np.where(at > 0, 1.0, 0.0), np.zeros(1), np.zeros(1))]

    def told(low, high):
        hull = Pairs(np.array([(low + high) / 2]), np.zeros(1), np.array([(high - low) / 2]))
        return are_legal(run, [x], [0], [hull], [np.array([True])])

    assert told(0.0, 1.0)
    assert not told(0.0, 1.001)
    assert not told(-0.001, 1.0)
    assert not told(0.0, 0.9)


@pytest.mark.parametrize("what", ["is known", "is not decided", "is wide", "is not known"])
def test_where_a_slope_around_is_not_known_nothing_is_said(what):
    def around(moved):
        slope = np.where(moved[0].h > 0, 1.0, 0.0)
        error = {"is wide": 0.5, "is not known": np.inf}.get(what, 0.0)
        return None if what == "is not decided" else [Pairs(slope, 0 * slope, 0 * slope + error)]

    half = np.array([0.5])
    told = are_legal(around, [np.zeros(1)], [0], [Pairs(half, 0 * half, half)], [half > 0])
    assert told == (what == "is known")


def test_the_sum_of_all_outputs_each_times_a_number():
    program = build(lambda x: scalar("exp", x), (X,))
    weights = np.arange(8.0).reshape(X.shape)
    (total,) = evaluate(contracted(program), [X, weights], 128)
    assert float(total[()]) == pytest.approx(float(np.sum(np.exp(X) * weights)), rel=1e-15)
    (alone,) = evaluate(
        contracted(build(lambda x: x * x, (np.array(3.0),))), [np.array(3.0), np.array(2.0)], 128
    )
    assert float(alone[()]) == 18.0


@pytest.mark.parametrize("name", KINKS)
def test_a_at_kinks_is_that_of_arb(name):
    function, _ = KINKS[name]
    program = build(function, (X,))
    given = np.linspace(0.5, -1.5, program.outputs[0].size).reshape(program.outputs[0].shape)
    derivative = vjp(program, [0])
    truth, *_ = slopes(program, vjp, [X], [given], [0], 128, Limits(), quickly=True)
    (quick,), (stays,) = attainable(derivative, [X, given], [0], truth)
    with library.without():
        (slow,), (still,) = attainable(derivative, [X, given], [0], truth)
    ends = np.abs(truth[0].mid) + truth[0].radius  # those of Arb have 30 bits
    assert (np.abs(quick - slow) <= slow / 16 + 2.0**-28 * ends * truth[0].wide).all()
    assert (stays == still).all()


def test_a_at_kinks_is_the_fast_core_s(monkeypatch):
    monkeypatch.delattr("oracles.exact.rounding.attainable.by_arb")
    program = build(relu, (X,))
    truth, *_ = slopes(program, vjp, [X], [np.ones(X.shape)], [0], 128, Limits(), quickly=True)
    (found,), _ = attainable(vjp(program, [0]), [X, np.ones(X.shape)], [0], truth)
    assert (found < 1e-15).all()
