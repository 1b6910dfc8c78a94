"""B by a plan against B by Arb, for samples of every primitive and their gradients: hardly another."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from oracles.exact.core import library
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.refine import refine
from oracles.exact.program.derive import vjp
from oracles.exact.program.formats import ROUNDING_MODELS
from oracles.exact.program.primitives import arrays
from oracles.exact.program.primitives.arithmetic import convert
from oracles.exact.program.primitives.arrays import reduce_sum
from oracles.exact.program.primitives.choices import select
from oracles.exact.program.primitives.comparisons import compare
from oracles.exact.program.primitives.reductions import reduce_max
from oracles.exact.program.primitives.taylor import scalar
from oracles.exact.program.program import Builder, Var
from oracles.exact.rounding.bound import bound
from tests.oracles.exact.core.agreement import assert_alike
from tests.oracles.exact.programs import SAMPLES

pytestmark = pytest.mark.skipif(library.loaded() is None, reason="the core is not built here")

ARBS = {"digamma", "lgamma", "masked rows"}  # at negative numbers; a logarithm of 0
WIDER = {"real power": 2.0}  # its plan is of exp and log, and Arb's ball of the slope is that of a power
PART = 1.08


@pytest.mark.parametrize(("model", "dtype"), [("numpy", "float64"), ("torch", "float16"), ("jax", "float32")])
@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_and_its_gradient_are_bounded_as_by_arb(name, model, dtype):
    function, points = SAMPLES[name]
    if dtype == "float16" and name.startswith("complex"):
        dtype = "float32"  # there is no complex half
    points = [x.astype(dtype) for x in points]
    builder = Builder()
    program = builder.program([function(*(builder.input(x.shape, dtype) for x in points))])
    gradient = vjp(program, list(range(len(points))))
    cotangents = [np.ones(v.shape) for v in program.outputs]
    for one, given in ((program, points), (gradient, (*points, *cotangents))):
        quick = bound(one, given, ROUNDING_MODELS[model])
        with library.without():
            slow = bound(one, given, ROUNDING_MODELS[model])
        pairs = [found for found in quick.found if isinstance(found, Pairs)]
        finite = all(ball.is_finite() for balls in slow.balls for ball in balls.ravel())
        assert pairs or not finite or name in ARBS
        for found, balls in zip(pairs, slow.balls if pairs else (), strict=True):
            assert_alike(found, balls, WIDER.get(name, PART), PART)


def soft(x: Var) -> Var:
    """By hand: what is exponentiated is differentiated through its largest element."""
    e = scalar("exp", x - reduce_max(x, (1,), keepdims=True))
    return e / reduce_sum(e, (1,), keepdims=True)


@pytest.mark.parametrize("model", ["numpy", "torch", "jax"])
def test_a_row_in_which_two_are_largest_is_the_core_s_too(model):
    builder = Builder()
    program = builder.program([soft(builder.input((2, 4), "float32"))])
    gradient = vjp(program, [0])
    x = np.array([[1.0, 0.5, 1.0, -2.0], [0.25, 3.0, 1.0, 0.5]])
    given = [x, np.array([[1.0, -2.0, 0.5, 3.0], [0.5, 1.0, -1.0, 2.0]])]
    (found,) = bound(gradient, given, ROUNDING_MODELS[model]).found
    (true,) = refine(gradient, given, 128, Limits(), (0,), quickly=True)
    with library.without():
        (balls,) = bound(gradient, given, ROUNDING_MODELS[model]).balls
        (by_arb,) = refine(gradient, given, 128, Limits(), (0,), quickly=True)
    assert isinstance(found, Pairs)
    assert true.pairs is not None
    assert true.kinks == by_arb.kinks == ()
    assert_alike(found, balls)
    assert_alike(true.pairs, by_arb.balls, wider=np.inf)
    assert float(true.radius.max()) < 1e-29


@pytest.mark.parametrize("size", [1.0, 300.0, 1e5])
@pytest.mark.parametrize(("model", "dtype"), [("numpy", "float64"), ("jax", "float32"), ("jax", "bfloat16")])
def test_rows_that_are_computed_are_bounded_as_by_arb(model, dtype, size):
    """A compiler may compute them twice, once for the largest element and once to subtract it.

    Where rounding moves an exponent by tenths, the core's ball of its power is wider than Arb's.
    """
    builder = Builder()
    x = builder.input((3, 8), dtype)
    rows = arrays.permute(x * x - 3.0 * x, (1, 0))
    programs = [builder.program([soft(rows)]), builder.program([reduce_sum(soft(rows) * rows, (0,))])]
    given = np.random.default_rng(0).normal(size=(3, 8)) * size
    given = [given.astype(ml_dtypes.bfloat16).astype(float)]
    for program in (*programs, vjp(programs[0], [0])):
        numbers = [*given, *(np.ones(v.shape) for v in program.inputs[1:])]
        quick = bound(program, numbers, ROUNDING_MODELS[model])
        with library.without():
            slow = bound(program, numbers, ROUNDING_MODELS[model])
        for found, balls in zip(quick.found, slow.balls, strict=True):
            if isinstance(found, Pairs):
                assert_alike(found, balls, PART if size == 1 and dtype != "bfloat16" else 1.6, PART)
            else:
                assert size > 1


def test_a_slope_that_is_not_one_there_is_the_hull_of_those_around():
    builder = Builder()
    program = builder.program([reduce_max(builder.input((2, 3), "float32"), (1,))])
    given = [np.array([[1.0, 0.5, 1.0], [0.25, 3.0, 1.0]]), np.array([2.0, 3.0])]
    (found,) = refine(vjp(program, [0]), given, 128, Limits(), (0,), quickly=True)
    assert found.pairs
    assert found.kinks
    assert [ball.contains(0) and ball.contains(2) for ball in found.balls[0]] == [True, False, True]
    assert found.wide.tolist() == [[True, False, True], [False] * 3]


def chooses(x: Var) -> Var:
    """By comparisons that rounding may turn: at 1, and where e^x is about 2.5."""
    e = scalar("exp", x)
    near, far = compare("lt", e, 2.5), compare("ge", x * 3.0 - 2.0, 1.0)
    both = x.builder.elementwise("and", near, x.builder.elementwise("not", far, dtype="bool"), dtype="bool")
    return select(both, e, -x) * convert(near, x.dtype) + select(compare("eq", e, 2.5), 1.0, x)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("model", ["numpy", "torch", "jax"])
def test_a_comparison_that_rounding_may_turn_is_open_as_by_arb(model, dtype):
    builder = Builder()
    program = builder.program([chooses(builder.input((6,), dtype))])
    x = np.array([1.0, np.log(2.5), -1.0, 0.5, 2.0, 1.0 + 2.0**-6])
    x = x.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    (found,) = bound(program, [x], ROUNDING_MODELS[model]).found
    with library.without():
        (balls,) = bound(program, [x], ROUNDING_MODELS[model]).balls
    assert isinstance(found, Pairs)
    assert_alike(found, balls)
    assert (found.r > 0.5).any()


def test_a_number_that_was_moved_equals_itself():
    """Balls that are one are compared by Arb, which knows them: of e^x and the same sorted backwards."""

    def f(x: Var) -> Var:
        e = scalar("exp", x)
        there = arrays.index(e, lambda p: p[::-1])
        return select(compare("eq", arrays.index(there, lambda p: p[::-1]), e), e, -e)

    builder = Builder()
    program = builder.program([f(builder.input((3,), "float32"))])
    (found,) = bound(program, [np.array([0.1, 0.2, 0.3], np.float32)], ROUNDING_MODELS["numpy"]).balls
    assert all(ball > 0 for ball in found.ravel())


def test_a_branch_that_rounding_may_turn_is_arb_s():
    builder = Builder()
    x = builder.input((), "float32")
    builder.guards.append((compare("lt", scalar("exp", x), 2.5), np.array(True)))
    program = builder.program([x * 2.0])
    at = np.array(np.log(2.5), np.float32)
    found = bound(program, [at], ROUNDING_MODELS["numpy"])
    assert found.problem == "rounding may turn a comparison"
    assert bound(program, [np.float32(0.5)], ROUNDING_MODELS["numpy"]).problem == ""
