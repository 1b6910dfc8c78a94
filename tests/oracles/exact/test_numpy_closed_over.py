"""Arrays that a function closes over have their own dtype, as recorded ones have."""

from __future__ import annotations

import numpy as np
import pytest

from harness import check_gradient
from harness.verdicts import Verdict
from oracles.exact.from_numpy import record
from oracles.exact.program.derive import vjp
from tests.oracles.exact.numpy_samples import SAMPLES

pytestmark = pytest.mark.filterwarnings("ignore:numpy.fix is deprecated")  # from 2.5 on; it is a sample here

NARROW = {"float64": "float32", "complex128": "complex64"}


def narrow(value):
    """Numbers of half the width."""
    own = NARROW.get(getattr(value, "dtype", np.dtype(int)).name)
    return value.astype(own) if own and isinstance(value, np.ndarray) else value


CELLS = [
    (name, k)
    for name, sample in SAMPLES.items()
    for k, value in enumerate(sample.args)
    if len(sample.args) > 1 and isinstance(value, np.ndarray) and value.dtype == np.float64
]


@pytest.mark.parametrize(("name", "k"), CELLS)
def test_the_gradient_of_float32_numbers_is_float32_whatever_else_is_in_the_code(name, k):
    """So it is known without the others: NumPy gives it in the dtype of its argument."""
    function, args = SAMPLES[name].function, [narrow(value) for value in SAMPLES[name].args]
    with np.errstate(all="ignore"):
        recording = record(
            lambda x: function(*args[:k], x, *args[k + 1 :]), [args[k]], {}, differentiate=True
        )
        assert vjp(recording.program, [0]).outputs[-1].dtype == "float32"


X32 = np.sort(np.random.default_rng(0).random(50)).astype(np.float32)


@pytest.mark.parametrize(("steps", "factor"), [(np.diff(X32), 1.0), (np.diff(X32), 1.01)])
def test_the_steps_of_a_trapezoid_are_in_the_dtype_of_its_places(steps, factor):
    """NumPy takes them before it meets the heights."""
    weights = factor * (np.append(steps, 0).astype(float) + np.append(0, steps)) / 2
    y = np.random.default_rng(1).random(50)
    found = check_gradient(lambda y: np.trapezoid(y, X32), (y,), vjp=lambda g, y: g * weights)
    assert found.verdict is (Verdict.ACCURATE if factor == 1 else Verdict.WRONG), found


def test_limits_and_ends_may_be_recorded_alone():
    a = np.array([0.3, 1.2, 2.0])
    clipped = check_gradient(
        lambda b: np.sum(np.clip(a, 0.5, b)), (np.ones(3),), grad=lambda b: (a > b).astype(float)
    )
    ended = check_gradient(lambda b: np.sum(np.ediff1d(a, to_end=b) ** 2), (a[:2],), grad=lambda b: 2 * b)
    assert clipped.verdict is ended.verdict is Verdict.ACCURATE


W, X = np.float32([[1.5, -2.25, 0.1], [0.3, 0.7, 2.0]]), np.float32([0.3, -0.7, 1.1])
TIMES_W = {
    "dot": lambda x: np.dot(W, x),
    "method": lambda x: W.dot(x),
    "inner": lambda x: np.inner(W, x),
    "einsum": lambda x: np.einsum("ij,j->i", W, x),
    "tensordot": lambda x: np.tensordot(W, x, 1),
}


@pytest.mark.parametrize("name", TIMES_W)
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, Verdict.ACCURATE), (1.01, Verdict.WRONG)])
def test_a_layer_of_float32_weights_that_it_closes_over(name, factor, verdict):
    found = check_gradient(
        lambda x: np.sum(TIMES_W[name](x) ** 2), (X,), grad=lambda x: np.float32(factor) * (2 * W.T @ (W @ x))
    )
    assert found.verdict is verdict, found
    assert found.parts[0].dtype == "float32"
