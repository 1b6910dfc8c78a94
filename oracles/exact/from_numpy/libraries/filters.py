"""scipy.signal's linear filters, each number of the result from those before it, and its trends."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.standard import as_it_ran, of_kernel
from oracles.exact.from_numpy.nested import holds_traced, values
from oracles.exact.from_numpy.refusals import unsupported


def _lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """a_0 y_n = sum_k b_k x_{n-k} - sum_{k>0} a_k y_{n-k}, by delays as SciPy keeps them (direct form II,
    transposed).

    The delays before the first number are `zi`, and then those after the last are returned too.
    """
    b, a, x = (v if holds_traced(v) else np.asarray(v) for v in (b, a, x))
    if np.result_type(*values((b, a, x))).name not in {"float32", "float64"}:
        raise unsupported("scipy.signal.lfilter of these dtypes; use float32 or float64")
    b, a = np.ravel(b), np.ravel(a)
    order = max(len(a), len(b)) - 1
    b, a = (np.concatenate([v, np.zeros(order + 1 - len(v), v.dtype)]) / a[0] for v in (b, a))
    along = np.moveaxis(x, axis, 0)
    state = np.zeros((order + 1, *along.shape[1:]), along.dtype)  # the last stays 0
    delays = list(state if zi is None else np.concatenate([np.moveaxis(zi, axis, 0), state[:1]]))
    found = []
    for now in along:
        out = delays[0] + b[0] * now
        delays = [delays[k + 1] + b[k + 1] * now - a[k + 1] * out for k in range(order)] + [delays[-1]]
        found.append(out)
    result = np.stack(found, axis)
    return result if zi is None else (result, np.stack(delays[:order], axis))


def _detrend(
    data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: bool = False
) -> Any:
    """Without the mean, or without the line that is nearest to the numbers between two breaks."""
    if overwrite_data:
        raise unsupported("scipy.signal.detrend with overwrite_data")
    if type in {"constant", "c"}:
        return data - np.mean(data, axis, keepdims=True)
    is_wide = data.dtype.kind in "fc" and data.dtype != np.float16
    x = np.moveaxis(data if is_wide else data.astype(np.float64), axis, -1)
    ends = np.unique([0, *np.ravel(bp), x.shape[-1]])
    parts = [_level(x[..., first:end]) for first, end in pairwise(ends)]
    given = as_it_ran("scipy.signal", "detrend", (data, axis, type, bp))
    return of_kernel(np.moveaxis(np.concatenate(parts, axis=-1), -1, axis), given)


def _level(x: Any) -> Any:
    n = x.shape[-1]
    left = x - np.mean(x, -1, keepdims=True)
    places = (np.arange(n) - (n - 1) / 2.0).astype(x.real.dtype)
    return left if n == 1 else left - np.sum(places * left, -1, keepdims=True) / np.sum(places**2) * places


FILTERS: dict[str, Callable[..., Any]] = {"lfilter": _lfilter, "detrend": _detrend}
