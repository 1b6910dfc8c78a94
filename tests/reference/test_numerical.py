import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference

FORMS = [reference.numerical_gradient, reference.numerical_gradient_1d, reference.numerical_gradient_2d]
each_form = pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)


def square_sum(x):
    return np.sum(x**2)


@each_form
@pytest.mark.parametrize(("point", "printed"), [((3.0, 4.0), "[6. 8.]"), ((3.0, 0.0), "[6. 0.]")])
def test_documented_output(form, point, printed):
    assert np.array2string(form(reference.function_2, np.array(point)), suppress_small=True) == printed


def test_documented_output_is_printed_without_options_too():
    assert str(reference.numerical_gradient(reference.function_2, np.array([3.0, 4.0]))) == "[6. 8.]"
    assert str(reference.numerical_gradient(reference.function_2, np.array([3.0, 0.0]))) == "[6. 0.]"


@settings(deadline=None)
@given(
    coefficients=st.lists(st.integers(-9, 9), min_size=3, max_size=3),
    points=st.lists(st.integers(-30, 30), min_size=1, max_size=6),
)
def test_quadratics_are_exact_but_for_rounding(coefficients, points):
    a, b, c = coefficients
    x = np.array(points) / 10
    gradient = reference.numerical_gradient(lambda x: np.sum(a * x**2 + b * x + c), x)
    np.testing.assert_allclose(gradient, 2 * a * x + b, rtol=0, atol=1e-8)


def test_the_truncation_error_is_that_of_central_differences():
    # for x^3 the difference quotient is 3 x^2 + h^2 exactly
    gradient = reference.numerical_gradient(lambda x: x[0] ** 3, np.array([2.0]), h=0.125)
    assert gradient[0] == 12 + 0.125**2


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 3), (0,), (2, 0)])
def test_shapes(shape):
    x = np.random.default_rng(0).integers(-9, 9, shape) / np.float64(4)
    x = np.asarray(x)
    gradient = reference.numerical_gradient(square_sum, x)
    assert gradient.shape == shape
    np.testing.assert_allclose(gradient, 2 * x, atol=1e-9)


def test_layouts_are_perturbed_in_place():
    base = np.arange(24.0).reshape(4, 6)
    for x in (base.T, base[::2, ::-3], base[1:, 2], np.asfortranarray(base), np.diagonal(base).copy()):
        np.testing.assert_allclose(reference.numerical_gradient(square_sum, x), 2 * x, atol=1e-7)
    assert (base == np.arange(24.0).reshape(4, 6)).all()


@each_form
def test_f_sees_the_array_itself_move_as_the_documents_closures_need(form):
    x = np.array([0.1, -0.7, 1e-17])
    before = x.tobytes()
    seen = []

    def f(given):
        assert np.shares_memory(given, x)
        seen.append(x.copy())
        return square_sum(x)

    np.testing.assert_allclose(form(f, x), 2 * x, atol=1e-9)
    assert x.tobytes() == before  # bit for bit, not within a rounding
    assert len(seen) == 6
    assert seen[0].tolist() == [0.1 + 1e-4, -0.7, 1e-17]
    assert seen[1].tolist() == [0.1 - 1e-4, -0.7, 1e-17]


@each_form
@pytest.mark.parametrize("call", [1, 2, 4])
def test_x_is_restored_when_f_raises(form, call):
    x = np.array([0.1, 0.2, 0.3])
    before = x.tobytes()
    calls = iter(range(1, 9))

    def f(_):
        if next(calls) == call:
            raise ZeroDivisionError("from f")
        return 0.0

    with pytest.raises(ZeroDivisionError, match="from f"):
        form(f, x)
    assert x.tobytes() == before


def test_the_2d_form_gives_f_one_row_at_a_time():
    x = np.array([[3.0, 4.0], [0.0, 2.0], [-1.0, 0.5]])
    shapes = set()

    def f(row):
        shapes.add(row.shape)
        return reference.function_2(row)

    np.testing.assert_allclose(reference.numerical_gradient_2d(f, x), 2 * x, atol=1e-9)
    assert shapes == {(2,)}


def test_f_may_return_python_numbers_and_unsigned_integers():
    x = np.array([1.0])
    assert reference.numerical_gradient(lambda x: int(x[0] > 1), x, h=0.5)[0] == 1
    assert reference.numerical_gradient(lambda x: np.uint8(x[0] < 1), x, h=0.5)[0] == -1


def test_the_dtype_is_kept_and_float32_has_few_digits():
    x = np.array([3.0, 4.0], np.float32)
    gradient = reference.numerical_gradient(reference.function_2, x)
    assert gradient.dtype == np.float32
    assert 1e-4 < np.abs(gradient - [6, 8]).max() < 0.1


@each_form
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool", "complex128", "object"])
def test_other_dtypes_are_refused_with_the_fix(form, dtype):
    x = np.array([3, 4]).astype(dtype)
    with pytest.raises(
        TypeError, match=rf"{form.__name__}: x has dtype {dtype}, .*; pass x\.astype\(float\)"
    ):
        form(reference.function_2, x)


@each_form
@pytest.mark.parametrize("x", [[3.0, 4.0], (3.0,), 3.0, np.float64(3), None])
def test_other_types_are_refused_with_the_fix(form, x):
    with pytest.raises(TypeError, match=rf"got {type(x).__name__}; pass np\.array\(x, dtype=float\)"):
        form(reference.function_2, x)


@each_form
def test_arrays_that_cannot_be_perturbed_element_by_element_are_refused(form):
    frozen = np.ones(2)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match=r"x is read-only, .*; pass a copy, x\.copy\(\)"):
        form(square_sum, frozen)
    repeated = np.lib.stride_tricks.as_strided(np.ones(1), (4,), (0,))
    with pytest.raises(ValueError, match=r"share memory \(strides \(0,\) for shape \(4,\)\).*x\.copy\(\)"):
        form(square_sum, repeated)
    assert repeated[0] == 1


def test_sliding_windows_are_refused():
    windows = np.lib.stride_tricks.sliding_window_view(np.arange(5.0), 2, writeable=True)
    with pytest.raises(ValueError, match="share memory"):
        reference.numerical_gradient(square_sum, windows)


@each_form
@pytest.mark.parametrize("h", [0, -1e-4, np.nan, np.inf, -np.inf])
def test_h_must_be_finite_and_positive(form, h):
    with pytest.raises(ValueError, match=r"h must be finite and above 0, got .*; pass e\.g\. h=1e-4"):
        form(square_sum, np.ones(2), h=h)


@each_form
@pytest.mark.parametrize("h", ["1e-4", None, True, 1j, np.ones(2)])
def test_h_must_be_a_number(form, h):
    with pytest.raises(TypeError, match=r"h must be a real number, got .*; pass a float"):
        form(square_sum, np.ones(2), h=h)


@each_form
def test_f_must_return_one_real_number(form):
    with pytest.raises(ValueError, match=r"f must return a scalar, got an array of shape \(2,\); sum it"):
        form(lambda x: x**2, np.ones(2))
    with pytest.raises(ValueError, match=r"got an array of shape \(1,\)"):
        form(lambda x: np.ones(1), np.ones(2))
    with pytest.raises(TypeError, match=r"f must return a real number, got None \(NoneType\)"):
        form(lambda x: None, np.ones(2))
    with pytest.raises(TypeError, match=r"f must return a real number, got 1j \(complex\)"):
        form(lambda x: 1j, np.ones(2))


def test_the_other_forms_refuse_other_shapes():
    with pytest.raises(ValueError, match=r"x must be 1-D, got shape \(2, 2\); use numerical_gradient"):
        reference.numerical_gradient_1d(square_sum, np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"x must be 1-D .* or 2-D .*, got shape \(2, 2, 2\)"):
        reference.numerical_gradient_2d(square_sum, np.ones((2, 2, 2)))
