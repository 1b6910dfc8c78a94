"""Arrays of the user's that a run writes into: they are recorded, and stay as they were."""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest

from gradproof import check_gradient, exact_gradient

X = np.array([0.3, -0.7, 1.2])


def halves(shape=3, order="C"):
    return np.full(shape, 0.5, order=order)


class Slotted:
    __slots__ = ("s",)

    def __init__(self):
        self.s = halves()


class OfClass:
    s = halves()


Pair = namedtuple("Pair", "s count")
held, slotted, pair, listed = SimpleNamespace(s=halves()), Slotted(), Pair(halves(), 1), [halves()]
table = SimpleNamespace(s=halves((3, 3), "F")[:, ::2])
shared = halves(6)
views = SimpleNamespace(all=shared, first=shared[:3], last=shared[3:])


def moved(s, x):
    """A running sum, which the result reads."""
    s += x
    return s


def in_views(x):
    views.all[3:] += x
    return views.last


def with_out(x):
    return np.add(held.s, x, out=held.s)


def default(x, s=halves()):  # noqa: B008
    return moved(s, x)


WAYS = {
    "an attribute": (lambda x: moved(held.s, x), lambda: held.s),
    "out=": (with_out, lambda: held.s),
    "slots": (lambda x: moved(slotted.s, x), lambda: slotted.s),
    "a class": (lambda x: moved(OfClass.s, x), lambda: OfClass.s),
    "a list": (lambda x: moved(listed[0], x), lambda: listed[0]),
    "a named tuple": (lambda x: moved(pair.s, x), lambda: pair.s),
    "a default": (default, lambda: default.__defaults__[0]),
    "strides": (lambda x: moved(table.s[:, 1], x), lambda: table.s),
    "views": (in_views, lambda: views.all),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_result_moves_with_what_was_written(way):
    read, array = WAYS[way]

    def function(x):
        return x * read(x)

    right = check_gradient(function, (X,), vjp=lambda g, x: g * (0.5 + 2 * x))
    assert right.passed, str(right)
    assert check_gradient(function, (X,), vjp=lambda g, x: g * (0.5 + x)).verdict == "wrong"
    assert np.all(array() == 0.5)


def test_the_truth_sees_it_too():
    def function(x):
        return x * moved(held.s, x)

    truth = exact_gradient(function, (X,), cotangent=np.ones(3))
    np.testing.assert_allclose(np.asarray(truth.mid, float), 0.5 + 2 * X, rtol=1e-15)
    assert np.all(held.s == 0.5)


def test_what_a_gradient_alone_writes_into():
    left = SimpleNamespace(grad=np.zeros(3))

    def vjp(g, x):
        left.grad[...] = 3 * g
        return left.grad.copy()

    assert check_gradient(lambda x: 3 * x, (X,), vjp=vjp).passed
    assert check_gradient(lambda x: 2 * x, (X,), vjp=vjp).verdict == "wrong"
    assert not left.grad.any()


class BatchNorm:
    """Its running mean is moved in place, through another object that holds it."""

    def __init__(self, n):
        self.running = np.zeros(n)

    def forward(self, x):
        kept = SimpleNamespace(mean=np.asarray(self.running))
        kept.mean *= 0.9
        kept.mean += 0.1 * x.mean(0)
        return x - x.mean(0)


def test_running_statistics():
    layer = BatchNorm(2)
    x = np.arange(6.0).reshape(3, 2) ** 2
    found = check_gradient(lambda x: layer.forward(x), (x,), vjp=lambda g, x: g - g.mean(0))
    assert found.passed, str(found)
    assert not layer.running.any()


def test_a_mask():
    def relu(x):
        left.mask[:] = x > 0
        return x * left.mask

    left = SimpleNamespace(mask=np.zeros(3, bool))
    assert check_gradient(relu, (X,), vjp=lambda g, x: g * (x > 0)).passed
    assert check_gradient(relu, (X,), vjp=lambda g, x: g * (x < 0)).verdict == "wrong"
    assert not left.mask.any()
