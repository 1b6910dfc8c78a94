"""SciPy's special functions that are written in Python."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from oracles.exact.from_numpy.refusals import unsupported


def _scipy() -> Any:
    return import_module("scipy.special")


def _polygamma(n: Any, x: Any) -> Any:
    """psi and, for n > 0, (-1)^(n+1) n! zeta(n + 1, x)."""
    sc, n = _scipy(), np.asarray(n)
    if not n.any():
        return sc.psi(x + 0.0 * n)
    higher = (-1.0) ** (n + 1) * sc.gamma(n + 1.0) * sc.zeta(n + 1.0, x)
    return higher if n.all() else np.where(n == 0, sc.psi(x), higher)


def _spherical(name: str, minus: int) -> Callable[..., Any]:
    """On the left with the sign of (-1)^(n + minus), and the other one for the slope."""

    def function(n: Any, z: Any, derivative: bool = False) -> Any:
        ufunc = getattr(
            import_module("scipy.special._ufuncs"), f"_spherical_{name}{'_d' if derivative else ''}"
        )
        n = np.asarray(n, int)
        left = np.less(z, 0)
        sign = np.where(left, (-1.0) ** (n + minus + derivative), 1.0)
        return sign * ufunc(n, np.where(left, -z, z))

    return function


def _logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    if return_sign:
        raise unsupported("scipy.special.logsumexp with return_sign=True")
    top = _top(a, axis)
    terms = np.exp(a - top) if b is None else b * np.exp(a - top)
    found = np.log(np.sum(terms, axis=axis, keepdims=keepdims))
    return found + (top if keepdims else np.reshape(top, found.shape))


def _softmax(x: Any, axis: Any = None) -> Any:
    e = np.exp(x - _top(x, axis))
    return e / np.sum(e, axis=axis, keepdims=True)


def _log_softmax(x: Any, axis: Any = None) -> Any:
    rest = x - _top(x, axis)
    return rest - np.log(np.sum(np.exp(rest), axis=axis, keepdims=True))


def _top(x: Any, axis: Any) -> Any:
    """The largest, about which is computed: whatever it is, the result is the same."""
    return np.max(np.asarray(x.in_numpy) if hasattr(x, "tokens") else x, axis=axis, keepdims=True)


def _multigammaln(a: Any, d: Any) -> Any:
    sc, d = _scipy(), int(d)
    total = d * (d - 1) * 0.25 * np.log(np.pi)
    for j in range(d):
        total = total + sc.gammaln(a - 0.5 * j)
    return total


def _comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    if exact:
        raise unsupported("scipy.special.comb with exact=True")
    if repetition:
        none = np.logical_and(np.equal(k, 0), np.greater_equal(N, 0))
        return np.where(none, 1.0, _scipy().binom(N + k - 1, k))
    inside = np.logical_and(
        np.less_equal(k, N), np.logical_and(np.greater_equal(N, 0), np.greater_equal(k, 0))
    )
    return np.where(inside, _scipy().binom(N, k), 0.0)


def _perm(N: Any, k: Any, exact: bool = False) -> Any:
    if exact:
        raise unsupported("scipy.special.perm with exact=True")
    inside = np.logical_and(
        np.less_equal(k, N), np.logical_and(np.greater_equal(N, 0), np.greater_equal(k, 0))
    )
    return np.where(inside, _scipy().poch(N - k + 1, k), 0.0)


def _factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    if exact or extend != "zero":
        raise unsupported("scipy.special.factorial with exact or extend")
    return np.where(np.less(n, 0), 0.0, _scipy().gamma(n + 1.0))


SPECIAL: dict[str, Callable[..., Any]] = {
    "polygamma": _polygamma,
    "spherical_jn": _spherical("jn", 0),
    "spherical_yn": _spherical("yn", 1),
    "spherical_in": _spherical("in", 0),
    "spherical_kn": _spherical("kn", 0),
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "multigammaln": _multigammaln,
    "comb": _comb,
    "perm": _perm,
    "factorial": _factorial,
}
