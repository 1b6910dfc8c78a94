"""Every number has its place: ordered as the numbers are, and 1e-300, 1 and 1e300 all well inside."""

import numpy as np
import pytest

from harness.page.axis import between, numbers, ordinals, places, spread, ticks
from oracles.exact.program.formats import FORMATS


@pytest.mark.parametrize("dtype", FORMATS)
def test_places_are_ordered_as_numbers_are(dtype):
    largest, normal = float(FORMATS[dtype].largest), FORMATS[dtype].normal
    some = np.array([-largest, -1.0, -normal, 0.0, normal, 0.5, 1.0, 2.0, largest])
    found = places(some, dtype)
    assert (np.diff(found) > 0).all()
    assert found[0] == pytest.approx(-1, abs=1e-3)
    assert found[-1] == pytest.approx(1, abs=1e-3)
    assert (found == -places(-some, dtype)).all()


def test_small_middle_and_large_are_all_on_it():
    small, one, large = places(np.array([1e-300, 1.0, 1e300]), "float64")
    assert 0 < small < 0.01 < 0.49 < one < 0.51 < 0.99 < large < 1


@pytest.mark.parametrize("dtype", FORMATS)
def test_an_ordinal_is_the_number_it_came_from(dtype):
    some = np.array([0.0, float(FORMATS[dtype].least), 0.09375, 1.0, 1.5, -48.0])
    assert (numbers(ordinals(some, dtype), dtype) == some).all()


@pytest.mark.parametrize("dtype", FORMATS)
def test_the_numbers_between_are_numbers_of_the_dtype(dtype):
    found = spread(40, dtype)
    assert (np.diff(found) > 0).all()
    assert 0.0 in found
    assert np.isfinite(found).all()
    assert all(FORMATS[dtype].rounded(x) == x for x in [*found, between(1.0, 3.0, dtype)])
    assert 1 < between(1.0, 3.0, dtype) < 3


@pytest.mark.parametrize("dtype", FORMATS)
def test_a_label_stands_where_its_number_does(dtype):
    where, labels = ticks(dtype)
    assert where == sorted(where)
    assert where[labels.index("1")] == pytest.approx(float(places(np.array([1.0]), dtype)[0]), abs=1e-6)
