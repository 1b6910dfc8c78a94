"""Functions of a row of numbers, or of two rows, in torch and JAX, each beside mpmath's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp  # type: ignore[import-untyped]

from tests.power.function import Call, Function


def _sum(*x: Any) -> Any:
    return mp.fsum(x)


def _mean(*x: Any) -> Any:
    return mp.fsum(x) / len(x)


def _squares(*x: Any) -> Any:
    """The sum of the squares of the distances from the mean."""
    return mp.fsum((v - _mean(*x)) ** 2 for v in x)


def _log_sum_exp(*x: Any) -> Any:
    return max(x) + mp.log(mp.fsum(mp.exp(v - max(x)) for v in x))


def _norm(p: float, root: Any = None) -> Callable[..., Any]:
    root = 1 / mp.mpf(p) if root is None else root
    return lambda *x: mp.fsum(abs(v) ** mp.mpf(p) for v in x) ** root


def _normalized(epsilon: float) -> Callable[..., Any]:
    """The first number less the mean, by the standard deviation."""
    return lambda *x: (x[0] - _mean(*x)) / mp.sqrt(_squares(*x) / len(x) + mp.mpf(epsilon))


def _rms(*x: Any) -> Any:
    return x[0] / mp.sqrt(mp.fsum(v * v for v in x) / len(x) + mp.mpf(2) ** -52)


def _cosine(a: Any, b: Any, c: Any, d: Any) -> Any:
    sizes = (max(mp.hypot(*row), mp.mpf(1e-8)) for row in ((a, b), (c, d)))
    return (a * c + b * d) / mp.fprod(sizes)


def _distance(a: Any, b: Any, c: Any, d: Any) -> Any:
    return mp.hypot(a - c + mp.mpf(1e-6), b - d + mp.mpf(1e-6))


def _along(
    truth: Callable[..., Any], torch: str = "", jax: str = "", element: int | None = None, **keywords: Any
) -> Function:
    """A function along the last axis of a row of three."""
    return Function(
        truth,
        Call(torch, {"dim": -1, **keywords}, rows=1, element=element) if torch else None,
        Call(jax, {"axis": -1, **keywords}, rows=1, element=element) if jax else None,
        3,
    )


FUNCTIONS: dict[str, Function] = {
    "sum": _along(_sum, "torch.sum", "jnp.sum"),
    "mean": _along(_mean, "torch.mean", "jnp.mean"),
    "prod": _along(lambda *x: mp.fprod(x), "torch.prod", "jnp.prod"),
    "cumsum": _along(_sum, "torch.cumsum", "jnp.cumsum", 2),
    "cumprod": _along(lambda *x: mp.fprod(x), "torch.cumprod", "jnp.cumprod", 2),
    "amax": _along(max, "torch.amax", "jnp.max"),
    "amin": _along(min, "torch.amin", "jnp.min"),
    "median": _along(lambda *x: sorted(x)[1], "", "jnp.median"),
    "var": _along(lambda *x: _squares(*x) / 3, "", "jnp.var"),
    "var, corrected": _along(lambda *x: _squares(*x) / 2, "torch.var"),
    "var, correction": _along(lambda *x: _squares(*x) / 3, "torch.var", correction=0),
    "var, ddof": _along(lambda *x: _squares(*x) / 2, "", "jnp.var", ddof=1),
    "std": _along(lambda *x: mp.sqrt(_squares(*x) / 3), "", "jnp.std"),
    "std, corrected": _along(lambda *x: mp.sqrt(_squares(*x) / 2), "torch.std"),
    "std, correction": _along(lambda *x: mp.sqrt(_squares(*x) / 3), "torch.std", correction=0),
    "std, ddof": _along(lambda *x: mp.sqrt(_squares(*x) / 2), "", "jnp.std", ddof=1),
    **{
        f"norm {p}": _along(_norm(p), "torch.linalg.vector_norm", "jnp.linalg.norm", ord=p)
        for p in (0.5, 1, 2)
    },
    "norm 3": _along(_norm(3), "torch.linalg.vector_norm", ord=3),
    "norm 3, rounded root": _along(_norm(3, mp.mpf(1 / 3)), "", "jnp.linalg.norm", ord=3),
    "norm inf": _along(
        lambda *x: max(map(abs, x)), "torch.linalg.vector_norm", "jnp.linalg.norm", ord=float("inf")
    ),
    "logsumexp": _along(_log_sum_exp, "torch.logsumexp", "jax.nn.logsumexp"),
    "logsumexp, b": _along(lambda *x: _log_sum_exp(*x) + mp.log(3), "", "jsp.logsumexp", b=3.0),
    "logmeanexp": _along(lambda *x: _log_sum_exp(*x) - mp.log(3), "", "jax.nn.logmeanexp"),
    "softmax": _along(lambda *x: mp.exp(x[0] - _log_sum_exp(*x)), "F.softmax", "jax.nn.softmax", 0),
    "log_softmax": _along(lambda *x: x[0] - _log_sum_exp(*x), "F.log_softmax", "jax.nn.log_softmax", 0),
    "softmin": _along(lambda *x: mp.exp(-x[0] - _log_sum_exp(*(-v for v in x))), "F.softmin", "", 0),
    "normalize": _along(lambda *x: x[0] / max(_norm(2)(*x), mp.mpf(1e-12)), "F.normalize", "", 0),
    "normalize, p=1": _along(lambda *x: x[0] / max(_norm(1)(*x), mp.mpf(1e-12)), "F.normalize", "", 0, p=1),
    "standardize": _along(_normalized(1e-5), "", "jax.nn.standardize", 0),
    "layer_norm": Function(
        _normalized(1e-5), Call("F.layer_norm", {"normalized_shape": (3,)}, rows=1, element=0), None, 3
    ),
    "rms_norm": Function(
        _rms, Call("F.rms_norm", {"normalized_shape": (3,), "eps": 2.0**-52}, rows=1, element=0), None, 3
    ),
    "glu": Function(
        lambda x, y: x / (1 + mp.exp(-y)),
        Call("F.glu", {"dim": -1}, rows=1, element=0),
        Call("jax.nn.glu", {"axis": -1}, rows=1, element=0),
        2,
    ),
    "cosine_similarity": Function(_cosine, Call("F.cosine_similarity", {"dim": -1}, rows=2), None, 4),
    "pairwise_distance": Function(_distance, Call("F.pairwise_distance", rows=2), None, 4),
}
