"""Constants of 0 under complex roots and angles: their value is known, though nothing moves them."""

import jax.numpy as jnp
import numpy as np
import pytest

from harness import check_gradient

X = np.array([0.3, 0.4, 0.5, 0.6])
PLUS = np.array([0.0, -0.0, 0.0, -0.0])
SIDE = np.array([0.0, 0.0, -0.0, -0.0])

CONSTANTS = {
    "sqrt": lambda: np.sqrt(np.arange(4, dtype=complex)).real,
    "a power": lambda: (np.arange(4, dtype=complex) ** 0.5).real,
    "another power": lambda: (np.arange(4, dtype=complex) ** (1 + 1j)).imag,
    "angle": lambda: np.angle(np.arange(4, dtype=complex)) + 1,
    "arctan2 of signed zeros": lambda: np.arctan2(SIDE, PLUS),
    "JAX's": lambda: np.asarray(jnp.sqrt(jnp.arange(4) + 0j).real, np.float64),
}


@pytest.mark.parametrize("name", CONSTANTS)
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "accurate"), (1.001, "wrong")])
def test_what_it_multiplies_is_judged(name, factor, verdict):
    constant = CONSTANTS[name]
    found = check_gradient(lambda x: constant() * x, (X,), vjp=lambda g, x: factor * g * constant())
    assert found.verdict == verdict


def test_the_angle_of_signed_zeros_is_c_s():
    wrong = check_gradient(
        lambda x: np.arctan2(SIDE, PLUS) * x, (X,), vjp=lambda g, x: g * abs(np.arctan2(SIDE, PLUS))
    )
    assert wrong.verdict == "wrong"


def test_where_a_zero_moves_nothing_is_known():
    """Of an angle and of a root: their slopes have no end there."""
    zero = np.array([0.0, 1.0])
    angle = check_gradient(lambda x: np.arctan2(x, zero * 0), (zero,), vjp=lambda g, x: 0 * g)
    root = check_gradient(lambda x: np.sqrt(x + 0j).real, (zero,), vjp=lambda g, x: g * [0, 0.5])
    assert angle.verdict == root.verdict == "undecided"
