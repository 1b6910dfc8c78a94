"""`x.flat` where NumPy takes an array, and as the iterator that it is."""

import numpy as np
import pytest
from scipy import special

from gradproof import check_gradient, exact_gradient

X = np.array([[1.5, 2.0, 3.0], [0.5, -1.0, 2.5]])


def written(x):
    found = np.empty(6)
    found[:] = (x * 1).flat
    return np.sum(found**2)


def put(x):
    found = np.zeros(6)
    np.copyto(found, x.flat)
    return np.sum(found**2)


def later(x):
    """What is written into the array afterwards is seen."""
    own = np.zeros((2, 3))
    flat = own.flat
    own[...] = x
    return np.dot(flat, flat)


SQUARES = {
    "written into": written,
    "copyto": put,
    "later": later,
    "concatenate": lambda x: np.sum(np.concatenate([x[:1].flat, x[1:].flat]) ** 2),
    "hstack": lambda x: np.sum(np.hstack([x.flat, np.zeros(3)]) ** 2),
    "r_": lambda x: np.sum(np.r_[x.flat, 0.0] ** 2),
    "array": lambda x: np.sum(np.array(x.flat) ** 2),
    "nested": lambda x: np.sum(np.array([x.flat, x.flat]) ** 2) / 2,
    "asarray": lambda x: np.sum(np.asarray(x.flat) ** 2),
    "sum": lambda x: np.sum((x**2).flat),
    "reduce": lambda x: np.add.reduce((x**2).flat),
    "dot": lambda x: np.dot(x.flat, x.flat),
    "method": lambda x: x.ravel().dot(x.flat),
    "multiply": lambda x: np.sum(np.multiply(x.flat, x.flat)),
    "out": lambda x: np.sum(np.multiply(x.flat, x.ravel(), out=np.zeros(6))),
    "reshape": lambda x: np.sum(np.reshape(x.flat, (3, 2)) ** 2),
    "copy": lambda x: np.sum(x.flat.copy() ** 2),
    "left": lambda x: np.sum(x.flat * x.ravel()),
    "right": lambda x: np.sum(x.ravel() * x.flat),
    "plain": lambda x: np.sum(x.flat * np.ones(6) * x.ravel()),
    "norm": lambda x: np.linalg.norm(x.flat) ** 2,
    "base": lambda x: np.sum(x.flat.base**2),
    "transposed": lambda x: np.sum(np.multiply(x.T.flat, x.T.ravel())),
    "loop": lambda x: sum(a * a for a in x.flat),
    "next": lambda x: (lambda flat: next(flat) ** 2 + sum(a * a for a in flat))(x.flat),
    "once": lambda x: (lambda flat: sum(a * a for a in flat) + sum(a * a for a in flat))(x.flat),
}


@pytest.mark.parametrize("f", SQUARES.values(), ids=SQUARES)
def test_it_is_the_array_of_its_elements(f):
    assert f(X) == pytest.approx(np.sum(X**2))
    assert check_gradient(f, (X,), grad=lambda x: 2 * x).passed
    assert check_gradient(f, (X,), grad=lambda x: 2 * x.T.reshape(x.shape)).verdict == "wrong"


@pytest.mark.parametrize("f", [
    lambda x: np.sum(x.flat > 0), lambda x: np.sum(x.flat != 7.0),
    lambda x: np.sum(-x.ravel() < x.flat),
])  # fmt: skip
def test_a_comparison_is_of_the_elements(f):
    found = exact_gradient(lambda x: f(x) * np.sum(x), (X,)).mid
    np.testing.assert_array_equal(found, np.full(X.shape, f(X)))


def test_a_library_s_function_takes_it():
    for factor, verdict in ((1.0, "accurate"), (1.01, "wrong")):
        found = check_gradient(
            lambda x: special.logsumexp(x.flat), (X,), grad=lambda x, f=factor: f * special.softmax(x)
        )
        assert found.verdict == verdict, found


HELD = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def of_coords(x):
    flat, total = HELD.flat, 0.0
    for k in range(HELD.size):
        i, j = flat.coords
        assert flat.index == k
        total = total + next(flat) * x[i, j]
    return total


TIMES_HELD = {
    "coords": of_coords,
    "loop": lambda x: sum(a * b for a, b in zip(HELD.flat, x.flat, strict=True)),
    "element": lambda x: sum(HELD.flat[k] * x.flat[k] for k in range(6)),
    "array": lambda x: np.sum(np.array(HELD.flat) * x.ravel()),
    "product": lambda x: np.dot(HELD.flat, x.ravel()),
    "list": lambda x: np.sum(np.array(list(HELD.flat)) * x.ravel()),
}


@pytest.mark.parametrize("name", TIMES_HELD)
def test_of_an_array_that_the_code_holds(name):
    for factor, verdict in ((1.0, "accurate"), (1.01, "wrong")):
        found = check_gradient(TIMES_HELD[name], (X,), grad=lambda x, f=factor: f * HELD)
        assert found.verdict == verdict, found
