from __future__ import annotations

from contextlib import nullcontext

import flint
import numpy as np
import pytest
from flint import arb

from harness.exact import exact_gradient
from oracles.exact.core import library
from oracles.exact.enclose import refine as refining
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.enclose.kinks import is_isolated
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.refine import refine
from oracles.exact.enclose.slopes import slopes as derived
from oracles.exact.program import functions as fn
from oracles.exact.program.balls import exact
from oracles.exact.program.derive import jvp, vjp
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.primitives import orders, sorting
from oracles.exact.program.primitives.arithmetic import convert
from oracles.exact.program.primitives.arrays import concatenate, index, reduce_sum
from oracles.exact.program.primitives.choices import select
from oracles.exact.program.primitives.comparisons import compare
from oracles.exact.program.primitives.reductions import reduce_max
from oracles.exact.program.primitives.sorting import sort
from oracles.exact.program.primitives.taylor import scalar
from oracles.exact.program.program import Builder
from oracles.exact.program.scalars import SCALARS, Scalar
from tests.oracles.exact.programs import build, turning


def value(function, *points, bits=128, limits=Limits()) -> Enclosure:  # noqa: B008 - frozen
    arrays = tuple(np.asarray(p, float) for p in points)
    return refine(build(function, arrays), arrays, bits, limits)[0]


def gradient(function, point, limits=Limits()) -> Enclosure:  # noqa: B008 - frozen
    x = np.asarray(point, float)
    program = build(function, (x,))
    return refine(vjp(program, [0]), [x, np.ones(program.outputs[0].shape)], 128, limits)[0]


def test_precision_grows_until_a_cancellation_is_resolved():
    """(1 + x) - 1 at x = 1e-100 loses 332 bits."""
    found = value(lambda x: (1.0 + x) - 1.0, 1e-100)
    assert found.bits > 128
    assert found.proven_digits[()] > 15
    assert found.mid[()] == 1e-100


def test_an_exact_zero_does_not_ask_for_thousands_of_bits():
    found = value(lambda x: scalar("exp", x) - scalar("exp", x), 1.0)
    assert found.bits <= 512
    assert found.contains(0.0)


def test_what_is_0_by_an_identity_is_0_to_the_first_bits():
    with library.without():
        found = value(lambda x: scalar("exp", x) - scalar("exp", x) + 0.0 * x, [1.0, 2.0])
        beside = value(lambda x: concatenate([scalar("exp", x) - scalar("exp", x), x], 0), [1.0, 2.0])
    assert (found.bits, found.is_zero) == (128, True)
    assert all(ball.is_zero() for ball in beside.balls[:2])


def test_a_zero_by_its_numbers_alone_is_still_told_by_more_bits():
    with library.without():
        found = value(lambda x: scalar("exp", scalar("log", x)) - x, 3.0)
    assert found.contains(0.0)
    assert found.bits > 400


def test_a_pole_is_undecided_with_the_element_and_the_reason():
    with pytest.raises(Undecided, match=r"element \(1,\): not finite.*at 256 bits; more would not help"):
        gradient(lambda x: scalar("sqrt", x), [1.0, 0.0])


def test_slopes_around_a_point_leave_no_other_precision():
    """A ray without a limit ends the walk along the others."""
    before = flint.ctx.prec
    exact_gradient(lambda x: np.sqrt(x * x), (np.array(0.0),))
    assert flint.ctx.prec == before


def test_a_divisor_that_only_looks_like_0_is_no_pole():
    found = value(lambda x: 1.0 / ((1.0 + x) - 1.0), 1e-100)
    assert found.bits > 256
    assert found.mid == pytest.approx(1e100, rel=1e-15)


def test_a_pole_that_is_not_taken_does_not_end_the_search():
    found = value(lambda x: select(compare("lt", x, 0.0), 1.0 / (x - x), 1.0 / ((1.0 + x) - 1.0)), 1e-100)
    assert found.mid == pytest.approx(1e100, rel=1e-15)


def test_what_has_a_value_at_more_bits_is_no_pole(monkeypatch):
    """A series that gives up at few bits, as those of hypergeometric functions do."""
    late = Scalar(value=lambda x: x.exp() if flint.ctx.prec > 1000 else arb("nan"))
    monkeypatch.setitem(SCALARS, "exp", late)
    found = value(lambda x: scalar("exp", x), 2.0)
    assert found.bits > 1000
    assert found.mid == pytest.approx(np.exp(2.0), rel=1e-15)


def test_the_limit_in_bits_is_kept():
    with pytest.raises(Undecided, match=r"radius .*\(at 256 bits"):
        value(lambda x: (1.0 + x) - 1.0, 1e-300, limits=Limits(bits=256))


def test_the_limit_in_seconds_stops_it():
    with pytest.raises(Undecided, match=r"\(at 128 bits\)"):
        value(lambda x: (1.0 + x) - 1.0, 1e-300, limits=Limits(seconds=0.0))


@pytest.mark.parametrize(("limit", "said"), [({"bits": 256}, "max_bits"), ({"seconds": 0.0}, "seconds")])
def test_the_advice_is_the_limit_that_was_reached_and_that_can_be_raised(limit, said):
    with pytest.raises(Undecided, match=rf"\(at \d+ bits; raise {said}=\)"):
        value(lambda x: (1.0 + x) - 1.0, 1e-300, limits=Limits(**limit, raised_by=(said,)))
    other = {"max_bits": "seconds", "seconds": "max_bits"}[said]
    with pytest.raises(Undecided, match=r"\(at \d+ bits\)"):
        value(lambda x: (1.0 + x) - 1.0, 1e-300, limits=Limits(**limit, raised_by=(other,)))


def test_a_kink_gives_the_hull_of_the_legal_slopes_and_says_so():
    found = gradient(lambda x: fn.maximum(x, 0.0), [0.0, -0.0, 1.0, -1.0])
    assert found.kinks
    for slope in (0.0, 0.5, 1.0):
        assert found.contains([slope, slope, 1.0, 0.0]).all()
    assert not found.contains([1.1, -0.1, 1.1, 0.1]).any()


def test_the_slope_of_abs_at_0_is_between_minus_one_and_one():
    found = gradient(fn.absolute, [0.0])
    assert found.contains([-1.0]).all()
    assert found.contains([1.0]).all()
    assert not found.contains([1.5]).any()


def test_a_comparison_written_by_hand_has_the_same_kink():
    found = gradient(lambda x: select(compare("gt", x, 0.0), x, 0.0), [0.0, 2.0])
    assert found.kinks
    assert found.contains([0.5, 1.0]).all()


def test_clamp_at_its_edge_is_a_kink():
    found = gradient(lambda x: fn.clamp(x, -1.0, 1.0), [-1.0, 1.0, 0.3])
    assert found.contains([0.0, 1.0, 1.0]).all()
    assert not found.contains([2.0, -0.5, 1.0])[:2].any()


def test_tied_maxima_share_the_slope_in_any_way():
    found = gradient(lambda x: reduce_max(x, (0,)), [1.0, 1.0, 0.0])
    assert found.contains([1.0, 0.0, 0.0]).all()
    assert found.contains([0.5, 0.5, 0.0]).all()
    assert not found.contains([1.5, -0.5, 0.5]).any()


@pytest.mark.parametrize("tied", [2, 3, 6])
@pytest.mark.parametrize("g", [1.5, -2.0])
def test_each_of_many_tied_maxima_may_have_the_whole_slope_or_none(tied, g):
    """Random directions close by would not reach each of six."""
    x = np.array([0.5] * tied + [0.25])
    program = build(lambda x: reduce_max(x, (0,)), (x,))
    (found,) = refine(vjp(program, [0]), [x, np.asarray(g)], 128, Limits(), [0])
    assert found.kinks
    for share in (0.0, 0.5, 1.0):
        assert found.contains([share * g] * tied + [0.0]).all()
    assert not found.contains([1.01 * g] * tied + [0.1])[: tied + 1].any()
    assert not found.contains([-0.01 * g] * tied + [0.0])[:tied].any()


def test_a_smooth_function_in_two_halves_has_one_slope_where_they_meet():
    """A stable sigmoid at 0, beside a point that is not on the edge."""

    def sigmoid(x):
        e = scalar("exp", -fn.absolute(x))
        return select(compare("gt", x, 0.0), 1.0 / (1.0 + e), e / (1.0 + e))

    x = np.array([0.0, 1.0])
    program = vjp(build(sigmoid, (x,)), [0])
    (found,) = refine(program, [x, np.array([3.0, 1.0])], 128, Limits(), [0])
    assert not found.kinks
    s = 1 / (1 + np.exp(-1.0))
    assert found.mid == pytest.approx([0.75, s * (1 - s)], rel=1e-12)
    assert (found.proven_digits > 30).all()


def test_a_jump_in_one_element_keeps_its_own_hull_and_no_other():
    x = np.array([0.0, 0.0])

    def both(x):
        e = scalar("exp", -fn.absolute(x))
        return select(compare("gt", x, 0.0), 1.0 / (1.0 + e), e / (1.0 + e)) + fn.maximum(x, 0.0)

    program = vjp(build(both, (x,)), [0])
    (found,) = refine(program, [x, np.ones(2)], 128, Limits(), [0])
    assert found.kinks
    assert found.contains([0.25, 1.25]).all()


def test_away_from_the_kink_there_is_one_slope():
    found = gradient(lambda x: reduce_max(x, (0,)), [1.0, 1.0 - 2.0**-52, 0.0])
    assert not found.kinks
    assert list(found.mid) == [1.0, 0.0, 0.0]


def test_equal_numbers_sort_in_their_own_order():
    assert list(value(lambda x: sort(x, 0), [2.0, 1.0, 2.0]).mid) == [1.0, 2.0, 2.0]


def test_what_no_precision_can_compare_is_undecided_and_names_both():
    def same_but_not_exactly(x):
        return select(compare("lt", scalar("exp", x) - scalar("exp", x), 0.0), x, 2.0 * x)

    with pytest.raises(Undecided, match=r"cannot compare .* with 0"):
        value(same_but_not_exactly, 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_by_name(bad):
    with pytest.raises(Unsupported, match=rf"element at \(1,\) is {bad}"):
        value(lambda x: x, [1.0, bad])


def test_a_tie_that_no_slope_resolves_is_undecided_and_says_where():
    from oracles.exact.from_numpy import record

    recording = record(lambda x: x[np.argsort(x)][0], (np.array([1.0, 1.0, 1.0]),), {})
    program = vjp(recording.program, [0])
    with pytest.raises(Undecided, match=r"unbounded; the point is on a kink, a tie or the edge of a branch"):
        refine(program, [*recording.values, np.ones(())], 128, Limits(), [0])


def test_the_limit_in_seconds_stops_one_long_evaluation_too():
    def long(x):
        for _ in range(2000):
            x = scalar("sin", x)
        return x

    with pytest.raises(Undecided, match=r"out of work at equation \d+ of 2000 "):
        value(long, np.ones(2000), limits=Limits(seconds=0.05))


# -- 0/0 in a rule ----------------------------------------------------------------------------------------


def slopes(function, point):
    x = np.asarray(point, float)
    program = build(function, (x,))
    return refine(vjp(program, [0]), [x, np.ones(program.outputs[0].shape)], 128, Limits(), [0])[0]


def length(x):
    return scalar("sqrt", reduce_sum(x * x, (0,)))


def test_a_norm_at_zero_has_the_hull_of_the_slopes_around():
    found = slopes(length, [0.0, 0.0])
    assert found.kinks == ("a length is 0, or may be",)
    assert found.contains([0.0, 0.0]).all()
    assert all(0.5 < b.upper() <= 1.0001 for b in found.balls.tolist())
    assert not found.contains([1.5, -2.0]).any()


def test_where_the_slopes_around_agree_that_is_the_slope():
    found = slopes(lambda x: length(x) * length(x), [0.0, 0.0])
    assert not found.kinks
    assert found.mid.tolist() == [0.0, 0.0]


def test_an_element_that_is_finite_stays_as_it_is():
    found = slopes(lambda x: length(index(x, lambda p: p[:2])) + reduce_sum(x * x, (0,)), [0.0, 0.0, 3.0])
    assert found.mid[2] == 6.0
    assert found.radius[2] < 1e-30


@pytest.mark.parametrize("pole", [
    lambda x: scalar("reciprocal", x),
    lambda x: scalar("log", x * x),
    lambda x: x * scalar("log", x * x),  # its slope is log x^2 + 2: it has no limit, and grows slowly
    lambda x: scalar("sqrt", fn.absolute(x)),
])  # fmt: skip
def test_a_pole_has_no_limit(pole):
    with pytest.raises(Undecided, match="not finite"):
        slopes(pole, [0.0])


# -- a point that is asked for by name --------------------------------------------------------------------


def named(otherwise, at_zero):
    """A function of x that is written apart for x == 0."""
    return lambda x: select(compare("eq", x, 0.0), x * 0.0 + at_zero, otherwise(x))


def isolated(function, point):
    x = np.asarray(point, float)
    return is_isolated(build(function, (x,)), [x], [0], 128)


def test_a_branch_for_one_point_has_the_slope_of_the_other_one():
    for function, slope in (
        (named(lambda x: x * 3.0, 0.0), 3.0),
        (named(lambda x: scalar("sin", x) / x, 1.0), 0.0),
    ):
        assert isolated(function, [0.0, 0.5])
        x = np.array([0.0, 0.5])
        program = vjp(build(function, (x,)), [0])
        found = refine(program, [x, np.ones(2)], 128, Limits(), [0], isolated=True)[0]
        assert abs(found.mid[0] - slope) < 1e-30


def test_equal_numbers_that_stay_equal_are_no_branch_for_one_point():
    assert not isolated(lambda x: select(compare("eq", x, x * 1.0), x, x * x), [0.5])
    assert not isolated(named(lambda x: x * 3.0, 0.0), [0.25, 0.5])
    assert not isolated(lambda x: x * x, [0.0])


def test_a_function_that_jumps_at_that_point_has_no_slope():
    with pytest.raises(Undecided, match="the function jumps where two numbers are equal"):
        isolated(named(lambda x: x * 3.0, 1.0), [0.0])


def test_beside_a_number_beyond_float64_the_others_are_no_wider():
    """2^2.7e154 needs 600 bits; that 2^1e10 is larger than any float64 must not stand for them."""
    found = value(lambda x: scalar("exp2", x), [2.7e154, 1e10, 1.0])
    assert found.mid[:2].tolist() == [np.inf, np.inf]
    assert found.proven_digits.min() > 15


def test_a_side_of_slope_0_is_known_beside_one_that_is_not():
    """A slope that is 0 at the kink is as small as the distance beside it: each ray saw another one."""
    hull = exact_gradient(
        lambda y: np.where(y > y / 8, y * y, y / 8 - y), [np.array(0.0)], cotangent=np.array(1.0)
    )
    assert hull.kinks
    assert hull.shown().startswith("-0.875 to")
    assert float(hull.balls[()].upper()) < 1e-8


@pytest.mark.parametrize("f", [lambda x: x / x, lambda x: np.sin(x) / x, lambda x: x * (1 / x)])
def test_what_has_no_value_has_no_slope_though_all_around_it_have_one(f):
    with pytest.raises(Undecided, match="no value"):
        exact_gradient(f, [np.array([0.0, 1.5])])


@pytest.mark.parametrize("core", [True, False])
@pytest.mark.parametrize("x", [50.0, 300.0, 800.0])
def test_what_has_a_slope_in_fewer_digits_than_a_value_has_both(core, x):
    """Much of the slope of log(s / (1 - s)) cancels; the value needs 1 - s, that is 1154 bits at 800."""

    def logit(a):
        s = 1 / (1 + np.exp(-a))
        return np.log(s / (1 - s))

    with nullcontext() if core else library.without():
        slope = exact_gradient(logit, [np.array([x])], cotangent=np.ones(1))
    assert abs(float(slope.balls[0]) - 1) <= 1e-15


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("back", [False, True])
def test_numbers_are_arranged_as_balls_are_that_may_be_in_any_order(monkeypatch, axis, back):
    """Of numbers NumPy finds the order, and of balls what can be said: where both know it, it is one."""
    rng = np.random.default_rng(3)
    for shape in [(4, 5), (1, 7), (0, 3)]:
        x = exact(rng.integers(-2, 3, shape) / 4.0)
        t = exact(rng.normal(size=shape))

        def arranged(x=x, t=t):
            return sorting.arrange_.evaluate(x, t, axis=axis, back=back)

        by_number, order = arranged(), orders.argsort_.evaluate(x, axis=axis)
        with monkeypatch.context() as balls:
            balls.setattr(sorting, "as_doubles", lambda x: None)
            balls.setattr(orders, "as_doubles", lambda x: None)
            assert [str(b) for b in by_number.ravel()] == [str(b) for b in arranged().ravel()]
            assert np.array_equal(order, orders.argsort_.evaluate(x, axis=axis))


# -- a derivative and the function's results by one evaluation --------------------------------------------


def both(*functions):
    """The program of several functions of one number."""
    builder = Builder()
    x = builder.input((), "float64")
    return builder.program([f(x) for f in functions])


@pytest.mark.parametrize("quickly", [False, True])
@pytest.mark.parametrize("derive", [vjp, jvp])
def test_the_results_come_with_the_derivative_as_they_are_alone(derive, quickly):
    x = np.array([0.3, -1.7, 40.0])
    program = build(lambda v: scalar("exp", v) * scalar("tanh", v), (x,))
    parts, values, _ = derived(program, derive, [x], [np.ones(3)], [0], 128, Limits(), quickly=quickly)
    (alone,) = refine(program, [x], 128, Limits(), quickly=quickly)
    assert bool(parts[0].pairs) == bool(values[0].pairs) == quickly
    assert (values[0].mid == alone.mid).all()
    assert (values[0].radius <= 2.0**-60 * abs(alone.mid)).all()


@pytest.mark.parametrize("quickly", [False, True])
def test_a_result_that_is_not_decided_leaves_the_derivative_alone(quickly):
    """The integer below sqrt(2)^2 is certain at no precision, and the slope of x^2 does not ask."""
    x = np.array(2.0)
    root = lambda v: scalar("sqrt", v) * scalar("sqrt", v)  # noqa: E731
    program = both(lambda v: v * v, lambda v: convert(convert(root(v), "int64"), "float64"))
    parts, values, _ = derived(program, vjp, [x], [np.ones(()), np.zeros(())], [0], 128, Limits(), quickly)
    assert parts[0].contains(4.0)
    assert (values, bool(parts[0].pairs)) == (None, quickly)


@pytest.mark.parametrize("quickly", [False, True])
def test_a_result_that_is_wide_does_not_ask_for_more_bits_of_the_derivative(quickly):
    x = np.array(1e-100)
    program = both(lambda v: 2.0 * v, lambda v: ((1.0 + v) / 3.0) * 3.0 - 1.0)
    parts, values, _ = derived(program, vjp, [x], [np.ones(()), np.ones(())], [0], 128, Limits(), quickly)
    assert (parts[0].bits, values, bool(parts[0].pairs)) == (128, None, quickly)


def test_at_a_kink_the_results_are_left_out():
    x = np.array([0.0, 1.0])
    parts, values, _ = derived(build(fn.absolute, (x,)), vjp, [x], [np.ones(2)], [0], 128, Limits())
    assert parts[0].kinks
    assert values is None


def precisions(monkeypatch, function, x):
    """With how many bits Arb evaluates the gradient that is asked for quickly, and how many prove it."""
    seen = []
    monkeypatch.setattr(refining, "evaluate", lambda *a: seen.append(a[2]) or evaluate(*a))
    program = vjp(build(function, (x,)), [0])
    (found,) = refine(program, [x, np.ones(program.outputs[0].shape)], 128, Limits(), [0], quickly=True)
    return seen, found


@pytest.mark.skipif(bool(library.problem()), reason="the core is not built")
@pytest.mark.parametrize("steps", [60, 100, 200])
def test_arb_begins_with_as_many_bits_as_a_recurrence_needs(monkeypatch, steps):
    x = np.array([0.3, 0.7, -1.5, 0.2, -0.1, 0.6])
    seen, found = precisions(monkeypatch, turning(steps), x)
    assert seen == [found.bits]
    assert found.bits > 128
    assert found.proven_digits.min() > 19


@pytest.mark.skipif(bool(library.problem()), reason="the core is not built")
def test_of_a_zero_nothing_tells_how_many_bits_show_it(monkeypatch):
    """The slope of what adds up to 3 is 0, so that midpoints of 53 bits and of 106 are not alike."""
    x = np.array([0.3, 0.7, -1.5, 0.2, -0.1, 0.6])
    seen, found = precisions(monkeypatch, lambda x: fn.softmax(turning(100)(x), 0) * 3.0, x)
    assert seen[0] == 128
    assert found.contains(np.zeros(6)).all()


def test_what_is_large_is_not_evaluated_with_its_derivative(monkeypatch):
    x = np.ones(5)
    monkeypatch.setattr("oracles.exact.enclose.slopes.TOGETHER", 4)
    assert derived(build(lambda v: v * v, (x,)), vjp, [x], [np.ones(5)], [0], 128, Limits()).values is None


def test_a_single_number_that_is_small_beside_the_others_is_known_to_its_own_digits():
    """The value beside the gradient has no axes."""
    bells = np.exp(-((np.arange(40.0) - 20) ** 2) / 18)
    x = np.random.default_rng(0).normal(size=40)
    program = build(lambda x: reduce_sum(x * x * bells, (0,)), (x,))
    parts, values, _ = derived(program, vjp, [x], [np.array(1.0)], [0], 128, Limits(), quickly=True)
    assert (parts[0].shape, values[0].shape) == ((40,), ())
