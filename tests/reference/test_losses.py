import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import reference
from tests.reference.functions import decimals

rows_of = arrays(np.float64, array_shapes(min_dims=1, max_dims=2, max_side=6), elements=st.floats(-50, 50))

BOUNDARY_ROWS = [
    [20.0, -20.0, 0.0],
    [40.0, -40.0, 0.5],
    [710.0, -710.0, 700.0],
    [0.0, 0.0, 0.0],
    [3.25, 3.25, 3.25],
    [2.0, 2.0, -1.0],
    [1e-300, -1e-300, 0.0],
    [1e10, 1e10 - 8, -1e10],
    [0.1, -30.0, 30.0],
    [1.0, 2.0, 3.0],
]


def true_softmax(row):
    e = [mpmath.exp(mpmath.mpf(float(v)) - mpmath.mpf(float(max(row)))) for v in row]
    total = mpmath.fsum(e)
    return [v / total for v in e]


def assert_digits(computed, truth, dtype, ulps):
    """Each element within `ulps` relative roundings of the truth, or a few of the least normal number."""
    info = np.finfo(dtype)
    for c, t in zip(computed, truth, strict=True):
        allowed = max(float(abs(t)) * float(info.eps) * ulps, float(info.tiny) * 4)
        assert abs(mpmath.mpf(float(c)) - t) <= allowed, (c, mpmath.nstr(t, 20))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize("row", BOUNDARY_ROWS, ids=str)
def test_softmax_loss_gradient_keeps_its_digits(row, label, dtype):
    x = np.array(row, dtype)
    computed = reference.softmax_loss_vjp(-1.25, x, label)
    # x - max is rounded, and exp turns this absolute error into a relative one; x is known no better
    ulps = 8 + np.ptp(x)
    with mpmath.workprec(4200):
        p = true_softmax(x)
        scale = mpmath.mpf(-1.25) * p[label] / (p[label] + mpmath.mpf("1e-7"))
        truth = [scale * (p[i] - (i == label)) for i in range(3)]
        assert_digits(computed, truth, dtype, ulps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row", BOUNDARY_ROWS, ids=str)
def test_softmax_gradient_keeps_its_digits_where_one_probability_is_near_1(row, dtype):
    x, g = np.array(row, dtype), np.array([0.5, -2.0, 1.25], dtype)
    computed = reference.softmax_vjp(g, x)
    with mpmath.workprec(4200):
        p = true_softmax(x)
        exact = [mpmath.mpf(float(v)) for v in g]
        mean = mpmath.fsum(gi * pi for gi, pi in zip(exact, p, strict=True))
        truth = [pi * (gi - mean) for gi, pi in zip(exact, p, strict=True)]
        assert_digits(computed, truth, dtype, 16 + np.ptp(x))


@settings(deadline=None)
@given(x=rows_of, shift=st.floats(-1e3, 1e3))
def test_softmax_does_not_see_a_shift(x, shift):
    np.testing.assert_allclose(reference.softmax(x + shift), reference.softmax(x), rtol=1e-11, atol=1e-300)


@settings(deadline=None)
@given(x=rows_of)
def test_softmax_rows_are_positive_and_sum_to_one(x):
    p = reference.softmax(x)
    assert p.shape == x.shape
    assert (p > 0).all()
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-14)


@settings(deadline=None)
@given(x=rows_of, constant=st.floats(-100, 100))
def test_a_constant_cotangent_has_no_softmax_gradient(x, constant):
    assert (reference.softmax_vjp(np.full_like(x, constant), x) == 0).all()


def test_softmax_works_row_by_row():
    x = decimals(np.random.default_rng(0), 4, 3)
    for row, p in zip(x, reference.softmax(x), strict=True):
        assert p.tolist() == reference.softmax(row).tolist()


def test_extreme_scores_raise_no_floating_point_flag():
    x = np.array([[1e308, -1e308, 0], [710, -710, 5e-324], [-1e300, -1e300, -1e300]])
    with np.errstate(all="raise"):
        p = reference.softmax(x)
        reference.softmax_vjp(np.array([[1.0, -2.0, 0.5]] * 3), x)
        reference.softmax_loss(x, [1, 1, 1])
        assert np.isfinite(reference.softmax_loss_vjp(-2.0, x, [1, 1, 1])).all()
    assert p[0].tolist() == [1, 0, 0]
    assert p[2] == pytest.approx(1 / 3)


def test_the_document_example_probabilities():
    # the document's worked values, as it prints them
    p = reference.softmax([0.3, 2.9, 4.0])
    assert np.array2string(p) == "[0.01821127 0.24519181 0.73659691]"


def test_mean_squared_error_is_half_the_sum():
    y = [0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]
    t = [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert reference.mean_squared_error(y, t) == pytest.approx(0.0975)
    dy, dt = reference.mean_squared_error_vjp(2.0, [1.0, 4.0], [3.0, 3.0])
    assert dy.tolist() == [-4, 2]
    assert dt.tolist() == [4, -2]


def test_mean_squared_error_keeps_float32_beside_integers_only():
    y32, t64 = np.ones(3, np.float32), np.zeros(3)
    assert reference.mean_squared_error(y32, [0, 1, 0]).dtype == np.float32
    assert reference.mean_squared_error(y32, t64).dtype == np.float64
    dy, dt = reference.mean_squared_error_vjp(1.0, y32, t64)
    assert (dy.dtype, dt.dtype) == (np.float32, np.float64)


def test_mean_squared_error_broadcasts_nothing():
    for f in (reference.mean_squared_error, lambda y, t: reference.mean_squared_error_vjp(1.0, y, t)):
        with pytest.raises(
            ValueError, match=r"y has shape \(3, 1\) and t has shape \(3,\); they must be equal"
        ):
            f(np.ones((3, 1)), np.ones(3))
        with pytest.raises(ValueError, match=r"y and t are empty, got shape \(0, 2\); pass at least one"):
            f(np.ones((0, 2)), np.ones((0, 2)))


def test_cross_entropy_examples():
    y = [0.1, 0.05, 0.6, 0.0, 0.05, 0.1, 0.0, 0.1, 0.0, 0.0]
    assert reference.cross_entropy_error(y, np.eye(10)[2]) == pytest.approx(0.510825457099338, rel=1e-14)
    assert reference.cross_entropy_error(y, 0) == pytest.approx(2.302584092994546, rel=1e-14)
    # log(0 + 1e-7), not log(0)
    assert reference.cross_entropy_error(y, 3) == pytest.approx(-np.log(1e-7))
    assert reference.cross_entropy_error([y, y], [2, 0]) == pytest.approx(
        (0.510825457099338 + 2.302584092994546) / 2
    )


def test_the_epsilon_belongs_to_the_gradient():
    assert reference.cross_entropy_error_vjp(1.0, [0.0, 1.0], 0).tolist() == [-1e7, 0]
    assert reference.softmax_loss_vjp(1.0, [0.0, np.log(9.0)], 0) == pytest.approx(
        np.array([-0.9, 0.9]) * 0.1 / (0.1 + 1e-7), rel=1e-14
    )


def test_softmax_loss_is_cross_entropy_of_softmax():
    rng = np.random.default_rng(0)
    x, t = decimals(rng, 5, 4), rng.integers(0, 4, 5)
    assert reference.softmax_loss(x, t) == reference.cross_entropy_error(reference.softmax(x), t)
    chained = reference.softmax_vjp(reference.cross_entropy_error_vjp(-0.7, reference.softmax(x), t), x)
    np.testing.assert_allclose(reference.softmax_loss_vjp(-0.7, x, t), chained, rtol=1e-12)


LOSSES = [
    reference.cross_entropy_error,
    reference.softmax_loss,
    lambda y, t: reference.cross_entropy_error_vjp(1.0, y, t),
    lambda x, t: reference.softmax_loss_vjp(1.0, x, t),
]
each_loss = pytest.mark.parametrize(
    "loss", LOSSES, ids=["entropy", "softmax_loss", "entropy_vjp", "softmax_loss_vjp"]
)


@each_loss
def test_the_four_ways_to_give_a_target_agree(loss):
    y = np.array([[0.25, 0.5, 0.25], [0.5, 0.125, 0.375]])
    labels = np.array([2, 0])
    expected = loss(y, labels)
    for t in (
        np.eye(3)[labels],
        np.eye(3, dtype=int)[labels],
        np.eye(3, dtype=bool)[labels],
        labels.astype(np.uint8),
    ):
        np.testing.assert_array_equal(loss(y, t), expected)
    single = np.reshape(loss(y[:1], labels[:1]), np.shape(loss(y[0], 2)))
    for t in (2, np.int32(2), np.array(2), [0, 0, 1], [0.1, 0.2, 0.3]):
        np.testing.assert_array_equal(loss(y[0], t), single)


@each_loss
def test_targets_that_the_size_rule_misreads(loss):
    # a (1, n) output with n elements: its t of shape (1,) is a label, of shape (1, n) one-hot
    y = np.array([[0.5, 0.25, 0.25]])
    np.testing.assert_array_equal(loss(y, [1]), loss(y, [[0, 9, 0]]))
    # an (n, 1) output and n labels have one size: still labels
    np.testing.assert_array_equal(loss(np.ones((3, 1)), [0, 0, 0]), loss(np.ones((3, 1)), np.ones((3, 1))))


@each_loss
def test_a_nan_in_a_one_hot_row_is_not_read_as_the_label(loss):
    y = np.full((3, 2), 0.5)
    t = np.array([[1, 0], [0, np.nan], [0, 1]])
    result = loss(y, t)
    if np.ndim(result) == 0:
        assert np.isnan(result)
    else:
        assert np.isnan(result).tolist() == [[False] * 2, [True] * 2, [False] * 2]


@each_loss
@pytest.mark.parametrize(
    ("y", "t", "error", "message"),
    [
        (
            np.ones((2, 3)),
            [0, 3],
            ValueError,
            r"label 3 at position 1 is out of range; with 3 classes .* 0\.\.2",
        ),
        (
            np.ones((2, 3)),
            [-1, 0],
            ValueError,
            r"label -1 at position 0 is out of range; with 3 classes .* 0\.\.2",
        ),
        (np.ones(3), -1, ValueError, r"label -1 at position 0 is out of range"),
        (np.ones(3), 2**40, ValueError, r"label 1099511627776 at position 0"),
        (
            np.ones((2, 3)),
            [0.0, 1.0],
            TypeError,
            r"labels must be integers, .* dtype float64; pass t\.astype\(int\)",
        ),
        (np.ones((2, 3)), [True, False], TypeError, r"labels must be integers, .* dtype bool"),
        (np.ones(3), 1.0, TypeError, r"labels must be integers, got t of shape \(\) with dtype float64"),
        (np.ones(3), None, TypeError, r"labels must be integers, .* dtype object"),
        (np.ones((2, 3)), [0, 1, 2], ValueError, r"got 3 labels for 2 rows .*; pass one label for every row"),
        (
            np.ones((2, 3)),
            np.ones((2, 4)),
            ValueError,
            r"one-hot t has shape \(2, 4\), the output has shape \(2, 3\)",
        ),
        (
            np.ones((3, 3)),
            np.zeros((3, 1), int),
            ValueError,
            r"one-hot t has shape \(3, 1\), .* \(labels have .*\(3,\)",
        ),
        (
            np.ones((2, 3)),
            np.ones((2, 3), complex),
            TypeError,
            r"one-hot t must hold real numbers, got dtype complex",
        ),
        (
            np.ones((2, 3)),
            1,
            ValueError,
            r"t has shape \(\), which does not fit an output of shape \(2, 3\); pass one-",
        ),
        (np.ones(3), np.ones((1, 3)), ValueError, r"t has shape \(1, 3\), which does not fit .* \(3,\)"),
        (
            np.ones((0, 3)),
            np.ones((0, 3)),
            ValueError,
            r"[xy] is empty, got shape \(0, 3\); pass at least one row",
        ),
        (np.ones((2, 0)), [0, 0], ValueError, r"[xy] is empty, got shape \(2, 0\)"),
        (
            np.ones((1, 2, 3)),
            [[0, 0]],
            ValueError,
            r"[xy] must be 1-D .* or 2-D .*, got shape \(1, 2, 3\); reshape",
        ),
        (1.0, 0, ValueError, r"[xy] must be 1-D .* or 2-D .*, got shape \(\)"),
    ],
)
def test_bad_targets_and_outputs(loss, y, t, error, message):
    with pytest.raises(error, match=message):
        loss(y, t)


@pytest.mark.parametrize("f", [reference.softmax, lambda x: reference.softmax_vjp(np.ones_like(x), x)])
@pytest.mark.parametrize("shape", [(), (2, 2, 2), (0,), (0, 3), (3, 0)])
def test_softmax_refuses_other_shapes(f, shape):
    with pytest.raises(ValueError, match=r"softmax(_vjp)?: x (is empty|must be 1-D).*, got shape"):
        f(np.ones(shape))
