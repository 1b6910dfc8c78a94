"""scipy.spatial's distances: of sets of points in float64, whatever these are in."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.metrics import METRICS, NAMES, correlation, jensenshannon
from oracles.exact.from_numpy.libraries.standard import as_given, as_it_ran
from oracles.exact.from_numpy.making import as_array
from oracles.exact.from_numpy.refusals import unsupported

# What is computed of all points where it is not given.
OF_ALL: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "seuclidean": ("V", lambda points: np.var(points, axis=0, ddof=1)),
    "mahalanobis": ("VI", lambda points: np.linalg.inv(np.atleast_2d(np.cov(points.T))).T),
}


def _float64(x: Any) -> Any:
    return None if x is None else as_array(x).astype(np.float64)


def _name_of(metric: Any) -> str | None:
    """SciPy's name of one of its own: another function may have the same name."""
    if isinstance(metric, str):
        return NAMES.get(metric.lower())
    own = import_module("scipy.spatial.distance")
    return next((name for name in METRICS if metric == getattr(own, name)), None)


def _metric(metric: Any, points: list[Any], out: Any, options: dict[str, Any]) -> Callable[..., Any]:
    name, called = _name_of(metric), getattr(metric, "__name__", metric)
    rule = METRICS.get(name or "")
    if rule is None or out is not None or options.keys() - inspect.signature(rule).parameters:
        known = ", ".join(METRICS)
        raise unsupported(f"a distance of scipy.spatial with metric={called!r} or options; known are {known}")
    options = {key: x if key == "p" else _float64(x) for key, x in options.items()}
    if name in OF_ALL:
        key, default = OF_ALL[name]
        if options.get(key) is None:
            options[key] = default(np.concatenate(points))
    return partial(rule, **options)


def _pair_by_pair(metric: Any, out: Any, options: dict[str, Any]) -> Callable[..., Any] | None:
    """By a function of the user's of two points; None if it is SciPy's."""
    if out is not None or not callable(metric) or _name_of(metric):
        return None

    def rule(u: Any, v: Any) -> Any:
        u, v = (x.reshape(-1, x.shape[-1]) for x in np.broadcast_arrays(u, v))
        return as_array([metric(p, q, **options) for p, q in zip(u, v, strict=True)]).astype(np.float64)

    return rule


def _cdist(XA: Any, XB: Any, metric: Any = "euclidean", *, out: Any = None, **options: Any) -> Any:
    a, b = as_array(XA), as_array(XB)
    if own := _pair_by_pair(metric, out, options):
        return own(a[:, None, :], b[None, :, :]).reshape(len(a), len(b))
    a, b = _float64(a), _float64(b)
    return _metric(metric, [a, b], out, options)(a[:, None, :], b[None, :, :])


def _pdist(X: Any, metric: Any = "euclidean", *, out: Any = None, **options: Any) -> Any:
    x = as_array(X)
    rows, columns = np.triu_indices(len(x), 1)
    if own := _pair_by_pair(metric, out, options):
        return own(x[rows], x[columns])
    x = _float64(x)
    return _metric(metric, [x], out, options)(x[rows], x[columns])


def _squareform(X: Any, force: str = "no", checks: bool = True) -> Any:
    """Distances of pairs as a matrix with zeros on its diagonal, or back."""
    n = len(X) if X.ndim == 2 else round((1 + np.sqrt(1 + 8 * len(X))) / 2)
    rows, columns = np.triu_indices(n, 1)
    if X.ndim == 2 and force.lower() not in {"tomatrix"}:
        return X[rows, columns]
    places = np.full((n, n), len(X))
    places[rows, columns] = places[columns, rows] = np.arange(len(rows))
    return np.concatenate([X, np.zeros(1, X.dtype)])[places]


def _between(name: str, rule: Callable[..., Any]) -> Callable[..., Any]:
    """Of two points: the weights and the variances are in float64."""

    def distance(u: Any, v: Any, *args: Any, **kwargs: Any) -> Any:
        given = as_it_ran("scipy.spatial.distance", name, (u, v, *args), kwargs)
        said = inspect.signature(rule).bind(as_array(u), as_array(v), *args, **kwargs).arguments
        known = {key: _float64(x) if key in {"w", "V"} else x for key, x in said.items()}
        return as_given(rule(**known), given)

    return distance


def _distance_matrix(x: Any, y: Any, p: Any = 2, threshold: Any = None) -> Any:
    return _cdist(x, y, "minkowski", p=p)


DISTANCE: dict[str, Callable[..., Any]] = {
    "cdist": _cdist,
    "pdist": _pdist,
    "squareform": _squareform,
    **{name: _between(name, rule) for name, rule in METRICS.items()},
    "correlation": _between("correlation", correlation),
    "jensenshannon": _between("jensenshannon", jensenshannon),
}
SPATIAL: dict[str, Callable[..., Any]] = {"distance_matrix": _distance_matrix}
