"""BLAS and LAPACK through SciPy: what they return, write into and refuse."""

import numpy as np
import pytest
import scipy.linalg
from scipy.linalg import blas, lapack

from gradproof import check_gradient
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Unsupported
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from tests.oracles.exact.blas_samples import samples
from tests.oracles.exact.numpy_samples import A, V, X
from tests.oracles.exact.numpy_tools import BITS, leaves, middle

SINGLE = samples("s", np.float32)


@pytest.mark.parametrize("name", SINGLE)
def test_values_of_single_ones_are_theirs_and_within_their_bound(name):
    function, points = SINGLE[name]
    recording = record(function, points, {})
    found = evaluate(recording.program, recording.values, BITS)
    within = bound(recording.program, recording.values, ROUNDING_MODELS["numpy"], keep=True).balls
    ran = leaves(function(*points))
    for var, balls, may, numbers in zip(recording.program.outputs, found, within, ran, strict=True):
        np.testing.assert_allclose(middle(balls), numbers, rtol=2e-4, atol=2e-5)
        assert balls.shape == numbers.shape
        assert var.dtype in (numbers.dtype.name, "float64")  # a number of Python's
        assert all(b.contains(float(c)) for b, c in zip(may.ravel(), numbers.ravel(), strict=True))


def chosen_by_dtype(x):
    product, solve = scipy.linalg.get_blas_funcs(("gemm", "trsm"), (x,))
    (factor,) = scipy.linalg.get_lapack_funcs(("potrf",), dtype=np.float64)
    return solve(1.0, factor(product(1.0, x, x.T))[0], x)


def test_functions_that_are_chosen_by_the_dtype_are_known():
    a = check_gradient(chosen_by_dtype, (A,), vjp=lambda g, x: np.zeros_like(x))
    assert a.verdict == "wrong"


def symmetrized(x):
    """As GPy has it: the triangle that is written, mirrored."""
    out = np.zeros((3, 3))
    out = blas.dsyrk(alpha=1.0, a=np.asfortranarray(x), beta=0.0, c=out, overwrite_c=1, trans=0, lower=0)
    return np.triu(out) + np.triu(out, 1).T


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "accurate"), (1.001, "wrong")])
def test_a_gradient_through_them_is_judged(factor, verdict):
    def backward(g, x):
        return blas.dgemm(factor, g + g.T, x)

    assert check_gradient(symmetrized, (X[:, :2],), vjp=backward).verdict == verdict


KEPT = np.zeros((3, 3), order="F")


@pytest.mark.parametrize(("function", "message"), [
    (lambda x: blas.ddot(x, x, incx=2, n=2), r"ddot of a part of a vector .*pass x\[part\]"),
    (lambda x: blas.dswap(x, x)[0], r"scipy\.linalg\.blas\.dswap has no rule for val"),
    (lambda x: lapack.dgesv(x[:, None] * x, x)[2], "scipy.linalg.lapack.dgesv has no rule"),
    (lambda x: lapack.dpotrf(-x[:, None] * x)[0], "scipy.linalg.lapack.dpotrf gives info=1"),
    (lambda x: blas.daxpy(x, x, 3, 2.0), "daxpy with so many arguments: pass the optional ones by name"),
    (lambda x: blas.dger(1.0, x, x, a=KEPT, overwrite_a=1), "written into a plain array"),
])  # fmt: skip
def test_what_is_refused_is_named(function, message):
    with pytest.raises(Unsupported, match=message):
        record(function, (V[:3],), {})


def test_what_has_gaps_is_not_written_into():
    """SciPy copies it first."""

    def scaled(x):
        d = x * 1.0
        twice = blas.dscal(2.0, d[:, 1])
        return np.stack([2 * x[:, 0], 1.5 * twice * d[:, 1]], 1)

    x = np.array([[0.25, 0.75], [0.125, 0.5], [0.875, 0.375]])
    found = check_gradient(lambda x: (x[:, 0] ** 2 + x[:, 1] ** 3).sum(), (x,), grad=scaled)
    assert found.passed, found
    whole = check_gradient(
        lambda x: (blas.dscal(2.0, (d := x * 1.0)) * d).sum(), (x[:, 0],), grad=lambda x: 8 * x
    )
    assert whole.passed, whole
