"""scipy.stats' correlation of two samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from oracles.exact.from_numpy.libraries.samples import rows_of
from oracles.exact.from_numpy.libraries.standard import as_given, as_it_ran, sc
from oracles.exact.from_numpy.making import as_array
from oracles.exact.from_numpy.refusals import opaque, unsupported


class Correlation(NamedTuple):
    """In place of SciPy's PearsonRResult."""

    statistic: Any
    pvalue: Any

    @property
    def correlation(self) -> Any:
        """As SciPy called it before."""
        return self.statistic

    def confidence_interval(self, *args: Any, **kwargs: Any) -> Any:
        """Not known."""
        raise opaque(
            "scipy.stats.pearsonr(...).confidence_interval of values that depend on the inputs has no rule"
        )


def _pearsonr(
    x: Any, y: Any, *, alternative: str = "two-sided", method: Any = None, axis: Any = 0
) -> Correlation:
    """The cosine between the distances from the means, and the share of those that are further from 0.

    With independent normal numbers it is distributed as a beta distribution between -1 and 1.
    """
    said = {"alternative": alternative, "method": method, "axis": axis}
    given = as_it_ran("scipy.stats", "pearsonr", (x, y), said)
    x, y = (rows_of(v, axis) for v in np.broadcast_arrays(as_array(x), as_array(y)))
    n = x.shape[-1]
    if method is not None or n == 2:
        raise unsupported("scipy.stats.pearsonr with a method, or of two numbers")
    x, y = (v - np.mean(v, axis=-1, keepdims=True) for v in (x, y))
    size = np.sqrt(np.sum(x * x, axis=-1)) * np.sqrt(np.sum(y * y, axis=-1))
    r = as_given(np.sum(x * y, axis=-1) / size, given.statistic)
    above = (-r if alternative == "less" else r if alternative == "greater" else np.abs(r)) / 2.0 + 0.5
    share = sc().betaincc(n / 2 - 1.0, n / 2 - 1.0, above)
    return Correlation(
        r, as_given(share if alternative in {"less", "greater"} else 2.0 * share, given.pvalue)
    )


CORRELATION: dict[str, Callable[..., Any]] = {"pearsonr": _pearsonr}
