"""Python numbers of recorded ones: `.item()`, `.tolist()`, `float()`, and NumPy's types of numbers."""

import array
import builtins
import cmath
import contextlib
import functools
import logging
import math

import numpy as np
import pytest

from harness import check_gradient, exact_gradient
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Unsupported
from tests.oracles.exact.numpy_tools import leaves, value

X = np.array([0.3, 0.7])
A = np.array([[1.0, 2.0], [3.0, 4.0]])


def loss(x):
    return float(np.sum(x**2))


def passed_on(*args, **kwargs):
    return loss(*args, **kwargs)


def guarded(x):
    try:
        return float(x[0])
    except TypeError:
        return 0.0


class Model:
    """Its loss is returned at once, by itself and beside its argument."""

    def loss(self, x):
        return float(np.sum(x * x)) if x[0] > 0 else 0.0

    def __call__(self, x):
        return float(np.sum(x * x)), x

    @functools.cache  # noqa: B019
    def kept(self):
        return float(np.sum(self.x**2))


class Number:
    def __init__(self, of):
        self.of = of

    def __float__(self):
        return float(self.of)


ITEMS = {
    "an item": lambda x: x[0].item() * np.sum(x).item() + x.item(1) + A[:, 0].item(1),
    "an item of float32": lambda x: x.astype(np.float32).item(0) * x,
    "an item of complex numbers": lambda x: np.abs((x * 1j).item(0) * x),
    "lists": lambda x: np.array((A * x).tolist()) + sum(v * v for v in x.tolist()) + x[0].tolist(),
    "whole numbers": lambda x: x[np.argsort(x).tolist()] * np.argmax(x).item(),
}
FLOATS = {
    "here": lambda x: float(np.sum(x**2)),
    "a function": loss,
    "a method": Model().loss,
    "a partial": functools.partial(lambda k, x: float(k * x[0]), 2.0),
    "of one side": lambda x: float(x[0]) if x[1] > 0 else float(x[1]),
    "guarded": guarded,
    "of float32": lambda x: float(np.sum(x.astype(np.float32))),
    "of an item": lambda x: float(x[0].item()),
    "with another result": Model(),
    "before other work": lambda x: (float(x[0]), A @ x, x * np.sum(x)),
    "after it": lambda x: (A @ x, float(np.sum(x**2))),
    "several": lambda x: [float(x[0]), (float(x.sum()), x), float(x[1])],
}


@pytest.mark.parametrize("name", [*ITEMS, *FLOATS])
def test_numbers_of_python_s_are_recorded(name):
    function = (ITEMS | FLOATS)[name]
    found = value(function, X)
    for one, wanted in zip(found if isinstance(found, list) else [found], leaves(function(X)), strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-6 if "32" in name else 1e-14)


@pytest.mark.parametrize("function", [loss, Model().loss, lambda x: x[0].item() ** 2 + x[1].item() ** 2])
def test_a_gradient_of_it_is_judged(function):
    assert check_gradient(function, (X,), grad=lambda x: 2 * x).passed
    assert check_gradient(function, (X,), grad=lambda x: 2.001 * x).verdict.name == "WRONG"


NARROW = {
    "an item": lambda x: x[0].item() * x,
    "of a list": lambda x: np.sum(x) * x.tolist()[1],
    "computed by Python": lambda x: (2 * float(x[0]) ** 2 - x[1].item() / 3 + abs(-float(x[1]))) * x,
    "of math": lambda x: math.sqrt(x[0]) * math.hypot(*x) * x,
    "added up": lambda x: sum(float(v) for v in x) * x,
    "NumPy's, which does not": lambda x: np.float64(x[0]) * x,
    "of NumPy's function, which does not": lambda x: np.multiply(float(x[0]), 2.0) * x,
}


@pytest.mark.parametrize("name", NARROW)
def test_a_number_of_python_s_takes_a_narrower_dtype(name):
    narrow = X.astype(np.float32)
    found, wanted = record(NARROW[name], (narrow,)), np.asarray(NARROW[name](narrow))
    assert [v.dtype for v in found.program.outputs] == [wanted.dtype.name]
    np.testing.assert_allclose(value(NARROW[name], narrow), wanted, rtol=1e-6)


# -- a float that is used ----------------------------------------------------------------------------------


def one_float(x):
    return float(x)


def stored(x):
    found = loss(x)
    return found  # noqa: RET504


def used_twice(x):
    found = float(x[0])
    return found, found * x


def at_last(x):
    try:
        return float(x[0])
    finally:
        x.sum()


def in_a_context(x):
    with contextlib.nullcontext():
        return float(x[0])


def generated(x):
    yield float(x[0])


def ended(x):
    return float(x[0])
    yield


def of_a_generator(x):
    yield ((yield from ended(x)) * x[1])


def of_an_end(x):
    try:
        return next(ended(x))
    except StopIteration as end:
        return end.value, end.value * x


async def waited(x):
    return float(x[0])


def of_a_coroutine(x):
    try:
        waited(x).send(None)
    except StopIteration as end:
        return end.value * x[1]


def lost(x):
    try:
        return loss(x), missing(x)
    except NameError:
        return x[0]


def decorated(function):
    return lambda x: function(x) * 2


def squared(function):
    def new(x):
        found = function(x)
        return found * found

    return new


class Ordered:
    def __init__(self, of):
        self.of = of

    def __lt__(self, other):
        return float(self.of - other.of)

    @property
    def as_float(self):
        return float(self.of)


def kept(x):
    """The second call gives the float that the first one has left in the cache."""
    model = Model()
    model.x = x
    return model.kept(), x * model.kept()


USED = {
    "a cache": kept,
    "a function's, which may keep it": lambda x: loss(x),
    "that of several": lambda x: passed_on(x=x),
    "an object's": lambda x: float(Number(x[0])),
    "stored": stored,
    "used twice": used_twice,
    "named": lambda x: (_found := float(x[0])),
    "multiplied": lambda x: loss(x) * 2,
    "from the left": lambda x: 2 * loss(x),
    "negated": lambda x: -loss(x),
    "compared": lambda x: max(loss(x), 0.0),
    "tested": lambda x: loss(x) and 2.0,
    "tested for a branch": lambda x: 1.0 if loss(x) else 0.0,
    "its attribute": lambda x: loss(x).real,
    "its method": lambda x: loss(x).conjugate(),
    "of a tuple": lambda x: (loss(x), 1)[0],
    "a default": lambda x: (lambda v=float(x[0]): v)(),
    "a list": lambda x: np.array([float(v) for v in x]),
    "an array of a map": lambda x: np.array(list(map(float, x))),
    "the largest of a map": lambda x: max(map(float, x)),
    "a sorted map": lambda x: sorted(map(float, x)),
    "a sorted map of a function's": lambda x: sorted(map(one_float, x)),
    "the sum of a map": lambda x: sum(map(float, x)),
    "folded from a start": lambda x: functools.reduce(max, map(float, x[:1]), 0.0),
    "folded": lambda x: functools.reduce(lambda a, b: float(a * b), [x[0], x[1], x[0]]),
    "a key": lambda x: max([x[0], x[1]], key=lambda v: float(v)),
    "an order": lambda x: max(Ordered(x[0]), Ordered(x[1])).of,
    "a property": lambda x: Ordered(x[0]).as_float * 2,
    "a decorator": decorated(loss),
    "another": squared(loss),
    "finally": at_last,
    "a context": in_a_context,
    "a generator": lambda x: next(generated(x)),
    "a generator's end": lambda x: next(of_a_generator(x)),
    "what a generator's end carries": of_an_end,
    "a coroutine": of_a_coroutine,
    "lost": lost,
    "a key of a dictionary": lambda x: {float(x[0]): x[1], x[1]: 2.0}[float(x[0])],
    "rounded": lambda x: (round(float(x[0])), round(float(x[1]), 1), round(x[0], 1), x),
    "of an array": lambda x: np.float64(x) + np.float32(x) + np.float64([x[0], 1.0]),
    "whole numbers of NumPy's": lambda x: np.int64(3 * x[1]) * x,
    "written in a text": lambda x: (x, logging.getLogger("silent").debug("%.3f" % x[0]))[0],  # noqa: UP031
    "a branch": lambda x: x * 2 if float(x[0]) < 0.5 and math.isclose(x[1], 0.7) else x,
}


@pytest.mark.parametrize("name", USED)
def test_a_float_that_is_used_is_recorded(name):
    found, wanted = value(USED[name], X), leaves(USED[name](X))
    for one, other in zip(found if isinstance(found, list) else [found], wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def types_are_as_ever(x):
    one, dtype = (1.0).__class__, x.dtype
    asked = [
        isinstance(float(x[0]), float), isinstance(1.0, (int, float)), not isinstance(1, float),
        one in (int, float), issubclass(np.float64, float), {float: 1}[one] == 1,
        dtype == np.dtype(float), np.issubdtype(dtype, np.float64), np.finfo(float).bits == 64,
        np.zeros(2, float).dtype == dtype, np.arange(3).astype(float).dtype == dtype,
        np.dtype(np.float32).itemsize == 4, float("inf") > 1, float.fromhex("0x1p3") == 8, one() == 0,
    ]  # fmt: skip
    return x if all(asked) else 0 * x


def test_types_stay_what_they_are():
    assert np.array_equal(types_are_as_ever(X), X)
    assert np.array_equal(value(types_are_as_ever, X), X)
    assert "float" not in globals()


def by_identity(x):
    return x if float is float else 0 * x


def test_where_types_are_compared_by_identity_they_are_themselves():
    assert np.array_equal(value(by_identity, X), X)


@functools.lru_cache
def square(t):
    return t * t


def test_a_cache_keeps_nothing_of_what_is_recorded():
    square.cache_clear()
    assert check_gradient(lambda x: square(float(x[0])) * square(x[1]), (X,), grad=of_squares).passed
    assert [square(0.3), square(0.7)] == [0.3 * 0.3, 0.7 * 0.7]
    assert square.cache_info().currsize <= 5  # a probe ran elsewhere, and the function nearby


def of_squares(x):
    return 2 * np.array([x[0] * x[1] ** 2, x[1] * x[0] ** 2])


@pytest.mark.parametrize(
    "function",
    [lambda x: builtins.float(x[0]), lambda x: array.array("d", x), lambda x: math.ulp(x[0])],
)
def test_a_number_that_leaves_is_refused(function):
    with pytest.raises((Unsupported, TypeError)):
        record(function, (X,))


def test_a_number_of_the_code_is_not_taken_for_a_returned_one():
    """Python may give the very object that it was given."""
    given = 0.3
    found = check_gradient(lambda t: (float(t * t), given), (given,), vjp=lambda g, t: 2 * g[0] * t)
    assert found.passed


@pytest.mark.parametrize("write", ["{:.17g}".format, "{}".format, lambda v: "%.17g" % v])  # noqa: UP031
def test_a_text_carries_no_number_away(write):
    memo = {}

    def function(x):
        memo.setdefault(write(x[0]), x[0] * x[1])
        return memo[write(x[0])] * float(write(x[0]))

    found = check_gradient(function, (X,), grad=lambda x: np.array([x[1], x[0]]) * x[0])
    assert found.verdict == "unsupported", found


def root(x):
    """Of the quadratic equation, in Python's numbers."""
    p, q = complex(x[0], x[1]), complex(imag=x[1], real=0.5)
    return (-p + cmath.sqrt(p * p - 4 * q)) / 2


COMPLEX = {
    "its size": (lambda x: abs(complex(x[0], x[1])), lambda x: abs(x[0] + 1j * x[1])),
    "a root": (lambda x: root(x).imag, lambda x: root_of_arrays(x).imag),
    "parts that are complex": (
        lambda x: complex(complex(x[0], 2), complex(0, x[1])).real ** 2,
        lambda x: (x[0] - x[1]) ** 2,
    ),
    "of one number": (lambda x: complex(x[0]).conjugate().real * x[1], lambda x: x[0] * x[1]),
    "mapped": (lambda x: abs(sum(map(complex, x), 1j)), lambda x: np.sqrt(x.sum() ** 2 + 1)),
    "of texts and plain numbers": (
        lambda x: x[0] * complex("1+2j").imag * complex(3).real,
        lambda x: 6 * x[0],
    ),
    "asked for": (lambda x: x[0] if isinstance(complex(x[0], 1), complex) else x[1], lambda x: x[0]),
}


def root_of_arrays(x):
    p, q = x[0] + 1j * x[1], 0.5 + 1j * x[1]
    return (-p + np.sqrt(p * p - 4 * q)) / 2


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", COMPLEX)
def test_complex_keeps_the_record_of_both_parts(name, dtype):
    function, plain = COMPLEX[name]
    x = X.astype(dtype)
    found, wanted = (exact_gradient(f, [x.astype(float)]).balls for f in (function, plain))
    assert all(a.overlaps(b) for a, b in zip(found, wanted, strict=True))
    assert value(function, x) == pytest.approx(function(x))
