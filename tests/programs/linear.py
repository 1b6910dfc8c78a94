"""Products of matrices, einsum, and solving."""

from __future__ import annotations

import math

from tests.programs.scope import Scope, Unfit, Value


def matmul(scope: Scope) -> None:
    """Matrices and vectors, batches too."""
    x = scope.pick(lambda v: v.ndim > 0)

    def fits(v: Value) -> bool:
        if v.dtype != x.dtype or v.ndim == 0 or v.ndim + x.ndim > 5:
            return False
        return v.shape[-2 if v.ndim > 1 else 0] == x.shape[-1]

    y = scope.pick(fits)
    if max(x.ndim, y.ndim) > 2 and math.prod(x.shape) * y.shape[-1] > 72:
        raise Unfit
    ways = {"exact": "np.matmul({0}, {1})", "numpy": "{0} @ {1}", "jax": "{0} @ {1}", "torch": "{0} @ {1}"}
    scope.add("matmul", [x, y], ways, owned=True)


def own_product(scope: Scope) -> None:
    """A matrix with its transpose: the same array twice."""
    x = scope.pick(lambda v: v.ndim == 2)
    ways = {"exact": "np.matmul({0}, np.transpose({0}))", "numpy": "np.dot({0}, {0}.T)", "jax": "jnp.dot({0}, {0}.T)",
            "torch": "torch.mm({0}, {0}.T)"}  # fmt: skip
    scope.add("x x^T", [x], ways, owned=True)


def einsum(scope: Scope) -> None:
    """Sums of products by letters: diagonals, traces, outer and batched products."""
    x = scope.pick(lambda v: v.ndim in (1, 2))
    y = scope.pick(lambda v: v.dtype == x.dtype and v.ndim in (1, 2))
    letters = "ij"[: x.ndim]
    if x.ndim == 2 and x.shape[0] == x.shape[1] and scope.below(3) == 0:
        letters = "ii"
    sizes = dict(zip(letters, x.shape, strict=True))
    other = ""
    for n in y.shape:
        free = [c for c, size in sizes.items() if size == n and c not in other]
        other += scope.one_of(*free, "l" if "k" in other else "k")
        sizes[other[-1]] = n
    present = sorted(set(letters + other))
    scope.rng.shuffle(present)
    kept = "".join(present[: scope.below(len(present) + 1)])
    if math.prod(sizes[c] for c in kept) > 24:
        raise Unfit
    text = f"'{letters},{other}->{kept}', {{0}}, {{1}}"
    scope.add(
        "einsum",
        [x, y],
        {"exact": f"np.einsum({text})", "jax": f"jnp.einsum({text})", "torch": f"torch.einsum({text})"},
    )


def outer(scope: Scope) -> None:
    """Products of all pairs."""
    x = scope.pick(lambda v: v.ndim == 1)
    y = scope.pick(lambda v: v.ndim == 1 and v.dtype == x.dtype and v.array.size * x.array.size <= 24)
    kind = scope.one_of("outer", "kron")
    ways = {
        "exact": f"np.{kind}({{0}}, {{1}})",
        "jax": f"jnp.{kind}({{0}}, {{1}})",
        "torch": f"torch.{kind}({{0}}, {{1}})",
    }
    scope.add(kind, [x, y], ways)


def solved(scope: Scope) -> None:
    """A well conditioned system, its inverse, its determinant."""
    if scope.dtype in {"float16", "bfloat16"}:
        raise Unfit
    x = scope.pick(lambda v: v.ndim == 2 and v.shape[0] <= 3 and v.dtype == scope.dtype)
    y = scope.pick(lambda v: v.dtype == x.dtype and v.ndim in (1, 2) and v.shape[0] == x.shape[0])
    n = x.shape[0]
    eyes = {"exact": f"np.eye({n}, dtype=int)", "numpy": f"np.eye({n}, dtype={{0}}.dtype)",
            "jax": f"jnp.eye({n}, dtype={{0}}.dtype)", "torch": f"torch.eye({n}, dtype={{0}}.dtype)"}  # fmt: skip
    gram = {d: f"np.matmul({{0}}, np.transpose({{0}})) + 2 * {eye}" if d == "exact" else f"{{0}} @ {{0}}.T + 2 * {eye}"
            for d, eye in eyes.items()}  # fmt: skip
    kind = scope.one_of("solve", "inv", "det")
    calls = {
        "solve": {"exact": "solve({a}, {1})", "numpy": "np.linalg.solve({a}, {1})", "jax": "jnp.linalg.solve({a}, {1})",
                  "torch": "torch.linalg.solve({a}, {1})"},
        "inv": {"exact": f"solve({{a}}, {eyes['exact']})", "numpy": "np.linalg.inv({a})", "jax": "jnp.linalg.inv({a})",
                "torch": "torch.linalg.inv({a})"},
        "det": {"exact": "det({a})", "numpy": "np.linalg.det({a})", "jax": "jnp.linalg.det({a})",
                "torch": "torch.linalg.det({a})"},
    }[kind]  # fmt: skip
    scope.add(kind, [x, y], {d: text.replace("{a}", gram[d]) for d, text in calls.items()})


MAKERS = {matmul: 4, own_product: 1, einsum: 3, outer: 1, solved: 1}
