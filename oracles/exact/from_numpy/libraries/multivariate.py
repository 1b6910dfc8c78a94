"""scipy.stats' multivariate normal density."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.linalg import symmetric
from oracles.exact.from_numpy.libraries.standard import FLOAT, of_kernel, recorded_pi
from oracles.exact.from_numpy.making import lift
from oracles.exact.from_numpy.nested import first_tape, holds_traced
from oracles.exact.from_numpy.refusals import opaque
from oracles.exact.from_numpy.tape import Tape


def normal_logpdf(x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
    """-(n log 2 pi + log |C| + d' C^-1 d) / 2 at d = x - mean, of a C whose lower triangle is read.

    SciPy goes by eigenvalues: nothing bounds how far that is off for a C near a singular one.
    """
    if allow_singular or hasattr(cov, "covariance"):
        raise opaque(
            "scipy.stats.multivariate_normal of values that depend on the inputs with "
            "allow_singular or a Covariance: pass a matrix of full rank"
        )
    tape = first_tape((x, mean, cov))
    x, cov = _array(tape, x), _array(tape, 1.0 if cov is None else cov)
    if mean is None:
        mean = np.zeros(cov.shape[0] if cov.ndim == 2 else 1)
    mean = _array(tape, mean).ravel()
    n = mean.size
    if x.ndim == 0 or (x.ndim == 1 and n == 1):
        x = x.reshape(-1, 1)
    d = lift(tape, x - mean, FLOAT)
    if n == 1:
        cov = cov.reshape(1)
    if cov.ndim < 2:
        cov = cov * np.ones(n)
        size, squares = np.sum(np.log(cov)), np.sum(d * d / cov, -1)
    else:
        cov = symmetric(cov, lower=True, conjugate=False)
        columns = d.reshape(-1, n).T
        size = np.linalg.slogdet(cov)[1]
        squares = np.sum(columns * np.linalg.solve(cov, columns), 0).reshape(d.shape[:-1])
    return of_kernel(-0.5 * (n * np.log(2.0 * recorded_pi(d)) + size + squares)).squeeze()


def _array(tape: Tape, x: Any) -> Any:
    """In float64, whatever it is in."""
    return lift(tape, x, FLOAT) if holds_traced(x) else np.asarray(x, np.float64)
