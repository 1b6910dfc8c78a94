import mpmath
import numpy as np
import pytest

import reference

POINTS = [
    *(
        0.0,
        -0.0,
        1e-300,
        -1e-300,
        5e-324,
        1e-8,
        0.25,
        0.5,
        1,
        3,
        20,
        36.7,
        37,
        40,
        88,
        100,
        700,
        708.5,
        710,
        745,
        800,
    ),
    *(1e10, 1e300, np.finfo(np.float64).max),
]
X = np.array([*POINTS, *(-p for p in POINTS)])
# Beyond float32's range these are inf, which is no input for an accuracy test.
X32 = X[np.abs(X) < 1e38].astype(np.float32)


def true_sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def true_slope(x):
    return true_sigmoid(x) * true_sigmoid(-x)


def true_curvature(x):
    # 1 - 2 s = -tanh(x/2), from the definition of s at a precision that survives the subtraction
    s = true_sigmoid(x)
    return true_slope(x) * (1 - 2 * s)


def worst_ulps(computed, truth, x):
    """The largest error in units in the last place of the true value (of the least subnormal near 0)."""
    worst = 0.0
    with mpmath.workprec(4200):
        for c, point in zip(computed, x, strict=True):
            # at 1e10, exp would need an exponent that even mpmath takes long for; the truth underflows anyway
            t = truth(mpmath.mpf(float(np.clip(point, -2000, 2000))))
            ulp = float(np.spacing(np.abs(computed.dtype.type(float(t)))))
            worst = max(worst, float(abs(mpmath.mpf(float(c)) - t) / ulp))
    return worst


@pytest.mark.parametrize("x", [X, X32], ids=["float64", "float32"])
@pytest.mark.parametrize(
    ("f", "truth"),
    [
        (reference.sigmoid, true_sigmoid),
        (reference.sigmoid_grad, true_slope),
        (lambda x: reference.sigmoid_vjp(np.ones_like(x), x), true_slope),
        (lambda x: reference.sigmoid_grad_vjp(np.ones_like(x), x), true_curvature),
    ],
    ids=["sigmoid", "sigmoid_grad", "sigmoid_vjp", "sigmoid_grad_vjp"],
)
def test_sigmoid_keeps_all_digits_everywhere(f, truth, x):
    assert worst_ulps(f(x), truth, x) < 6


def test_the_right_tail_of_the_sigmoid_gradient_does_not_cancel():
    # s (1 - s) is 0.0 here
    assert reference.sigmoid_grad(40.0) == pytest.approx(4.248354255291589e-18, rel=1e-15)


@pytest.mark.parametrize(
    "f",
    [
        reference.identity_function,
        reference.step_function,
        reference.sigmoid,
        reference.sigmoid_grad,
        reference.relu,
        reference.relu_grad,
        lambda x: reference.identity_function_vjp(np.ones_like(x), x),
        lambda x: reference.sigmoid_vjp(np.ones_like(x), x),
        lambda x: reference.sigmoid_grad_vjp(np.ones_like(x), x),
        lambda x: reference.relu_vjp(np.ones_like(x), x),
    ],
)
def test_no_finite_input_raises_a_floating_point_flag(f):
    with np.errstate(all="raise"):
        for x in (X, X32, X[None, ::2]):
            assert np.isfinite(f(x)).all()


def test_infinities_give_the_limits():
    x = np.array([-np.inf, np.inf])
    assert reference.sigmoid(x).tolist() == [0, 1]
    assert reference.sigmoid_grad(x).tolist() == [0, 0]
    assert reference.sigmoid_grad_vjp(np.ones(2), x).tolist() == [0, 0]
    assert reference.relu(x).tolist() == [0, np.inf]


def test_values():
    x = np.array([-1.5, -0.0, 0.0, 2.0])
    assert reference.identity_function(x).tolist() == x.tolist()
    assert reference.step_function(x).tolist() == [0, 0, 0, 1]
    assert reference.relu(x).tolist() == [0, 0, 0, 2]
    assert reference.sigmoid(0) == 0.5
    assert reference.sigmoid_grad(0) == 0.25


def test_step_function_has_an_integer_output_and_so_no_gradient():
    assert reference.step_function(np.array([0.5, np.nan])).dtype == np.int64
    assert reference.step_function(np.nan) == 0
    assert not hasattr(reference, "step_function_vjp")


def test_relu_takes_slope_1_at_0_as_the_document_does():
    x = np.array([-2.0, -0.0, 0.0, 3.0])
    assert reference.relu_grad(x).tolist() == [0, 1, 1, 1]
    assert reference.relu_vjp(np.full(4, -5.0), x).tolist() == [0, -5, -5, -5]


def test_relu_and_nan():
    assert np.isnan(reference.relu(np.nan))
    assert reference.relu_grad(np.nan) == 0
    assert np.isnan(reference.relu_vjp(1.0, np.nan))


@pytest.mark.parametrize(
    "f",
    [
        reference.identity_function,
        reference.sigmoid,
        reference.sigmoid_grad,
        reference.relu,
        reference.relu_grad,
    ],
)
def test_numbers_lists_and_every_floating_dtype_are_taken(f):
    assert f(1.5).shape == ()
    assert f(1.5).dtype == np.float64
    assert f([1, 2]).shape == (2,)
    assert f([1, 2]).dtype == np.float64
    assert f(np.array([True, False])).dtype == np.float64
    assert f(np.zeros((0, 3))).shape == (0, 3)
    for dtype in (np.float16, np.float32, np.float64, np.longdouble):
        assert f(np.ones((2, 3), dtype)).dtype == dtype
        assert f(dtype(1)).dtype == dtype


@pytest.mark.parametrize("f", [reference.step_function, reference.relu_grad])
def test_functions_without_a_vjp_refuse_other_dtypes_too(f):
    with pytest.raises(TypeError, match=f"{f.__name__}: x must hold real numbers, got dtype complex128"):
        f(np.array([1j]))


def test_overflowing_textbook_forms_would_have_been_found():
    # the textbook's 1 / (1 + exp(-x)) warns, and so fails under this suite's filter
    with pytest.warns(RuntimeWarning, match="overflow"):
        1 / (1 + np.exp(-X[np.isfinite(X)]))
