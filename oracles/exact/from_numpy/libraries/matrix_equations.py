"""scipy.linalg's matrix equations, as the linear systems of their elements that they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.linalg import wide
from oracles.exact.from_numpy.libraries.standard import Rule, as_it_ran, of_kernel
from oracles.exact.from_numpy.making import as_array


def _by_schur(name: str, rule: Rule) -> Callable[..., Any]:
    """By SciPy from factors of Schur's, or as it is."""

    def solved(*args: Any, **kwargs: Any) -> Any:
        return of_kernel(rule(*args, **kwargs), as_it_ran("scipy.linalg", name, args, kwargs))

    return solved


def _matrices(*given: Any) -> Any:
    return (as_array(wide(x)) for x in given)


def _solved(system: Any, q: Any) -> Any:
    """X with `system` times its elements, row by row, those of Q."""
    return np.linalg.solve(system, q.ravel()).reshape(q.shape)


def _sylvester(a: Any, b: Any, q: Any) -> Any:
    """A X + X B = Q."""
    a, b, q = _matrices(a, b, q)
    return _solved(np.kron(a, np.eye(len(b))) + np.kron(np.eye(len(a)), b.T), q)


def _lyapunov(a: Any, q: Any) -> Any:
    """A X + X A* = Q."""
    a, q = _matrices(a, q)
    return _sylvester(a, np.conj(a.T), q)


def _discrete_lyapunov(a: Any, q: Any, method: Any = None) -> Any:
    """A X A* - X + Q = 0."""
    a, q = _matrices(a, q)
    return _solved(np.eye(q.size) - np.kron(a, np.conj(a)), q)


_RULES: dict[str, Rule] = {
    "solve_sylvester": _sylvester,
    "solve_continuous_lyapunov": _lyapunov,  # SciPy's solve_lyapunov, too
    "solve_discrete_lyapunov": _discrete_lyapunov,
}
MATRIX_EQUATIONS: dict[str, Callable[..., Any]] = {
    name: _by_schur(name, rule) for name, rule in _RULES.items()
}
