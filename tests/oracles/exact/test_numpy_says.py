"""Objects of the user's that say what they are as an array (`__array__`), where recorded arrays meet them."""

import numpy as np
import pytest

from harness import check_gradient
from tests.oracles.exact.numpy_tools import value

X = np.array([0.3, 0.7, 1.1])
A = np.eye(3) * 2 + 0.25
PLAIN = np.arange(9.0).reshape(3, 3)


class Cell:
    """As a crystal's: it makes an array of what it holds, and takes one dtype."""

    def __init__(self, array):
        self.array = np.array(array, float)

    def __array__(self, dtype=None, copy=True):
        assert dtype in (None, float)
        return np.array(self.array, copy=copy)


class Older:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None):
        return np.asarray(self.array, dtype=dtype)


class Scaled:
    """Of recorded numbers, with any keywords."""

    def __init__(self, x):
        self.x = x

    def __array__(self, *args, **kwargs):
        return np.array([2 * self.x[0], self.x[1], 1.0], *args, **kwargs)


CELL = Cell(A)


def written(x):
    out = np.zeros((3, 3))
    out[...] = CELL
    out[0] = x
    return out


SAYING = {
    "dot": lambda x: np.dot(x, CELL),
    "made here": lambda x: np.dot(x, Cell(A)),
    "an operator": lambda x: x @ CELL + x * CELL,
    "of a plain array": lambda x: (PLAIN @ CELL + PLAIN.dot(CELL) + np.add(PLAIN, CELL)) @ x,
    "asarray": lambda x: x @ np.asarray(CELL),
    "dtype and copy": lambda x: (
        x @ np.array(CELL, dtype=float, copy=True) @ np.asarray(CELL, float, copy=None)
    ),
    "without a recorded number": lambda x: np.linalg.inv(CELL) @ x,
    "solve": lambda x: np.linalg.solve(CELL, x),
    "in a list": lambda x: np.stack([CELL, CELL]) @ x + np.array([CELL, CELL]) @ x,
    "joined": lambda x: np.vstack([CELL, x]) ** 2,
    "written": written,
    "its shape": lambda x: x * np.shape(CELL)[0] + np.zeros_like(CELL),
    "without copy=": lambda x: Older(A) @ x if hasattr(Older, "__matmul__") else np.dot(Older(A), x),
    "of recorded numbers": lambda x: np.asarray(Scaled(x)) ** 2 + np.sin(Scaled(x)) + x @ Scaled(x),
    "of them beside a plain array": lambda x: PLAIN @ np.add(PLAIN, Scaled(x)),
}


@pytest.mark.parametrize("name", SAYING)
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_it_is_the_array_that_it_says(name):
    np.testing.assert_allclose(value(SAYING[name], X), SAYING[name](X), rtol=1e-14)


@pytest.mark.parametrize(("factor", "verdict"), [(1, "accurate"), (1.001, "wrong")])
def test_its_gradient_is_judged(factor, verdict):
    def back(g, x):
        return factor * np.linalg.solve(A.T, g)

    assert check_gradient(lambda x: np.linalg.solve(CELL, x), (X,), vjp=back).verdict == verdict
