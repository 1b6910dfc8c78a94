"""Python numbers of recorded ones: `.item()`, `.tolist()`, and a float that is returned at once."""

import contextlib
import functools
import math

import numpy as np
import pytest

from harness import check_gradient
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


def test_code_that_has_run_often_is_read_as_well():
    for _ in range(40):
        record(lambda x: (float(x[0]), float(np.sum(x))), (X,))
    for _ in range(40):
        with pytest.raises(Unsupported):
            record(lambda x: max(loss(x), 0.0), (X,))


@pytest.mark.parametrize("function", [loss, Model().loss, lambda x: x[0].item() ** 2 + x[1].item() ** 2])
def test_a_gradient_of_it_is_judged(function):
    assert check_gradient(function, (X,), grad=lambda x: 2 * x).passed
    assert check_gradient(function, (X,), grad=lambda x: 2.001 * x).verdict.name == "WRONG"


@pytest.mark.parametrize("function", [lambda x: x[0].item() * x, lambda x: np.sum(x) * x.tolist()[1]])
def test_a_number_of_python_s_takes_a_narrower_dtype(function):
    with pytest.raises(Unsupported, match=r"\.item\(\) would take a number of dtype float32"):
        record(function, (X.astype(np.float32),))


# -- a float that goes anywhere else ----------------------------------------------------------------------


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


ELSEWHERE = {
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
    "a function of math": lambda x: math.hypot(Number(x[0])),
    "a decorator": decorated(loss),
    "another": squared(loss),
    "finally": at_last,
    "a context": in_a_context,
    "a generator": lambda x: next(generated(x)),
    "a generator's end": lambda x: next(of_a_generator(x)),
    "what a generator's end carries": of_an_end,
    "a coroutine": of_a_coroutine,
    "lost": lost,
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_float_that_is_used_is_refused(name):
    with pytest.raises(Unsupported, match=r"float\(\) would take"):
        record(ELSEWHERE[name], (X,))


def test_a_number_of_the_code_is_not_taken_for_a_returned_one():
    """Python may give the very object that it was given."""
    given = 0.3
    found = check_gradient(lambda t: (float(t * t), given), (given,), vjp=lambda g, t: 2 * g[0] * t)
    assert found.passed
