"""scipy.spatial's distances: of sets of points in float64, whatever these are in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.nested import holds_traced
from oracles.exact.from_numpy.refusals import unsupported


def _points(x: Any) -> Any:
    return (x if holds_traced(x) else np.asarray(x)).astype(np.float64)


# Of differences of points, along the last axis.
METRICS: dict[str, Callable[[Any], Any]] = {
    "euclidean": lambda d: np.linalg.norm(d, axis=-1),
    "sqeuclidean": lambda d: np.sum(d * d, axis=-1),
    "cityblock": lambda d: np.sum(np.abs(d), axis=-1),
    "chebyshev": lambda d: np.max(np.abs(d), axis=-1),
}
# As SciPy calls them too.
NAMES = {name: name for name in METRICS} | {
    **dict.fromkeys(("euclid", "eu", "e"), "euclidean"),
    **dict.fromkeys(("sqe", "sqeuclid"), "sqeuclidean"),
    **dict.fromkeys(("cblock", "cb", "c"), "cityblock"),
    **dict.fromkeys(("chebychev", "cheby", "cheb", "ch"), "chebyshev"),
}


def _metric(named: Any, **more: Any) -> Callable[[Any], Any]:
    name = getattr(named, "__name__", named)
    if name not in NAMES or any(v is not None for v in more.values()):
        known = ", ".join(METRICS)
        raise unsupported(f"a distance of scipy.spatial with metric={name!r} or options; known are {known}")
    return METRICS[NAMES[name]]


def _cdist(XA: Any, XB: Any, metric: Any = "euclidean", *, out: Any = None, **more: Any) -> Any:
    a, b = _points(XA), _points(XB)
    return _metric(metric, out=out, **more)(a[:, None, :] - b[None, :, :])


def _pdist(X: Any, metric: Any = "euclidean", *, out: Any = None, **more: Any) -> Any:
    x = _points(X)
    rows, columns = np.triu_indices(len(x), 1)
    return _metric(metric, out=out, **more)(x[rows] - x[columns])


def _squareform(X: Any, force: str = "no", checks: bool = True) -> Any:
    """Distances of pairs as a matrix with zeros on its diagonal, or back."""
    n = len(X) if X.ndim == 2 else round((1 + np.sqrt(1 + 8 * len(X))) / 2)
    rows, columns = np.triu_indices(n, 1)
    if X.ndim == 2 and force.lower() not in {"tomatrix"}:
        return X[rows, columns]
    places = np.full((n, n), len(X))
    places[rows, columns] = places[columns, rows] = np.arange(len(rows))
    return np.concatenate([X, np.zeros(1, X.dtype)])[places]


def _between(metric: str) -> Callable[..., Any]:
    def distance(u: Any, v: Any, w: Any = None) -> Any:
        return _metric(metric, w=w)(np.subtract(u, v))

    return distance


def _distance_matrix(x: Any, y: Any, p: Any = 2, threshold: Any = None) -> Any:
    if p not in (1, 2):
        raise unsupported(f"scipy.spatial.distance_matrix with p={p!r}")
    return _cdist(x, y, "euclidean" if p == 2 else "cityblock")


DISTANCE: dict[str, Callable[..., Any]] = {
    "cdist": _cdist,
    "pdist": _pdist,
    "squareform": _squareform,
    **{name: _between(name) for name in METRICS},
}
SPATIAL: dict[str, Callable[..., Any]] = {"distance_matrix": _distance_matrix}
