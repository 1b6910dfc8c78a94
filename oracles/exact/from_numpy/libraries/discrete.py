"""Distributions of whole numbers, with loc 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.standard import Rule, Standard, of_kernel, sc


def _binom_logpmf(k: Any, n: Any, p: Any) -> Any:
    ways = sc().gammaln(n + 1.0) - (sc().gammaln(k + 1.0) + sc().gammaln(n - k + 1.0))
    return ways + sc().xlogy(k, p) + sc().xlog1py(n - k, -p)


def _nbinom_logpmf(k: Any, n: Any, p: Any) -> Any:
    ways = sc().gammaln(n + k) - sc().gammaln(k + 1.0) - sc().gammaln(n)
    return ways + n * np.log(p) + sc().xlog1py(k, -p)


def _binom(n_of: Callable[..., tuple[Any, Any]]) -> dict[str, Rule]:
    """Of the number of trials and the share of successes, which `n_of` gives from the shapes."""

    def given(function: Rule) -> Rule:
        return lambda k, *shapes: function(k, *n_of(*shapes))

    return {
        "logpdf": given(_binom_logpmf),
        "pdf": given(lambda k, n, p: of_kernel(np.exp(_binom_logpmf(k, n, p)))),
        "cdf": given(lambda k, n, p: of_kernel(sc().betaincc(k + 1.0, n - k, p))),
        "sf": given(lambda k, n, p: of_kernel(sc().betainc(k + 1.0, n - k, p))),
        "mean": given(lambda one, n, p: n * p * one),
        "var": given(lambda one, n, p: (n * p - n * p**2) * one),
    }


DISCRETE: dict[str, Standard] = {
    "poisson": Standard(
        {
            "logpdf": lambda k, mu: sc().xlogy(k, mu) - sc().gammaln(k + 1.0) - mu,
            "cdf": lambda k, mu: sc().gammaincc(k + 1.0, mu),
            "sf": lambda k, mu: sc().gammainc(k + 1.0, mu),
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
            "cdf": lambda k, n, p: of_kernel(sc().betainc(n, k + 1.0, p)),
            "sf": lambda k, n, p: of_kernel(sc().betaincc(n, k + 1.0, p)),
            "mean": lambda one, n, p: of_kernel(n * (1.0 - p) / p * one),
            "var": lambda one, n, p: of_kernel(n * (1.0 - p) / (p * p) * one),
        },
        low=0.0,
        whole=True,
    ),
    "geom": Standard(
        {
            "logpdf": lambda k, p: sc().xlog1py(k - 1.0, -p) + np.log(p),
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
