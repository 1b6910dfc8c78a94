"""The exact oracle behind the abstract one: what it fetches, what it refuses, what plays no part in it."""

import dataclasses
from array import array as in_doubles

import numpy as np
import pytest

from harness.cases import catalogue
from harness.cases.case import InputMaker
from oracles import Gradient, Oracle, Subject
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact_oracle import ExactOracle, enclosed_gradient, enclosed_value
from tests.oracles.drawn_anew import ELEMENTWISE, exact_gradient

EXACT = ExactOracle()
WITH_GRADIENT = [name for name, case in catalogue().items() if case.vjp]
WRITTEN_ANEW = [*ELEMENTWISE, "simple_net", "two_layer_net"]
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


def of(function, *args, vjp=True):
    """A case of any NumPy function at one point; its VJP must never be called."""

    def forbidden(*_):
        raise AssertionError("the hand-written VJP was called")

    return dataclasses.replace(
        catalogue()["identity_function"], function=function, vjp=forbidden if vjp else None,
        arguments=tuple("abcdef"[: len(args)]), inputs=(InputMaker("x", lambda *_: args, ()),),
    )  # fmt: skip


def asked(case, args, cotangent):
    subject = EXACT.subject(case, np.dtype("float64"))
    loaded = [subject.load(a) for a in args]
    value = subject.value(*loaded)
    gradient = subject.gradient(subject.load(cotangent), *loaded)
    return value, gradient, subject.fetch_value(value), subject.fetch_gradient(gradient)


def test_it_is_an_oracle_that_informs_and_needs_nothing():
    assert isinstance(EXACT, Oracle)
    assert (EXACT.name, EXACT.package, EXACT.decides) == ("exact", "", False)
    assert EXACT.unavailable() == ""
    assert not any(EXACT.unsupported(case) for case in catalogue().values())
    assert isinstance(EXACT.subject(catalogue()["relu"], np.dtype("float64")), Subject)


@each_dtype
@pytest.mark.parametrize("name", WITH_GRADIENT)
def test_what_is_fetched_are_the_midpoints(name, dtype):
    case = catalogue()[name]
    args, cotangent = case.draw("ordinary", dtype, 0)
    value, gradient, fetched_value, fetched = asked(case, args, cotangent)
    assert isinstance(value, Enclosure)
    assert np.array_equal(fetched_value, value.mid)
    assert fetched_value.shape == np.shape(case.function(*args))
    assert isinstance(fetched, Gradient)
    assert len(fetched.arrays) == len(gradient) == len(case.argnums)
    for array, enclosure, position in zip(fetched.arrays, gradient, case.argnums, strict=True):
        assert array.dtype == np.float64
        assert array.shape == args[position].shape
        assert np.array_equal(array, enclosure.mid)
    assert (fetched.directions, fetched.error_estimate, fetched.note) == ((), None, "")


@each_dtype
def test_an_integer_value_is_itself_and_has_no_gradient(dtype):
    case = catalogue()["step_function"]
    args, cotangent = case.draw("ordinary", dtype, 0)
    value, gradient, fetched_value, fetched = asked(case, args, cotangent)
    assert gradient is None
    assert fetched.arrays == (None,)
    assert fetched_value.dtype.kind == "i"
    assert np.array_equal(fetched_value, (args[0] > 0).astype(int))
    assert np.array_equal(value, fetched_value)


def test_a_none_for_each_differentiated_argument():
    case = dataclasses.replace(
        of(lambda a, b: (a > b).astype(int), np.ones(2), np.zeros(2), vjp=False), argnums=(0, 1)
    )
    _, _, value, fetched = asked(case, (np.ones(2), np.zeros(2)), np.ones(2))
    assert value.tolist() == [1, 1]
    assert fetched.arrays == (None, None)


@pytest.mark.parametrize("name", WRITTEN_ANEW)
def test_it_is_what_differences_with_420_digits_give(name):
    """Shares nothing with the oracle: another arithmetic, another program, and no derivation."""
    case = catalogue()[name]
    args, cotangent = case.draw("ordinary", "float64", 7)
    for enclosure, independent in zip(
        enclosed_gradient(case, args, cotangent), exact_gradient(case, cotangent, args), strict=True
    ):
        assert np.max(enclosure.radius) < 1e-30 * np.max(np.abs(enclosure.mid))
        np.testing.assert_allclose(enclosure.mid, independent, rtol=2.0**-52)


def test_the_hand_written_gradient_plays_no_part():
    x, cotangent = np.array([1.5, -2.0]), np.array([3.0, 0.5])
    (found,) = enclosed_gradient(of(lambda x: x**3, x), (x,), cotangent)
    assert np.array_equal(found.mid, 3 * x**2 * cotangent)
    assert np.all(found.radius <= 1e-36)


@pytest.mark.parametrize("position", [0, 1])
def test_the_differentiated_arguments_are_the_cases_own(position):
    a, b = np.array([2.0, 3.0]), np.array([5.0, 7.0])
    case = dataclasses.replace(of(lambda a, b: a * b, a, b), argnums=(position,))
    (found,) = enclosed_gradient(case, (a, b), np.array([1.0, -1.0]))
    assert np.array_equal(found.mid, (b, a)[position] * [1.0, -1.0])


def test_both_arguments_come_in_order():
    a, b = np.array([2.0, 3.0]), np.array([5.0, 7.0])
    case = dataclasses.replace(of(lambda a, b: a * b, a, b), argnums=(0, 1))
    first, second = enclosed_gradient(case, (a, b), np.ones(2))
    assert np.array_equal(first.mid, b)
    assert np.array_equal(second.mid, a)


def test_the_value_is_proven_beyond_float64():
    x = np.array([1.0])
    value = enclosed_value(of(np.exp, x), (x,))
    assert value.digits(0, 36) == "2.71828182845904523536028747135266250"
    assert value.radius[0] < 1e-36


def test_a_float32_number_is_exactly_the_number_it_is():
    x = np.array([0.1], np.float32)
    (found,) = enclosed_gradient(of(lambda x: x * x, x), (x,), np.ones(1, np.float32))
    assert found.mid[0] == 2 * float(x[0]) != 0.2


def test_what_has_no_rule_raises_when_asked_and_not_before():
    def leaving(x):
        return np.array(in_doubles("d", x)) + 1

    x = np.ones(2)
    case = of(leaving, x)
    assert EXACT.unsupported(case) == ""
    subject = EXACT.subject(case, np.dtype("float64"))
    for question in (lambda: subject.value(x), lambda: subject.gradient(x, x)):
        with pytest.raises(Unsupported):
            question()


def test_a_pole_is_undecided_and_no_infinity():
    x = np.array([0.0])
    with pytest.raises(Undecided):
        enclosed_gradient(of(lambda x: 1 / x, x), (x,), np.ones(1))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_point_that_is_no_number_is_refused(bad):
    x = np.array([1.0, bad])
    with pytest.raises(Unsupported, match="only finite numbers"):
        enclosed_gradient(of(np.exp, x), (x,), np.ones(2))


INPUTS = [(c, m.name) for c in catalogue().values() for m in c.inputs if m.name not in {"document", "large"}]


@pytest.mark.parametrize(("case", "name"), INPUTS, ids=[f"{c.name}-{n}" for c, n in INPUTS])
def test_the_callers_arrays_are_never_touched(case, name):
    """Locked arrays: a write that is undone afterwards would raise as well."""
    args, cotangent = case.draw(name, "float64", 0)
    before = [a.copy() for a in args]
    for array in (*args, cotangent):
        array.flags.writeable = False
    asked(case, args, cotangent)
    assert all(np.array_equal(a, b) for a, b in zip(args, before, strict=True))


def test_a_gradient_asked_twice_is_the_same():
    case = catalogue()["softmax_loss"]
    args, cotangent = case.draw("ordinary", "float64", 0)
    (first,), (second,) = (enclosed_gradient(case, args, cotangent) for _ in range(2))
    assert all(str(a) == str(b) for a, b in zip(first.balls.ravel(), second.balls.ravel(), strict=True))
