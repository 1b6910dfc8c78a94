import numpy as np
import pytest

import reference


@pytest.mark.parametrize(
    ("lr", "printed"),
    [
        (0.1, "[-6.11110793e-10  8.14814391e-10]"),
        # An artefact of finite differences: at 1e12, x + 1e-4 rounds to x or an ulp away, and the differences
        # say nothing.  Exact gradients give 19^100 (-3, 4) = (-2.25e128, 3.00e128); see the next test.
        (10.0, "[-2.58983747e+13 -1.29524862e+12]"),
        (1e-10, "[-2.99999994  3.99999992]"),
    ],
)
def test_documented_output(lr, printed):
    x = reference.gradient_descent(reference.function_2, np.array([-3.0, 4.0]), lr=lr, step_num=100)
    assert str(x) == printed


def test_exact_gradients_diverge_much_further_at_lr_10():
    x = np.array([-3.0, 4.0])
    for _ in range(100):
        x -= 10.0 * reference.function_2_vjp(1.0, x)
    np.testing.assert_allclose(x, 19.0**100 * np.array([-3, 4]), rtol=1e-12)
    np.testing.assert_allclose(x, [-2.25e128, 3.00e128], rtol=5e-3)


def test_the_start_is_not_overwritten():
    start = np.array([-3.0, 4.0])
    result = reference.gradient_descent(reference.function_2, start, lr=0.1, step_num=3)
    assert start.tolist() == [-3, 4]
    assert not np.shares_memory(start, result)
    unmoved = reference.gradient_descent(reference.function_2, start, step_num=0)
    assert unmoved.tolist() == [-3, 4]
    assert not np.shares_memory(start, unmoved)
    assert reference.gradient_descent(reference.function_2, start, lr=0).tolist() == [-3, 4]


def test_a_read_only_or_broadcast_start_is_taken():
    start = np.broadcast_to(np.float64(2), (2, 3))
    result = reference.gradient_descent(lambda x: np.sum(x**2), start, lr=0.25, step_num=1)
    np.testing.assert_allclose(result, np.ones((2, 3)), rtol=1e-9)
    assert reference.gradient_descent(lambda x: 0.0, start.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_lr_must_be_finite_and_not_negative(value):
    with pytest.raises(ValueError, match=r"lr must be finite and 0 or above, got .*; pass e\.g\. lr=0\.01"):
        reference.gradient_descent(reference.function_2, np.ones(2), lr=value)


@pytest.mark.parametrize(
    ("value", "kind"), [(1.5, "float"), (np.nan, "float"), (np.inf, "float"), ("3", "str"), (True, "bool")]
)
def test_step_num_must_be_an_integer(value, kind):
    with pytest.raises(
        TypeError, match=rf"step_num must be an integer, got .* \({kind}\); pass a whole number"
    ):
        reference.gradient_descent(reference.function_2, np.ones(2), step_num=value)


def test_step_num_must_not_be_negative():
    with pytest.raises(ValueError, match="step_num must be at least 0, got -1"):
        reference.gradient_descent(reference.function_2, np.ones(2), step_num=-1)


def test_integer_starts_and_lists_are_refused_with_the_fix():
    with pytest.raises(TypeError, match=r"init_x has dtype int64, .*; pass init_x\.astype\(float\)"):
        reference.gradient_descent(reference.function_2, np.array([-3, 4]))
    with pytest.raises(TypeError, match=r"init_x must be a NumPy array, got list; pass np\.array\(init_x"):
        reference.gradient_descent(reference.function_2, [-3.0, 4.0])


def test_function_2_takes_a_point_or_a_grid():
    assert reference.function_2([3, 4]) == 25
    grid = np.array(np.meshgrid([0.0, 1.0], [2.0, 3.0, 4.0]))
    assert reference.function_2(grid).tolist() == [[4, 5], [9, 10], [16, 17]]
    assert reference.function_2_vjp(-1.0, [3, 4]).tolist() == [-6, -8]


@pytest.mark.parametrize("shape", [(), (1,), (3,), (3, 2), (0,)])
def test_function_2_needs_two_coordinates(shape):
    with pytest.raises(ValueError, match=r"function_2: x must have shape \(2,\) or \(2, \.\.\.\), got \("):
        reference.function_2(np.ones(shape))
    with pytest.raises(ValueError, match=r"function_2_vjp: x must have shape \(2,\)"):
        reference.function_2_vjp(1.0, np.ones(shape))
