"""What is written into the parts, the shape and the flat elements of recorded arrays, as NumPy has it."""

import numpy as np
import pytest

from harness import check_gradient
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Unsupported
from tests.oracles.exact.numpy_tools import value

X = np.array([0.3, 0.7, 1.1, -0.4])


def both(z):
    return np.stack([np.real(z), np.imag(z)])


def assigned(x):
    z = np.zeros(2, complex)
    z.real = x[:2]
    z.imag = x[2:]
    return both(z)


def into_what_is_empty(x):
    z = np.empty(4, np.complex64)
    z.imag[1:] = x[1:]
    z.imag[0], z.real = 2, x * x
    return both(z)


def masked(x):
    z = np.exp(1j * x)
    z.imag[z.imag < 0.3] = 0
    z.real[np.array([0, 2])] += x[1]
    return both(z)


def in_place(x):
    z = np.exp(1j * x)
    z.imag *= 2
    z.real -= z.imag
    part = z.imag
    part /= x
    np.add(part, 1.0, out=z.real)
    np.add.at(z.imag, [0, 0], x[:2])
    np.copyto(z.real, x, where=[True, False, True, False])
    return both(z)


def through_views(x):
    z = np.zeros((2, 2), complex)
    row, real = z[1], z.real
    row.real = x[:2]
    z.imag[:, 1] = x[2:]
    z.real[0][1:] = x[3]
    z[0, 0] = 5
    real[1] *= real[0, 0]
    return both(z) + real


def of_real_ones(x):
    y = x.copy()
    y.real = 2 * x
    y.real[1] = x[0]
    assert y.real is y
    return y + y.imag


def shaped(x):
    y, z = np.array(x), x * 1j
    y.shape = 2, -1
    z.shape = (2, 2)
    y[0] *= y[1]
    return y + np.abs(z)


def flat(x):
    y, z = np.zeros((2, 2)), np.zeros((2, 3))
    y.flat, z.flat = x**2, x[:2]
    z.flat[4:] = x[2:]
    return np.concatenate([y.ravel(), z.ravel()])


def of_numbers(x):
    z = (x * (1 + 2j))[1]
    return x * z.real + z.imag * x[0] + z.item().imag


WRITING = [
    assigned, into_what_is_empty, masked, in_place, through_views, of_real_ones, shaped, flat, of_numbers,
]  # fmt: skip


@pytest.mark.parametrize("function", WRITING)
def test_what_is_written_is_there(function):
    np.testing.assert_allclose(
        value(function, X), function(X), rtol=1e-6 if "empty" in str(function) else 1e-14
    )


@pytest.mark.parametrize(("factor", "verdict"), [(1, "accurate"), (1.001, "wrong")])
def test_a_gradient_through_it_is_judged(factor, verdict):
    def power(x):
        z = np.zeros(2, complex)
        z.real, z.imag = x[:2], x[2:]
        z.imag *= 2
        return np.sum(np.abs(z) ** 2)

    result = check_gradient(power, (X,), grad=lambda x: factor * np.array([2, 2, 8, 8]) * x)
    assert result.verdict == verdict


def reshaped(x):
    z = x * 1j
    z.real.T[0] = 1.0
    return np.abs(z)


@pytest.mark.parametrize(
    "function", [reshaped, lambda x: np.zeros(4, complex).real.reshape(2, 2).sort() or x]
)
def test_what_cannot_be_written_through_says_so(function):
    with pytest.raises((ValueError, Unsupported)):
        record(function, (X,))


def test_what_numpy_refuses_is_refused():
    def imaginary(x):
        x = x.copy()
        x.imag = 1.0
        return x

    def number(x):
        x[0].real = 2.0
        return x

    for function, error in ((imaginary, TypeError), (number, AttributeError)):
        with pytest.raises(error):
            function(X)
        with pytest.raises(error):
            record(function, (X,))
