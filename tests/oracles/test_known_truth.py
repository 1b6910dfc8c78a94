"""Each known defect is the framework's: two truths that share no code agree there, and it is off both.

One is the exact oracle's, in balls; the other comes from differences with 420 digits and no derivation.
"""

import numpy as np
import pytest

from harness.cases import catalogue
from harness.proof.evidence import budget
from harness.runs.known import known_defects
from oracles import JaxOracle, NumpyOracle, TorchOracle
from oracles.exact.program.formats import format_of
from oracles.exact_oracle import enclosed_gradient
from tests.oracles.drawn_anew import exact_gradient
from tests.sampling import sample

ORACLES = {
    "jax": JaxOracle(),
    "jax-jit": JaxOracle(compiled=True),
    "torch": TorchOracle(),
    "torch-compile": TorchOracle(),  # the same formula; compiling it takes seconds
    "numpy": NumpyOracle(),
}
POINTS = sample(sorted({(row.case, row.dtype, row.input) for row in known_defects()}, reverse=True), 2)


def worst(oracle, case, dtype, args, cotangent, truth, each=False):
    """The largest error, relative to the largest true element or to each element's own."""
    subject = ORACLES[oracle].subject(case, np.dtype(dtype))
    loaded = [subject.load(a) for a in args]
    got = subject.fetch_gradient(subject.gradient(subject.load(cotangent), *loaded)).arrays
    pairs = zip(got, truth, strict=True)
    with np.errstate(all="ignore"):
        return max(
            np.nanmax(np.abs(g.astype(np.longdouble) - t) / (np.abs(t) if each else np.max(np.abs(t))))
            for g, t in pairs
        )


@pytest.mark.parametrize(("name", "dtype", "input_name"), POINTS, ids=["-".join(p) for p in POINTS])
def test_a_known_defect_is_not_ours(name, dtype, input_name):
    case = catalogue()[name]
    args, cotangent = case.draw(input_name, dtype, 0)
    truth = exact_gradient(case, cotangent, args)
    for enclosure, independent in zip(enclosed_gradient(case, args, cotangent), truth, strict=True):
        assert enclosure.kinks == ()
        largest = np.max(np.abs(independent))
        # Both are read as float64, and may land on either side of the point between two.
        assert np.max(np.abs(enclosure.mid - independent)) <= max(2.0**-52 * largest, 2.0**-1074)
    # exp of a number near 240, itself rounded, is right to some 240 eps
    assert worst("numpy", case, dtype, args, cotangent, truth) < 500 * np.finfo(dtype).eps
    accused = [
        row.oracle for row in known_defects() if (row.case, row.dtype, row.input) == (name, dtype, input_name)
    ]
    assert accused
    for oracle in accused:
        # An attainable error is at least half an ulp, so more than the budget is lost beyond this.
        least = 2.0 ** (budget(dtype) - format_of(dtype).digits - 1)
        assert worst(oracle, case, dtype, args, cotangent, truth, each=True) > least


def test_the_exact_gradient_is_the_closed_form():
    x, cotangent = np.array([[40.0, -3.0]]), np.array([[1.0, -2.0]])
    (found,) = exact_gradient(catalogue()["sigmoid"], cotangent, (x,))
    with np.errstate(all="raise"):
        np.testing.assert_allclose(found, cotangent * np.exp(-x) / (1 + np.exp(-x)) ** 2, rtol=1e-14)
