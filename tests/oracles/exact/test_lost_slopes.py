"""A slope without end times a zero is what the slopes around say, and not 0: sqrt(x)^2 is x."""

import numpy as np
import pytest

from harness import check_gradient
from harness.exact import exact_gradient

X = np.array([0.0, 2.0, 0.0, 0.25])

CASES = {
    "sqrt(x)^2": (lambda x: np.sqrt(x) ** 2, 1.0),
    "sqrt(x) sqrt(x)": (lambda x: np.sqrt(x) * np.sqrt(x), 1.0),
    "cbrt(x)^3": (lambda x: np.cbrt(x) ** 3, 1.0),
    "(x^0.5)^2": (lambda x: (x**0.5) ** 2, 1.0),
    "x sqrt(x)": (lambda x: x * np.sqrt(x), 1.5 * np.sqrt(X)),
    "masked": (lambda x: np.where(x > 1, np.sqrt(x), 0.0), [0.0, 0.125**0.5, 0.0, 0.0]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_slope_at_0_is_that_around_it(name):
    function, slopes = CASES[name]
    found = exact_gradient(lambda x: function(x).sum(), (X,))
    np.testing.assert_allclose(found.mid, np.broadcast_to(slopes, X.shape), rtol=1e-15)
    assert (found.radius < 1e-30).all()


def test_a_norm_s_square_and_a_size_s_square():
    found = exact_gradient(lambda x: np.linalg.norm(x[::2]) ** 2, (X,))
    assert not found.mid.any()
    size = exact_gradient(lambda x: (np.sqrt(np.abs(x)) ** 2).sum(), (X,))
    assert size.contains(np.array([-1.0, 1.0, 1.0, 1.0])).all()
    assert not size.contains(np.array([1.5, 1.0, 1.0, 1.0])).all()


@pytest.mark.parametrize(("slope", "verdict"), [(1.0, "accurate"), (0.0, "wrong")])
def test_the_right_one_is_right_and_0_is_not(slope, verdict):
    found = check_gradient(
        lambda x: (np.sqrt(x) ** 2).sum(), (X,), grad=lambda x: np.where(x == 0, slope, 1.0)
    )
    assert found.verdict.value == verdict


def test_what_is_masked_beyond_its_domain_has_none():
    x = np.array([-1.0, -4.0, 9.0])
    with np.errstate(invalid="ignore"):
        found = exact_gradient(lambda x: np.where(x > 0, np.sqrt(x), x).sum(), (x,))
    np.testing.assert_allclose(found.mid, [1.0, 1.0, 1 / 6])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.prod(x ** (1 / 3)),  # the geometric mean: other slopes along other rays
        lambda x: np.sqrt(x[0]) * np.sqrt(x[1]) + x[2],
        lambda x: np.cbrt(x[0]) ** 2 + x[1],
        lambda x: np.sqrt(x).sum() ** 2,
    ],
)
def test_where_the_slopes_around_are_not_one_nothing_is_proven(function):
    for grad in (np.zeros_like, lambda x: np.array([0.3, 1.0, 1.0])):
        found = check_gradient(function, (np.zeros(3),), grad=grad, probes=False)
        assert found.verdict.value == "undecided", found


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        (lambda x: np.sqrt(x[0]) ** 2 + np.maximum(x[1], 0), [1.0, 0.0], [0.0, 0.0]),
        (lambda x: np.maximum(x[0], 0) + np.sqrt(x[0]) ** 2 + x[1], [2.0, 1.0], [1.0, 1.0]),
        (lambda x: np.cbrt(x[0]) ** 3 + max(x[0], x[1]), [1.0, 1.0], [0.0, 1.0]),
    ],
)
def test_a_kink_elsewhere_changes_nothing(function, right, wrong):
    for slopes, passes in ((right, True), (wrong, False)):
        found = check_gradient(function, (np.zeros(2),), grad=lambda x, s=slopes: np.array(s), probes=False)
        assert found.passed is passes, found
