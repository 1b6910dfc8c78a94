"""The kinds of gradients that code returns: numbers of Python's, and arrays for lists of numbers."""

import numpy as np
import pytest

from gradproof import check_gradient

X = np.arange(3.0) + 1


def square(p):
    return p[0] ** 2 * p[1]


def slopes(p):
    return 2 * p[0] * p[1], p[0] ** 2


def product(a, b):
    return a**2 * b


FORMS = {
    "an integer": (lambda x: 3 * x, (2.0,), lambda x: 3),
    "a sign": (lambda x: abs(x - 2), (3.0,), lambda x: 1 if x > 2 else -1),
    "integers": (lambda a, b: 2 * a + 3 * b, (1.5, 2.5), lambda a, b: (2, 3)),
    "an array of a list": (square, ([1.5, 2.5],), lambda p: np.array(slopes(p))),
    "an array of a tuple": (square, ((1.5, 2.5),), lambda p: np.array(slopes(p))),
    "a list of a list": (square, ([1.5, 2.5],), lambda p: list(slopes(p))),
    "an array of arguments": (product, (1.5, 2.5), lambda a, b: np.array([2 * a * b, a**2])),
    "rows of a list": (lambda p: (p[0] * p[1]).sum(), ([X, 2 * X],), lambda p: np.array([p[1], p[0]])),
    "rows of rows": (
        lambda p: p[0][0] * p[0][1] + 3 * p[1][0] + p[1][1] ** 2,
        ([[1.5, 2.5], [3.5, 4.5]],),
        lambda p: np.array([[p[0][1], p[0][0]], [3.0, 2 * p[1][1]]]),
    ),
    "rows of arguments": (lambda a, b: (a * b).sum(), (X, 2 * X), lambda a, b: np.stack([b, a])),
}


@pytest.mark.parametrize("name", FORMS)
def test_they_are_taken(name):
    function, args, grad = FORMS[name]
    assert check_gradient(function, args, grad=grad).passed


@pytest.mark.parametrize("name", [name for name in FORMS if " of " in name])
def test_in_another_order_they_are_wrong(name):
    function, args, grad = FORMS[name]
    assert check_gradient(function, args, grad=lambda *given: grad(*given)[::-1]).verdict == "wrong"


@pytest.mark.parametrize(
    ("function", "x", "grad", "said"),
    [
        (lambda x: 3 * x, 2.0, lambda x: 2, "the formula gives 2.0"),
        (lambda x: x, 3.0, lambda x: True, "dtype bool"),
        (lambda x: x.sum(), X, lambda x: 1, r"shape \(\)"),
        (lambda x: x.sum(), X, lambda x: np.ones(3, int), "dtype int64"),
    ],
)
def test_what_is_no_gradient_stays_none(function, x, grad, said):
    found = check_gradient(function, (x,), grad=grad)
    assert found.verdict == "wrong"
    assert said.replace("\\", "") in str(found)
