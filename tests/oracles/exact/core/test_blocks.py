"""A plan in blocks gives what it gives at once, bit by bit; it is cut where rows need no other rows."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from harness.check import check_gradient
from oracles.exact.core import blocks, library
from oracles.exact.core.blocks import Rows
from oracles.exact.core.plan import Plan
from oracles.exact.core.rules import rule
from oracles.exact.core.telling import telling
from oracles.exact.program import functions as fn
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.formats import ROUNDING_MODELS, RoundingModel
from oracles.exact.program.primitives import arrays, choices, comparisons, linear_algebra, orders, reductions
from oracles.exact.program.primitives.arithmetic import convert
from oracles.exact.program.primitives.taylor import scalar
from oracles.exact.program.program import Builder, Program
from oracles.exact.rounding.quick import BoundPlan
from tests.oracles.exact.core.agreement import TURNED, bits_of, outcome, random_programs
from tests.oracles.exact.programs import SAMPLES, build

pytestmark = pytest.mark.skipif(library.loaded() is None, reason="the core is not built here")


@pytest.fixture(autouse=True)
def one_row_a_block(monkeypatch):
    monkeypatch.setattr(blocks, "LARGE", 0)
    monkeypatch.setattr(blocks, "WORDS", 1)
    monkeypatch.setattr(blocks, "BEFORE", 40)


def cut(plan: Plan) -> list[Rows]:
    return [block for block in plan.blocks if isinstance(block, Rows)]


def at_once(plan: Plan, given) -> list | None:
    whole = blocks.at_once(plan.nodes, plan.inputs, plan.outputs, plan.guards)
    return outcome(whole, [blocks.flat(x) for x in given])


def same(plan: Plan, given) -> bool:
    found, whole = outcome(plan, given), at_once(plan, given)
    if found in (None, TURNED):
        return found == whole
    return bits_of([x.flat for x in found]) == bits_of(whole)


def written(function, *shapes) -> Program:
    builder = Builder()
    return builder.program([function(*(builder.input(s, "float64") for s in shapes))])


def test_random_programs():
    seen = 0
    for seed, program, given, _ in random_programs(400):
        plan = Plan(program, rule)
        seen += bool(cut(plan))
        assert same(plan, given), seed
    assert seen > 50


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_their_gradients_and_their_bounds(name):
    function, points = SAMPLES[name]
    program = build(function, points)
    gradient = vjp(program, [i for i, v in enumerate(program.inputs) if v.is_float])
    given = [*points, *(np.full(v.shape, 0.75) for v in gradient.inputs[len(points) :])]
    assert same(Plan(program, rule), points)
    assert same(Plan(gradient, rule), given)
    try:
        bounds = BoundPlan(gradient, RoundingModel("numpy"), {e.output for e in gradient.equations})
    except Unsupported:
        return
    found, whole = bounds.run(given), at_once(bounds, given)
    if found is None or whole is None:
        assert whole is None  # what overflows in one block ends it
        return
    for own, other in zip(found, whole, strict=True):
        assert np.array_equal(own.h.ravel(), other.h)
        assert np.array_equal(np.isfinite(own.r.ravel()), np.isfinite(other.r))
        assert not (own.r.ravel() > other.r).any()  # a block of powers of two does not round


ROW = (6, 4)
CUTS = {
    "all elements": (lambda x: scalar("exp", x) * x, 24, [ROW]),
    "rows": (lambda x: fn.softmax(x, 1), 6, [ROW]),
    "rows within matrices": (lambda x: fn.softmax(x, 2), 6, [(2, 3, 4)]),
    "matrices": (lambda x, y: linear_algebra.matmul(fn.softmax(x, 2), y), 2, [(2, 3, 4), (2, 4, 3)]),
    "rows of one matrix": (lambda x, w: linear_algebra.matmul(scalar("exp", x), w), 6, [ROW, (4, 3)]),
    "a weight for each column": (lambda x, w: fn.softmax(x * w, 1), 6, [ROW, (4,)]),
    "a number for each row": (lambda x, c: fn.softmax(x, 1) * c, 6, [ROW, (6, 1)]),
    "a running sum": (lambda x: orders.cumsum(scalar("exp", x), axis=1), 6, [ROW]),
    "rows turned around": (lambda x: scalar("exp", orders.flip(x, 1)), 6, [ROW]),
}


@pytest.mark.parametrize("name", CUTS)
def test_what_is_cut_where(name):
    function, rows, shapes = CUTS[name]
    plan = Plan(written(function, *shapes), rule)
    given = [np.random.default_rng(k).normal(size=s) for k, s in enumerate(shapes)]
    assert len(cut(plan)) == rows
    assert same(plan, given)


WHOLE = {
    "a sum over rows": (lambda x: arrays.reduce_sum(scalar("exp", x), axes=(0,)), [ROW]),
    "rows in another order": (lambda x: scalar("exp", orders.flip(x, 0)), [ROW]),
    "one number for all": (lambda x: x / arrays.reduce_sum(x * x, axes=(0, 1)), [ROW]),
    "a matrix by itself": (lambda x: linear_algebra.matmul(x, x), [(4, 4)]),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_not_cut(name):
    function, shapes = WHOLE[name]
    assert not cut(Plan(written(function, *shapes), rule))


def test_the_last_block_takes_rows_again_so_that_all_are_as_long(monkeypatch):
    monkeypatch.setattr(blocks, "WORDS", 200)
    plan = Plan(written(lambda x: fn.softmax(x, 1), (7, 5)), rule)
    given = [np.random.default_rng(0).normal(size=(7, 5))]
    assert [block.first for block in cut(plan)] == [0, 3, 4]
    assert same(plan, given)


def test_one_block_that_is_not_decided_ends_the_plan():
    plan = Plan(written(lambda x: fn.maximum(x, 0.0) * fn.copysign(x, x), (8,)), rule)
    given = np.linspace(-1, 1, 8)
    assert plan.run([given]) is not None or not cut(plan)
    given[5] = 0.0
    assert plan.run([given]) is None


@pytest.mark.parametrize("count", [2, 5])
def test_threads_give_the_same(monkeypatch, count):
    plan = Plan(written(lambda x: fn.softmax(x, 1), (40, 5)), rule)
    given = [np.random.default_rng(0).normal(size=(40, 5))]
    alone = bits_of(plan.run(given))
    with blocks.in_threads(count):
        with blocks.in_threads(None):
            pass
        assert bits_of(plan.run(given)) == alone
        monkeypatch.setattr(blocks, "ThreadPoolExecutor", lambda _: pytest.fail("one thread was asked for"))
        with blocks.in_threads(1):
            assert bits_of(plan.run(given)) == alone


def test_in_threads_the_last_block_whose_rows_another_has_waits_for_all_others():
    ended = []

    def work(block):
        time.sleep(0.0 if block == "last" else 0.02)
        ended.append(block)
        return True

    told = []
    with blocks.in_threads(4), telling(lambda *step: told.append(step)):
        assert blocks.every(["first", "second", "last"], work, "numbers")
    assert told == [("numbers", 0, 2), ("numbers", 1, 2)]
    assert sorted(ended[:2]) == ["first", "second"]
    assert ended[2:] == ["last"]


def test_in_threads_a_block_that_is_not_decided_ends_the_plan():
    plan = Plan(written(lambda x: fn.copysign(x, x), (64,)), rule)
    given = np.linspace(1, 2, 64)
    given[40] = 0.0
    with blocks.in_threads(3):
        assert plan.run([given]) is None


def test_a_check_in_threads_says_the_same():
    x = torch.randn((64, 33), generator=torch.Generator().manual_seed(0))
    alone, together = (check_gradient(lambda x: torch.softmax(x, -1), (x,), threads=n) for n in (1, 3))
    assert str(together) == str(alone)
    with pytest.raises(ValueError, match="threads must be an integer >= 1, got 0"):
        check_gradient(torch.sin, (x,), threads=0)


def _soft(x):
    rows = scalar("exp", x) * x
    e = scalar("exp", rows - reductions.reduce_max(rows, (1,), keepdims=True))
    return e / arrays.reduce_sum(e, (1,), keepdims=True)


def _largest(x):
    rows = scalar("exp", x)
    top = reductions.reduce_max(rows, (1,), keepdims=True)
    return choices.select(comparisons.compare("eq", rows, top), rows, -rows)


@pytest.mark.parametrize("f", [_soft, _largest])
@pytest.mark.parametrize("model", [None, "numpy", "jax"])
def test_rows_and_their_largest_elements(f, model, monkeypatch):
    monkeypatch.setattr(blocks, "BEFORE", 400)  # roundings are constants of their own
    x = np.random.default_rng(0).normal(size=(6, 5))
    x[2, 3] = x[2].max()  # of two elements, where their shares say so
    for program in (written(f, (6, 5)), vjp(written(f, (6, 5)), [0])):
        given = [x, *(np.ones(v.shape) for v in program.inputs[1:])]
        plan = Plan(program, rule) if model is None else BoundPlan(program, ROUNDING_MODELS[model], set())
        assert len(cut(plan)) == 6
        apart = [np.sort(x, 1) + np.arange(5), *given[1:]]
        assert plan.run(apart) is not None
        assert same(plan, apart)
        if model is None or f is _soft:
            assert same(plan, given)
            continue
        # Whether a product rounds is asked of each block, and where a comparison is open it does.
        for one, other in zip(plan.run(given), at_once(plan, given), strict=True):
            assert one.flat.meets(other).all()
            assert np.isfinite(one.r).all()


BOUNDS = {
    "casts": (lambda x: x * convert(convert(3.0 * x, "int64"), x.dtype), 24),
    "running sums": (lambda x: orders.cumsum(x * x, 1), 6),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_of_casts_and_running_sums_are_cut_into_rows(name, monkeypatch):
    monkeypatch.setattr(blocks, "BEFORE", 100)
    builder = Builder()
    function, rows = BOUNDS[name]
    program = builder.program([function(builder.input((6, 4), "float32"))])
    plan = BoundPlan(program, RoundingModel("numpy"), set(program.outputs))
    assert len(cut(plan)) == rows
    given = [np.linspace(-2.1, 3.4, 24, dtype=np.float32).reshape(6, 4)]
    (own,), (whole,) = plan.run(given), at_once(plan, given)
    assert np.array_equal(own.h.ravel(), whole.h)
    assert (own.r.ravel() <= whole.r).all()  # a block of powers of two does not round
