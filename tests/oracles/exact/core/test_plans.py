"""Plans against Arb: random programs, samples of every primitive and its derivatives, all kinds of inputs."""

from __future__ import annotations

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import pytest
from flint import arb

from harness import check_gradient
from oracles.exact.core import library, plans
from oracles.exact.core.layout import How, Layout
from oracles.exact.core.pairs import Pairs, of_balls
from oracles.exact.core.plan import Plan
from oracles.exact.core.plans import are_one, structure
from oracles.exact.core.rules import RULES, rule
from oracles.exact.enclose.evaluate import evaluate, evaluate_quickly
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.refine import refine
from oracles.exact.program import functions as fn
from oracles.exact.program.balls import KINKS, filled, precision
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Turned
from oracles.exact.program.formats import RoundingModel
from oracles.exact.program.primitives import (
    arithmetic,
    arrays,
    choices,
    comparisons,
    edges,
    linear_algebra,
    orders,
    predicates,
    reductions,
    steps,
)
from oracles.exact.program.primitives.arithmetic import convert
from oracles.exact.program.primitives.taylor import scalar, taylor
from oracles.exact.program.program import Builder, Program
from oracles.exact.rounding.bound import bound
from oracles.exact.rounding.quick import BoundPlan
from tests.oracles.exact.core.agreement import assert_alike, bits_of, held, outcome, random_programs
from tests.oracles.exact.core.operands import BITS
from tests.oracles.exact.programs import SAMPLES, build

pytestmark = pytest.mark.skipif(library.loaded() is None, reason="the core is not built here")


def wrong(said: Counter[str]) -> list[str]:
    return [what for what in said if what.startswith("wrong")]


def written(function, *shapes, dtype="float64") -> Program:
    builder = Builder()
    return builder.program([function(*(builder.input(s, dtype) for s in shapes))])


def run(function, *given):
    program = written(function, *(np.shape(x) for x in given))
    return Plan(program, rule).run(given)


# -- programs --------------------------------------------------------------------------------------------


def test_random_programs_agree_or_give_nothing():
    total: Counter[str] = Counter()
    rules, detours = set(), 0
    for seed, program, given, at in random_programs(300):
        said = held(program, given, at)
        assert not wrong(said), f"seed {seed}: {said}"
        total += said
        nodes = Plan(program, rule).nodes
        detours += sum(n.operation == "detour" for n in nodes)
        rules |= {e.primitive.name for e in program.equations}
    assert total["agree"] > 500
    assert total["undecided"] > 5
    assert total["kink"] > 2
    assert total["given up"] < 0.1 * total["agree"]
    assert detours > 20
    samples = {
        "pi",
        "cosines",
        "rough",
        "edge_rate",
        "surely_larger",
        "surely_equal",
        "unit",
        "within",
    }  # have some of their own
    alike = {"and", "or", "xor", "not", "no_grad"}  # the rule of detach
    assert set(RULES) - rules - samples <= {"constant", *alike}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_and_its_gradient_agree(name):
    function, points = SAMPLES[name]
    program = build(function, points)
    gradient = vjp(program, list(range(len(points))))
    rng = np.random.default_rng(1)
    cotangents = [rng.normal(size=v.shape) for v in program.outputs]
    for one, given in ((program, points), (gradient, (*points, *cotangents))):
        said = held(one, given, given, bits=300)
        assert not wrong(said), said
        assert said["agree"], said


# -- what cannot be decided gives nothing ----------------------------------------------------------------


def _zero(x):
    return scalar("exp", scalar("log", x)) - x  # which is not known to be one


UNDECIDED = {
    "a comparison": lambda x: choices.select(comparisons.compare("lt", _zero(x), 0.0), x, -x),
    "an equality": lambda x: choices.select(comparisons.compare("eq", _zero(x), 0.0), x, -x),
    "a step": lambda x: orders.take_along(x, orders.argsort(_zero(x), 0), 0),
    "a kink of a detour": lambda x: (
        fn.absolute(x) * x.builder.emit(steps.floor, (_zero(x),), x.shape, x.dtype)
    ),
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_what_cannot_be_decided_gives_nothing(name):
    x = np.array([0.1, 0.7, 0.3])
    assert run(UNDECIDED[name], x) is None


@pytest.mark.parametrize(("share", "verdict"), [(1, "accurate"), (2, "wrong")])
def test_products_of_nothing_are_told_apart_by_their_shapes(share, verdict):
    """Of no query: (5, 0) times (0, 4) is another detour than (5, 0) times (0, 2)."""

    def scores(q, k, v):
        return q @ k.T @ v, v**2

    def vjp(given, q, k, v):
        g, of_square = given
        return g @ v.T @ k, (g @ v.T).T @ q, (q @ k.T).T @ g + share * 2 * of_square * v

    queries, keys, values = np.zeros((0, 4)), np.linspace(-1, 1, 20).reshape(5, 4), np.ones((5, 2)) / 3
    assert check_gradient(scores, (queries, keys, values), vjp=vjp).verdict == verdict


TIED = {
    "a choice between two": lambda x: choices.blend(x, x, x * 2.0, x * 3.0, x),
    "two largest": lambda x: x.builder.emit(
        reductions.weights, (arrays.concatenate([x, x], 0),), (6,), x.dtype, axes=(0,), largest=True
    ),
    "two smallest": lambda x: x.builder.emit(
        reductions.mixture, (arrays.concatenate([x, x], 0), arrays.concatenate([x, 3.0 * x], 0)), (), x.dtype,
        axes=(0,), largest=False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TIED)
def test_what_is_tied_is_the_hull_that_arb_gives_and_a_kink(name):
    builder = Builder()
    x = builder.input((3,), "float64")
    program, at = builder.program([TIED[name](x)]), [np.array([0.1, 0.7, 0.3])]
    with KINKS.collected() as kinks:
        (found,) = Plan(program, rule).run(at)
    with KINKS.collected() as by_arb:
        (balls,) = evaluate(program, at, BITS)
    assert kinks
    assert by_arb
    assert_alike(found, balls)
    assert (found.r > 0).any()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("extreme", "is_it"), [(fn.maximum, np.greater_equal), (fn.minimum, np.less_equal)])
def test_whether_a_computed_number_is_the_larger_of_two_is_decided(extreme, is_it, turned):
    """Of e^x no digits tell that it equals max(e^x, 2), and of max it is asked which of the two it is."""

    def f(x):
        y = scalar("exp", x)
        top = extreme(2.0, y) if turned else extreme(y, 2.0)
        equal = comparisons.compare("eq", top, y) if turned else comparisons.compare("eq", y, top)
        return choices.select(equal, y, 0.0 * y), choices.select(
            comparisons.compare("ne", y, top), 1.0, 0.0 * y
        )

    builder = Builder()
    x = np.array([0.5, 0.75, -1.0])
    program = builder.program(f(builder.input((3,), "float64")))
    found, other = Plan(program, rule).run([x])
    is_one = is_it(np.exp(x), 2.0)
    np.testing.assert_allclose(found.h, np.where(is_one, np.exp(x), 0.0))
    assert other.h.tolist() == (~is_one).tolist()


def test_a_choice_between_truths_needs_no_arb_and_is_open_only_where_both_answers_may_be():
    """Of three comparisons, each false, true, or open: what every answer gives is known."""

    class Opened(Plan):
        opened = True

    builder = Builder()
    which, x, y = (comparisons.compare("gt", builder.input((27,), "float64"), 0.0) for _ in range(3))
    plan = Opened(builder.program([choices.select(which, x, y)]), rule)
    rows = list(itertools.product([arb(-1), arb(1), arb(0, 1)], repeat=3))
    (found,) = plan.run([np.array(column) for column in zip(*rows, strict=True)])
    for row, h, r in zip(rows, found.h, found.r, strict=True):
        truths = [{False, True} if b.contains(0) else {bool(b > 0)} for b in row]
        may = {y if c is False else x for c, x, y in itertools.product(*truths)}
        assert (h, r) == ((0.5, 0.5) if len(may) == 2 else (may.pop(), 0))
    assert plan.by_arb == 0


def _peaks(x):
    """Which elements equal the largest of their row: of computed numbers, as in the gradient of a maximum."""
    rows = scalar("exp", x)
    top = reductions.reduce_max(rows, (1,), keepdims=True)
    return choices.select(comparisons.compare("eq", rows, arrays.reshape(top, (2, 1))), rows, -rows)


@pytest.mark.parametrize(
    ("third", "decided"), [(0.3, True), (0.7, False)], ids=["one is the largest", "two may be"]
)
def test_a_computed_number_is_the_largest_of_its_row_where_no_other_may_be(third, decided):
    x = np.array([[0.1, 0.7, third], [0.5, -0.5, 0.25]])
    found = run(_peaks, x)
    assert (found is not None) == decided
    if found:
        assert np.sign(found[0].h).tolist() == [[-1, 1, -1], [1, -1, -1]]


def test_known_numbers_may_be_the_largest_together():
    def f(x):
        top = reductions.reduce_min(x, (0,), keepdims=True)
        return choices.select(comparisons.compare("ne", top, x), x * 0.0, x)

    (found,) = run(f, np.array([[1.0, 2.0], [1.0, 3.0], [4.0, 2.5]]))
    assert found.h.tolist() == [[1, 2], [1, 0], [0, 0]]


def test_a_guard_that_does_not_hold_is_told():
    builder = Builder()
    x = builder.input((3,), "float64")
    builder.guards.append((comparisons.compare("lt", x, 0.0), np.array([False, True, True])))
    program = builder.program([x * x])
    plan, elsewhere = Plan(program, rule), [np.array([1.0, -1.0, 2.0])]
    assert plan.run([np.array([1.0, -1.0, -2.0])]) is not None
    assert plan.run([np.array([1.0, -1.0, np.nan])]) is None
    asked = [
        plan.run,
        lambda given: evaluate(program, given, 100),
        lambda given: evaluate_quickly(program, given, 100),
        lambda given: refine(program, given, 100, Limits(), quickly=True),
    ]
    for one in asked:
        with pytest.raises(
            Turned,
            match=r"recorded where a branch took \[False  True  True\]; here it is \[False  True False\]",
        ):
            one(elsewhere)
    assert plan.blocks[0].around(elsewhere, {}, 1) is None


@pytest.mark.parametrize("number", [0, 2, -(2**53), 2**61 + 1])
@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_a_number_is_compared_with_a_whole_one_without_arb(name, number):
    program = written(lambda x: choices.select(comparisons.compare(name, x, number), x * x, x), (3,))
    (constant,) = (e for e in program.equations if e.primitive.name == "constant")
    assert constant.params["value"].dtype.kind in "iu"
    plan, points = Plan(program, rule), np.nextafter(float(number), [-np.inf, float(number), np.inf])
    assert not any(n.operation == "detour" for n in plan.nodes)
    assert held(program, [points], [points]) == {"agree": 3}


INF = np.inf


@pytest.mark.parametrize(
    ("h", "r", "infinite"),
    [
        (1.0, 0.0, False),
        (0.0, 1e300, False),
        (1e308, 1e308, False),
        (INF, 0.0, True),
        (-INF, 0.0, True),
        (1.0, INF, None),
        (1.0, np.nan, None),
        (INF, 1.0, None),
        (INF, np.nan, None),
        (np.nan, INF, None),
    ],
)
def test_what_is_infinite_is_so_itself_and_of_what_is_not_known_nothing_is_said(h, r, infinite):
    def found(primitive):
        builder = Builder()
        x = builder.input((1,), "float64")
        kind = builder.emit(primitive, (x,), (1,), "bool")
        plan = Plan(builder.program([choices.select(kind, convert(kind, "float64"), 0.0)]), rule)
        assert not any(n.operation == "detour" for n in plan.nodes)
        given = plan.run([Pairs(np.array([h]), np.zeros(1), np.array([r]))])
        return given and bool(given[0].h[0])

    assert found(predicates.is_infinite) is infinite
    assert found(predicates.is_nan) is (None if infinite is None else False)


def test_an_edge_is_arb_s_and_beyond_it_nothing_moves():
    program = written(lambda x: edges.edged(x, arrays.reduce_sum(x, (0,)), [fn.absolute(x)]), (2,))
    plan = Plan(vjp(program, [0]), rule)
    assert not any(n.operation == "detour" for n in plan.nodes)
    for at, known in (([1.0, -2.0], True), ([1.0, 0.0], False), ([1e-300, 5e-324], True)):
        found = plan.run([np.array(at), np.array([3.0, 5.0])])
        assert (found is not None) == known
        assert found is None or found[0].h.tolist() == [3.0, 5.0]
    with KINKS.collected() as kinks:
        evaluate(vjp(program, [0]), [np.array([1.0, 0.0]), np.ones(2)], 100)
    assert kinks
    rounded = BoundPlan(vjp(program, [0]), RoundingModel("numpy"), set())
    assert rounded.run([np.array([1.0, -2.0]), np.ones(2)])[0].known
    assert not rounded.run([np.array([1.0, 0.0]), np.ones(2)])[0].settled


def test_what_overflows_is_unknown_and_does_not_spread():
    (found,) = run(lambda x: scalar("exp", x) + 1.0, np.array([1.0, 1000.0, -1000.0]))
    assert np.isfinite(found.r).tolist() == [True, False, True]


# -- arenas ------------------------------------------------------------------------------------------------


def _poisoned(layout: Layout, fill: float) -> np.ndarray:
    """An arena in which everything but the constants is this number."""
    with layout.arena() as arena:
        poisoned = np.full_like(arena, fill)
        for node in layout.constants:
            place = slice(node.at, node.at + node.words)
            poisoned[place] = arena[place]
    return poisoned


@pytest.mark.parametrize("fill", [np.nan, 1e308])
def test_what_lay_in_an_arena_does_not_matter(fill):
    for _, program, given, _ in random_programs(60):
        plan = Plan(program, rule)
        first = bits_of(outcome(plan, given))
        (only,) = plan.blocks
        only.layout._arenas[:] = [_poisoned(only.layout, fill)]
        assert bits_of(outcome(plan, given)) == first
        assert bits_of(outcome(plan, given)) == first  # after its own numbers, and twice


@pytest.mark.parametrize("how", [How.POINTS, How.DOUBLES])
def test_midpoints_alone_have_no_radius_but_where_nothing_is_known(how):
    plan = Plan(written(lambda x: scalar("exp", 1.0 / x) / 3.0, (3,)), rule)
    x = np.array([0.0, 2.0, 7.0])
    (pairs,), (alone,) = plan.run([x]), plan.run([x], how)
    assert np.isfinite(alone.r).tolist() == np.isfinite(pairs.r).tolist() == [False, True, True]
    assert not alone.r[1:].any()
    assert alone.h[1:] == pytest.approx(pairs.h[1:], rel=1e-31 if how is How.POINTS else 1e-15, abs=0)
    assert bool(alone.l[1:].any()) is (how is How.POINTS)


def test_another_point_between_changes_nothing():
    function, points = SAMPLES["softmax"]
    plan = Plan(build(function, points), rule)
    first = bits_of(plan.run(points))
    plan.run([p + 1e300 for p in points])
    plan.run([p * np.nan for p in points])
    assert bits_of(plan.run(points)) == first


def test_several_runs_of_a_single_number_are_not_the_first_one_again():
    plan = Plan(written(lambda x: x * x, ()), rule)
    (found,) = plan.blocks[0].around([np.array([3.0])], {0: (np.array([[1.0], [2.0]]), np.zeros((2, 1)))}, 2)
    assert found.h.tolist() == [[1.0], [4.0]]


@pytest.mark.parametrize("name", ["softmax", "maximum", "log_softmax"])
def test_several_runs_at_once_give_what_each_gives_alone(name):
    function, points = SAMPLES[name]
    plan = Plan(build(function, points), rule)
    last = points[-1].ravel()
    moved = np.stack([last + 2.0**-k for k in range(1, 5)]), np.full((4, last.size), 2.0**-60)
    assert plan.blocks[0].layout.in_one_call(How.PAIRS) is not None
    spread = np.asfortranarray(moved[0]), np.broadcast_to(moved[1][0], moved[1].shape)
    wide = plan.blocks[0].around([p.ravel() for p in points], {len(points) - 1: spread}, 4)
    together = plan.blocks[0].around([p.ravel() for p in points], {len(points) - 1: moved}, 4)
    for k in range(4):
        there = Pairs(moved[0][k], moved[1][k], np.zeros(last.size)).reshape(points[-1].shape)
        alone = plan.run([*points[:-1], there])
        for several in (together, wide):
            assert bits_of([x.flat for x in alone]) == bits_of([t[k] for t in several])


def test_several_runs_give_nothing_where_one_has_no_result_and_say_where_there_is_a_kink():
    plan = Plan(written(lambda x: x.builder.emit(steps.floor, (x,), x.shape, x.dtype), (2,)), rule)
    rows, low = np.array([[0.5, 1.5], [0.5, 2.0]]), np.zeros((2, 2))
    assert plan.blocks[0].around([rows[0]], {0: (rows, low)}, 2)[0].h.tolist() == [[0, 1], [0, 2]]
    assert plan.blocks[0].around([rows[0]], {0: (rows, np.array([[0, 0], [0, -1e-20]]))}, 2) is None
    plan = Plan(written(lambda x: x, (2,)), rule)  # nothing is computed
    assert plan.blocks[0].around([rows[0]], {0: (rows, low)}, 2)[0].h.tolist() == rows.tolist()
    plan = Plan(written(TIED["two largest"], (3,)), rule)
    points = np.array([[0.1, 0.7, 0.3], [0.1, 0.7, 0.7]])
    with KINKS.collected() as kinks:
        assert plan.blocks[0].around([points[0]], {0: (points, np.zeros((2, 3)))}, 2)
    assert kinks


def test_several_runs_give_nothing_where_one_takes_another_branch():
    builder = Builder()
    x = builder.input((3,), "float64")
    builder.guards.append((comparisons.compare("gt", x, x * 0.0), np.array([True, True, True])))
    plan, given = Plan(builder.program([x * x]), rule), np.array([1.0, 2.0, 3.0])
    nothing = np.zeros((2, 3))
    assert plan.blocks[0].around([given], {0: (np.stack([given, given]), nothing)}, 2) is not None
    assert plan.blocks[0].around([given], {0: (np.stack([given, given - 1.5]), nothing)}, 2) is None


def test_two_threads_run_one_plan():
    function, points = SAMPLES["log_softmax"]
    plan = Plan(build(function, points), rule)
    given = [[p + k for p in points] for k in range(8)]
    alone = [bits_of(plan.run(g)) for g in given]
    plan.blocks[0].layout._arenas.clear()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda g: bits_of(plan.run(g)), given * 25))
    assert together == alone * 25


# -- inputs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_numbers_of_each_dtype_are_taken_exactly(dtype):
    x = np.array([0.1, 3.0, -7e-5]).astype(dtype)
    (found,) = run(lambda v: v + 0.0, x)
    assert found.h.tolist() == [float(v) for v in x]
    assert not found.r.any()


def test_balls_are_taken_with_all_their_radius():
    with precision(300):
        balls = filled([arb(1) / 3, arb(2, 1e-30), arb("1e-400"), arb("1e400")], (4,))
    (found,) = run(lambda v: v * 1.0, balls)
    assert np.isfinite(found.r).tolist() == [True, True, True, False]
    with precision(2400):
        kept = [bool(a.contains(b)) for a, b in zip(found.balls[:3], balls[:3], strict=True)]
    assert all(kept)


@pytest.mark.parametrize(
    "given",
    [np.array([1, 2, 3]), np.array([1j, 2.0, 3.0]), np.array(["a", "b", "c"])],
    ids=["int", "complex", "str"],
)
def test_what_is_no_floating_number_is_left_to_arb(given):
    assert run(lambda v: v * v, given) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_of_what_is_not_finite_nothing_is_known(bad):
    (found,) = run(lambda v: fn.minimum(v, 0.0) * 0.0 + fn.maximum(v, 0.0), np.array([1.0, bad, -1.0]))
    assert np.isfinite(found.r).tolist() == [True, False, True]


def test_integers_beyond_what_doubles_hold_are_exact():
    builder = Builder()
    n = builder.input((3,), "int64")
    program = builder.program([arithmetic.convert(n, "float64")])
    given = np.array([2**53 + 1, -(2**61) + 3, 7])
    (found,) = Plan(program, rule).run([given])
    assert [int(h) + int(low) for h, low in zip(found.h, found.l, strict=True)] == given.tolist()
    assert not found.r.any()


@pytest.mark.parametrize("dtype", ["uint64", "int64"])
def test_large_unsigned_integers_are_left_to_arb(dtype):
    builder = Builder()
    x = builder.input((2,), "float64")
    n = builder.constant(np.array([5, 2**63 + 5 if dtype == "uint64" else 2**60], dtype))
    program = builder.program([x * arithmetic.convert(n, "float64")])
    found = Plan(program, rule).run([np.ones(2)])
    assert (found is None) == (dtype == "uint64")


# -- structure ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x + scalar("exp", x),
        lambda x: arrays.reduce_sum(x, (0,)),
        lambda x: orders.cumsum(x, 0),
        lambda x: orders.cumsum(x.builder.broadcast(x.builder.constant(1.0), x.shape), 0),
        lambda x: arrays.scatter_add(x, np.zeros(x.shape, int), (3,)),
        lambda x: arrays.take(x, np.full((2,), -1)),
        lambda x: arrays.concatenate([x, x], 0),
        lambda x: linear_algebra.matmul(arrays.reshape(x, (2, 0)), arrays.reshape(x, (0, 3))),
    ],
)
def test_arrays_without_elements(shape, function):
    program = written(function, shape)
    given = [np.zeros(shape)]
    assert not wrong(held(program, given, given))


@pytest.mark.parametrize("n", [*range(-64, 65, 7), -62, -56, -55])
@pytest.mark.parametrize("order", [0, 1, 3, 7])
def test_the_coefficients_of_a_power(n, order):
    def coefficient(x):
        exponents = x.builder.constant(np.full(x.shape, n))
        return x.builder.emit(taylor, (x, exponents), x.shape, x.dtype, function="power", order=order)

    program = written(coefficient, (2,))
    given = [np.array([1.1, -0.9])]
    assert held(program, given, given, bits=300) == Counter({"agree": 2})


def test_programs_that_differ_have_plans_of_their_own():
    def program(function):
        return written(function, (2, 2))

    long = np.arange(3000.0)
    other = long.copy()
    other[1500] += 1  # not in what repr shows
    functions = [
        lambda x: x + 1.0,
        lambda x: x + 2.0,
        lambda x: arrays.permute(x, (1, 0)),
        lambda x: arrays.permute(x, (0, 1)),
        lambda x: arrays.reduce_sum(x, (0,)),
        lambda x: arrays.reduce_sum(x, (1,)),
        lambda x: x[:, 0] - x[:, 1],
        lambda x: x[:, 1] - x[:, 0],
        lambda x: x[0, 0] * long,
        lambda x: x[0, 0] * other,
        lambda x: x * filled([arb(1)], ()),
        lambda x: x * filled([arb(1, 1e-30)], ()),
        lambda x: scalar("bessel_j", x, nu=0),
        lambda x: scalar("bessel_j", x, nu=1),
    ]
    assert len({structure(program(f)) for f in functions}) == len(functions)


def test_detours_that_differ_only_in_a_parameter_are_two():
    (found,) = run(lambda x: scalar("bessel_j", x, nu=0) - scalar("bessel_j", x, nu=1), np.array([0.5]))
    assert abs(found.h[0] - (0.9384698072408130 - 0.2422684576748739)) < 1e-15


def test_pairs_around_balls_hold_them():
    with precision(2400):
        balls = filled(
            [arb(2) ** -1100, arb(1) + arb(2) ** -200, arb(10) ** 300 + arb(1) / 3, arb(0, 1)], (4,)
        )
        pairs = of_balls(balls)
        assert all(a.contains(b) for a, b in zip(pairs.balls, balls, strict=True))
    assert (pairs.h + pairs.l == pairs.h).all()


def test_of_an_unknown_ball_nothing_is_said():
    unknown = Pairs(np.array([1.0, 1.0, np.nan]), np.zeros(3), np.array([np.nan, np.inf, np.inf]))
    assert unknown.contains(np.array([5.0, 5.0, 5.0])).all()
    assert all(ball.is_nan() for ball in unknown.balls)
    assert not unknown.known


def test_parameters_compare_by_what_they_hold_and_else_like_no_others():
    def key(value):
        return plans._plain(value)

    held = (np.arange(3), (1, 2.0))
    assert hash(key(held)) == hash(key((np.arange(3), (1, 2.0))))
    assert key(held) == key((np.arange(3), (1, 2.0)))
    assert key(0.0) != key(-0.0)
    assert key(held) != key((np.arange(4), (1, 2.0)))
    assert key((1,)) != key((True,))
    assert key((slice(1),)) != key((slice(1),))


INTEGERS = {
    "casts to integers": lambda x: x * convert(convert(2.5 * x, "int64"), x.dtype),
    "running sums": lambda x: orders.cumsum(x * x, 1),
    "integers that stand for floats": lambda x: (
        x / convert(x.builder.constant(np.array([[2], [3]])), x.dtype)
    ),
}


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_of_these_is_arb_s_and_both_say_the_same(name, dtype):
    program, at = written(INTEGERS[name], (2, 5), dtype=dtype), np.linspace(-3.1, 4.2, 10).reshape(2, 5)
    at = at.astype(dtype)
    for plan in (Plan(program, rule), BoundPlan(program, RoundingModel("numpy"), set(program.outputs))):
        assert not [node.equation for node in plan.nodes if node.operation == "detour"]
    (found,), (balls,) = Plan(program, rule).run([at]), evaluate(program, [at], BITS)
    assert all(a.overlaps(b) for a, b in zip(found.balls.flat, balls.flat, strict=True))


def test_a_number_that_is_no_integer_of_its_dtype_is_not_decided():
    program = written(lambda x: convert(convert(x, "int8"), "float64"), (1,))
    plan = Plan(program, rule)
    assert plan.run([np.array([-128.9])])[0].h.tolist() == [-128]
    assert plan.run([np.array([0.999])])[0].h.tolist() == [0]
    for number in (128.0, -129.0, 1e300, np.nan, np.inf):
        assert plan.run([np.array([number])]) is None
    near = Pairs(np.array([3.0]), np.zeros(1), np.array([1e-9]))
    assert plan.run([near]) is None
    around = Pairs(np.array([0.0]), np.zeros(1), np.array([0.9]))
    assert plan.run([around])[0].h.tolist() == [0]  # cut to 0 on both sides
    assert evaluate(program, [around.balls], BITS)[0][0] == 0


@pytest.mark.parametrize(("largest", "rounds"), [(2.0**24, False), (2.0**24 + 1, True)])
def test_integers_become_floats_without_rounding_where_they_have_the_digits(largest, rounds):
    program = written(lambda x: convert(convert(x, "int64"), "float32"), (2,))
    plan = BoundPlan(program, RoundingModel("numpy"), set(program.outputs))
    (found,) = plan.run([np.array([largest, 3.0])])
    assert found.h.tolist() == [largest, 3.0]
    assert (found.r > 0).all() == (found.r > 0).any() == rounds
    (by_arb,) = bound(program, [np.array([largest, 3.0])], RoundingModel("numpy"), keep=True).balls
    assert np.allclose(found.r, [float(ball.rad()) for ball in by_arb], rtol=1e-6)


def two(write) -> Program:
    """What `write(builder, x, y)` gives, of two inputs of one shape."""
    builder = Builder()
    return builder.program(write(builder, builder.input((3,), "float64"), builder.input((3,), "float64")))


def test_programs_are_one_in_any_order():
    def first(builder, x, y):
        return [scalar("exp", x) * 0.1 + scalar("tanh", y)]

    def second(builder, x, y):
        t, c = scalar("tanh", y), builder.constant(0.1, "float64")
        return [builder.elementwise("mul", scalar("exp", x), builder.broadcast(c, (3,))) + t]

    assert are_one(two(first), two(first))
    assert are_one(two(first), two(second))


@pytest.mark.parametrize(
    "write",
    [
        lambda b, x, y: [scalar("exp", x) * 0.1000001 + scalar("tanh", y)],
        lambda b, x, y: [scalar("exp", y) * 0.1 + scalar("tanh", x)],
        lambda b, x, y: [scalar("tanh", y) + scalar("exp", x) * 0.1],
        lambda b, x, y: [scalar("expm1", x) * 0.1 + scalar("tanh", y)],
        lambda b, x, y: [scalar("exp", x) * 0.1 + scalar("tanh", y), x],
        lambda b, x, y: [scalar("exp", x) * 0.1 + scalar("tanh", scalar("exp", x))],
    ],
)
def test_others_are_not(write):
    assert not are_one(two(lambda b, x, y: [scalar("exp", x) * 0.1 + scalar("tanh", y)]), two(write))


def test_what_is_computed_twice_is_not_what_is_computed_once():
    """Balls of two are two numbers, though they are one."""

    def once(builder, x, y):
        e = scalar("exp", x)
        return [e - e]

    assert not are_one(two(once), two(lambda b, x, y: [scalar("exp", x) - scalar("exp", x)]))


def test_one_with_another_branch_is_another():
    def guarded(expected):
        def write(builder, x, y):
            builder.guards.append((comparisons.compare("lt", x, y), np.array(expected)))
            return [x * y]

        return two(write)

    assert are_one(guarded([True] * 3), guarded([True] * 3))
    assert not are_one(guarded([True] * 3), guarded([False] * 3))
    assert not are_one(guarded([True] * 3), two(lambda b, x, y: [x * y]))
