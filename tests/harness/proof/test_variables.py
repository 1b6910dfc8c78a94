"""What a function and its gradient by hand both read of a closure, a global, an object, at other numbers."""

import functools
import types
import warnings

import numpy as np
import pytest

from gradproof import check_gradient

X = np.linspace(-1.5, 2, 12).reshape(3, 4)
GAIN = 1.0


def logistic(z):
    return 1 / (1 + np.exp(-z))


def swish(forgotten):
    b = 1.0

    def slope(x):
        s = logistic(b * x)
        return s + (x if forgotten else b * x) * s * (1 - s)

    return lambda x: (x * logistic(b * x)).sum(), slope


def normalised(forgotten):
    gamma = np.ones(4)

    def parts(x):
        centred = x - x.mean(-1, keepdims=True)
        r = 1 / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return centred * r, r

    def slope(x):
        y, r = parts(x)
        own = gamma * np.cos(gamma * y)
        mean = (np.cos(gamma * y) if forgotten else own).mean(-1, keepdims=True)
        return r * (own - mean - y * (own * y).mean(-1, keepdims=True))

    return lambda x: np.sin(gamma * parts(x)[0]).sum(), slope


def of_an_object(forgotten):
    class Squares:
        def __init__(self):
            self.target, self.calls = np.zeros(4), 0

        def value(self, x):
            self.calls += 1
            return ((x - self.target) ** 2).sum()

        def slope(self, x):
            return 2 * x - (self.target if forgotten else 2 * self.target)

    own = Squares()
    return own.value, own.slope


def of_a_dictionary(forgotten):
    params = {"w": np.ones(4), "c": 0.5}

    def slope(x):
        c = 1 - params["c"] if forgotten else params["c"]
        return c * params["w"] * np.cos(params["w"] * x)

    return lambda x: (params["c"] * np.sin(params["w"] * x)).sum(), slope


def helped(x):
    return GAIN * x


def of_a_global(forgotten):
    return lambda x: np.sin(helped(x)).sum(), lambda x: (1 if forgotten else GAIN) * np.cos(helped(x))


BOTH = [swish, normalised, of_an_object, of_a_dictionary, of_a_global]


@pytest.mark.parametrize("made", BOTH)
def test_a_mistake_that_the_numbers_hide_is_found(made):
    f, slope = made(forgotten=True)
    found = check_gradient(f, (X,), grad=slope)
    assert found.verdict == "wrong"
    assert "this was found beside the given point: there " in str(found)
    f, slope = made(forgotten=False)
    assert check_gradient(f, (X,), grad=slope).passed
    assert GAIN == 1


def test_what_the_gradient_does_not_read_is_a_note():
    """It may be meant for these numbers alone."""
    w = np.ones(4)
    found = check_gradient(lambda x: (w * x**2).sum(), (X,), grad=lambda x: 2 * x)
    assert found.passed
    assert (
        "w is all 1, and the gradient does not read it: where it is another number it would be wrong"
        in str(found)
    )


def precision():
    precision = np.ones(4)
    variance = 1 / precision
    return (
        lambda x: (precision * x**2).sum() + np.log(variance).sum(),
        lambda x: 2 * x / variance,
    )


def inverse():
    scale = np.full(4, 2.0)
    inverse = 1 / scale
    return lambda x: (x / scale).sum() ** 2, lambda x: 2 * (x / scale).sum() * inverse + 0 * x


def mask():
    m = np.ones(4)
    return lambda x: ((m * x) ** 2).sum(), lambda x: 2 * m * x


def written():
    state = types.SimpleNamespace(last=np.ones(4))

    def f(x):
        state.last = np.sign(x[0]) ** 2
        return (state.last * x).sum()

    return f, lambda x: np.ones_like(x) * state.last


def kept():
    w = np.ones(4)

    @functools.cache
    def weights():
        return w * 1

    return lambda x: (weights() * x).sum(), lambda x: np.ones_like(x) * w


def label():
    y = np.ones(3)
    return lambda x: np.maximum(0, 1 - y * x[:, 0]).sum(), lambda x: np.stack(
        [np.where(y * x[:, 0] < 1, -y, 0), *np.zeros((3, 3))], 1
    )


@pytest.mark.parametrize("made", [precision, inverse, mask, written, kept, label])
def test_what_may_have_to_be_what_it_is_accuses_nobody(made):
    f, slope = made()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # runs beside the point are silent
        assert check_gradient(f, (X,), grad=slope).passed


def test_a_tuple_cannot_hold_another():
    w = np.ones(4)
    held = (w,)
    found = check_gradient(lambda x: (held[0] * x**2).sum(), (X,), grad=lambda x: 2 * w * w * x * held[0])
    assert found.passed
