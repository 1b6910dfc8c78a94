"""Lists of recorded numbers, and NumPy under other names: as a default, in a class, as a key."""

import copy
import functools
from typing import NamedTuple

import numpy as np
import pytest
from numpy import ndarray
from numpy import sum as total
from numpy.linalg import norm
from scipy.optimize import rosen, rosen_der

from harness import check_gradient
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Unsupported
from tests.oracles.exact.numpy_tools import value

X = np.array([0.3, 0.7, 1.1])
A = np.arange(9.0).reshape(3, 3) / 7 + np.eye(3)
SLOPE = {np.tanh: 1.0, np.exp: 2.0}
ACTIVATIONS = [np.tanh]


class Pair(NamedTuple):
    a: object
    b: object


def _added_at(x):
    made = np.zeros((2, 2))
    np.add.at(made, ([0, 1], [1, 1]), [x[0], x[1]])
    return made


def _into(x):
    made = np.zeros(2)
    return np.exp([x[0], x[1]], out=made) + np.add(x[:2], 1.0, out=(made,))


LISTS = {
    "sum": lambda x: np.sum([a * x for a in (2.0, 3.0)], axis=0),
    "another name": lambda x: total([x[0], x[1]]),
    "a part of NumPy": lambda x: norm([x[0], x[1]]) + np.linalg.det([[x[0], 1.0], [2.0, x[1]]]),
    "fft": lambda x: np.abs(np.fft.fft([x[0], x[1]])),
    "nested, with arrays": lambda x: np.mean([[x * 2, x], [x, x]], axis=(0, 1)),
    "a tuple, a named one": lambda x: np.prod((x[0], x[1])) + np.max(Pair(x[0], x[1])),
    "a ufunc": lambda x: np.maximum([x[0], x[1]], (0.5, x[2])),
    "methods of ufuncs": lambda x: np.add.reduce([x, x]) * np.multiply.outer([x[0], x[1]], [1.0])[0],
    "add.at": _added_at,
    "keywords": lambda x: np.average(a=[x[0], x[1]], weights=[x[1], x[2]]),
    "what is written into": _into,
    "a method": lambda x: x.dot([x[1], x[2], x[0]]),
    "plain arrays": lambda x: A @ [x[0], x[1], 1.0] + A.dot([x[0], x[1], x[2]]) - [x[0], 2.0, 3.0],
    "a copied function": lambda x: copy.deepcopy(ACTIVATIONS)[0]([x[0], 1.0]),
    "as an argument": lambda x: functools.reduce(np.add, [[x[0], 1.0], x[:2], [2.0, x[1]]]),
    "sequences of arrays": lambda x: np.concatenate([[x[0], x[1]], (x[2],), np.hstack((x, [x[0]]))]),
    "sequences of choices": lambda x: np.select([x > 0.5, x > 0.2], [x**2, [x[0], x[1], x[2]]]),
    "nests of arrays": lambda x: np.block([[x[0], x[1]], [x[1], x[2]]]),
    "several arrays": lambda x: np.einsum("i,i->", [x[0], x[1]], [1.0, 2.0]) + np.meshgrid([x[0]], [1])[0],
    "of known length": lambda x: x * np.size([x[0], x[1]]) * np.allclose([x[0], x[1]], [0.3, 0.7]),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_recorded_numbers_is_an_array(name):
    np.testing.assert_allclose(value(LISTS[name], X), LISTS[name](X), rtol=1e-14)


def test_a_rule_with_lists_is_judged():
    for factor, passed in ((1.0, True), (1.001, False)):
        found = check_gradient(LISTS["sum"], (X,), vjp=lambda g, x, factor=factor: 5 * factor * g)
        assert found.passed is passed


def test_what_cannot_be_an_array_is_numpy_s_to_refuse():
    with pytest.raises(ValueError, match="inhomogeneous"):
        record(lambda x: np.sum([x[:2], x]), (X,))
    with pytest.raises(Unsupported, match=r"np\.pad with several values that depend on the inputs"):
        record(lambda x: np.pad(x, (0, 2), constant_values=np.array([x[0], x[1]])), (X,))


def test_numpy_s_functions_are_what_they_were_to_the_code():
    def function(x):
        assert isinstance(np.exp, np.ufunc)
        assert np.exp is next(iter([np.exp]))
        assert all(isinstance(x, kind) for kind in (np.ndarray, (ndarray, float), np.ndarray | int))
        assert not isinstance(3.0, ndarray)
        assert not issubclass(int, np.ndarray)
        return SLOPE[np.exp] * x

    np.testing.assert_array_equal(value(function, X), 2 * X)


# -- arrays and modules by other names --------------------------------------------------------------------


def _allocated(shape, **kwargs):
    made = np.ndarray(shape, **kwargs)
    made[...] = 2
    return made


@pytest.mark.parametrize("function", [
    lambda x: _allocated(3) * x,
    lambda x: _allocated((3,), dtype=np.float32) * x,
    lambda x: _allocated(shape=3, dtype=int) * x,
    lambda x: ndarray((3,), float, A[0]) * x,
    lambda x: np.ndarray.sum(A) * x,
])  # fmt: skip
def test_ndarray_allocates_and_is_numpy_s_type(function):
    np.testing.assert_allclose(value(function, X), function(X), rtol=1e-14)


def test_an_allocated_array_takes_recorded_numbers():
    def function(x):
        made = np.ndarray(x.shape, dtype=x.dtype)
        made[:] = x**2
        return made

    assert check_gradient(function, (X,), vjp=lambda g, x: 2 * g * x).passed


def _by_default(x, module=np):
    return module.array([x[0], module.sum([x[0], x[1]])])


def _by_keyword(x, *, module=np, exp=np.exp):
    return module.array([x[0], exp([x[1]])[0]])


class Layer:
    module = np
    exp = np.exp

    def __init__(self):
        self.modules = {"all": (np, np.linalg), "both": Pair(np, 1)}

    def of_the_class(self, x):
        return self.module.array([x[0], self.exp([x[1]])[0]])

    def of_its_own(self, x):
        return self.modules["all"][0].array([self.modules["all"][1].norm([x[0], x[1]])])

    def of_a_named_tuple(self, x):
        return self.modules["both"].a.array([x[0], 1.0])


@pytest.mark.parametrize("function", [
    _by_default, _by_keyword, Layer().of_the_class, Layer().of_its_own, Layer().of_a_named_tuple,
    lambda x: x.__array_namespace__().array([x[0], 2.0]) if x.device == "cpu" else x,
    lambda x: A.__array_namespace__().array([x[0], 2.0]),
])  # fmt: skip
def test_numpy_is_found_by_any_name(function):
    np.testing.assert_allclose(value(function, X), function(X), rtol=1e-14)
    assert _by_default.__defaults__ == (np,)
    assert Layer.module is np
    assert Layer.exp is np.exp
    assert _by_keyword.__kwdefaults__ == {"module": np, "exp": np.exp}


@pytest.mark.parametrize("function", [rosen, lambda x: rosen_der(x) * x])
def test_code_of_scipy_s_over_numpy_is_followed(function):
    np.testing.assert_allclose(value(function, X), function(X), rtol=1e-13)


# -- the bytes of an array --------------------------------------------------------------------------------


def test_bytes_are_the_key_of_a_cache():
    kept = {}

    def cached(x):
        key = x.tobytes()
        if key not in kept:
            kept[key] = np.sum(x**3)
        assert key != A.tobytes()
        return kept[key] + 0 * kept[x.tobytes()]

    cached(X)
    assert check_gradient(cached, (X,), grad=lambda x: 3 * x**2).passed
    assert check_gradient(cached, (X,), grad=lambda x: 3.01 * x**2).verdict.name == "WRONG"
    assert all(type(key) is bytes for key in kept)
    record(lambda x: x * len(np.array([1.0]).tobytes()), (X,))
    with pytest.raises(TypeError, match="bytes-like object is required"):
        record(lambda x: np.frombuffer(x.tobytes()), (X,))


def test_the_bytes_of_another_recording_are_others():
    keys = []
    for _ in range(2):
        record(lambda x: keys.append(x.tobytes()) or x, (X,))
    assert keys[0] != keys[1]
    assert len(set(keys)) == 2


# -- what NumPy leaves operators to -----------------------------------------------------------------------


class Variable:
    __array_priority__ = 200

    def __init__(self, data):
        self.data = data

    def __rmul__(self, other):
        return Variable(other * self.data)

    def __rsub__(self, other):
        return Variable(other - self.data)


@pytest.mark.parametrize("array", [lambda x: x, lambda x: np.array([1, 0, 2]), lambda x: A[0]])
def test_an_object_that_asks_for_it_answers_operators(array):
    def function(x):
        return (array(x) * Variable(x)).data + (array(x) - Variable(np.exp(x))).data

    np.testing.assert_allclose(value(function, X), function(X), rtol=1e-14)
