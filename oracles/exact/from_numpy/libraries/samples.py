"""scipy.stats' functions of samples: means, moments and entropies of rows of numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.standard import Rule, as_given, as_it_ran, sc
from oracles.exact.from_numpy.making import as_array
from oracles.exact.from_numpy.refusals import unsupported

ROWS = frozenset({"a", "weights", "pk", "qk"})  # the parameters that are samples


def _statistic(name: str, rule: Rule) -> Callable[..., Any]:
    """What a rule gives of rows along the last axis, for any axes, in the dtype that SciPy gives."""

    def function(*args: Any, **kwargs: Any) -> Any:
        given = as_it_ran("scipy.stats", name, args, kwargs)
        said = inspect.signature(getattr(import_module("scipy.stats"), name)).bind(*args, **kwargs)
        said.apply_defaults()
        known = {key: value for key, value in said.arguments.items() if key != "keepdims"}
        _refuse_missing(name, known.pop("nan_policy", "propagate"))
        axis = known.pop("axis")
        arrays = {key: as_array(x) for key, x in known.items() if key in ROWS and x is not None}
        together = np.broadcast_arrays(*arrays.values())
        found = rule(**known | {key: rows_of(x, axis) for key, x in zip(arrays, together, strict=True)})
        found = found if found.shape == np.shape(given) else found.reshape(np.shape(given))
        return as_given(found, given)

    return function


def _refuse_missing(name: str, policy: Any) -> None:
    if policy != "propagate":
        raise unsupported(f"scipy.stats.{name} with nan_policy={policy!r}")


def rows_of(x: Any, axis: Any) -> Any:
    """With these axes as the last one."""
    if axis is None:
        return x.ravel()
    axes = [int(a) for a in np.atleast_1d(axis)]
    last = range(-len(axes), 0)
    moved = np.moveaxis(x, axes, list(last))
    return moved.reshape(*moved.shape[: -len(axes)], -1)


# -- means ------------------------------------------------------------------------------------------------


def _mean(x: Any, dtype: Any, weights: Any) -> Any:
    if weights is None:
        return np.mean(x, axis=-1)
    weights = weights if dtype is None else weights.astype(dtype)
    return np.sum(weights * x, axis=-1) / np.sum(weights, axis=-1)


def _geometric(a: Any, dtype: Any = None, weights: Any = None) -> Any:
    return np.exp(_mean(np.log(a if dtype is None else a.astype(dtype)), dtype, weights))


def _harmonic(a: Any, dtype: Any = None, weights: Any = None) -> Any:
    return 1.0 / _mean(1.0 / (a if dtype is None else a.astype(dtype)), dtype, weights)


def _power(a: Any, p: Any, dtype: Any = None, weights: Any = None) -> Any:
    if p == 0:
        return _geometric(a, dtype, weights)
    return _mean((a if dtype is None else a.astype(dtype)) ** float(p), dtype, weights) ** (1 / p)


# -- moments ----------------------------------------------------------------------------------------------


def _central(a: Any, order: int, center: Any = None) -> Any:
    """The mean of a power of the distances from the mean, or from another number."""
    a = a if a.dtype.kind == "f" else a.astype(np.float64)
    if order < 2 and center is None:
        return np.mean(0 * a + float(order == 0), axis=-1)
    away = a - (np.mean(a, axis=-1, keepdims=True) if center is None else center)
    return np.mean(away ** int(order), axis=-1)


def _moment(a: Any, order: Any = 1, center: Any = None) -> Any:
    found = [_central(a, int(one), center) for one in np.atleast_1d(order)]
    return np.stack(found) if np.ndim(order) else found[0]


def _skew(a: Any, bias: bool = True) -> Any:
    n, found = a.shape[-1], _central(a, 3) / _central(a, 2) ** 1.5
    return found if bias or n <= 2 else ((n - 1.0) * n) ** 0.5 / (n - 2.0) * found


def _kurtosis(a: Any, fisher: bool = True, bias: bool = True) -> Any:
    n, found = a.shape[-1], _central(a, 4) / _central(a, 2) ** 2.0
    if not bias and n > 3:
        found = 1.0 / (n - 2) / (n - 3) * ((n**2 - 1.0) * found - 3 * (n - 1) ** 2.0) + 3.0
    return found - 3 if fisher else found


def _variation(a: Any, ddof: Any = 0) -> Any:
    return np.std(a, axis=-1, ddof=ddof) / np.mean(a, axis=-1)


def _sem(a: Any, ddof: Any = 1) -> Any:
    return np.std(a, axis=-1, ddof=ddof) / a.shape[-1] ** 0.5


def _entropy(pk: Any, qk: Any = None, base: Any = None) -> Any:
    """Of shares of a whole, or how far these are from others."""
    p, *q = (x / np.sum(x, axis=-1, keepdims=True) for x in (pk, qk) if x is not None)
    found = np.sum(sc().rel_entr(p, *q) if q else sc().entr(p), axis=-1)
    return found if base is None else found / np.log(base)


def _zmap(scores: Any, compare: Any, axis: Any = 0, ddof: Any = 0, nan_policy: str = "propagate") -> Any:
    _refuse_missing("zmap", nan_policy)
    scores, compare = as_array(scores), as_array(compare)
    mean = np.mean(compare, axis=axis, keepdims=True)
    return (scores - mean) / np.std(compare, axis=axis, ddof=ddof, keepdims=True)


_RULES: dict[str, Rule] = {
    "gmean": _geometric,
    "hmean": _harmonic,
    "pmean": _power,
    "moment": _moment,
    "skew": _skew,
    "kurtosis": _kurtosis,
    "variation": _variation,
    "sem": _sem,
    "entropy": _entropy,
}
SAMPLES: dict[str, Callable[..., Any]] = {
    **{name: _statistic(name, rule) for name, rule in _RULES.items()},
    "zscore": lambda a, *args, **kwargs: _zmap(a, a, *args, **kwargs),
    "zmap": _zmap,
}
