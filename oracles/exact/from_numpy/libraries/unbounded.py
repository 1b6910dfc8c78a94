"""Distributions on the whole line, with loc 0 and scale 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.extreme_values import EXTREME
from oracles.exact.from_numpy.libraries.standard import (
    Standard,
    of_kernel,
    recorded_pi,
    sc,
    standard_logpdf,
    standard_pdf,
    two,
)


def _t_logpdf(y: Any, df: Any) -> Any:
    front = np.log(sc().poch(0.5 * df, 0.5)) - 0.5 * (np.log(df) + np.log(recorded_pi(y)))
    return front - (df + 1) / 2 * np.log1p(y * y / df)


def _t_ppf(p: Any, df: Any) -> Any:
    """Twice the smaller share is I_x(df/2, 1/2) at x = df / (df + t^2)."""
    x = sc().betaincinv(df / 2.0, 0.5, 2.0 * np.minimum(p, 1.0 - p))
    return of_kernel(np.where(p < 0.5, -1.0, 1.0) * np.sqrt(df * (1.0 - x) / x))


def _laplace_ppf(p: Any) -> Any:
    return np.where(p > 0.5, -np.log(2.0 * (1.0 - p)), np.log(2.0 * p))


def _laplace_cdf(y: Any) -> Any:
    return np.where(y > 0, 1.0 - 0.5 * np.exp(-y), 0.5 * np.exp(y))


UNBOUNDED: dict[str, Standard] = {
    "norm": Standard(
        {
            "pdf": standard_pdf,
            "logpdf": standard_logpdf,
            "cdf": lambda y: sc().ndtr(y),
            "sf": lambda y: sc().ndtr(-y),
            "logcdf": lambda y: sc().log_ndtr(y),
            "logsf": lambda y: sc().log_ndtr(-y),
            "ppf": lambda p: sc().ndtri(p),
            "isf": lambda p: -sc().ndtri(p),
            "mean": lambda one: 0.0 * one,
            "var": lambda one: one,
            "entropy": lambda one: 0.5 * (np.log(2.0 * recorded_pi(one)) + 1.0),
        }
    ),
    "t": Standard(
        {
            "logpdf": _t_logpdf,
            "cdf": lambda y, df: sc().stdtr(df, y),
            "sf": lambda y, df: sc().stdtr(df, -y),
            "ppf": _t_ppf,
            "isf": lambda p, df: -_t_ppf(p, df),
            "median": lambda one, df: 0.0 * one * df,
        }
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
            "entropy": lambda one: np.log(two(one)) + 1.0,
        }
    ),
    "logistic": Standard(
        {
            "logpdf": lambda y: sc().log_expit(y) + sc().log_expit(-y),
            "cdf": lambda y: sc().expit(y),
            "sf": lambda y: sc().expit(-y),
            "logcdf": lambda y: sc().log_expit(y),
            "logsf": lambda y: sc().log_expit(-y),
            "ppf": lambda p: sc().logit(p),
            "isf": lambda p: -sc().logit(p),
            "mean": lambda one: 0.0 * one,
            "var": lambda one: recorded_pi(one) * recorded_pi(one) / 3.0,
            "entropy": lambda one: 2.0 * one,
        }
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
    "genextreme": EXTREME,
    "skewnorm": Standard(
        {
            "pdf": lambda y, a: 2.0 * standard_pdf(y) * sc().ndtr(a * y),
            "logpdf": lambda y, a: np.log(two(y)) + standard_logpdf(y) + sc().log_ndtr(a * y),
        }
    ),
    "vonmises": Standard(
        {
            "pdf": lambda y, k: np.exp(k * sc().cosm1(y)) / (2.0 * recorded_pi(y) * sc().i0e(k)),
            "logpdf": lambda y, k: k * sc().cosm1(y) - np.log(2.0 * recorded_pi(y)) - np.log(sc().i0e(k)),
        }
    ),
}
