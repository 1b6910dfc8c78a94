"""What is given as a number arrives as one: code asks what it is given."""

import functools
import math
import numbers

import numpy as np
import pytest

from gradproof import check_gradient, exact_gradient


@functools.singledispatch
def by_type(x):
    return x**3


@by_type.register(float)
def _(x):
    return x * x


BY_TYPE = {float: lambda x: x * x, np.float64: lambda x: x**3}


def asks_for_a_length(x):
    try:
        return x[len(x) - 1]
    except TypeError:
        return x * x


def matches(x):
    match x:
        case float():
            return x * x
        case _:
            return x**3


SQUARES = {
    "isinstance": lambda x: x * x if isinstance(x, float) else x**3,
    "isinstance of several": lambda x: x * x if isinstance(x, (int, float)) else x**3,
    "no array": lambda x: x**3 if isinstance(x, np.ndarray) else x * x,
    "an abstract number": lambda x: x * x if isinstance(x, numbers.Real) else x**3,
    "its type": lambda x: x * x if type(x) is float else x**3,
    "its class": lambda x: x * x if x.__class__ is float else x**3,
    "equal types": lambda x: x * x if type(x) == float else x**3,  # noqa: E721
    "a table": lambda x: BY_TYPE[type(x)](x),
    "isscalar": lambda x: x * x if np.isscalar(x) else x**3,
    "no axes": lambda x: x * x if np.ndim(x) == 0 and not hasattr(x, "ndim") else x**3,
    "what it has": lambda x: x.item() ** 3 if hasattr(x, "item") else x * x,
    "no length": lambda x: x[0] ** 3 if hasattr(x, "__len__") else x * x,
    "len": asks_for_a_length,
    "single dispatch": by_type,
    "match": matches,
    "in place": lambda x: x.__imul__(x) * x if hasattr(x, "__imul__") else x * x,
}  # fmt: skip


@pytest.mark.parametrize("name", SQUARES)
def test_a_number_of_pythons_is_one(name):
    assert check_gradient(SQUARES[name], (1.5,), grad=lambda x: 2 * x).passed
    assert not check_gradient(SQUARES[name], (1.5,), grad=lambda x: 3 * x**2).passed


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16])
def test_a_number_of_numpys_is_one(kind):
    def f(x):
        return x * x if type(x) is kind and isinstance(x, np.floating) else x**3

    assert check_gradient(f, (kind(1.5),), grad=lambda x: 2 * x).passed


def test_a_complex_number_of_numpys_is_one():
    def f(x):
        return np.abs(x) ** 2 if type(x) is np.complex128 else np.abs(x)

    assert check_gradient(f, (np.complex128(1.5 + 2j),), grad=lambda x: 2 * x).passed


def test_an_array_without_axes_stays_one():
    def f(x):
        return x * x if type(x) is np.ndarray else x**3

    assert check_gradient(f, (np.array(1.5),), grad=lambda x: 2 * x).passed


def test_numbers_in_lists_and_dictionaries_are_numbers():
    def f(p):
        assert all(type(v) is float for v in p["a"])
        return math.sin(p["a"][0]) * p["a"][1]

    def grad(p):
        return {"a": [math.cos(p["a"][0]) * p["a"][1], math.sin(p["a"][0])]}

    assert check_gradient(f, ({"a": [1.5, 2.5]},), grad=grad).passed


def test_a_function_that_wants_arrays_gets_one():
    assert check_gradient(lambda x: (x**2).sum(), (1.5,), grad=lambda x: 2 * x).passed


def test_an_error_at_a_number_is_that_of_the_array():
    with pytest.raises(ZeroDivisionError):
        check_gradient(lambda x: x / 0 if isinstance(x, float) else x[1:] / 0, (1.5,), grad=lambda x: x)


def test_the_other_doors_give_numbers_too():
    f = SQUARES["its type"]
    assert exact_gradient(f, (1.5,)).mid == 3.0
    found = check_gradient(f, (1.5,), grad=lambda x: 2 * x if x < 2 else 3 * x, search=20)
    assert not found.passed
    assert "f, (2.0,)" in found.finding.line or "(2.0,)" in found.finding.line
    assert check_gradient(f, (1.5,), grad=lambda x: 2 * x, samples=2, boundary=True).passed


X = np.array([1.0, 2.0, 3.0])
KINDS = {
    "an array": lambda x: (x * 2 if type(x) is np.ndarray else x * 3).sum(),
    "its elements": lambda x: sum(v * 2 if type(v) is np.float64 else v * 3 for v in x),
    "its numbers": lambda x: sum(v * 2 if type(v) is float else v * 3 for v in x.tolist()),
    "in a tuple": lambda x: (x * 3 if type(x) in (list, tuple) else x * 2).sum(),
}


@pytest.mark.parametrize("name", KINDS)
def test_types_are_those_of_what_is_not_recorded(name):
    assert check_gradient(KINDS[name], (X,), grad=lambda x: 2.0 * np.ones(3)).passed


def test_type_makes_types_as_ever():
    def f(x):
        made = type("Made", (), {"factor": 2.0})
        assert isinstance(made, type)
        assert issubclass(type(made), type)
        assert type[int].__args__ == (int,)

        class Meta(type):
            pass

        class Of(metaclass=Meta):
            factor = 1.0

        return (x * made.factor * Of.factor).sum()

    assert check_gradient(f, (X,), grad=lambda x: 2.0 * np.ones(3)).passed


def test_an_object_that_holds_pythons_own_names_changes_nothing():
    held = {"all": __builtins__ if isinstance(__builtins__, dict) else vars(__builtins__)}

    def f(x):
        return x.sum() * held["all"]["len"](x) if type(x) is np.ndarray else x

    assert check_gradient(f, (X,), grad=lambda x: 3.0 * np.ones(3)).passed
