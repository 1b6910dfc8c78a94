"""Strategies: what they draw is of the dtype and shape asked for, and boundary values do occur."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from harness import check_gradient, strategies
from harness.verdicts import Verdict

DTYPES = {"float64": float, "float32": "float32", "float16": "float16", "bfloat16": ml_dtypes.bfloat16}
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


@each_dtype
@given(data=st.data())
@settings(max_examples=25)
def test_arrays_are_finite_and_of_their_dtype_and_shape(dtype, data):
    array = data.draw(strategies.arrays((2, 3), dtype))
    assert array.dtype == np.dtype(DTYPES[dtype])
    assert array.shape == (2, 3)
    assert np.isfinite(array.astype(float)).all()


@each_dtype
def test_boundary_values_are_what_they_are_called(dtype):
    values = strategies.boundary_values(dtype)
    assert {0.0, 20.0, -20.0} <= set(values)
    assert any(v == 0 and np.signbit(v) for v in values)
    normal = float(ml_dtypes.finfo(DTYPES[dtype]).smallest_normal)
    assert any(0 < v < normal for v in values)
    assert all(np.isfinite(values))


@pytest.mark.parametrize(
    "kind",
    [
        lambda a: (a == 0).any() and np.signbit(a[a == 0]).any(),
        lambda a: a.size > 2 and len(np.unique(a)) == 1,
        lambda a: not a.flags.c_contiguous,
        lambda a: (np.abs(a) > 700).any(),
    ],
    ids=["-0.0", "ties", "layout", "saturation"],
)
def test_each_kind_of_boundary_occurs(kind):
    drawing = settings(
        max_examples=2000, phases=[Phase.generate], database=None
    )  # whatever is found will do: none is made smaller
    assert kind(find(strategies.arrays(), kind, settings=drawing))


@given(array=strategies.arrays(boundary=False))
def test_without_the_boundary_there_is_none(array):
    assert np.abs(array).max(initial=0) <= strategies.LARGEST
    assert array.flags.c_contiguous


@given(shape=st.lists(st.integers(0, 3), max_size=3).map(tuple), data=st.data())
def test_cotangents_are_never_zero_and_never_constant(shape, data):
    cotangent = data.draw(strategies.cotangents(shape))
    assert cotangent.shape == shape
    assert (cotangent != 0).all()
    assert cotangent.size < 2 or len(np.unique(cotangent)) > 1


@pytest.mark.parametrize(
    "ask",
    [
        strategies.boundary_values,
        strategies.elements,
        lambda dtype: find(strategies.arrays(dtype=dtype), lambda _: True),
        lambda dtype: find(strategies.cotangents((2,), dtype), lambda _: True),
    ],
)
def test_a_dtype_that_does_not_exist_says_what_does(ask):
    with pytest.raises(ValueError, match="dtype must be one of bfloat16, float16"):
        ask("float8")


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_right_gradient_is_right_at_what_is_drawn(data):
    x = data.draw(strategies.arrays((2, 3)))
    cotangent = data.draw(strategies.cotangents((2, 3)))
    with np.errstate(over="ignore"):
        found = check_gradient(lambda x: x * x, (x,), vjp=lambda g, x: 2 * g * x, cotangent=cotangent)
    assert found.verdict in {Verdict.ACCURATE, Verdict.IMPRECISE}  # 2 g may overflow where g x does not


@pytest.mark.parametrize("shape", ["a", (-1,), -1, (1.5,), [None], (2, "3")])
@pytest.mark.parametrize("of", [strategies.arrays, strategies.cotangents])
def test_a_shape_that_is_none_is_refused_where_it_is_written(of, shape):
    with pytest.raises(ValueError, match=r"shape must be a tuple of integers >= 0, such as \(3, 4\), got "):
        of(shape)


@pytest.mark.parametrize(
    "of",
    [
        lambda: strategies.cotangents(None),
        lambda: strategies.cotangents((2,), "float99"),
        lambda: strategies.arrays((2,), "float99"),
        lambda: strategies.arrays((2,), []),
        lambda: strategies.arrays((2,), boundary="no"),
        lambda: strategies.elements(boundary=1),
    ],
)
def test_what_no_strategy_draws_is_refused_where_it_is_written(of):
    with pytest.raises(ValueError, match="must be"):
        of()


@given(data=st.data())
@settings(max_examples=5)
def test_a_shape_may_be_one_number_a_list_or_a_strategy(data):
    assert data.draw(strategies.arrays(3)).shape == data.draw(strategies.cotangents([3])).shape == (3,)
    assert data.draw(strategies.arrays(st.just((2, 1)))).shape == (2, 1)
    with pytest.raises(ValueError, match="shape must be a tuple of integers"):
        data.draw(strategies.arrays(st.just("a")))
