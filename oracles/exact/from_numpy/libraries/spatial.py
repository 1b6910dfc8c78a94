"""scipy.spatial's distances: of sets of points in float64, whatever these are in."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.standard import as_given, as_it_ran
from oracles.exact.from_numpy.making import as_array
from oracles.exact.from_numpy.nested import holds_traced
from oracles.exact.from_numpy.refusals import unsupported


def _weighted(terms: Any, w: Any) -> Any:
    return terms if w is None else w * terms


def _minkowski(u: Any, v: Any, p: Any = 2, w: Any = None) -> Any:
    if holds_traced(p):
        raise unsupported("a distance of scipy.spatial with a recorded p")
    root = w if w is None or p == 1 else (w != 0) if np.isinf(p) else w ** (1 / p)
    return np.linalg.norm(_weighted(u - v, root), p, axis=-1)


def _of_order(p: float) -> Callable[..., Any]:
    return lambda u, v, w=None: _minkowski(u, v, p, w)


def _squared(u: Any, v: Any, w: Any = None) -> Any:
    return np.sum(_weighted((u - v) * (u - v), w), axis=-1)


def _correlation(u: Any, v: Any, w: Any = None, centered: bool = True) -> Any:
    if centered:
        u, v = (x - _mean(x, w) for x in (u, v))
    uv, uu, vv = (np.sum(_weighted(x * y, w), axis=-1) for x, y in ((u, v), (u, u), (v, v)))
    return 1.0 - uv / np.sqrt(uu * vv)


def _mean(x: Any, w: Any) -> Any:
    if w is None:
        return np.mean(x, axis=-1, keepdims=True)
    return np.sum(w * x, axis=-1, keepdims=True) / np.sum(w)


def _mahalanobis(u: Any, v: Any, VI: Any) -> Any:
    return np.sqrt(np.sum((u - v) @ np.atleast_2d(VI) * (u - v), axis=-1))


def _canberra(u: Any, v: Any, w: Any = None) -> Any:
    """Of two zeros it is 0."""
    u, v = np.broadcast_arrays(u, v.astype(np.float64))
    total = np.abs(u) + np.abs(v)
    shares = np.abs(u - v) / np.where(total == 0, 1.0, total)
    return np.sum(_weighted(shares, w), axis=-1)


def _braycurtis(u: Any, v: Any, w: Any = None) -> Any:
    v = v.astype(np.float64)
    differences, sums = (np.sum(_weighted(np.abs(x), w), axis=-1) for x in (u - v, u + v))
    return differences / sums


def _jensenshannon(p: Any, q: Any, base: Any = None, *, axis: int = 0, keepdims: bool = False) -> Any:
    """The root of half of what both are away from their mean, as shares of a whole."""
    rel_entr = import_module("scipy.special").rel_entr
    p, q = (x / np.sum(x, axis=axis, keepdims=True) for x in (p, q))
    mean = (p + q) / 2.0
    found = sum(np.sum(rel_entr(x, mean), axis=axis, keepdims=keepdims) for x in (p, q))
    return np.sqrt((found if base is None else found / np.log(base)) / 2.0)


# Along the last axis of points.
METRICS: dict[str, Callable[..., Any]] = {
    "euclidean": _of_order(2),
    "sqeuclidean": _squared,
    "cityblock": _of_order(1),
    "chebyshev": _of_order(np.inf),
    "minkowski": _minkowski,
    "seuclidean": lambda u, v, V: _minkowski(u, v, w=1.0 / V),
    "mahalanobis": _mahalanobis,
    "cosine": lambda u, v, w=None: _correlation(u, v, w, centered=False),
    "correlation": lambda u, v, w=None: _correlation(u, v, w),
    "canberra": _canberra,
    "braycurtis": _braycurtis,
    "jensenshannon": lambda u, v: _jensenshannon(u, v, axis=-1),
}
# As SciPy calls them too.
NAMES = {name: name for name in METRICS} | {
    **dict.fromkeys(("euclid", "eu", "e"), "euclidean"),
    **dict.fromkeys(("sqe", "sqeuclid"), "sqeuclidean"),
    **dict.fromkeys(("cblock", "cb", "c"), "cityblock"),
    **dict.fromkeys(("chebychev", "cheby", "cheb", "ch"), "chebyshev"),
    **dict.fromkeys(("m", "mi", "pnorm"), "minkowski"),
    **dict.fromkeys(("s", "se"), "seuclidean"),
    **dict.fromkeys(("mah", "mahal"), "mahalanobis"),
    "cos": "cosine",
    "co": "correlation",
    "js": "jensenshannon",
}
# What is computed of all points where it is not given.
OF_ALL: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "seuclidean": ("V", lambda points: np.var(points, axis=0, ddof=1)),
    "mahalanobis": ("VI", lambda points: np.linalg.inv(np.atleast_2d(np.cov(points.T))).T),
}


def _float64(x: Any) -> Any:
    return None if x is None else as_array(x).astype(np.float64)


def _metric(named: Any, points: list[Any], out: Any, options: dict[str, Any]) -> Callable[..., Any]:
    called = getattr(named, "__name__", named)
    name = NAMES.get(called.lower() if isinstance(called, str) else called)
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


def _cdist(XA: Any, XB: Any, metric: Any = "euclidean", *, out: Any = None, **options: Any) -> Any:
    a, b = _float64(XA), _float64(XB)
    return _metric(metric, [a, b], out, options)(a[:, None, :], b[None, :, :])


def _pdist(X: Any, metric: Any = "euclidean", *, out: Any = None, **options: Any) -> Any:
    x = _float64(X)
    rows, columns = np.triu_indices(len(x), 1)
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
    "correlation": _between("correlation", _correlation),
    "jensenshannon": _between("jensenshannon", _jensenshannon),
}
SPATIAL: dict[str, Callable[..., Any]] = {"distance_matrix": _distance_matrix}
