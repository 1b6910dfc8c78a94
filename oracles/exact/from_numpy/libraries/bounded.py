"""Distributions whose support has an end, with loc 0 and scale 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.extreme_values import PARETO
from oracles.exact.from_numpy.libraries.standard import Rule, Standard, of_kernel, recorded_pi, sc, two
from oracles.exact.from_numpy.libraries.truncated import TRUNCATED


def _gamma_logpdf(y: Any, a: Any) -> Any:
    return sc().xlogy(a - 1.0, y) - y - sc().gammaln(a)


def _beta_logpdf(y: Any, a: Any, b: Any) -> Any:
    return sc().xlog1py(b - 1.0, -y) + sc().xlogy(a - 1.0, y) - sc().betaln(a, b)


def _f_logpdf(y: Any, dfn: Any, dfd: Any) -> Any:
    n, m = 1.0 * dfn, 1.0 * dfd
    front = m / 2 * np.log(m) + n / 2 * np.log(n) + sc().xlogy(n / 2 - 1, y)
    return front - ((n + m) / 2 * np.log(m + n * y) + sc().betaln(n / 2, m / 2))


def _chi2_logpdf(y: Any, df: Any) -> Any:
    return sc().xlogy(df / 2.0 - 1, y) - y / 2.0 - sc().gammaln(df / 2.0) - np.log(two(y)) * df / 2.0


def _lognorm_logpdf(y: Any, s: Any) -> Any:
    return -(np.log(y) ** 2) / (2.0 * s**2) - np.log(s * y * np.sqrt(2.0 * recorded_pi(y)))


def _chi_logpdf(y: Any, df: Any) -> Any:
    front = np.log(two(y)) - 0.5 * np.log(two(y)) * df - sc().gammaln(0.5 * df)
    return front + sc().xlogy(df - 1.0, y) - 0.5 * y**2


def _maxwell_logpdf(y: Any) -> Any:
    return 0.5 * np.log(2.0 / recorded_pi(y)) + 2.0 * np.log(y) - 0.5 * y * y


def _invgauss_logpdf(y: Any, mu: Any) -> Any:
    return -0.5 * np.log(2.0 * recorded_pi(y)) - 1.5 * np.log(y) - (y / mu - 1.0) ** 2 / (2.0 * y)


def _invgauss_log(sign: float) -> Rule:
    """The logarithm of the share below y, by a sign of 1, or above."""

    def rule(y: Any, mu: Any) -> Any:
        fac = 1.0 / np.sqrt(y)
        a = sc().log_ndtr(sign * (fac * (y / mu - 1.0)))
        b = 2.0 / mu + sc().log_ndtr(-fac * (y / mu + 1.0))
        return a + np.log1p(sign * np.exp(b - a))

    return rule


BOUNDED: dict[str, Standard] = {
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
            "cdf": lambda y, a: sc().gammainc(a, y),
            "sf": lambda y, a: sc().gammaincc(a, y),
            "ppf": lambda p, a: sc().gammaincinv(a, p),
            "isf": lambda p, a: sc().gammainccinv(a, p),
            "mean": lambda one, a: a * one,
            "var": lambda one, a: a * one,
            "entropy": lambda one, a: of_kernel((1.0 - a) * sc().psi(a) + a + sc().gammaln(a) * one),
        },
        low=0.0,
    ),
    "beta": Standard(
        {
            "logpdf": _beta_logpdf,
            "pdf": lambda y, a, b: of_kernel(np.exp(_beta_logpdf(y, a, b))),
            "cdf": lambda y, a, b: sc().betainc(a, b, y),
            "sf": lambda y, a, b: sc().betaincc(a, b, y),
            "ppf": lambda p, a, b: sc().betaincinv(a, b, p),
            "isf": lambda p, a, b: 1.0 - sc().betaincinv(b, a, p),
            "mean": lambda one, a, b: a / (a + b) * one,
            "var": lambda one, a, b: a * b / ((a + b) ** 2 * (a + b + 1.0)) * one,
        },
        low=0.0,
        high=1.0,
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
    "lognorm": Standard(
        {
            "logpdf": _lognorm_logpdf,
            "cdf": lambda y, s: sc().ndtr(np.log(y) / s),
            "sf": lambda y, s: sc().ndtr(-(np.log(y) / s)),
            "logcdf": lambda y, s: sc().log_ndtr(np.log(y) / s),
            "logsf": lambda y, s: sc().log_ndtr(-(np.log(y) / s)),
            "ppf": lambda p, s: np.exp(s * sc().ndtri(p)),
            "isf": lambda p, s: np.exp(-(s * sc().ndtri(p))),
            "mean": lambda one, s: np.sqrt(np.exp(s * s)) * one,
            "var": lambda one, s: np.exp(s * s) * (np.exp(s * s) - 1.0) * one,
            "entropy": lambda one, s: 0.5 * (1.0 + np.log(2.0 * recorded_pi(one)) + 2.0 * np.log(s)),
        },
        low=0.0,
        open=True,
    ),
    "chi2": Standard(
        {
            "logpdf": _chi2_logpdf,
            "cdf": lambda y, df: sc().chdtr(df, y),
            "sf": lambda y, df: sc().chdtrc(df, y),
            "ppf": lambda p, df: 2.0 * sc().gammaincinv(df / 2.0, p),
            "isf": lambda p, df: sc().chdtri(df, p),
            "mean": lambda one, df: df * one,
            "var": lambda one, df: 2.0 * df * one,
        },
        low=0.0,
    ),
    "f": Standard(
        {
            "logpdf": _f_logpdf,
            "cdf": lambda y, n, m: sc().fdtr(n, m, y),
            "sf": lambda y, n, m: sc().fdtrc(n, m, y),
            "ppf": lambda p, n, m: sc().fdtri(n, m, p),
        },
        low=0.0,
    ),
    "weibull_min": Standard(
        {
            "pdf": lambda y, c: c * y ** (c - 1.0) * np.exp(-(y**c)),
            "logpdf": lambda y, c: np.log(c) + sc().xlogy(c - 1.0, y) - y**c,
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
            "cdf": lambda y: sc().erf(y / np.sqrt(two(y))),
            "sf": lambda y: 2.0 * sc().ndtr(-y),
            "ppf": lambda p: sc().ndtri((1.0 + p) / 2.0),
            "isf": lambda p: -sc().ndtri(p / 2.0),
            "mean": lambda one: np.sqrt(2.0 / recorded_pi(one)),
            "var": lambda one: 1.0 - 2.0 / recorded_pi(one),
            "entropy": lambda one: 0.5 * np.log(recorded_pi(one) / 2.0) + 0.5,
        },
        low=0.0,
    ),
    "invgamma": Standard(
        {
            "logpdf": lambda y, a: -(a + 1.0) * np.log(y) - sc().gammaln(a) - 1.0 / y,
            "cdf": lambda y, a: sc().gammaincc(a, 1.0 / y),
            "sf": lambda y, a: sc().gammainc(a, 1.0 / y),
            "ppf": lambda p, a: 1.0 / sc().gammainccinv(a, p),
            "isf": lambda p, a: 1.0 / sc().gammaincinv(a, p),
        },
        low=0.0,
        open=True,
    ),
    "rayleigh": Standard(
        {
            "logpdf": lambda y: np.log(y) - 0.5 * y * y,
            "cdf": lambda y: -np.expm1(-0.5 * y**2),
            "sf": lambda y: np.exp(-0.5 * y * y),
            "logsf": lambda y: -0.5 * y * y,
            "ppf": lambda p: np.sqrt(-2.0 * np.log1p(-p)),
            "isf": lambda p: np.sqrt(-2.0 * np.log(p)),
            "mean": lambda one: np.sqrt(recorded_pi(one) / 2.0),
            "var": lambda one: (4.0 - recorded_pi(one)) / 2.0,
        },
        low=0.0,
    ),
    "maxwell": Standard(
        {
            "pdf": lambda y: np.sqrt(2.0 / recorded_pi(y)) * y * y * np.exp(-y * y / 2.0),
            "logpdf": _maxwell_logpdf,
            "cdf": lambda y: sc().gammainc(1.5, y * y / 2.0),
            "sf": lambda y: sc().gammaincc(1.5, y * y / 2.0),
            "ppf": lambda p: np.sqrt(2.0 * sc().gammaincinv(1.5, p)),
            "isf": lambda p: np.sqrt(2.0 * sc().gammainccinv(1.5, p)),
            "mean": lambda one: 2.0 * np.sqrt(2.0 / recorded_pi(one)),
            "var": lambda one: 3.0 - 8.0 / recorded_pi(one),
        },
        low=0.0,
    ),
    "chi": Standard(
        {
            "logpdf": _chi_logpdf,
            "cdf": lambda y, df: sc().gammainc(0.5 * df, 0.5 * y**2),
            "sf": lambda y, df: sc().gammaincc(0.5 * df, 0.5 * y**2),
            "ppf": lambda p, df: np.sqrt(2.0 * sc().gammaincinv(0.5 * df, p)),
            "isf": lambda p, df: np.sqrt(2.0 * sc().gammainccinv(0.5 * df, p)),
        },
        low=0.0,
    ),
    "powerlaw": Standard(
        {
            "pdf": lambda y, a: a * y ** (a - 1.0),
            "logpdf": lambda y, a: np.log(a) + sc().xlogy(a - 1.0, y),
            "cdf": lambda y, a: y**a,
            "sf": lambda y, a: of_kernel(1.0 - y**a),
            "logcdf": lambda y, a: a * np.log(y),
            "ppf": lambda p, a: p ** (1.0 / a),
            "entropy": lambda one, a: 1.0 - 1.0 / a - np.log(a),
            "mean": lambda one, a: a / (a + 1.0) * one,
            "var": lambda one, a: a / (a + 2.0) / (a + 1.0) ** 2 * one,
        },
        low=0.0,
        high=1.0,
    ),
    "invgauss": Standard(
        {
            "logpdf": _invgauss_logpdf,
            "pdf": lambda y, mu: (
                1.0 / np.sqrt(2.0 * recorded_pi(y) * y**3.0) * np.exp(-1.0 / (2.0 * y) * (y / mu - 1.0) ** 2)
            ),
            "logcdf": _invgauss_log(1.0),
            "logsf": _invgauss_log(-1.0),
            "cdf": lambda y, mu: np.exp(_invgauss_log(1.0)(y, mu)),
            "sf": lambda y, mu: np.exp(_invgauss_log(-1.0)(y, mu)),
            "mean": lambda one, mu: mu * one,
            "var": lambda one, mu: mu**3 * one,
        },
        low=0.0,
        open=True,
    ),
    "truncnorm": TRUNCATED,
    "genpareto": PARETO,
}
