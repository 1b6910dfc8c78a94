"""What NumPy code does with arrays besides computing: it freezes, views and walks over them, and asserts."""

import numpy as np
import pytest
import scipy.interpolate
import scipy.linalg
import scipy.ndimage
import scipy.spatial.transform
import scipy.stats

from harness import check_gradient
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Unsupported
from tests.oracles.exact.numpy_samples import X


def frozen(x):
    y = x * x
    y.setflags(write=False)
    try:
        y[0, 0] = 7.0
    except ValueError:
        return y
    return x


def frozen_by_its_flags(x):
    y = x * x
    y.flags.writeable = False
    try:
        y += 1.0
    except ValueError:
        return y
    return x


def viewed(x):
    y = np.empty_like(x)
    y.view()[:] = x
    y.view(np.ndarray)[1:] *= x[1:]
    y.view(x.dtype)[0] *= x[0]
    return y


def by_its_base(x):
    y = np.zeros(x.size).reshape(x.shape)
    y.base[:] = (x * x).ravel()
    return y if x.copy().base is None else x


def whole_numbers(x):
    return x if x[0, 0].is_integer() or float(x[0, 1]).is_integer() else x * x


def without_what_to_ignore(x, ignored=None):
    return np.where((x == ignored) | ~(x != None) | (x == "auto"), 0.0, x * x)  # noqa: E711


def unless_it_is_the_last(x, last=None):
    return x if None in x or np.array_equal(last, x) or np.array_equal(x, last) else x * x


def from_an_iterator(x):
    return np.fromiter((v * v for row in x for v in row), float, x.size).reshape(x.shape)


def walked_in_place(x):
    y = x.copy()
    with np.nditer(y, op_flags=["readwrite"]) as walk:
        for v in walk:
            v[...] = v * v
    return y


def walked_into_a_new_one(x):
    walk = np.nditer([x, x[0], None])
    for a, b, c in walk:
        c[...] = a * a + 0 * b
    return walk.operands[2]


def walked_by_hand(x):
    y = np.zeros_like(x)
    walk = np.nditer([x, y], ["multi_index"], [["readonly"], ["writeonly"]])
    while not walk.finished:
        walk[1][...] = walk.value[0] * x[walk.multi_index]
        walk.iternext()
    return y


def counted(x):
    found = np.bincount((x.ravel() > 0).astype(int), minlength=2).sum() + np.histogram(x, [-3, 0, 3])[0].sum()
    return x * x * found / (2 * x.size)


ALL = (
    frozen, frozen_by_its_flags, viewed, by_its_base, whole_numbers, without_what_to_ignore,
    unless_it_is_the_last, from_an_iterator, walked_in_place,
    walked_into_a_new_one, walked_by_hand, counted,
)  # fmt: skip


@pytest.mark.parametrize("function", ALL)
def test_it_computes_the_squares(function):
    np.testing.assert_allclose(function(X), X * X, rtol=1e-15)
    assert check_gradient(function, (X,), vjp=lambda g, x: 2 * g * x).verdict == "accurate"
    assert check_gradient(function, (X,), vjp=lambda g, x: 2.001 * g * x).verdict == "wrong"


@pytest.mark.parametrize(("function", "message"), [
    (lambda x: x.view("int64"), "a view of values that depend on the inputs as another dtype"),
    (lambda x: x.view(np.recarray), "np.ndarray alone is known"),
    (lambda x: (x * 1j).imag.base, "use the array itself"),
    (lambda x: np.nditer(x, ["external_loop"]), "np.ndindex"),
    (lambda x: next(iter(np.nditer([x, X]).itviews)), "itviews over recorded arrays; use multi_index"),
    (lambda x: np.frompyfunc(abs, 1, 1)(x), r"np\.frompyfunc of abs has no rule: write np\.vectorize"),
    (lambda x: scipy.ndimage.zoom(x, 2), r"^scipy\.ndimage\.zoom has no rule"),
    (lambda x: scipy.linalg.sqrtm(x @ x.T), r"^scipy\.linalg\.sqrtm has no rule"),
    (lambda x: scipy.stats.trim_mean(x, 0.1), r"^scipy\.stats\.trim_mean has no rule"),
    (lambda x: scipy.interpolate.CubicSpline([0, 1, 2], [1, 2, 4])(x),
     r"^scipy\.interpolate\.CubicSpline has no rule.*np\.interp"),
    (lambda x: scipy.stats.wishart.logpdf(x @ x.T, 7, np.eye(3)),
     r"^scipy\.stats\.wishart\.logpdf has no rule"),
    (lambda x: scipy.spatial.transform.Rotation.from_rotvec(x[0, :3]),
     r"^scipy\.spatial\.transform\.Rotation\.from_rotvec has no rule"),
])  # fmt: skip
def test_what_is_not_known_is_named(function, message):
    with pytest.raises(Unsupported, match=message) as caught:
        record(function, (X,))
    assert "; at " in str(caught.value)


def test_what_an_iteration_only_reads_is_read_only():
    def writes(x):
        for v in np.nditer(x.copy()):
            v[...] = 1.0

    with pytest.raises(ValueError, match="read-only"):
        record(writes, (X,))


def test_a_number_that_is_whole_is_a_branch_at_one_point():
    assert check_gradient(
        lambda x: x if x[0].is_integer() else 2 * x, (np.ones(2),), vjp=lambda g, x: g
    ).verdict in ("undecided", "convention")


def test_an_assertion_that_does_not_hold_is_raised():
    with pytest.raises(AssertionError, match="not strictly ordered"):
        record(lambda x: np.testing.assert_array_less(x, 0.0), (X,))
    with pytest.raises(AssertionError, match="of the exact numbers"):  # rounded, they are equal
        record(lambda x: np.testing.assert_equal(x + 1e-30, x), (X,))
