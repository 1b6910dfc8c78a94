"""The normal distribution between two ends, which are its shapes; either may be infinite."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.standard import Standard, sc, standard_logpdf


def _is_endless(end: Any, sign: float) -> bool:
    """Whether it is infinite, as (inf - loc) / scale is, which is recorded."""
    return bool(np.all(np.isposinf(sign * end)))


def _log_mass(a: Any, b: Any) -> Any:
    """The logarithm of the share of the normal distribution between a and b, by the tail that is near."""
    if _is_endless(b, 1.0):
        return np.where(a > 0, sc().log_ndtr(-a), np.log1p(-sc().ndtr(a)))
    if _is_endless(a, -1.0):
        return np.where(b <= 0, sc().log_ndtr(b), np.log1p(-sc().ndtr(-b)))
    between = np.log1p(-sc().ndtr(a) - sc().ndtr(-b))
    return np.where(b <= 0, _log_of_tail(a, b), np.where(a > 0, _log_of_tail(-b, -a), between))


def _log_of_tail(a: Any, b: Any) -> Any:
    """The same where both ends lie far to the left."""
    far, near = sc().log_ndtr(a), sc().log_ndtr(b)
    return near + np.log1p(-np.exp(far - near))


def _logpdf(y: Any, a: Any, b: Any) -> Any:
    return standard_logpdf(y) - _log_mass(a, b)


def _logcdf(y: Any, a: Any, b: Any) -> Any:
    return _log_mass(a, y) - _log_mass(a, b)


def _logsf(y: Any, a: Any, b: Any) -> Any:
    return _log_mass(y, b) - _log_mass(a, b)


TRUNCATED = Standard(
    {
        "logpdf": _logpdf,
        "logcdf": _logcdf,
        "logsf": _logsf,
        "cdf": lambda y, a, b: np.exp(_logcdf(y, a, b)),
        "sf": lambda y, a, b: np.exp(_logsf(y, a, b)),
    },
    low=(0,),
    high=(1,),
)
