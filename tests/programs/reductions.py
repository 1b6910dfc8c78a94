"""Sums, products, extrema and what is made of them, along axes and along all; orders."""

from __future__ import annotations

import numpy as np

from tests.programs.scope import Scope, Unfit

SOFTMAX = "np.exp({{0}}) / np.sum(np.exp({{0}}), {a}, keepdims=True)"
# By kind: the exact text, NumPy's own, JAX's, torch's; {a} is the axis, {k} whether it stays.
REDUCTIONS: dict[str, tuple[str, str, str, str]] = {
    "sum": ("np.sum({{0}}, {a}, keepdims={k})", "", "jnp.sum({{0}}, {a}, keepdims={k})", "{{0}}.sum({a}, keepdim={k})"),
    "mean": ("np.sum({{0}}, {a}, keepdims={k}) / {n}", "np.mean({{0}}, {a}, keepdims={k})",
             "jnp.mean({{0}}, {a}, keepdims={k})", "{{0}}.mean({a}, keepdim={k})"),
    "prod": ("np.prod({{0}}, {a}, keepdims={k})", "", "jnp.prod({{0}}, {a}, keepdims={k})",
             "{{0}}.prod({a}, keepdim={k})"),
    "max": ("np.max({{0}}, {a}, keepdims={k})", "", "jnp.max({{0}}, {a}, keepdims={k})",
            "{{0}}.amax({a}, keepdim={k})"),
    "max with indices": ("np.max({{0}}, {a}, keepdims={k})", "", "", "{{0}}.max({a}, keepdim={k}).values"),
    "min": ("np.min({{0}}, {a}, keepdims={k})", "", "jnp.min({{0}}, {a}, keepdims={k})",
            "torch.min({{0}}, {a}, keepdim={k})[0]"),
    "logsumexp": ("np.log(np.sum(np.exp({{0}}), {a}, keepdims={k}))", "scipy.special.logsumexp({{0}}, {a}, keepdims={k})",
                  "jax.nn.logsumexp({{0}}, {a}, keepdims={k})", "{{0}}.logsumexp({a}, keepdim={k})"),
    "norm": ("np.sqrt(np.sum({{0}} * {{0}}, {a}, keepdims={k}))", "np.linalg.norm({{0}}, axis={a}, keepdims={k})",
             "jnp.linalg.norm({{0}}, axis={a}, keepdims={k})", "torch.linalg.vector_norm({{0}}, dim={a}, keepdim={k})"),
    "var": ("np.sum(({{0}} - np.sum({{0}}, {a}, keepdims=True) / {n}) ** 2, {a}, keepdims={k}) / {n}",
            "np.var({{0}}, {a}, keepdims={k})", "jnp.var({{0}}, {a}, keepdims={k})",
            "{{0}}.var({a}, unbiased=False, keepdim={k})"),
}  # fmt: skip
ROWS: dict[str, tuple[str, str, str, str]] = {
    "softmax": (SOFTMAX, "scipy.special.softmax({{0}}, {a})", "jax.nn.softmax({{0}}, {a})", "torch.softmax({{0}}, {a})"),
    "log_softmax": (f"np.log({SOFTMAX})", "scipy.special.log_softmax({{0}}, {a})", "jax.nn.log_softmax({{0}}, {a})",
                    "F.log_softmax({{0}}, {a})"),
    "cumsum": ("np.cumsum({{0}}, {a})", "", "jnp.cumsum({{0}}, {a})", "torch.cumsum({{0}}, {a})"),
    "cumprod": ("np.cumprod({{0}}, {a})", "", "jnp.cumprod({{0}}, {a})", "torch.cumprod({{0}}, {a})"),
    "cummax": ("np.maximum.accumulate({{0}}, {a})", "", "lax.cummax({{0}}, {a})", "torch.cummax({{0}}, {a}).values"),
    "sort": ("np.sort({{0}}, {a})", "", "jnp.sort({{0}}, {a})", "torch.sort({{0}}, {a}).values"),
    "sort down": ("np.flip(np.sort({{0}}, {a}), {a})", "", "jnp.sort({{0}}, {a}, descending=True)",
                  "torch.sort({{0}}, {a}, descending=True)[0]"),
    "centred": ("{{0}} - np.sum({{0}}, {a}, keepdims=True) / {n}", "{{0}} - {{0}}.mean({a}, keepdims=True)",
                "{{0}} - {{0}}.mean({a}, keepdims=True)", "{{0}} - {{0}}.mean({a}, keepdim=True)"),
    "normalized": ("{{0}} / np.sqrt(np.sum({{0}} * {{0}}, {a}, keepdims=True))", "",
                   "{{0}} / jnp.linalg.norm({{0}}, axis={a}, keepdims=True)", "F.normalize({{0}}, dim={a})"),
}  # fmt: skip


def _filled(entry: tuple[str, str, str, str], **what: object) -> dict[str, str]:
    exact, numpy, jax, torch = (text.format(**what) if text else "" for text in entry)
    return {"exact": exact, "numpy": numpy or exact, "jax": jax, "torch": torch}


def reduced(scope: Scope) -> None:
    """One axis less."""
    kind = scope.one_of(*REDUCTIONS)
    x = scope.pick(lambda v: v.ndim > 0)
    a = scope.below(x.ndim) - x.ndim * scope.below(2)
    if kind == "norm" and not (np.linalg.norm(x.array, axis=a) > 0.05).all():
        raise Unfit
    scope.add(
        kind, [x], _filled(REDUCTIONS[kind], a=a, k=bool(scope.below(2)), n=x.shape[a]), owned=kind == "sum"
    )


def whole(scope: Scope) -> None:
    """A single number."""
    x = scope.pick(lambda v: v.ndim > 0)
    kind = scope.one_of("sum", "mean", "max", "min", "prod")
    exact = "np.sum({0}) / " + str(x.array.size) if kind == "mean" else f"np.{kind}({{0}})"
    ways = {"exact": exact, "numpy": f"{{0}}.{kind}()", "jax": f"{{0}}.{kind}()", "torch": f"{{0}}.{kind}()"}
    scope.add(f"{kind} of all", [x], ways)


def rows(scope: Scope) -> None:
    """Along one axis, which stays."""
    kind = scope.one_of(*ROWS)
    x = scope.pick(lambda v: v.ndim > 0)
    a = scope.below(x.ndim)
    if kind == "normalized" and not (np.linalg.norm(x.array, axis=a) > 0.05).all():
        raise Unfit
    scope.add(kind, [x], _filled(ROWS[kind], a=a, n=x.shape[a]), owned=kind in {"sort", "cumsum"})


def largest(scope: Scope) -> None:
    """The k largest of each row."""
    x = scope.pick(lambda v: v.ndim > 0 and v.shape[-1] > 1)
    k = 1 + scope.below(x.shape[-1])
    exact = f"np.flip(np.sort({{0}}, -1), -1)[..., :{k}]"
    ways = {"exact": exact, "jax": f"lax.top_k({{0}}, {k})[0]", "torch": f"torch.topk({{0}}, {k}).values"}
    scope.add("top_k", [x], ways)


MAKERS = {reduced: 4, whole: 2, rows: 3, largest: 1}
