"""Distributions of extreme values, with loc 0 and scale 1: an end of the support moves with the shape c.

At c = 0 each formula has its limit, whose slope in c is another one than that of the number 0: a recorded
shape that is 0 is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.libraries.standard import Rule, Standard
from oracles.exact.from_numpy.refusals import unsupported


def _over(c: Any, function: Callable[[Any], Any], limit: Any) -> Any:
    """function(c) / c, and its limit at c = 0."""
    if not isinstance(c, TracedArray):
        return np.where(c == 0, limit, function(c) / np.where(c == 0, 1.0, c))
    if np.any(c == 0):
        raise unsupported("a distribution of extreme values with a recorded shape that is 0")
    return function(c) / c


def _log(y: Any, c: Any) -> Any:
    """log(1 + c y) / c."""
    return _over(c, lambda c: np.log1p(c * y), y)


def _exp(y: Any, c: Any) -> Any:
    """(e^(c y) - 1) / c."""
    return _over(c, lambda c: np.expm1(c * y), y)


def _within(side: int, rule: Rule, below: float, above: float) -> Rule:
    """Where 1 + side c y is positive the rule, and where it is not, what stands there."""

    def found(y: Any, c: Any) -> Any:
        inside = 1.0 + side * c * y > 0
        return np.where(inside, rule(np.where(inside, y, 0.0), c), np.where(y < 0, below, above))

    return found


def _standard(side: int, rules: dict[str, Rule], more: dict[str, Rule], low: float | None) -> Standard:
    ends = {"logpdf": (-np.inf, -np.inf), "logcdf": (-np.inf, 0.0), "logsf": (0.0, -np.inf)}
    ends |= {"pdf": (0.0, 0.0), "cdf": (0.0, 1.0), "sf": (1.0, 0.0)}
    return Standard({name: _within(side, rule, *ends[name]) for name, rule in rules.items()} | more, low=low)


def _density(y: Any, c: Any) -> Any:
    at = -_log(y, -c)
    return -np.exp(at) + at - np.log1p(-c * y)


PARETO = _standard(
    1,
    {
        "logpdf": lambda y, c: -(c + 1.0) * _log(y, c),
        "pdf": lambda y, c: np.exp(-(c + 1.0) * _log(y, c)),
        "cdf": lambda y, c: -np.expm1(-_log(y, c)),
        "sf": lambda y, c: np.exp(-_log(y, c)),
        "logcdf": lambda y, c: np.log(-np.expm1(-_log(y, c))),
        "logsf": lambda y, c: -_log(y, c),
    },
    {
        "ppf": lambda p, c: _exp(-np.log1p(-p), c),
        "isf": lambda p, c: _exp(-np.log(p), c),
        "entropy": lambda one, c: 1.0 + c * one,
    },
    low=0.0,
)
EXTREME = _standard(
    -1,
    {
        "logpdf": _density,
        "pdf": lambda y, c: np.exp(_density(y, c)),
        "cdf": lambda y, c: np.exp(-np.exp(-_log(y, -c))),
        "sf": lambda y, c: -np.expm1(-np.exp(-_log(y, -c))),
        "logcdf": lambda y, c: -np.exp(-_log(y, -c)),
        "logsf": lambda y, c: np.log(-np.expm1(-np.exp(-_log(y, -c)))),
    },
    {
        "ppf": lambda p, c: _exp(-np.log(-np.log(p)), -c),
        "isf": lambda p, c: _exp(-np.log(-np.log1p(-p)), -c),
    },
    low=None,
)
