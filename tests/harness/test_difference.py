"""The comparison, against hand-made arrays whose differences are known without it."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.difference import compare

FINITE = st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6)
ARRAYS = hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=FINITE)
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


def one(expected, computed, legal=None, dtype="float64"):
    got = computed if isinstance(computed, np.ma.MaskedArray) else np.array(computed, dtype)
    return compare(("x",), (np.array(expected, dtype),), (got,), legal)


def measures(difference):
    return difference.max_abs, difference.max_rel, difference.max_ulp, difference.scaled


@given(array=hnp.arrays(np.float64, hnp.array_shapes(), elements=st.floats(allow_nan=False)))
def test_equal_arrays_differ_by_zero_also_where_infinite(array):
    assert measures(compare(("x",), (array,), (array.copy(),))) == (0, 0, 0, 0)


def test_zeros_of_both_signs_are_equal():
    assert measures(one([0.0, -0.0], [-0.0, 0.0])) == (0, 0, 0, 0)


@given(expected=ARRAYS.filter(np.any), data=st.data())
def test_each_measure_is_its_definition_on_the_whole_array(expected, data):
    error = data.draw(hnp.arrays(np.float64, expected.shape, elements=FINITE))
    computed = expected + error
    found = compare(("x",), (expected,), (computed,))
    gaps = [abs(float(g) - float(e)) for g, e in zip(computed.flat, expected.flat, strict=True)]
    relative = [
        (0.0 if gap == 0 else math.inf if e == 0 else gap / abs(e))
        for gap, e in zip(gaps, expected.flat, strict=True)
    ]
    ulps = [gap / math.ulp(e) for gap, e in zip(gaps, expected.flat, strict=True)]
    largest = max(abs(float(e)) for e in expected.flat)
    wanted = max(gaps), max(relative), max(ulps), max(gaps) / largest
    assert measures(found) == pytest.approx(wanted, rel=1e-12)


def test_anything_where_zeros_are_expected_is_infinitely_wrong():
    found = one([0.0, 0.0], [0.0, 0.5])
    assert (found.max_abs, found.max_rel, found.scaled) == (0.5, math.inf, math.inf)
    assert found.where == "x[1]"


@each_dtype
@given(value=st.floats(1.0, 1.875, width=32), steps=st.integers(1, 20), sign=st.sampled_from([-1, 1]))
def test_ulps_are_the_steps_of_nextafter(dtype, value, steps, sign):
    expected = np.array([sign * value], dtype)
    computed = expected.copy()
    for _ in range(steps):
        computed = np.nextafter(computed, np.array(sign * 4, dtype))  # away from 0, inside one binade
    assert compare(("x",), (expected,), (computed,)).max_ulp == steps


def test_ulps_of_an_expected_zero_are_the_smallest_numbers():
    assert one([0.0, 1.0], [3 * math.ulp(0.0), 1.0]).max_ulp == 3


def test_the_worst_element_is_named_with_both_values():
    expected = np.arange(1.0, 7.0).reshape(2, 3)
    computed = expected.copy()
    computed[1, 2] += 0.5
    computed[0, 0] -= 0.25
    found = compare(("W",), (expected,), (computed,))
    assert (found.where, found.computed, found.expected) == ("W[1, 2]", 6.5, 6.0)
    assert measures(found)[:2] == (0.5, 0.25)
    assert found.scaled == 0.5 / 6


def test_a_scalar_gradient_is_named_without_an_index():
    assert one(2.0, 3.0).where == "x[]"


def test_an_empty_array_differs_by_nothing():
    found = one([], [])
    assert measures(found) == (0, 0, 0, 0)
    assert found.where == "x[]"


@pytest.mark.parametrize("where", [0, 1, 2])
@pytest.mark.parametrize("side", ["computed", "expected", "both"])
def test_nan_on_either_side_makes_every_measure_nan_and_is_located(where, side):
    expected, computed = np.array([1.0, 2.0, 3.0]), np.array([9.0, 9.0, 9.0])
    if side in {"expected", "both"}:
        expected[where] = np.nan
    if side in {"computed", "both"}:
        computed[where] = np.nan
    found = compare(("x",), (expected,), (computed,))
    assert all(math.isnan(m) for m in measures(found))
    assert found.where == f"x[{where}]"


@pytest.mark.parametrize("computed", [math.inf, -math.inf])
def test_an_infinite_result_where_a_finite_one_is_expected_is_infinitely_wrong(computed):
    assert measures(one([1.0, 2.0], [1.0, computed])) == (math.inf,) * 4


@pytest.mark.parametrize("computed", [1.0, -math.inf])
def test_a_wrong_result_where_an_infinite_one_is_expected_is_not_small(computed):
    found = one([math.inf, 1.0], [computed, 1.0])
    assert found.max_abs == math.inf
    assert not found.scaled < 1


def test_an_infinite_element_that_agrees_does_not_hide_a_wrong_one():
    assert not one([math.inf, 1.0], [math.inf, 2.0]).scaled < 1


def test_an_overflow_of_the_subtraction_is_not_nan():
    big = np.finfo("float32").max
    assert one([big], [-big], dtype="float32").scaled == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("expected", "computed", "fault"),
    [
        (np.zeros(2), None, "x: no gradient (None), which is not a zero gradient"),
        (None, np.zeros(2), "x: a gradient where there is none"),
        (np.zeros((2, 3)), np.zeros((3, 2)), "x: shape (3, 2) instead of (2, 3)"),
        (np.zeros((2, 3)), np.zeros(()), "x: shape () instead of (2, 3)"),
        (np.zeros(2), np.zeros(2, "float32"), "x: dtype float32 instead of float64"),
        (np.zeros(2, "float32"), np.zeros(2), "x: dtype float64 instead of float32"),
    ],
)
def test_faults_apart_from_size_are_named(expected, computed, fault):
    assert compare(("x",), (expected,), (computed,)).fault == fault


@pytest.mark.parametrize("position", [0, 1])
def test_a_fault_of_any_argument_is_the_fault_of_the_whole(position):
    computed = [np.zeros(2), np.zeros(2)]
    computed[position] = np.zeros(3)
    found = compare(("a", "b"), (np.zeros(2), np.zeros(2)), computed)
    assert found.fault == f"{'ab'[position]}: shape (3,) instead of (2,)"


def test_the_number_of_gradients_must_be_right():
    assert compare(("x",), (np.ones(1),), ()).fault == "0 gradients instead of 1"
    assert compare(("x",), (np.ones(1),), (np.ones(1), np.ones(1))).fault == "2 gradients instead of 1"


def test_no_gradient_on_both_sides_is_no_comparison():
    found = compare(("x",), (None,), (None,))
    assert (found.where, found.fault) == ("", "")
    assert math.isnan(found.scaled)


@given(expected=ARRAYS, data=st.data())
def test_masked_entries_are_not_compared(expected, data):
    mask = data.draw(hnp.arrays(bool, expected.shape))
    assume(not mask.all())
    wrong = np.where(mask, np.nan, expected)
    assert measures(compare(("x",), (expected,), (np.ma.array(wrong, mask=mask),))) == (0, 0, 0, 0)


def test_unmasked_entries_of_a_masked_array_are_compared():
    computed = np.ma.array([1.0, 5.0, 99.0], mask=[False, False, True])
    found = one([1.0, 2.0, 3.0], computed)
    assert (found.where, found.max_abs, found.scaled) == ("x[1]", 3.0, 1.5)


LOW, HIGH = np.array([0.0, 2.0]), np.array([1.0, 2.0])  # a kink at the first element only


@given(inside=st.floats(0, 1))
def test_a_legal_choice_at_a_kink_is_counted_and_not_measured(inside):
    found = one([1.0, 2.0], [inside, 2.0], ((LOW, HIGH),))
    assert measures(found) == (0, 0, 0, 0)
    assert found.at_kink == (inside != 1)


@pytest.mark.parametrize("outside", [-0.001, 1.001, math.inf, math.nan])
def test_an_illegal_choice_at_a_kink_is_measured(outside):
    found = one([1.0, 2.0], [outside, 2.0], ((LOW, HIGH),))
    assert found.at_kink == 0
    assert found.where == "x[0]"
    assert not found.scaled <= 1e-4


def test_away_from_kinks_the_interval_forgives_nothing():
    found = one([1.0, 2.0], [0.5, 2.5], ((LOW, HIGH),))
    assert (found.at_kink, found.where, found.max_abs) == (1, "x[1]", 0.5)


def test_several_arguments_give_the_worst_of_each_measure():
    expected = np.array([100.0, 1.0]), np.array([1.0, 2.0])
    computed = np.array([101.0, 1.0]), np.array([1.5, 2.0])
    found = compare(("a", "b"), expected, computed)
    assert (found.max_abs, found.max_rel) == (1.0, 0.5)  # one from each argument
    assert (found.where, found.scaled) == ("b[0]", 0.25)  # relative to its own argument's largest


@pytest.mark.parametrize("first", ["nan", "fine"])
def test_nan_in_one_argument_is_kept_whatever_the_order(first):
    nan, fine = np.array([np.nan]), np.array([7.0])
    names, computed = (("n", "f"), (nan, fine)) if first == "nan" else (("f", "n"), (fine, nan))
    found = compare(names, (np.ones(1), np.ones(1)), computed)
    assert all(math.isnan(m) for m in measures(found))
    assert found.where == "n[0]"


def test_nan_outranks_infinity():
    found = compare(("a", "b"), (np.ones(1), np.ones(1)), (np.array([np.inf]), np.array([np.nan])))
    assert math.isnan(found.scaled)


def test_kinks_of_several_arguments_add_up():
    interval = (np.array([0.0]), np.array([1.0]))
    found = compare(("a", "b"), (np.ones(1), np.ones(1)), (np.zeros(1), np.zeros(1)), (interval, interval))
    assert (found.at_kink, found.scaled) == (2, 0)
