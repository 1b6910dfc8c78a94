"""The measurement, against hand-made enclosures from which the errors are known without it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.errors import measure
from oracles.exact.enclose.refine import Enclosure
from oracles.exact.program.balls import exact, filled, precision

FINITE = st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6)
ARRAYS = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=FINITE)
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


def sharp(numbers, kinks=()):
    """Exactly these numbers."""
    return Enclosure(exact(np.asarray(numbers, np.float64)), 128, kinks)


def balls(*found, kinks=()):
    return Enclosure(filled([arb(b) for b in found], (len(found),)), 128, kinks)


def hull(low, high):
    with precision(128):
        return arb(low).union(arb(high))


def beyond(exponent, sign=1):
    """A number of this decimal exponent, which float64 may not have."""
    with precision(128):
        return sign * arb(10) ** exponent


def one(true, computed, dtype="float64"):
    true = true if isinstance(true, Enclosure) else sharp(np.asarray(true, dtype))
    got = computed if isinstance(computed, np.ma.MaskedArray) else np.array(computed, dtype)
    return measure(("x",), (true,), (got,), (np.dtype(dtype),))


def several(names, true, computed):
    return measure(names, [sharp(t) for t in true], computed, [np.dtype("float64")] * len(true))


def measures(errors):
    return errors.max_abs, errors.max_rel, errors.ulp, errors.scaled


@given(array=hnp.arrays(np.float64, hnp.array_shapes(), elements=st.floats(allow_nan=False, width=64)))
def test_the_true_numbers_are_off_by_zero(array):
    assume(np.isfinite(array).all())
    assert measures(one(array, array.copy())) == (0, 0, 0, 0)


@given(array=hnp.arrays(np.float32, hnp.array_shapes(), elements=st.floats(allow_nan=False, width=32)))
def test_the_true_numbers_are_off_by_zero_in_float32_too(array):
    assume(np.isfinite(array).all())
    assert measures(one(array, array.copy(), "float32")) == (0, 0, 0, 0)


def test_zeros_of_both_signs_are_equal():
    assert measures(one([0.0, -0.0], [-0.0, 0.0])) == (0, 0, 0, 0)


@given(near=ARRAYS.filter(np.any), data=st.data())
def test_each_measure_is_its_definition_on_the_whole_array(near, data):
    """The true numbers are fractions that float64 has not, the errors are taken in fractions."""
    error = data.draw(hnp.arrays(np.float64, near.shape, elements=FINITE | st.just(0.0)))
    computed = near + error
    true = [Fraction(float(v)) * (1 + Fraction(k % 7 - 3, 2**60)) for k, v in enumerate(near.flat)]
    with precision(256):
        enclosure = Enclosure(filled([arb(t.numerator) / t.denominator for t in true], near.shape), 256)
    found = one(enclosure, computed)
    gaps = [abs(Fraction(float(g)) - t) for g, t in zip(computed.flat, true, strict=True)]
    relative = [
        0.0 if gap == 0 else math.inf if t == 0 else gap / abs(t) for gap, t in zip(gaps, true, strict=True)
    ]
    ulps = [float(gap) / math.ulp(float(t)) for gap, t in zip(gaps, true, strict=True)]
    largest = max(abs(t) for t in true)
    wanted = max(gaps), max(relative), max(ulps), max(gaps) / largest
    assert measures(found) == pytest.approx([float(w) for w in wanted], rel=1e-9, abs=0)


def test_digits_beyond_float64_are_measured():
    """The nearest float64 is not the truth: pi is off by 0.27 of its last place."""
    with precision(256):
        pi = arb.pi()
    found = one(balls(pi), [math.pi])
    assert found.max_abs == pytest.approx(1.2246467991473532e-16, rel=1e-15, abs=0)
    assert found.ulp == found.max_abs / math.ulp(math.pi)
    assert found.true == math.pi


@given(value=st.floats(0.5, 1000.0))
def test_a_float32_gradient_is_measured_against_the_truth_and_not_its_rounding(value):
    got = np.float32(value)
    found = one(sharp([value]), [got], "float32")
    assert found.max_abs == abs(float(got) - value)
    assert found.ulp <= 0.5


@given(
    mid=st.floats(-100, 100),
    radius=st.floats(0, 1),
    off=st.floats(-2, 2),
    place=st.floats(-1, 1),
)
def test_an_error_is_at_least_what_is_reported_wherever_in_its_ball_the_truth_is(mid, radius, off, place):
    computed = mid + off
    found = one(balls(arb(mid, radius)), [computed])
    true = Fraction(mid) + Fraction(place) * Fraction(radius)
    assert found.max_abs <= abs(Fraction(computed) - true) + Fraction(1, 2**40)
    wanted = max(abs(Fraction(computed) - Fraction(mid)) - Fraction(radius), 0)
    assert found.max_abs == pytest.approx(float(wanted), rel=1e-6, abs=1e-8)


def test_a_number_inside_a_ball_is_off_by_nothing_that_is_known():
    assert measures(one(balls(arb(1, 0.25), 2.0), [1.2, 2.0])) == (0, 0, 0, 0)


@each_dtype
def test_anything_where_zeros_are_true_is_vastly_wrong(dtype):
    found = one([0.0, 0.0], [0.0, 0.5], dtype)
    assert (found.max_abs, found.max_rel) == (0.5, math.inf)
    assert found.scaled == 0.5 / np.finfo(dtype).tiny
    assert found.where == "x[1]"


@each_dtype
def test_below_the_smallest_normal_number_no_relative_digits_count(dtype):
    tiny = float(np.finfo(dtype).tiny)
    true = tiny / 2**10
    found = one(sharp([true, -true / 4]), [0.0, 0.0], dtype)
    assert (found.max_abs, found.max_rel) == (true, 1.0)
    assert found.scaled == 2.0**-10


@each_dtype
def test_from_the_smallest_normal_number_on_they_count(dtype):
    tiny = float(np.finfo(dtype).tiny)
    for size in (tiny, 8 * tiny):
        assert one(sharp([size]), [0.0], dtype).scaled == 1.0
        assert one(sharp([size]), [-size], dtype).scaled == 2.0


@each_dtype
@given(value=st.floats(1.0, 1.875, width=32), steps=st.integers(1, 20), sign=st.sampled_from([-1, 1]))
def test_ulps_are_the_steps_of_nextafter(dtype, value, steps, sign):
    true = np.array([sign * value], dtype)
    computed = true.copy()
    for _ in range(steps):
        computed = np.nextafter(computed, np.array(sign * 4, dtype))  # away from 0, inside one binade
    assert one(true, computed, dtype).ulp == steps


def test_ulps_of_a_true_zero_are_the_smallest_numbers():
    assert one([0.0, 1.0], [3 * math.ulp(0.0), 1.0]).ulp == 3


def test_ulps_of_the_largest_number_are_its_own():
    big = float(np.finfo("float32").max)
    assert one([big], [np.nextafter(np.float32(big), np.float32(0))], "float32").ulp == 1


def test_the_worst_element_is_named_with_both_values():
    true = np.arange(1.0, 7.0).reshape(2, 3)
    computed = true.copy()
    computed[1, 2] += 0.5
    computed[0, 0] -= 0.25
    found = several(("W",), (true,), (computed,))
    assert (found.where, found.computed, found.true) == ("W[1, 2]", 6.5, 6.0)
    assert measures(found)[:2] == (0.5, 0.25)
    assert found.scaled == 0.5 / 6


def test_a_scalar_gradient_is_named_without_an_index():
    assert one(2.0, 3.0).where == "x[]"


def test_an_empty_array_is_off_by_nothing():
    found = one(np.zeros((0, 3)), np.zeros((0, 3)))
    assert measures(found) == (0, 0, 0, 0)
    assert found.where == "x[]"


@pytest.mark.parametrize("where", [0, 1, 2])
def test_a_computed_nan_makes_every_measure_nan_and_is_located(where):
    computed = np.array([9.0, 9.0, 9.0])
    computed[where] = np.nan
    found = one([1.0, 2.0, 3.0], computed)
    assert all(math.isnan(m) for m in measures(found))
    assert found.where == f"x[{where}]"


@pytest.mark.parametrize("unknown", [arb("nan"), arb(0, "inf")], ids=["nan", "anything"])
@pytest.mark.parametrize("computed", [1.0, math.nan, math.inf])
def test_where_nothing_is_known_nothing_is_right(unknown, computed):
    found = one(balls(1.0, unknown), [1.0, computed])
    assert not found.scaled <= 1
    assert found.where == "x[1]"


@pytest.mark.parametrize("computed", [math.inf, -math.inf])
def test_an_infinite_result_where_a_finite_one_is_true_is_infinitely_wrong(computed):
    assert measures(one([1.0, 2.0], [1.0, computed])) == (math.inf,) * 4


@pytest.mark.parametrize(("dtype", "exponent"), [("float64", 309), ("float64", 4000), ("float32", 39)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_true_value_beyond_the_dtype_makes_infinity_of_its_sign_right(dtype, exponent, sign):
    true = balls(beyond(exponent, sign), 1.0)
    assert measures(one(true, [sign * math.inf, 1.0], dtype)) == (0, 0, 0, 0)
    for wrong in (-sign * math.inf, math.nan, 0.0, sign * float(np.finfo(dtype).max)):
        found = one(true, [wrong, 1.0], dtype)
        assert not found.scaled < 0.1
        assert found.where == "x[0]"


def test_infinity_is_wrong_where_the_largest_number_is_nearest():
    big = np.finfo("float32").max
    below = sharp([float(big) * (1 + 2.0**-26)])  # rounds to the largest float32
    assert one(below, [big], "float32").scaled < 1e-7
    assert one(below, [math.inf], "float32").scaled == math.inf


def test_an_element_beyond_float64_that_is_right_does_not_hide_a_wrong_one():
    found = one(balls(beyond(400), 1.0), [math.inf, 2.0])
    assert (found.where, found.scaled) == ("x[1]", 1.0)


def test_an_element_beyond_float32_that_is_right_does_not_hide_a_wrong_one():
    found = one(balls(1e39, 1.0), [math.inf, 2.0], "float32")
    assert (found.where, found.scaled) == ("x[1]", 1.0)


def test_an_overflow_of_the_subtraction_is_not_nan():
    big = np.finfo("float32").max
    assert one([big], [-big], dtype="float32").scaled == pytest.approx(2.0)
    assert one([1.7e308], [-1.7e308]).scaled > 1


F64, F32 = np.dtype("float64"), np.dtype("float32")


@pytest.mark.parametrize(
    ("true", "computed", "dtype", "fault"),
    [
        (np.zeros(2), None, F64, "x: no gradient (None), which is not a zero gradient"),
        (None, np.zeros(2), F64, "x: a gradient where there is none"),
        (np.zeros((2, 3)), np.zeros((3, 2)), F64, "x: shape (3, 2) instead of (2, 3)"),
        (np.zeros((2, 3)), np.zeros(()), F64, "x: shape () instead of (2, 3)"),
        (np.zeros(2), np.zeros(2, "float32"), F64, "x: dtype float32 instead of float64"),
        (np.zeros(2), np.zeros(2), F32, "x: dtype float64 instead of float32"),
        (np.zeros(2), np.zeros(2, int), F64, "x: dtype int64 instead of float64"),
        (np.zeros(2), np.ma.array(np.zeros(2), mask=True), F64, "x: nothing was computed"),
    ],
)
def test_faults_apart_from_size_are_named(true, computed, dtype, fault):
    enclosures = (None if true is None else sharp(true),)
    assert measure(("x",), enclosures, (computed,), (dtype,)).fault == fault


@pytest.mark.parametrize("position", [0, 1])
def test_a_fault_of_any_argument_is_the_fault_of_the_whole(position):
    computed = [np.zeros(2), np.zeros(2)]
    computed[position] = np.zeros(3)
    found = several(("a", "b"), (np.zeros(2), np.zeros(2)), computed)
    assert found.fault == f"{'ab'[position]}: shape (3,) instead of (2,)"


def test_each_argument_has_its_own_dtype():
    true = (sharp([1.0]), sharp([1.0]))
    computed = (np.ones(1), np.ones(1, "float32"))
    assert measure(("a", "b"), true, computed, (F64, F32)).fault == ""
    assert measure(("a", "b"), true, computed, (F32, F64)).fault == "a: dtype float64 instead of float32"


def test_the_number_of_gradients_must_be_right():
    one_each = (("x",), (sharp(np.ones(1)),))
    assert measure(*one_each, (), (F64,)).fault == "0 gradients instead of 1"
    assert measure(*one_each, (np.ones(1), np.ones(1)), (F64,)).fault == "2 gradients instead of 1"


def test_no_gradient_on_both_sides_measures_nothing():
    found = measure(("x",), (None,), (None,), (F64,))
    assert (found.where, found.fault) == ("", "")
    assert math.isnan(found.scaled)


@given(true=ARRAYS, data=st.data())
def test_masked_entries_are_not_measured(true, data):
    mask = data.draw(hnp.arrays(bool, true.shape))
    assume(not mask.all())
    wrong = np.where(mask, np.nan, true)
    assert measures(one(true, np.ma.array(wrong, mask=mask))) == (0, 0, 0, 0)


def test_unmasked_entries_of_a_masked_array_are_measured():
    computed = np.ma.array([1.0, 5.0, 99.0], mask=[False, False, True])
    found = one([1.0, 2.0, 3.0], computed)
    assert (found.where, found.max_abs, found.scaled) == ("x[1]", 3.0, 1.5)


KINK = balls(hull(0, 1), 2.0, kinks=("the first element",))


@given(inside=st.floats(0, 1))
def test_a_legal_value_on_a_kink_is_counted_and_not_measured(inside):
    found = one(KINK, [inside, 2.0])
    assert measures(found) == (0, 0, 0, 0)
    assert found.at_kink == 1


@pytest.mark.parametrize("outside", [-0.001, 1.001, math.inf, math.nan])
def test_an_illegal_value_on_a_kink_is_an_error(outside):
    found = one(KINK, [outside, 2.0])
    assert found.at_kink == 0
    assert found.where == "x[0]"
    assert not found.scaled <= 1e-4


def test_an_illegal_value_on_a_kink_is_off_by_its_distance_from_the_legal_ones():
    assert one(KINK, [1.25, 2.0]).max_abs == pytest.approx(0.25, rel=1e-8)
    assert one(KINK, [-0.25, 2.0]).max_abs == pytest.approx(0.25, rel=1e-8)


def test_away_from_kinks_the_hull_forgives_nothing():
    found = one(KINK, [0.5, 2.5])
    assert (found.at_kink, found.where, found.max_abs) == (1, "x[1]", 0.5)


def test_a_wide_ball_without_a_kink_is_none():
    found = one(balls(hull(0, 1), 2.0), [0.5, 2.0])
    assert found.at_kink == 0


def test_masked_entries_on_a_kink_are_not_counted():
    assert one(KINK, np.ma.array([0.5, 2.0], mask=[True, False])).at_kink == 0


def test_elements_on_a_kink_are_no_measure_for_the_others():
    true = balls(hull(0, 1000), 2.0, kinks=("the first element",))
    assert one(true, [500.0, 2.5]).scaled == 0.25


def test_several_arguments_give_the_worst_of_each_measure():
    true = np.array([100.0, 1.0]), np.array([1.0, 2.0])
    computed = np.array([101.0, 1.0]), np.array([1.5, 2.0])
    found = several(("a", "b"), true, computed)
    assert (found.max_abs, found.max_rel) == (1.0, 0.5)  # one from each argument
    assert found.ulp == 0.5 * 2**52
    assert (found.where, found.scaled) == ("b[0]", 0.25)  # relative to its own argument's largest


@pytest.mark.parametrize("first", ["nan", "fine"])
def test_nan_in_one_argument_is_kept_whatever_the_order(first):
    nan, fine = np.array([np.nan]), np.array([7.0])
    names, computed = (("n", "f"), (nan, fine)) if first == "nan" else (("f", "n"), (fine, nan))
    found = several(names, (np.ones(1), np.ones(1)), computed)
    assert all(math.isnan(m) for m in measures(found))
    assert found.where == "n[0]"


def test_nan_outranks_infinity():
    found = several(("a", "b"), (np.ones(1), np.ones(1)), (np.array([np.inf]), np.array([np.nan])))
    assert math.isnan(found.scaled)


def test_an_argument_without_a_gradient_leaves_the_others_measured():
    found = measure(("a", "b"), (None, sharp([1.0])), (None, np.array([1.5])), (F64, F64))
    assert (found.where, found.scaled, found.fault) == ("b[0]", 0.5, "")


def test_kinks_of_several_arguments_add_up():
    kink = balls(hull(0, 1), kinks=("here",))
    found = measure(("a", "b"), (kink, kink), (np.zeros(1), np.ones(1)), (F64, F64))
    assert (found.at_kink, found.scaled) == (2, 0)
