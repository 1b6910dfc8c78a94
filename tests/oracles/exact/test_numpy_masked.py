"""y[m] = f(x[m]) where the mask is at an edge: a choice, as np.where is; and what is none."""

import numpy as np
import pytest

from gradproof import check_gradient

X = np.array([1.0, -2.0, 0.0, 3.0])  # at 0 the mask x > 0 is at its edge
C = np.array([1.0, 2.0, 3.0, 4.0])
SLOPE = np.array([0.5])


def in_place(x):
    out = x.copy()
    out[x < 0] *= 0.5
    return out


def taken_and_put(x):
    out = x.copy()
    m = x < 0
    out[m] = 0.5 * x[m]
    return out


def of_an_array(x):
    out = x.copy()
    out[x < 0] = SLOPE * x[x < 0]
    return out


def in_halves(x):
    out = np.zeros_like(x)
    m = x >= 0
    out[m] = x[m]
    out[~m] = x[~m] / 2
    return out


def in_halves_of_new_memory(x):
    out = np.empty_like(x)
    m = x >= 0
    out[m] = x[m]
    out[~m] = x[~m] / 2
    return out


def of_two_masks(x):
    out = np.empty_like(x)
    above, below = x > 0, x <= 0
    out[above] = x[above]
    out[below] = x[below] / 2
    return out


LEAKY = [in_place, taken_and_put, of_an_array, in_halves, in_halves_of_new_memory, of_two_masks]


@pytest.mark.parametrize("function", LEAKY)
def test_at_the_edge_each_side_is_a_convention(function):
    def backward(at_zero):
        return lambda g, x: g * np.where(x > 0, 1, np.where(x < 0, 0.5, at_zero))

    for at_zero in (0.5, 1.0):
        assert check_gradient(function, (X,), vjp=backward(at_zero)).verdict == "convention"
    for at_zero in (0.0, 2.0):
        assert check_gradient(function, (X,), vjp=backward(at_zero)).verdict == "wrong"
    assert check_gradient(function, (X,), vjp=lambda g, x: g * np.where(x < 0, 0.501, 1)).verdict == "wrong"


@pytest.mark.parametrize("function", LEAKY)
def test_elsewhere_they_are_as_ever(function):
    x = np.array([1.0, -2.0, 0.5])
    assert check_gradient(function, (x,), vjp=lambda g, x: g * np.where(x < 0, 0.5, 1)).verdict == "accurate"


def test_a_backward_in_place_is_a_choice_too():
    def backward(g, x):
        d = g.copy()
        d[x < 0] *= 0.5
        return d

    found = check_gradient(lambda x: np.where(x < 0, x / 2, x), (X,), vjp=backward)
    assert found.verdict == "convention"


def sigmoid(x):
    out = np.empty_like(x)
    m = x >= 0
    out[m] = 1 / (1 + np.exp(-x[m]))
    e = np.exp(x[~m])
    out[~m] = e / (1 + e)
    return out


def huber(x):
    r, out = np.abs(x), np.empty_like(x)
    m = r <= 1
    out[m] = 0.5 * x[m] ** 2
    out[~m] = r[~m] - 0.5
    return out.sum()


def test_halves_that_meet_smoothly_are_smooth():
    s = 1 / (1 + np.exp(-X))
    assert check_gradient(sigmoid, (X,), vjp=lambda g, x: g * s * (1 - s), probes=False).verdict == "accurate"
    x = np.array([1.0, -1.0, 0.0, 3.0])
    assert check_gradient(huber, (x,), grad=lambda x: np.clip(x, -1, 1)).verdict == "accurate"
    bad = check_gradient(huber, (x,), grad=lambda x: np.where(np.abs(x) == 1, x / 2, np.clip(x, -1, 1)))
    assert bad.verdict == "wrong"


def test_plain_arrays_under_the_mask_are_taken_everywhere():
    def function(x):
        out, m = x.copy(), x > 0
        out[m] = C[m] * x[m]
        return out

    def backward(at_zero):
        return lambda g, x: g * np.where(x > 0, C, np.where(x < 0, 1, at_zero))

    assert check_gradient(function, (X,), vjp=backward(3.0)).verdict == "convention"
    assert check_gradient(function, (X,), vjp=backward(3.5)).verdict == "wrong"


def counted(x):
    m, out = x > 0, x.copy()
    n = len(x[m])
    out[m] = x[m] * n
    return out


def shaped(x):
    m, out = x > 0, x.copy()
    taken = x[m]
    out[m] = taken * taken.shape[0]
    return out


def listed(x):
    m, out = x > 0, x.copy()
    out[m] = x[m] * len(list(x[m]))
    return out


def summed(x):
    m, out = x > 0, x.copy()
    out[m] = x[m] / x[m].sum()
    return out


def turned(x):
    m, out = x > 0, x.copy()
    out[m] = x[m][::-1]
    return out


def accumulated(x):
    m, out = x > 0, x.copy()
    out[m] = np.cumsum(x[m])
    return out


def read_between(x):
    out, m = np.empty_like(x), x > 0
    out[m] = x[m] ** 2
    total = out[m].sum()
    out[~m] = 3 * x[~m]
    return out * total


def asked(x):
    m, out = x > 0, x.copy()
    out[m] = x[m] * (2 if x[m].max() > 2 else 1)
    return out


def of_another_mask(x):
    out = x.copy()
    out[x > 0] = x[x >= 0][:2]
    return out


@pytest.mark.parametrize(
    "function",
    [counted, shaped, listed, summed, turned, accumulated, read_between, asked, of_another_mask],
)
def test_what_does_more_with_the_taken_elements_is_undecided_at_the_edge(function):
    assert check_gradient(function, (X,), vjp=lambda g, x: g).verdict in {"undecided", "unsupported"}
