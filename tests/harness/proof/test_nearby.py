"""Numbers that a function of NumPy's keeps of a point, or reads from a text, are no part of its formula."""

import json

import numpy as np
import pytest

from harness import Undecided, check_gradient, exact_gradient
from harness.verdicts import Verdict

A = np.array([[0.5, -1.0, 0.3], [0.2, 0.8, -0.6]])
X = np.array([0.3, -0.5, 0.7])
KEYS = {
    "a tuple": tuple,
    "its hash": lambda x: hash(tuple(x)),
    "a text": lambda x: " ".join("%.17g" % t for t in x),  # noqa: UP031
    "a printed array": np.array2string,
    "whole numbers": lambda x: tuple(int(t * 1e9 + 0.3) for t in x),
    "bytes": lambda x: x.tobytes(),
    "rounded numbers": lambda x: tuple(np.round(x, 10)),
}


def remembering(key, memo):
    """Half the squares of tanh(Ax), which are kept by points, and of x."""

    def features(x):
        at = key(x)
        if at not in memo:
            memo[at] = np.tanh(A @ x)
        return memo[at]

    def value(x):
        found = features(x)
        return 0.5 * found @ found + 0.5 * x @ x

    def gradient(x):
        found = features(x)
        return A.T @ (found * (1 - found * found)) + x

    return value, gradient


@pytest.mark.parametrize("name", KEYS)
def test_a_function_that_keeps_results_by_points(name):
    value, gradient = remembering(KEYS[name], {})
    found = check_gradient(value, (X,), grad=gradient)
    assert found.passed, str(found)
    value, _ = remembering(KEYS[name], {})
    assert check_gradient(value, (X,), grad=lambda x: 1.0 * x).verdict is Verdict.WRONG


@pytest.mark.parametrize(
    "name", [name for name in KEYS if name != "whole numbers"]
)  # others nearby: a branch
def test_one_that_kept_this_point_before_is_no_proof(name):
    memo = {}
    value, _ = remembering(KEYS[name], memo)
    value(X)
    assert not check_gradient(value, (X,), grad=lambda x: 1.0 * x).passed
    assert len(memo) >= 1


def test_a_true_gradient_is_none_of_what_was_kept():
    value, gradient = remembering(KEYS["its hash"], {})
    assert np.allclose(exact_gradient(value, (X,)).mid, gradient(X), rtol=1e-15)
    value, _ = remembering(KEYS["its hash"], {})
    value(X)
    with pytest.raises(Undecided, match="nearby the function gives another value"):
        exact_gradient(value, (X,))


def test_numbers_that_come_out_of_a_text_are_constants_to_a_record():
    def value(x):
        return (x * x).sum() + sum(json.loads("[" + ", ".join("%.17g" % t for t in x) + "]"))  # noqa: UP031

    for gradient in (lambda x: 2 * x + 1, lambda x: 2 * x):
        found = check_gradient(value, (X,), grad=gradient)
        assert found.verdict is Verdict.UNDECIDED
        assert "reads them from a text" in found.diagnosis


def test_a_branch_close_by_is_no_other_function():
    near = X.copy()

    def value(x):
        return (x * x).sum() if np.linalg.norm(x - near) < 1e-9 else (x * x).sum() + 0.0 * x[0]

    assert check_gradient(value, (X,), grad=lambda x: 2 * x).passed


@pytest.mark.parametrize("scale", [1e-300, 1e-8, 1.0, 1e150])
def test_sizes_and_cancellation_are_no_other_function(scale):
    def value(x):
        return ((x + 1e16 * scale) - 1e16 * scale).sum() + (x * x).sum() / scale

    x = X * scale
    assert check_gradient(value, (x,), grad=lambda x: 1 + 2 * x / scale).passed


def test_what_underflows_is_no_other_function():
    def value(x):
        return 1 / (1 + np.exp(-25 * x))

    with np.errstate(over="ignore", invalid="ignore"):
        found = check_gradient(
            value, (np.array([-5.0], np.float32),), vjp=lambda g, x: g * 25 * np.exp(-25 * x) * value(x) ** 2
        )
    assert found.verdict is Verdict.MISCOMPUTED
    assert "not a number" in str(found)
