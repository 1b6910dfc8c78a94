"""Python's `max` and `min` at a tie, where a branch would say nothing of the other side."""

from functools import reduce

import numpy as np
import pytest

from harness import check_gradient, check_layer

ROWS, LABELS = np.array([[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]]), (1, -1)
W = np.array([1.0, 0.0, 0.0])  # the margin of the first row is 0
X = np.array([0.0, 1.0, 1.0, -2.0])


def hinge(w):
    return sum(max(0, 1 - t * np.dot(row, w)) for row, t in zip(ROWS, LABELS, strict=True))


def backward_of_hinge(taken):
    return lambda w: ROWS[1] - taken * ROWS[0] + 0 * w


@pytest.mark.parametrize(("taken", "verdict"), [(0.0, "convention"), (1.0, "convention"), (3.0, "wrong")])
def test_at_a_margin_of_0_either_side_is_legal(taken, verdict):
    assert check_gradient(hinge, (W,), grad=backward_of_hinge(taken)).verdict.value == verdict


def largest_sum(x):
    best = 0.0
    for number in x.tolist():
        best = max(best + number, 0.0)
    return best


@pytest.mark.parametrize(
    ("function", "gradient"),
    [
        (lambda x: largest_sum(x[:3]), [0.0, 1.0, 1.0, 0.0]),
        (lambda x: reduce(max, list(x)), [0.0, 1.0, 0.0, 0.0]),
        (lambda x: min(float(v) for v in x[1:3]), [0.0, 0.5, 0.5, 0.0]),
    ],
)
def test_ties_are_kinks_wherever_they_are_made(function, gradient):
    result = check_gradient(function, (X,), grad=lambda x: np.array(gradient), probes=False)
    assert result.verdict.value == "convention", result


def test_what_is_not_tied_or_no_number_is_python_s():
    def f(x):
        first = max("ab", key=lambda c: x[0])
        return len(first) * max(x[1], x[3]) * max(len("abc"), 2) + min([x, x[1:]], key=len)[0]

    x = np.array([0.5, 1.0, 2.0, 3.0])
    assert check_gradient(f, (x,), grad=lambda x: np.array([0.0, 1.0, 0.0, 3.0])).passed
    assert "max" not in globals()


class Relu:
    def forward(self, x):
        self.x = x
        return np.array([max(0.0, v) for v in x])

    def backward(self, dout):
        return dout * (self.x > 0)


def test_a_layer_of_single_numbers():
    assert check_layer(Relu(), X).verdict.value == "convention"
