"""The numbers of a dtype in order, and which of them are simpler to read."""

import ml_dtypes
import numpy as np
import pytest

from harness.search.numbers import at_ordinals, drawn, effort, ordinals, simpler, special, written

DTYPES = [np.dtype(t) for t in (np.float64, np.float32, np.float16, ml_dtypes.bfloat16)]
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@each_dtype
def test_neighbours_differ_by_one_and_come_back(dtype):
    numbers = np.array([-2.0, -0.0, 0.0, 1.0, 3.5], dtype)
    places = ordinals(numbers)
    assert places.tolist() == sorted(places.tolist())
    assert places[1] == places[2] == 0
    assert np.array_equal(at_ordinals(places, dtype), numbers)
    above = at_ordinals(places + 1, dtype)
    assert (above.astype(float) > numbers.astype(float)).all()
    assert np.array_equal(np.nextafter(numbers, np.asarray(np.inf, dtype)), above)


@each_dtype
def test_draws_are_finite_and_reach_both_ends(dtype):
    found = drawn(np.random.default_rng(0), dtype, 4000).astype(float)
    info = ml_dtypes.finfo(dtype)
    assert np.isfinite(found).all()
    assert {0.0, float(info.max), -float(info.max), float(info.smallest_subnormal)} <= set(found.tolist())
    assert np.isfinite(special(dtype).astype(float)).all()
    assert np.signbit(found[found == 0]).any()


def test_simple_numbers_come_first():
    assert simpler(37.42994775, "float64")[:2] == [0.0, 1.0]
    assert {37.0, 38.0, 40.0, 100.0} <= set(simpler(37.42994775, "float64"))
    assert simpler(0.0, "float64") == []
    order = [0.0, 1.0, 2.0, 40.0, -40.0, 37.5, 37.42994775]
    assert order == sorted(order, key=lambda x: effort(x, "float64"))
    assert [written(x, "float32") for x in (20.0, np.float32(0.1), 1e30)] == ["20.0", "0.1", "1e+30"]
