"""Single elements by Arb are those of the whole program; and a truth that needs a few gets only these."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.special
from flint import arb

import harness
from harness.verdicts import Verdict
from oracles.exact.core import library
from oracles.exact.core.blocks import flat
from oracles.exact.core.elements import narrowed
from oracles.exact.core.pairs import Pairs
from oracles.exact.core.plan import Plan
from oracles.exact.core.plans import planned
from oracles.exact.core.rules import rule
from oracles.exact.enclose import enclosed_by_core
from oracles.exact.enclose import refine as refining
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.refine import refine
from oracles.exact.program import functions as fn
from oracles.exact.program.balls import KINKS, filled
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.primitives import arrays, choices, comparisons, linear_algebra, orders
from oracles.exact.program.primitives.taylor import scalar
from oracles.exact.program.program import Builder, Program
from oracles.exact.rounding import attainable as attaining
from oracles.exact.rounding import nearby
from oracles.exact.rounding.attainable import attainable
from tests.oracles.exact.core.agreement import random_programs
from tests.oracles.exact.programs import SAMPLES, build

pytestmark = pytest.mark.skipif(library.loaded() is None, reason="the core is not built here")


def compared(program: Program, given, seed: int) -> int:
    """How many single elements are those of the whole program; each must meet it, and be as narrow."""
    plan, rng = Plan(program, rule), np.random.default_rng(seed)
    wanted = [rng.random(v.size) < 0.3 for v in program.outputs]
    elements = plan.elements(wanted, np.inf) if all(v.is_float for v in program.outputs) else None
    if elements is None or not any(mask.any() for mask in wanted):
        return 0
    try:
        with KINKS.collected() as kinks:
            whole = evaluate(program, [x.balls if isinstance(x, Pairs) else x for x in given], 200)
        found = elements.at([flat(x) for x in given], 200)
    except (Undecided, Unsupported):
        return 0
    count = 0
    for own, all_, mask in zip(found, whole, wanted, strict=True):
        for a, b in zip(own, all_.ravel()[mask], strict=True):
            if not (a.is_finite() and b.is_finite()) or kinks:
                continue
            assert a.overlaps(b)
            assert float(a.rad()) <= 2.0**12 * float(b.rad()) + 2.0**-150 * float(abs(b.mid()))
            count += 1
    return count


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_and_their_gradients(name):
    function, points = SAMPLES[name]
    program = build(function, points)
    gradient = vjp(program, [i for i, v in enumerate(program.inputs) if v.is_float])
    given = [*points, *(np.full(v.shape, 0.75) for v in gradient.inputs[len(points) :])]
    compared(program, points, 0)
    compared(gradient, given, 1)


def test_most_samples_and_random_programs_have_single_elements():
    count = sum(compared(build(*SAMPLES[name]), SAMPLES[name][1], 3) > 0 for name in SAMPLES)
    assert count > len(SAMPLES) / 2
    for seed, program, given, _ in random_programs(150):
        count += compared(program, given, seed) > 0
    assert count > len(SAMPLES) / 2 + 40


LOWS = {"-inf": filled([arb("-inf")], ()), "-1e9": np.array(-1e9)}


@pytest.fixture(params=LOWS)
def attention(request) -> tuple[Program, list]:
    """The gradient of causal attention, whose first row of scores does not matter: its slope is 0."""
    shape = (2, 4, 3)
    builder = Builder()
    q, k, v = (builder.input(shape, "float32") for _ in range(3))
    scores = linear_algebra.matmul(q, arrays.permute(k, (0, 2, 1)))
    mask = builder.constant(np.broadcast_to(np.tril(np.ones((4, 4), bool)), scores.shape))
    low = builder.broadcast(builder.constant(LOWS[request.param]), scores.shape)
    masked = choices.select(mask, scores, low)
    gradient = vjp(builder.program([linear_algebra.matmul(fn.softmax(masked, 2), v)]), [0, 1, 2])
    rng = np.random.default_rng(0)
    return gradient, [rng.normal(size=shape).astype(np.float32) for _ in range(4)]


@pytest.fixture
def not_as_a_whole(monkeypatch):
    """No program is evaluated as a whole by Arb."""
    for module in (refining, attaining, nearby):
        monkeypatch.setattr(module, "evaluate", lambda *_: pytest.fail("as a whole"))


def both(program, given, monkeypatch):
    """The truth and a, with single elements, and with all by Arb."""

    def asked():
        found = refine(program, given, 128, Limits(), (0, 1, 2), quickly=True)
        return found, *attainable(program, given, (0, 1, 2), found)

    quick = asked()
    with library.without(), monkeypatch.context() as by_arb:
        by_arb.undo()
        return quick, asked()


def test_the_row_under_a_mask_needs_arb_for_itself_only(attention, not_as_a_whole):
    program, given = attention
    found = refine(program, given, 128, Limits(), (0, 1, 2), quickly=True)
    assert all(one.pairs for one in found)
    changes, zero = attainable(program, given, (0, 1, 2), found)
    assert zero[0][:, 0].all()
    assert not zero[0][:, 1:].any()
    assert np.isfinite(changes[0]).all()


def test_they_say_what_all_by_arb_says(attention, monkeypatch):
    program, given = attention
    (quick, changes, zero), (whole, wanted, none) = both(program, given, monkeypatch)
    for one, other in zip(quick, whole, strict=True):
        assert all(a.overlaps(b) for a, b in zip(one.balls.flat, other.balls.flat, strict=True))
    for one, other in zip(changes, wanted, strict=True):
        assert np.allclose(one, other, rtol=1e-9)
    for one, other in zip(zero, none, strict=True):
        assert np.array_equal(one, other)


def test_a_peaked_softmax_cancels_in_some_rows_only(not_as_a_whole):
    builder = Builder()
    x = builder.input((16, 8), "float32")
    gradient = vjp(builder.program([fn.softmax(x * 40.0, 1)]), [0])
    rng = np.random.default_rng(1)
    given = [rng.normal(size=(16, 8)).astype(np.float32) for _ in range(2)]
    given[0][1:] /= 40
    (found,) = refine(gradient, given, 128, Limits(), (0,), quickly=True)
    assert (found.pairs.r <= 2.0**-60 * np.abs(found.pairs.h)).all()


def test_what_wants_too_many_elements_is_arb_s_as_a_whole():
    builder = Builder()
    x = builder.input((6, 5), "float64")
    program = builder.program([fn.softmax(x, 1)])
    plan = planned(program)
    everything = [np.ones(30, bool)]
    assert plan.elements(everything, 10.0) is None
    assert plan.elements(everything, 1e6).cost < 1e6


@pytest.mark.parametrize(
    "function",
    [
        lambda x: orders.cumsum(x * x, 0),
        lambda x: arrays.reduce_sum(linear_algebra.matmul(x * x, arrays.reshape(x, (1, 200_000))), (1,)),
        lambda x: x - fn.softmax(x, 0),
    ],
)
def test_what_many_elements_want_of_rows_is_counted_before_it_is_written_down(function):
    n, builder = 200_000, Builder()
    program = builder.program([function(builder.input((n, 1), "float64"))])
    tracemalloc.start()
    found = planned(program).elements([np.ones(v.size, bool) for v in program.outputs], np.inf)
    assert tracemalloc.get_traced_memory()[1] < 1e8
    tracemalloc.stop()
    assert found is None or found.cost < 2**24


@pytest.mark.parametrize("cheap", [0, enclosed_by_core.CHEAP])
def test_an_element_far_below_the_largest_is_known_in_its_own_digits_where_that_is_cheap(cheap, monkeypatch):
    """1 + tanh(-30) is 1e-26, of which a hundred bits of 1 tell five digits: few of its own, enough of 2."""
    monkeypatch.setattr(enclosed_by_core, "CHEAP", cheap)
    builder = Builder()
    x = builder.input((2,), "float64")
    program, given = builder.program([scalar("tanh", x) + 1.0]), [np.array([-30.0, 3.0])]
    (found,) = refine(program, given, 128, Limits(), quickly=True)
    with library.without():
        (truth,) = refine(program, given, 128, Limits(), quickly=True)
    assert (found.radius[0] < 2.0**-40 * found.mid[0]) == bool(cheap)
    assert all(one.overlaps(other) for one, other in zip(found.balls, truth.balls, strict=True))
    assert found.radius[1] < 2.0**-90


def test_what_no_bits_decide_is_not_given():
    """sin(x) - sin(x) is 0, and no precision shows it where x is computed in two ways."""
    builder = Builder()
    x = builder.input((2,), "float64")
    plan = Plan(builder.program([scalar("sin", x * 3.0) - scalar("sin", x + x + x)]), rule)
    elements = plan.elements([np.array([True, False])], 1e6)
    said = narrowed(elements, [np.array([0.1, 0.2])], 128, 512, lambda _, ball: ball.rel_accuracy_bits() > 60)
    assert said is None


def test_a_comparison_that_is_not_certain_gives_nothing():
    builder = Builder()
    x = builder.input((2,), "float64")
    above = comparisons.compare("gt", scalar("sin", x * 3.0), scalar("sin", x + x + x))
    plan = Plan(builder.program([choices.select(above, x, -x)]), rule)
    with pytest.raises(Undecided, match="cannot compare"):
        plan.elements([np.ones(2, bool)], 1e6).at([np.array([0.1, 0.2])], 128)


def test_what_no_pair_holds_stays_a_ball_and_its_nearest_float64_is_infinite():
    x = np.array([800.0, 1e300, 1.0])
    program = vjp(build(lambda x: scalar("exp", x), (x,)), [0])
    (found,) = refine(program, [x, np.full(3, -0.75)], 256, Limits(), quickly=True)
    assert found.pairs is None
    assert found.mid[:2].tolist() == [-np.inf, -np.inf]
    assert found.mid[2] == pytest.approx(-0.75 * np.e)


def test_lgamma_below_zero_has_its_attainable_error_near_a_zero_of_its_own():
    """SciPy gives 7.5e-17 there, and 3e16 ulps of it are attainable: no error can be shown."""
    gammaln, psi = scipy.special.gammaln, scipy.special.psi
    args = np.array([2.0]), np.array([-2.4570247382208006])
    found = harness.check_gradient(
        lambda a, x: a * gammaln(x),
        args,
        vjp=lambda g, a, x: (g * gammaln(x), g * a * psi(x)),
        argnums=(0, 1),
    )
    assert found.verdict is Verdict.ACCURATE, found
