"""scipy.linalg's matrix equations, as the linear systems of their elements that they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.linalg import by_lapack, wide
from oracles.exact.from_numpy.libraries.standard import of_kernel
from oracles.exact.from_numpy.nested import holds_traced


def _solved(system: Any, q: Any) -> Any:
    """X with `system` times its elements, row by row, those of Q; by SciPy from factors of Schur's."""
    return of_kernel(np.linalg.solve(system, q.ravel()).reshape(q.shape))


def _matrix(a: Any) -> Any:
    return a if holds_traced(a) else np.asarray(a)


def _sylvester(a: Any, b: Any, q: Any) -> Any:
    """A X + X B = Q."""
    a, b, q = map(_matrix, (a, b, q))
    one_a, one_b = (np.eye(len(x), dtype=x.dtype) for x in (a, b))
    return _solved(np.kron(a, one_b) + np.kron(one_a, b.T), q)


def _lyapunov(a: Any, q: Any) -> Any:
    """A X + X A* = Q."""
    return _sylvester(a, np.conj(_matrix(a).T), q)


def _discrete_lyapunov(a: Any, q: Any, method: Any = None) -> Any:
    """A X A* - X + Q = 0, in float64."""
    a, q = _matrix(a), _matrix(q)
    return _solved(np.eye(q.size) - np.kron(a, np.conj(a)), wide(q))


MATRIX_EQUATIONS: dict[str, Callable[..., Any]] = {
    "solve_sylvester": by_lapack(_sylvester),
    "solve_continuous_lyapunov": by_lapack(_lyapunov),  # SciPy's solve_lyapunov, too
    "solve_discrete_lyapunov": _discrete_lyapunov,
}
