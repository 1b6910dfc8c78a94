"""How well the numbers of a computed array are known: by their neighbours."""

import numpy as np
import pytest

from oracles.exact.enclose.computed import amplitudes

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(5, 7), (40, 3), (2, 3, 4)])
def test_an_amplitude_is_never_below_the_number(shape):
    numbers = RNG.normal(size=shape) * 10.0 ** RNG.integers(-30, 30, shape)
    assert (amplitudes(numbers) >= np.abs(numbers)).all()


def test_of_products_of_features_it_is_what_each_element_adds_up():
    """|x_i . x_j| is at most |x_i| |x_j|, and that is what its rounding is in proportion to."""
    x = RNG.normal(size=(50, 4)) * [1e-6, 1.0, 1e4, 1e9]
    sizes = np.linalg.norm(x, axis=0)
    ratio = amplitudes(x.T @ x) / np.outer(sizes, sizes)
    assert (ratio > 0.01).all()
    assert (ratio < 1.05).all()


def test_rows_and_columns_that_are_scaled_scale_it():
    cosines = np.cos(np.outer(np.arange(8), np.arange(8)))
    rows, columns = 2.0 ** RNG.integers(-40, 40, (8, 1)), 2.0 ** RNG.integers(-40, 40, (1, 8))
    ratio = amplitudes(rows * cosines * columns) / (rows * columns)
    assert (ratio > 0.999 * np.abs(cosines)).all()
    assert (ratio < 16).all()
    assert ratio.min() > 0.05  # a cosine near 0 is off as the others are


def test_one_huge_element_is_its_own_alone():
    numbers = np.eye(6) + 0.1
    numbers[0, 0] = 1e15
    found = amplitudes(numbers)
    assert found[0, 0] == 1e15
    assert found[1:, 1:].max() < 2
    assert found.max(initial=0.0, where=np.arange(36).reshape(6, 6) > 0) < 1e8


def test_of_a_vector_it_is_the_typical_size():
    numbers = np.array([1.0, 2.0, 3.0, 1e-9, 1e12])
    np.testing.assert_array_equal(amplitudes(numbers), [2.0, 2.0, 3.0, 2.0, 1e12])
    np.testing.assert_array_equal(amplitudes(numbers[:, None])[:, 0], amplitudes(numbers))
    assert not amplitudes(np.zeros(3)).any()


def test_zeros_say_nothing_of_the_others():
    numbers = np.diag([1e-8, 1.0, 1e8])
    np.testing.assert_allclose(np.diag(amplitudes(numbers)), [1e-8, 1.0, 1e8])
    assert not amplitudes(np.zeros((2, 2))).any()
