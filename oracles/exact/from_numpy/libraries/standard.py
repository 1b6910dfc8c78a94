"""SciPy's distributions with loc 0 and scale 1, in formulas: densities, shares, quantiles and moments.

Where SciPy has a formula, this is it, so that its bound is that of SciPy's numbers. Where SciPy calls a
kernel of Boost's, nothing is known of how far that is off: see `of_kernel`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from oracles.exact.from_numpy.array import TracedArray, lift, wrap
from oracles.exact.from_numpy.rules.off import UNKNOWN, off
from oracles.exact.program.primitives import pi

Rule = Callable[..., Any]
FLOAT = np.dtype(np.float64)


class Standard(NamedTuple):
    """A distribution.

    Attributes:
        rules: By SciPy's names what it is at y, which is recorded, for its shapes. The share of one whole
            number is called "pdf", too. Moments are given a recorded 1 for y.
        low, high: The ends of the support, None for infinity; the upper one may be a shape, by its place.
        open: Whether the ends have no density.
        whole: Whether it is of whole numbers.
    """

    rules: Mapping[str, Rule]
    low: float | None = None
    high: float | tuple[int] | None = None
    open: bool = False
    whole: bool = False

    def rule(self, name: str) -> Rule | None:
        """What it is by this name, from what else it is if that is not said; None if neither is known."""
        if name in self.rules:
            return self.rules[name]
        if name not in FOLLOWS:
            return None
        other, follows = FOLLOWS[name]
        known = self.rules.get(other) if name in {"pdf", "logpdf"} else self.rule(other)
        return None if known is None else lambda *args: follows(known, *args)


FOLLOWS: dict[str, tuple[str, Rule]] = {
    "pdf": ("logpdf", lambda logpdf, *args: np.exp(logpdf(*args))),
    "logpdf": ("pdf", lambda pdf, *args: np.log(pdf(*args))),
    "sf": ("cdf", lambda cdf, *args: 1.0 - cdf(*args)),
    "logcdf": ("cdf", lambda cdf, *args: np.log(cdf(*args))),
    "logsf": ("sf", lambda sf, *args: np.log(sf(*args))),
    "isf": ("ppf", lambda ppf, p, *shapes: ppf(1.0 - p, *shapes)),
    "median": ("ppf", lambda ppf, one, *shapes: ppf(one / 2.0, *shapes)),
    "std": ("var", lambda var, *args: np.sqrt(var(*args))),
}


def _sc() -> Any:
    return import_module("scipy.special")


def recorded_pi(like: TracedArray) -> Any:
    """The number itself: NumPy's is another one from the 17th digit on."""
    return wrap(like.tape, np.float64(np.pi), pi(like.tape.recorder, "float64"))


def _two(like: TracedArray) -> Any:
    """Recorded, so that its root and its logarithm are exact."""
    return lift(like.tape, 2.0, FLOAT)


def of_kernel(found: Any) -> Any:
    """The same, by a kernel that may be off by any number: nobody is accused."""
    return wrap(found.tape, found.value, off(UNKNOWN, lambda v: v)(found.recorded))


def _gamma_logpdf(y: Any, a: Any) -> Any:
    return _sc().xlogy(a - 1.0, y) - y - _sc().gammaln(a)


def _beta_logpdf(y: Any, a: Any, b: Any) -> Any:
    return _sc().xlog1py(b - 1.0, -y) + _sc().xlogy(a - 1.0, y) - _sc().betaln(a, b)


def _t_logpdf(y: Any, df: Any) -> Any:
    front = np.log(_sc().poch(0.5 * df, 0.5)) - 0.5 * (np.log(df) + np.log(recorded_pi(y)))
    return front - (df + 1) / 2 * np.log1p(y * y / df)


def _t_ppf(p: Any, df: Any) -> Any:
    """Twice the smaller share is I_x(df/2, 1/2) at x = df / (df + t^2)."""
    x = _sc().betaincinv(df / 2.0, 0.5, 2.0 * np.minimum(p, 1.0 - p))
    return of_kernel(np.where(p < 0.5, -1.0, 1.0) * np.sqrt(df * (1.0 - x) / x))


def _f_logpdf(y: Any, dfn: Any, dfd: Any) -> Any:
    n, m = 1.0 * dfn, 1.0 * dfd
    front = m / 2 * np.log(m) + n / 2 * np.log(n) + _sc().xlogy(n / 2 - 1, y)
    return front - ((n + m) / 2 * np.log(m + n * y) + _sc().betaln(n / 2, m / 2))


def _chi2_logpdf(y: Any, df: Any) -> Any:
    return _sc().xlogy(df / 2.0 - 1, y) - y / 2.0 - _sc().gammaln(df / 2.0) - np.log(_two(y)) * df / 2.0


def _laplace_ppf(p: Any) -> Any:
    return np.where(p > 0.5, -np.log(2.0 * (1.0 - p)), np.log(2.0 * p))


def _laplace_cdf(y: Any) -> Any:
    return np.where(y > 0, 1.0 - 0.5 * np.exp(-y), 0.5 * np.exp(y))


def _lognorm_logpdf(y: Any, s: Any) -> Any:
    return -(np.log(y) ** 2) / (2.0 * s**2) - np.log(s * y * np.sqrt(2.0 * recorded_pi(y)))


def _binom_logpmf(k: Any, n: Any, p: Any) -> Any:
    sc = _sc()
    ways = sc.gammaln(n + 1.0) - (sc.gammaln(k + 1.0) + sc.gammaln(n - k + 1.0))
    return ways + sc.xlogy(k, p) + sc.xlog1py(n - k, -p)


def _nbinom_logpmf(k: Any, n: Any, p: Any) -> Any:
    sc = _sc()
    ways = sc.gammaln(n + k) - sc.gammaln(k + 1.0) - sc.gammaln(n)
    return ways + n * np.log(p) + sc.xlog1py(k, -p)


def _binom(n_of: Callable[..., tuple[Any, Any]]) -> dict[str, Rule]:
    """Of the number of trials and the share of successes, which `n_of` gives from the shapes."""

    def given(function: Rule) -> Rule:
        return lambda k, *shapes: function(k, *n_of(*shapes))

    return {
        "logpdf": given(_binom_logpmf),
        "pdf": given(lambda k, n, p: of_kernel(np.exp(_binom_logpmf(k, n, p)))),
        "cdf": given(lambda k, n, p: of_kernel(_sc().betaincc(k + 1.0, n - k, p))),
        "sf": given(lambda k, n, p: of_kernel(_sc().betainc(k + 1.0, n - k, p))),
        "mean": given(lambda one, n, p: n * p * one),
        "var": given(lambda one, n, p: (n * p - n * p**2) * one),
    }


STANDARD: dict[str, Standard] = {
    "norm": Standard(
        {
            "pdf": lambda y: np.exp(-(y**2) / 2.0) / np.sqrt(2.0 * recorded_pi(y)),
            "logpdf": lambda y: -(y**2) / 2.0 - np.log(np.sqrt(2.0 * recorded_pi(y))),
            "cdf": lambda y: _sc().ndtr(y),
            "sf": lambda y: _sc().ndtr(-y),
            "logcdf": lambda y: _sc().log_ndtr(y),
            "logsf": lambda y: _sc().log_ndtr(-y),
            "ppf": lambda p: _sc().ndtri(p),
            "isf": lambda p: -_sc().ndtri(p),
            "mean": lambda one: 0.0 * one,
            "var": lambda one: one,
            "entropy": lambda one: 0.5 * (np.log(2.0 * recorded_pi(one)) + 1.0),
        }
    ),
    "expon": Standard(
        {
            "pdf": lambda y: np.exp(-y),
            "logpdf": lambda y: -y,
            "cdf": lambda y: -np.expm1(-y),
            "sf": lambda y: np.exp(-y),
            "logsf": lambda y: -y,
            "ppf": lambda p: -np.log1p(-p),
            "isf": lambda p: -np.log(p),
            "mean": lambda one: one,
            "var": lambda one: one,
            "entropy": lambda one: one,
        },
        low=0.0,
    ),
    "gamma": Standard(
        {
            "logpdf": _gamma_logpdf,
            "cdf": lambda y, a: _sc().gammainc(a, y),
            "sf": lambda y, a: _sc().gammaincc(a, y),
            "ppf": lambda p, a: _sc().gammaincinv(a, p),
            "isf": lambda p, a: _sc().gammainccinv(a, p),
            "mean": lambda one, a: a * one,
            "var": lambda one, a: a * one,
            "entropy": lambda one, a: of_kernel((1.0 - a) * _sc().psi(a) + a + _sc().gammaln(a) * one),
        },
        low=0.0,
    ),
    "beta": Standard(
        {
            "logpdf": _beta_logpdf,
            "pdf": lambda y, a, b: of_kernel(np.exp(_beta_logpdf(y, a, b))),
            "cdf": lambda y, a, b: _sc().betainc(a, b, y),
            "sf": lambda y, a, b: _sc().betaincc(a, b, y),
            "ppf": lambda p, a, b: _sc().betaincinv(a, b, p),
            "isf": lambda p, a, b: 1.0 - _sc().betaincinv(b, a, p),
            "mean": lambda one, a, b: a / (a + b) * one,
            "var": lambda one, a, b: a * b / ((a + b) ** 2 * (a + b + 1.0)) * one,
        },
        low=0.0,
        high=1.0,
    ),
    "t": Standard(
        {
            "logpdf": _t_logpdf,
            "cdf": lambda y, df: _sc().stdtr(df, y),
            "sf": lambda y, df: _sc().stdtr(df, -y),
            "ppf": _t_ppf,
            "isf": lambda p, df: -_t_ppf(p, df),
            "median": lambda one, df: 0.0 * one * df,
        }
    ),
    "uniform": Standard(
        {
            "pdf": lambda y: 1.0 + 0.0 * y,
            "cdf": lambda y: y,
            "ppf": lambda p: p,
            "mean": lambda one: one / 2.0,
            "var": lambda one: one / 12.0,
            "entropy": lambda one: 0.0 * one,
        },
        low=0.0,
        high=1.0,
    ),
    "laplace": Standard(
        {
            "pdf": lambda y: 0.5 * np.exp(-np.abs(y)),
            "cdf": _laplace_cdf,
            "sf": lambda y: _laplace_cdf(-y),
            "ppf": _laplace_ppf,
            "isf": lambda p: -_laplace_ppf(p),
            "mean": lambda one: 0.0 * one,
            "var": lambda one: 2.0 * one,
            "entropy": lambda one: np.log(_two(one)) + 1.0,
        }
    ),
    "logistic": Standard(
        {
            "logpdf": lambda y: _sc().log_expit(y) + _sc().log_expit(-y),
            "cdf": lambda y: _sc().expit(y),
            "sf": lambda y: _sc().expit(-y),
            "logcdf": lambda y: _sc().log_expit(y),
            "logsf": lambda y: _sc().log_expit(-y),
            "ppf": lambda p: _sc().logit(p),
            "isf": lambda p: -_sc().logit(p),
            "mean": lambda one: 0.0 * one,
            "var": lambda one: recorded_pi(one) * recorded_pi(one) / 3.0,
            "entropy": lambda one: 2.0 * one,
        }
    ),
    "lognorm": Standard(
        {
            "logpdf": _lognorm_logpdf,
            "cdf": lambda y, s: _sc().ndtr(np.log(y) / s),
            "sf": lambda y, s: _sc().ndtr(-(np.log(y) / s)),
            "logcdf": lambda y, s: _sc().log_ndtr(np.log(y) / s),
            "logsf": lambda y, s: _sc().log_ndtr(-(np.log(y) / s)),
            "ppf": lambda p, s: np.exp(s * _sc().ndtri(p)),
            "isf": lambda p, s: np.exp(-(s * _sc().ndtri(p))),
            "mean": lambda one, s: np.sqrt(np.exp(s * s)) * one,
            "var": lambda one, s: np.exp(s * s) * (np.exp(s * s) - 1.0) * one,
            "entropy": lambda one, s: 0.5 * (1.0 + np.log(2.0 * recorded_pi(one)) + 2.0 * np.log(s)),
        },
        low=0.0,
        open=True,
    ),
    "cauchy": Standard(
        {
            "pdf": lambda y: 1.0 / recorded_pi(y) / (1.0 + y * y),
            "logpdf": lambda y: -np.log(recorded_pi(y)) - np.log1p(y * y),
            "cdf": lambda y: np.arctan2(1.0, -y) / recorded_pi(y),
            "sf": lambda y: np.arctan2(1.0, y) / recorded_pi(y),
            "ppf": lambda p: of_kernel(-np.cos(recorded_pi(p) * p) / np.sin(recorded_pi(p) * p)),
            "isf": lambda p: of_kernel(np.cos(recorded_pi(p) * p) / np.sin(recorded_pi(p) * p)),
            "entropy": lambda one: np.log(4.0 * recorded_pi(one)),
        }
    ),
    "chi2": Standard(
        {
            "logpdf": _chi2_logpdf,
            "cdf": lambda y, df: _sc().chdtr(df, y),
            "sf": lambda y, df: _sc().chdtrc(df, y),
            "ppf": lambda p, df: 2.0 * _sc().gammaincinv(df / 2.0, p),
            "isf": lambda p, df: _sc().chdtri(df, p),
            "mean": lambda one, df: df * one,
            "var": lambda one, df: 2.0 * df * one,
        },
        low=0.0,
    ),
    "f": Standard(
        {
            "logpdf": _f_logpdf,
            "cdf": lambda y, n, m: _sc().fdtr(n, m, y),
            "sf": lambda y, n, m: _sc().fdtrc(n, m, y),
            "ppf": lambda p, n, m: _sc().fdtri(n, m, p),
        },
        low=0.0,
    ),
    "weibull_min": Standard(
        {
            "pdf": lambda y, c: c * y ** (c - 1.0) * np.exp(-(y**c)),
            "logpdf": lambda y, c: np.log(c) + _sc().xlogy(c - 1.0, y) - y**c,
            "cdf": lambda y, c: -np.expm1(-(y**c)),
            "sf": lambda y, c: np.exp(-(y**c)),
            "logsf": lambda y, c: -(y**c),
            "ppf": lambda p, c: (-np.log1p(-p)) ** (1.0 / c),
            "isf": lambda p, c: (-np.log(p)) ** (1.0 / c),
        },
        low=0.0,
    ),
    "pareto": Standard(
        {
            "pdf": lambda y, b: b * y ** (-b - 1.0),
            "cdf": lambda y, b: 1.0 - y ** (-b),
            "sf": lambda y, b: y ** (-b),
            "ppf": lambda p, b: (1.0 - p) ** (-1.0 / b),
            "isf": lambda p, b: p ** (-1.0 / b),
            "entropy": lambda one, b: 1.0 + 1.0 / b - np.log(b),
        },
        low=1.0,
    ),
    "halfnorm": Standard(
        {
            "pdf": lambda y: np.sqrt(2.0 / recorded_pi(y)) * np.exp(-y * y / 2.0),
            "logpdf": lambda y: 0.5 * np.log(2.0 / recorded_pi(y)) - y * y / 2.0,
            "cdf": lambda y: _sc().erf(y / np.sqrt(_two(y))),
            "sf": lambda y: 2.0 * _sc().ndtr(-y),
            "ppf": lambda p: _sc().ndtri((1.0 + p) / 2.0),
            "isf": lambda p: -_sc().ndtri(p / 2.0),
            "mean": lambda one: np.sqrt(2.0 / recorded_pi(one)),
            "var": lambda one: 1.0 - 2.0 / recorded_pi(one),
            "entropy": lambda one: 0.5 * np.log(recorded_pi(one) / 2.0) + 0.5,
        },
        low=0.0,
    ),
    "invgamma": Standard(
        {
            "logpdf": lambda y, a: -(a + 1.0) * np.log(y) - _sc().gammaln(a) - 1.0 / y,
            "cdf": lambda y, a: _sc().gammaincc(a, 1.0 / y),
            "sf": lambda y, a: _sc().gammainc(a, 1.0 / y),
            "ppf": lambda p, a: 1.0 / _sc().gammainccinv(a, p),
            "isf": lambda p, a: 1.0 / _sc().gammaincinv(a, p),
        },
        low=0.0,
        open=True,
    ),
    "gumbel_r": Standard(
        {
            "logpdf": lambda y: -y - np.exp(-y),
            "cdf": lambda y: np.exp(-np.exp(-y)),
            "logcdf": lambda y: -np.exp(-y),
            "sf": lambda y: -np.expm1(-np.exp(-y)),
            "ppf": lambda p: -np.log(-np.log(p)),
            "isf": lambda p: -np.log(-np.log1p(-p)),
            "var": lambda one: recorded_pi(one) * recorded_pi(one) / 6.0,
        }
    ),
    "gumbel_l": Standard(
        {
            "logpdf": lambda y: y - np.exp(y),
            "cdf": lambda y: -np.expm1(-np.exp(y)),
            "sf": lambda y: np.exp(-np.exp(y)),
            "logsf": lambda y: -np.exp(y),
            "ppf": lambda p: np.log(-np.log1p(-p)),
            "isf": lambda p: np.log(-np.log(p)),
            "var": lambda one: recorded_pi(one) * recorded_pi(one) / 6.0,
        }
    ),
    "poisson": Standard(
        {
            "logpdf": lambda k, mu: _sc().xlogy(k, mu) - _sc().gammaln(k + 1.0) - mu,
            "cdf": lambda k, mu: _sc().gammaincc(k + 1.0, mu),
            "sf": lambda k, mu: _sc().gammainc(k + 1.0, mu),
            "mean": lambda one, mu: mu * one,
            "var": lambda one, mu: mu * one,
        },
        low=0.0,
        whole=True,
    ),
    "binom": Standard(_binom(lambda n, p: (n, p)), low=0.0, high=(0,), whole=True),
    "bernoulli": Standard(_binom(lambda p: (1.0, p)), low=0.0, high=1.0, whole=True),
    "nbinom": Standard(
        {
            "logpdf": _nbinom_logpmf,
            "pdf": lambda k, n, p: of_kernel(np.exp(_nbinom_logpmf(k, n, p))),
            "cdf": lambda k, n, p: of_kernel(_sc().betainc(n, k + 1.0, p)),
            "sf": lambda k, n, p: of_kernel(_sc().betaincc(n, k + 1.0, p)),
            "mean": lambda one, n, p: of_kernel(n * (1.0 - p) / p * one),
            "var": lambda one, n, p: of_kernel(n * (1.0 - p) / (p * p) * one),
        },
        low=0.0,
        whole=True,
    ),
    "geom": Standard(
        {
            "logpdf": lambda k, p: _sc().xlog1py(k - 1.0, -p) + np.log(p),
            "pdf": lambda k, p: (1.0 - p) ** (k - 1.0) * p,
            "cdf": lambda k, p: -np.expm1(np.log1p(-p) * k),
            "sf": lambda k, p: np.exp(k * np.log1p(-p)),
            "logsf": lambda k, p: k * np.log1p(-p),
            "mean": lambda one, p: 1.0 / p * one,
            "var": lambda one, p: (1.0 - p) / p / p * one,
        },
        low=1.0,
        whole=True,
    ),
}
