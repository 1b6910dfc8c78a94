"""SciPy's special functions of complex numbers: values are SciPy's, slopes those of differences."""

import numpy as np
import pytest
import scipy.special
from scipy.special import psi, voigt_profile, wofz

from harness import check_gradient
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_numpy import record
from oracles.exact.from_numpy.rules.holomorphic import HOLOMORPHIC
from oracles.exact.program.balls import precision
from tests.oracles.exact.numpy_tools import BITS, middle, slopes

X, Y = np.array([0.25, -1.25, 2.5, -3.5]), np.array([0.75, -0.5, 1.25, 0.25])


def of_parts(name):
    def function(x, y):
        found = getattr(scipy.special, name)(x + 1j * y)
        return found.real, found.imag

    return function, (X, Y)


@pytest.mark.parametrize(
    ("function", "points"),
    [*map(of_parts, HOLOMORPHIC), (lambda *p: (voigt_profile(*p),), (X, abs(Y), abs(X)))],
)
def test_values_are_scipy_s_and_slopes_those_of_differences(function, points):
    recording = record(function, points, {})
    found = evaluate(recording.program, recording.values, BITS)
    for balls, numbers in zip(found, function(*points), strict=True):
        np.testing.assert_allclose(middle(balls), numbers, rtol=1e-11)
    forward, backward, difference = slopes(function, points)
    with precision(BITS):
        assert forward.overlaps(backward)
        assert abs(difference - forward) < 1e-18 * (1 + abs(forward))


def by_hand(g, x, sigma, gamma, factor=1.0):
    """The slopes of a Voigt profile: w' is -2 z w + 2i / sqrt(pi)."""
    z, norm = (x + 1j * gamma) / (sigma * np.sqrt(2)), sigma * np.sqrt(2 * np.pi)
    w = wofz(z)
    slope = (-2 * z * w + 2j / np.sqrt(np.pi)) / (sigma * np.sqrt(2))
    wide = -(slope * z * np.sqrt(2)).real / norm - w.real / norm / sigma
    return g * slope.real / norm, g * factor * wide, g * (1j * slope).real / norm


@pytest.mark.parametrize(
    "function",
    [voigt_profile, lambda x, s, g: wofz((x + 1j * g) / (s * np.sqrt(2))).real / (s * np.sqrt(2 * np.pi))],
)
def test_a_voigt_profile_is_judged(function):
    points = X[:3], abs(Y[:3]), abs(X[:3])
    assert check_gradient(function, points, vjp=by_hand).verdict.name == "ACCURATE"
    wrong = check_gradient(function, points, vjp=lambda *given: by_hand(*given, factor=1.001))
    assert wrong.verdict.name == "WRONG"


def test_at_a_jump_nothing_is_said():
    def right(g, z):
        return g * np.conj(psi(z))

    assert check_gradient(scipy.special.loggamma, (X + 1j * Y,), vjp=right).verdict.name == "ACCURATE"
    on_the_cut = check_gradient(scipy.special.loggamma, (np.array([-2.5 + 0j]),), vjp=right)
    assert on_the_cut.verdict.name == "UNDECIDED"
