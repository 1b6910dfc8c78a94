"""Real numbers cast to complex ones: which side of a cut they lie on is known, and so are their bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient, exact_gradient
from harness.verdicts import Verdict
from oracles.exact.from_numpy import record
from oracles.exact.program.derive import vjp
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound

ROW = np.array([0.2, 0.5, 3.0])
RIGHT, WRONG = 1.0, 1 + 1e-9


def oscillator(x):
    """Of a real number below 0 the root is imaginary, and cosh of it is a cosine."""
    return np.real(np.cosh(np.sqrt(x**2 - 4 + 0j)))


@pytest.mark.parametrize(("factor", "verdict"), [(RIGHT, Verdict.ACCURATE), (WRONG, Verdict.WRONG)])
@pytest.mark.parametrize("root", [oscillator, lambda x: np.real(np.cosh(np.emath.sqrt(x**2 - 4)))])
def test_the_root_of_a_real_number_plus_0j_is_examined(root, factor, verdict):
    def backward(g, x):
        s = np.sqrt(x**2 - 4 + 0j)
        return g * np.real(np.sinh(s) / s) * x * factor

    found = check_gradient(root, (ROW,), vjp=backward, probes=False)
    assert found.verdict is verdict, found


FUNCTIONS = {
    "sqrt": lambda lib, z: lib.sqrt(z).imag,
    "a power": lambda lib, z: abs(z**1.5),
    "a square in it": lambda lib, z: lib.sqrt((z + 6) * (z + 6) - 20).imag,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_frameworks_cast_real_numbers_alike(name):
    row, given = ROW - 5, FUNCTIONS[name]
    with jax.enable_x64(True):
        found = [
            exact_gradient(lambda x: given(np, x + 0j), (row,), cotangent=np.ones(3)),
            exact_gradient(lambda x: given(torch, x + 0j).sum(), (torch.tensor(row),)),
            exact_gradient(lambda x: given(jnp, x + 0j).sum(), (jnp.array(row),)),
        ]
    digits = [[g.digits(k, 12) for k in range(3)] for g in found]
    assert digits[0] == digits[1] == digits[2]


def test_beyond_1_the_arc_cosine_is_that_of_the_side_above():
    """arccos(x + 0j) is -i acosh(x) there; below -1 it is pi - i acosh(-x)."""
    x = np.array([1.2, 3.0, -1.5])
    found = exact_gradient(lambda x: np.imag(np.emath.arccos(x)), (x,), cotangent=np.ones(3))
    want = -np.sign(x) / np.sqrt(x**2 - 1)
    assert np.allclose([float(found.digits(k, 17)) for k in range(3)], want, rtol=1e-15)


BOUNDED = {
    "sqrt": lambda x: np.real(np.cosh(np.emath.sqrt(x**2 - 4))),
    "power": lambda x: np.abs(np.emath.power(x - 4, 1.5)),
    "right of the cut": lambda x: np.abs(np.emath.sqrt(x**2)),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_the_bound_of_such_a_root_ends(name):
    """The formula that was not taken has a pole there: 0 / 0 in it is nobody's number."""
    recording = record(BOUNDED[name], (ROW,))
    program = vjp(recording.program, [0])
    found = bound(program, [*recording.values, np.ones(3)], ROUNDING_MODELS["numpy"])
    assert found.problem == ""
    sizes = [(abs(b.mid()), b.rad()) for b in found.balls[0].ravel().tolist()]
    assert all(r < 1e-12 * m for m, r in sizes)


def test_right_of_the_cut_no_sign_matters():
    """Squares of negative numbers are 4 - 0j in NumPy; which zero that is, not all libraries agree on."""
    found = exact_gradient(
        lambda x: np.real(np.sqrt((x + 0j) ** 2)), (np.array([-2.0]),), cotangent=np.ones(1)
    )
    assert float(found.digits(0, 5)) == -1
