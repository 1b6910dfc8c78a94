"""What scipy.spatial's distances are, along the last axis of points."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

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


def correlation(u: Any, v: Any, w: Any = None, centered: bool = True) -> Any:
    """One minus the cosine between the two, or between their distances from their means."""
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


def jensenshannon(p: Any, q: Any, base: Any = None, *, axis: int = 0, keepdims: bool = False) -> Any:
    """The root of half of what both are away from their mean, as shares of a whole."""
    rel_entr = import_module("scipy.special").rel_entr
    p, q = (x / np.sum(x, axis=axis, keepdims=True) for x in (p, q))
    mean = (p + q) / 2.0
    found = sum(np.sum(rel_entr(x, mean), axis=axis, keepdims=keepdims) for x in (p, q))
    return np.sqrt((found if base is None else found / np.log(base)) / 2.0)


METRICS: dict[str, Callable[..., Any]] = {
    "euclidean": _of_order(2),
    "sqeuclidean": _squared,
    "cityblock": _of_order(1),
    "chebyshev": _of_order(np.inf),
    "minkowski": _minkowski,
    "seuclidean": lambda u, v, V: _minkowski(u, v, w=1.0 / V),
    "mahalanobis": _mahalanobis,
    "cosine": lambda u, v, w=None: correlation(u, v, w, centered=False),
    "correlation": lambda u, v, w=None: correlation(u, v, w),
    "canberra": _canberra,
    "braycurtis": _braycurtis,
    "jensenshannon": lambda u, v: jensenshannon(u, v, axis=-1),
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
