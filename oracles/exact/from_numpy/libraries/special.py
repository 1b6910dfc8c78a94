"""SciPy's special functions that are written in Python."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.standard import recorded_pi, sc
from oracles.exact.from_numpy.making import as_array
from oracles.exact.from_numpy.refusals import unsupported


def _polygamma(n: Any, x: Any) -> Any:
    """psi, in the dtype of x, and for n > 0 (-1)^(n+1) n! zeta(n + 1, x), in float64."""
    n = np.asarray(n)
    if not n.any():
        return np.where(n == 0, sc().psi(x), np.float64(0.0))
    higher = (-1.0) ** (n + 1) * sc().gamma(n + 1.0) * sc().zeta(n + 1.0, x)
    return higher if n.all() else np.where(n == 0, sc().psi(x), higher)


def _spherical(name: str, minus: int) -> Callable[..., Any]:
    """On the left with the sign of (-1)^(n + minus), and the other one for the slope; so in float64."""

    def function(n: Any, z: Any, derivative: bool = False) -> Any:
        n = np.asarray(n, int)
        left = np.less(z, 0)
        sign = np.where(left, (-1.0) ** (n + minus + derivative), 1.0)
        return sign * _on_the_right(name, derivative)(n, np.where(left, -z, z))

    return function


def _spherical_kn(n: Any, z: Any, derivative: bool = False) -> Any:
    """On the left k_n(-x) = -(-1)^n k_n(x) - pi i_n(x), and the other sign for the slope."""
    n, left, flip = np.asarray(n, int), np.less(z, 0), -1.0 if derivative else 1.0
    x = np.where(left, -z, z)
    found, other = (_on_the_right(name, derivative)(n, x) for name in ("kn", "in"))
    there = -flip * ((-1.0) ** n * found + recorded_pi(x) * other)
    return np.where(left, there.astype(found.dtype), found)


def _on_the_right(name: str, derivative: bool) -> Any:
    return getattr(import_module("scipy.special._ufuncs"), f"_spherical_{name}{'_d' if derivative else ''}")


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
    """The largest, about which is computed: whatever it is, the result is the same; 0 where it is -inf."""
    top = np.max(np.asarray(x.in_numpy) if hasattr(x, "tokens") else x, axis=axis, keepdims=True)
    return np.where(np.isfinite(top), top, 0.0)


def _multigammaln(a: Any, d: Any) -> Any:
    """The logarithms are added in the dtype of a, and to the rest in float64."""
    d = int(d)
    total = sum(sc().gammaln(a - 0.5 * j) for j in range(d))
    return d * (d - 1) * 0.25 * np.log(np.pi) + total


def _comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    if exact:
        raise unsupported("scipy.special.comb with exact=True")
    N, k = as_array(N), as_array(k)
    if repetition:
        none = np.logical_and(np.equal(k, 0), np.greater_equal(N, 0))
        return np.where(none, 1.0, sc().binom(N + k - 1, k))
    return np.where(_are_counts(N, k), sc().binom(N, k), 0.0)


def _perm(N: Any, k: Any, exact: bool = False) -> Any:
    if exact:
        raise unsupported("scipy.special.perm with exact=True")
    N, k = as_array(N), as_array(k)
    return np.where(_are_counts(N, k), sc().poch(N - k + 1, k), 0.0)


def _are_counts(N: Any, k: Any) -> Any:
    return np.logical_and(np.less_equal(k, N), np.logical_and(np.greater_equal(N, 0), np.greater_equal(k, 0)))


def _factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """Of an array in float64, whatever it is in."""
    if exact or extend != "zero":
        raise unsupported("scipy.special.factorial with exact or extend")
    found = np.where(np.less(n, 0), 0.0, sc().gamma(n + 1.0))
    return found if n.is_scalar else found.astype(np.float64)


SPECIAL: dict[str, Callable[..., Any]] = {
    "polygamma": _polygamma,
    "spherical_jn": _spherical("jn", 0),
    "spherical_yn": _spherical("yn", 1),
    "spherical_in": _spherical("in", 0),
    "spherical_kn": _spherical_kn,
    "logsumexp": _logsumexp,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "multigammaln": _multigammaln,
    "comb": _comb,
    "perm": _perm,
    "factorial": _factorial,
}
