"""The verdict on hand-made evidence, from which it is known without the judge."""

import math

import numpy as np
import pytest
from flint import arb
from hypothesis import given
from hypothesis import strategies as st

from harness.proof.evidence import Evidence, budget, distance, meets
from harness.proof.judge import judge
from harness.verdicts import Verdict
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.program.balls import exact, filled, precision
from oracles.exact.program.formats import FORMATS, format_of

UNKNOWN = arb("[+/- inf]")
each_dtype = pytest.mark.parametrize("dtype", FORMATS)


def as_ball(number):
    with precision(256):
        return number if isinstance(number, arb) else arb(number)


def balls(numbers, shape=None):
    found = [as_ball(n) for n in numbers]
    return filled(found, (len(found),) if shape is None else shape)


def hull(low, high):
    with precision(128):
        return arb(low).union(arb(high))


def around(numbers, radius):
    return balls([arb(n, radius) for n in numbers])


def evidence(
    true,
    a=None,
    zero=False,
    right=True,
    bound=None,
    dtype="float64",
    kinks=(),
    name="x",
    shape=None,
    examined=True,
    leaps=False,
    kept=False,
    lent=None,
):
    """What is known of one argument; a is half an ulp of the truth and B unbounded if not given."""
    found = balls(true, shape)
    truth = Enclosure(found, 256, kinks, np.full(found.shape, leaps))
    smallest = format_of(dtype).ulp(truth.mid) / 2
    formula = None if right is None else np.broadcast_to(np.asarray(right, bool), truth.shape).copy()
    return Evidence(
        name,
        truth,
        smallest if a is None else np.broadcast_to(np.asarray(a, float), truth.shape),
        np.broadcast_to(np.asarray(zero, bool), truth.shape),
        formula,
        np.full(truth.shape, UNKNOWN, object) if bound is None else bound,
        dtype,
        examined=examined,
        kept=kept,
        lent=lent,
    )


def judged(known, got, allowed=budget):
    return judge([known], [np.asarray(got, np.float64)], allowed)


def off(bits, dtype="float64"):
    """1, and this many bits lost beyond half an ulp."""
    return 1 + 2.0**bits * FORMATS[dtype].unit


# -- accurate and imprecise -------------------------------------------------------------------------------


@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_the_true_numbers_are_accurate_and_lose_nothing(numbers):
    found = judged(evidence(numbers), numbers)
    assert (found.verdict, found.bits_lost, found.max_abs_error) == (Verdict.ACCURATE, 0, 0)


@each_dtype
def test_the_budget_is_a_sharp_edge_in_each_dtype(dtype):
    limit, known = budget(dtype), evidence([1.0], dtype=dtype)
    within, beyond = (
        judged(known, [1 + 2.0**limit * factor * FORMATS[dtype].unit]) for factor in (1, 1 + 2.0**-20)
    )
    assert (within.verdict, within.bits_lost) == (Verdict.ACCURATE, limit)
    assert beyond.verdict is Verdict.IMPRECISE
    assert beyond.bits_lost == pytest.approx(limit, abs=1e-5)


def test_a_budget_of_ones_own_replaces_it():
    known, got = evidence([1.0]), [off(10)]
    verdicts = [judged(known, got, lambda dtype, n=n: n).verdict for n in (9.9, 10.0)]
    assert verdicts == [Verdict.IMPRECISE, Verdict.ACCURATE]


def test_the_budget_is_asked_for_each_arguments_own_dtype():
    asked = []
    known = [evidence([1.0], dtype=d) for d in ("float64", "float32")]
    judge(known, [np.ones(1), np.ones(1)], lambda dtype: asked.append(dtype) or 4.0)
    assert asked == ["float64", "float32"]


def test_lost_bits_are_counted_beyond_what_the_inputs_allow():
    known = evidence([1.0], a=2.0**-20)
    assert judged(known, [1 + 2.0**-20]).bits_lost == 0
    assert judged(known, [1 + 2.0**-15]).bits_lost == 5


@each_dtype
def test_no_more_than_the_significand_can_be_lost(dtype):
    assert judged(evidence([1.0], dtype=dtype), [-1e3]).bits_lost == FORMATS[dtype].digits


@pytest.mark.parametrize(
    ("dtype", "told"), [("float64", 16), ("float32", 16), ("float16", 2), ("bfloat16", 2)]
)
@pytest.mark.parametrize(("share", "verdict"), [(0.99, Verdict.IMPRECISE), (1.01, Verdict.ACCURATE)])
def test_a_zero_is_a_total_loss_where_the_inputs_tell_the_truth_from_it(dtype, told, share, verdict):
    found = judged(evidence([1.0], a=share / told, dtype=dtype), [0.0])
    assert found.verdict is verdict
    lost = FORMATS[dtype].digits if verdict is Verdict.IMPRECISE else math.log2(told / share)
    assert found.bits_lost == pytest.approx(lost)


def test_a_total_loss_is_no_matter_of_the_budget():
    assert judged(evidence([1.0]), [0.0], lambda dtype: 99).verdict is Verdict.IMPRECISE


# -- miscomputed ------------------------------------------------------------------------------------------


def test_outside_a_finite_bound_it_is_miscomputed_however_small_the_error():
    known = evidence([1.0], bound=around([1.0], 2.0**-52))
    inside, outside = judged(known, [1 + 2.0**-52]), judged(known, [1 + 2.0**-51])
    assert (inside.verdict, outside.verdict) == (Verdict.ACCURATE, Verdict.MISCOMPUTED)
    assert outside.bits_lost < budget("float64")
    assert outside.bound_ulp == pytest.approx(1, rel=1e-6)


def test_what_half_an_ulp_of_the_inputs_makes_is_no_program_s_fault():
    """Unless nothing rounds there, or that is so much that it must come from another branch."""
    bound, exact = around([1.0], 1e-12), around([1.0], 0.0)
    for a, of, verdict in (
        (1e-9, bound, Verdict.ACCURATE),
        (1e-11, bound, Verdict.MISCOMPUTED),
        (1e-9, exact, Verdict.MISCOMPUTED),
        (1e-7, bound, Verdict.MISCOMPUTED),
    ):
        assert judged(evidence([1.0], a=[a], bound=of), [1 + 1e-10]).verdict is verdict


def test_without_a_bound_the_lost_bits_decide():
    assert judged(evidence([1.0]), [off(26)]).verdict is Verdict.ACCURATE
    assert judged(evidence([1.0]), [off(27)]).verdict is Verdict.IMPRECISE
    assert judged(evidence([1.0]), [1.0]).bound_ulp == math.inf


def test_a_bound_excuses_no_lost_bits():
    assert judged(evidence([1.0], bound=around([1.0], 1.0)), [1.5]).verdict is Verdict.IMPRECISE


@pytest.mark.parametrize("bound", [None, around([1.0], 1e300)], ids=["unbounded", "bounded"])
@pytest.mark.parametrize("got", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_miscomputed_where_the_truth_is_representable(got, bound):
    found = judged(evidence([1.0], bound=bound), [got])
    assert found.verdict is Verdict.MISCOMPUTED
    assert found.bits_lost == 53


@pytest.mark.parametrize("a", [0.5, math.inf])
@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("kinks", [(), ("here",)])
@pytest.mark.parametrize("right", [True, False, None])
@pytest.mark.parametrize("true", [0.0, 1.0, "1e39", "1e400", UNKNOWN, hull(0, 1)], ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_nan_is_never_right(dtype, true, right, kinks, zero, a):
    known = evidence([true], a=a, zero=zero, right=right, kinks=kinks, dtype=dtype)
    assert judged(known, [math.nan]).verdict not in {Verdict.ACCURATE, Verdict.CONVENTION}


# -- infinity is a value ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "beyond"), [("float32", 1e39), ("float64", "1e309"), ("bfloat16", 1e39)])
@pytest.mark.parametrize("sign", [1, -1])
def test_beyond_the_dtype_infinity_of_its_sign_is_right_and_nothing_else(dtype, beyond, sign):
    known = evidence([sign * as_ball(beyond)], dtype=dtype)
    right = judged(known, [sign * math.inf])
    assert (right.verdict, right.bits_lost, right.error_ulp) == (Verdict.ACCURATE, 0, 0)
    assert judged(known, [-sign * math.inf]).verdict is Verdict.MISCOMPUTED
    for got in (sign * 3e38, 0.0, 1.0):
        assert judged(known, [got]).verdict not in {Verdict.ACCURATE, Verdict.CONVENTION}


@pytest.mark.parametrize("zero", [False, True])
def test_a_finite_number_where_nothing_is_known_of_the_truth_is_undecided(zero):
    """The error is then not a number, and no comparison with it may pass."""
    known = evidence(["1e400"], a=math.inf, zero=zero)
    assert judged(known, [1.0]).verdict is Verdict.UNDECIDED


def test_infinity_is_right_from_half_an_ulp_above_the_largest_number_on():
    edge = float(FORMATS["float32"].overflow)
    for number, verdict in ((math.nextafter(edge, 0), Verdict.MISCOMPUTED), (edge, Verdict.ACCURATE)):
        assert judged(evidence([number], dtype="float32"), [math.inf]).verdict is verdict


def test_a_right_infinity_hides_no_wrong_neighbour():
    found = judged(evidence(["1e400", 1.0], a=[math.inf, 1e-16]), [math.inf, 2.0])
    assert (found.verdict, found.where, found.scaled_error) == (Verdict.IMPRECISE, "x[1]", 1.0)


# -- zeros and jumps --------------------------------------------------------------------------------------


def test_where_the_truth_is_always_zero_the_bound_alone_judges():
    known = evidence([arb(0, 1e-60)], zero=True, bound=around([0.0], 1e-9))
    inside = judged(known, [1e-10])
    assert (inside.verdict, inside.bits_lost) == (Verdict.ACCURATE, 0)
    assert judged(known, [1e-8]).verdict is Verdict.MISCOMPUTED
    assert judged(evidence([arb(0, 1e-60)], zero=True), [1e-10]).verdict is Verdict.UNDECIDED
    assert judged(evidence([arb(0, 1e-60)], zero=True), [0.0]).verdict is Verdict.ACCURATE


def test_where_the_truth_jumps_close_by_only_its_own_rounding_is_right():
    known = evidence([1.0], a=math.inf)
    assert judged(known, [1.0]).verdict is Verdict.ACCURATE
    assert judged(known, [off(2)]).verdict is Verdict.UNDECIDED
    bounded = evidence([1.0], a=math.inf, bound=around([1.0], 1e-3))
    assert judged(bounded, [off(2)]).verdict is Verdict.UNDECIDED
    assert judged(bounded, [2.0]).verdict is Verdict.MISCOMPUTED


# -- wrong and undecided formulas -------------------------------------------------------------------------


@pytest.mark.parametrize("got", [1.0, 0.0, 7.0, math.inf, math.nan])
def test_a_wrong_formula_is_wrong_whatever_was_computed(got):
    known = evidence([1.0], right=False, bound=around([1.0], 1e-9))
    assert judged(known, [got]).verdict is Verdict.WRONG


def test_without_a_formula_nothing_is_said_of_the_execution():
    for got in (1.0, 7.0):
        assert judged(evidence([1.0], right=None), [got]).verdict is Verdict.UNDECIDED


def test_what_is_not_finite_is_no_derivative_whatever_the_formula():
    for got in (math.nan, math.inf):
        assert judged(evidence([1.0], right=None), [got]).verdict is Verdict.MISCOMPUTED


ELEMENTS = {  # the worst first
    Verdict.WRONG: {"right": False},
    Verdict.MISCOMPUTED: {"bound": around([1.0], 1e-9), "got": 1.1},
    Verdict.IMPRECISE: {"got": 1.1},
    Verdict.UNDECIDED: {"a": math.inf, "got": 1.1},
    Verdict.CONVENTION: {"true": hull(0, 1), "kinks": ("here",), "got": 0.5},
    Verdict.ACCURATE: {},
}


@pytest.mark.parametrize("better", range(1, len(ELEMENTS)))
@pytest.mark.parametrize("worse", range(len(ELEMENTS)))
def test_the_worst_argument_is_the_verdict_in_either_order(worse, better):
    if worse >= better:
        return
    made = []
    for k in (worse, better):
        fields = dict(ELEMENTS[tuple(ELEMENTS)[k]])
        got = np.array([fields.pop("got", 1.0)])
        true = fields.pop("true", 1.0)
        made.append((evidence([true], name=str(tuple(ELEMENTS)[k]), **fields), got))
    for pair in (made, made[::-1]):
        found = judge([e for e, _ in pair], [g for _, g in pair], budget)
        assert found.verdict is tuple(ELEMENTS)[worse]
        assert found.where == f"{tuple(ELEMENTS)[worse]}[0]"
        assert pair[found.argument][0].name == tuple(ELEMENTS)[worse]


def test_within_one_array_the_worst_element_is_the_verdict():
    bound = balls([arb(1, 1e-9)] * 2 + [UNKNOWN] * 2)
    known = evidence([1.0] * 4, right=[True, False, True, True], bound=bound)
    assert judged(known, [1.1, 1.0, 1.1, 1.0]).where == "x[1]"
    known = evidence([1.0] * 4, bound=bound)
    found = judged(known, [1.1, 1.0, 9.0, 1.0])
    assert (found.verdict, found.where) == (Verdict.MISCOMPUTED, "x[0]")


# -- the worst element and its numbers --------------------------------------------------------------------


def test_the_worst_element_is_named_with_its_numbers():
    got = np.ones((2, 3))
    got[1, 2], got[0, 1] = off(7), off(6)
    found = judged(evidence([1.0] * 6, a=2.0**-52, shape=(2, 3)), got)
    assert (found.where, found.element) == ("x[1, 2]", (1, 2))
    assert (found.computed, found.true, found.true_digits) == (off(7), 1.0, "1.0000000000000000000")
    assert (found.bits_lost, found.error_ulp, found.attainable_ulp) == (6, 64, 1)
    assert found.max_abs_error == found.max_rel_error == found.scaled_error == 2.0**-46


def test_an_element_of_a_scalar_is_named_by_its_argument():
    found = judged(evidence([1.0], shape=()), off(3))
    assert (found.where, found.element, found.bits_lost) == ("x", (), 3)


def test_where_no_bits_are_lost_the_worst_has_the_most_ulps():
    known = evidence([1.0, 1.0, 1.0], a=1.0)
    assert judged(known, [1.0, off(3), off(2)]).where == "x[1]"


def test_an_empty_array_is_accurate_and_measures_nothing():
    found = judged(evidence([], shape=(0, 3)), np.zeros((0, 3)))
    assert (found.verdict, found.where, found.bits_lost, found.max_rel_error) == ("accurate", "x", 0, 0)


@pytest.mark.parametrize("order", [1, -1])
def test_an_empty_argument_hides_no_other(order):
    known = evidence([1.0], a=1.0)  # no bits are lost in either
    pairs = [(evidence([], name="empty", shape=(0,)), np.zeros(0)), (known, np.array([off(3)]))]
    found = judge(*zip(*pairs[::order], strict=True), budget)
    assert (found.where, found.bits_lost, found.error_ulp) == ("x[0]", 0, 4)
    assert found.max_rel_error == found.scaled_error == 2.0**-50


def test_the_measures_are_the_largest_over_all_arguments():
    first, second = evidence([100.0, 1.0], name="a"), evidence([1.0, 2.0], name="b")
    found = judge([first, second], [np.array([101.0, 1.0]), np.array([1.5, 2.0])], budget)
    assert (found.max_abs_error, found.max_rel_error, found.scaled_error) == (1.0, 0.5, 0.25)


def test_a_nan_stays_in_every_measure():
    found = judge([evidence([1.0]), evidence([1.0])], [np.ones(1), np.array([math.nan])], budget)
    assert math.isnan(found.max_abs_error)
    assert math.isnan(found.max_rel_error)
    assert math.isnan(found.scaled_error)


def test_the_distance_is_at_least_what_is_known():
    truth = Enclosure(balls([arb(1, 0.25), 1.0, arb(0, "inf")]), 128)
    found = distance(truth, np.array([2.0, 1.0, 5.0]))
    np.testing.assert_allclose(found[:2], [0.75, 0.0], atol=1e-8)
    assert not found[2] > 0


def test_digits_beyond_float64_count():
    with precision(256):
        pi = arb.pi()
    assert judged(evidence([pi]), [math.pi]).error_ulp == pytest.approx(0.2757, abs=1e-3)


# -- kinks ------------------------------------------------------------------------------------------------

KINK = [hull(0, 3), 2.0]


@pytest.mark.parametrize(("share", "said"), [(0.0, "0 of"), (0.5, "0.5 of"), (1.0, "1 of")])
def test_a_legal_slope_is_a_convention_and_says_which(share, said):
    found = judged(evidence(KINK, kinks=("here",)), [3 * share, 2.0])
    assert (found.verdict, found.at_kink) == (Verdict.CONVENTION, 1)
    assert found.diagnosis == (f"at a kink, x[0] takes {said} the slope ({3 * share:g}; legal is 0 to 3)")


def test_a_hull_away_from_zero_is_given_by_its_ends():
    found = judged(evidence([hull(-1, 1)], kinks=("here",)), [0.25])
    assert found.diagnosis == "at a kink, x[0] takes 0.25 where -1 to 1 is legal"


def test_more_elements_at_kinks_are_counted():
    found = judged(evidence([hull(0, 1)] * 3, kinks=("here",)), [0.0, 1.0, 0.5])
    assert found.at_kink == 3
    assert found.diagnosis.endswith(", and 2 more elements at kinks")


@pytest.mark.parametrize("got", [-0.1, 6.0, math.inf, math.nan])
def test_an_illegal_slope_is_no_convention(got):
    found = judged(evidence(KINK, kinks=("here",)), [got, 2.0])
    assert found.verdict not in {Verdict.ACCURATE, Verdict.CONVENTION}
    assert (found.at_kink, found.where) == (0, "x[0]")


def test_a_kink_excuses_no_other_element():
    found = judged(evidence(KINK, kinks=("here",)), [1.0, 2.5])
    assert (found.verdict, found.where, found.max_abs_error) == (Verdict.IMPRECISE, "x[1]", 0.5)


def test_a_wide_truth_without_a_kink_is_no_convention():
    assert judged(evidence(KINK), [1.0, 2.0]).verdict is not Verdict.CONVENTION


def test_a_wrong_formula_at_a_kink_is_wrong():
    known = evidence(KINK, kinks=("here",), right=[False, True])
    assert judged(known, [1.0, 2.0]).verdict is Verdict.WRONG


# -- E against T ------------------------------------------------------------------------------------------


def test_balls_meet_where_they_overlap():
    one, other = balls([arb(1, 0.1), arb(1, 0.1), 1.0]), balls([arb(1.15, 0.1), arb(1.3, 0.1), 1.0])
    assert meets(one, other).tolist() == [True, False, True]


def test_meeting_keeps_the_shape():
    assert meets(exact(np.ones((2, 3))), exact(np.ones((2, 3)))).shape == (2, 3)
    assert meets(exact(np.ones(())), exact(np.zeros(()))).tolist() is False


@pytest.mark.parametrize(("got", "verdict"), [(1.0, Verdict.ACCURATE), (1 + 2.0**-51, Verdict.MISCOMPUTED)])
def test_the_correctly_rounded_truth_is_never_outside_whatever_its_program_may_compute(got, verdict):
    """A program that overflows gives 0 for 1 / (1 + x^2), and another path of the same formula is right."""
    assert judged(evidence([1.0], bound=around([0.0], 1e-9)), [got]).verdict is verdict
