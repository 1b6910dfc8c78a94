"""Slices, gathers and scatters, with written indices and with computed ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.programs.scope import Scope, Unfit, Value


def key_of(scope: Scope, shape: tuple[int, ...], reversing: bool = True) -> str:
    """A basic index, as text: numbers, slices, an ellipsis, a new axis."""
    parts = []
    for n in shape:
        options = [":", str(scope.below(n)), f"{scope.below(n)}:", f"-{1 + scope.below(n)}:", "::2"]
        parts.append(scope.one_of(*options, *(["::-1"] if reversing else [])))
        if scope.below(4) == 0:
            break
    if len(parts) < len(shape) and scope.below(2):
        parts = ["...", *parts]
    if scope.below(6) == 0:
        parts.append("None")
    return ", ".join(parts)


def part_of(shape: tuple[int, ...], key: str) -> tuple[int, ...]:
    """The shape of a part."""
    try:
        return tuple(eval(f"array[{key}].shape", {"array": np.zeros(shape)}))
    except IndexError as problem:  # an ellipsis moved a number to another axis
        raise Unfit from problem


def sliced(scope: Scope) -> None:
    """A view by slices; torch has no negative steps."""
    x = scope.pick(lambda v: v.ndim > 0)
    text = f"{{0}}[{key_of(scope, x.shape, scope.framework != 'torch')}]"
    scope.add("slice", [x], {"exact": text, "jax": text, "torch": text})


def gather(scope: Scope) -> None:
    """Rows by number, some of them twice."""
    x = scope.pick(lambda v: v.ndim > 0)
    rows = [scope.below(x.shape[0]) for _ in range(1 + scope.below(4))]
    axis = scope.below(x.ndim)
    columns = [scope.below(x.shape[axis]) - x.shape[axis] * scope.below(2) for _ in rows]
    if scope.below(2):
        ways = {"exact": f"{{0}}[np.array({rows})]", "jax": f"{{0}}[jnp.array({rows})]",
                "torch": f"{{0}}[torch.tensor({rows})]"}  # fmt: skip
    else:
        positive = [c % x.shape[axis] for c in columns]
        ways = {"exact": f"np.take({{0}}, {columns}, {axis})", "jax": f"jnp.take({{0}}, jnp.array({columns}), {axis})",
                "torch": f"torch.index_select({{0}}, {axis}, torch.tensor({positive}))"}  # fmt: skip
    scope.add("gather", [x], ways, owned=True)


def pairs(scope: Scope) -> None:
    """Single elements by two lists of indices."""
    x = scope.pick(lambda v: v.ndim == 2)
    count = 1 + scope.below(4)
    rows, columns = ([scope.below(n) for _ in range(count)] for n in x.shape)
    text = f"{{0}}[{rows}, {columns}]"
    ways = {"exact": text, "jax": f"{{0}}[jnp.array({rows}), jnp.array({columns})]", "torch": text}
    scope.add("gather pairs", [x], ways, owned=True)


def along(scope: Scope) -> None:
    """One element of each row, by computed indices: sorted, or of the largest."""
    x = scope.pick(lambda v: v.ndim == 2)
    y = scope.pick(lambda v: v.shape == x.shape)
    ways: dict[str, Any] = scope.one_of(
        {
            "exact": "np.take_along_axis({0}, np.argsort({1}, 1), 1)",
            "jax": "jnp.take_along_axis({0}, jnp.argsort({1}, 1), 1)",
            "torch": "torch.gather({0}, 1, torch.argsort({1}, 1))",
        },
        {
            "exact": "np.take_along_axis({0}, np.argmax({1}, 1)[:, None], 1)",
            "jax": "jnp.take_along_axis({0}, jnp.argmax({1}, 1)[:, None], 1)",
            "torch": "torch.take_along_dim({0}, torch.argmax({1}, 1)[:, None], 1)",
        },
    )
    scope.add("take_along_axis", [x, y], ways, owned=True)


def masked(scope: Scope) -> None:
    """The elements where another array is positive, as many as there are."""
    x = scope.pick(lambda v: v.ndim > 0 and (v.array > 0.1).any())

    def fits(v: Value) -> bool:
        return v.shape == x.shape

    y = scope.pick(fits)
    ways = {
        "exact": "{0}[{1} > 0.1]",
        "torch": scope.one_of("{0}[{1} > 0.1]", "torch.masked_select({0}, {1} > 0.1)"),
    }
    scope.add("masked", [x, y], ways, owned=True)


def scatter(scope: Scope) -> None:
    """Rows added up by number, some into the same place."""
    x = scope.pick(lambda v: v.ndim > 0)
    size = 1 + scope.below(4)
    into = [scope.below(size) for _ in range(x.shape[0])]
    shape = (size, *x.shape[1:])
    ways = {
        "exact": f"{{out}} = zeros({shape})\nnp.add.at({{out}}, {into}, {{0}})",
        "numpy": f"{{out}} = np.zeros({shape}, {{0}}.dtype)\nnp.add.at({{out}}, {into}, {{0}})",
        "jax": scope.one_of(
            f"jnp.zeros({shape}, {{0}}.dtype).at[jnp.array({into})].add({{0}})",
            f"jax.ops.segment_sum({{0}}, jnp.array({into}), {size})",
        ),
        "torch": scope.one_of(
            f"torch.zeros({shape}, dtype={{0}}.dtype).index_add(0, torch.tensor({into}), {{0}})",
            f"torch.zeros({shape}, dtype={{0}}.dtype).index_put((torch.tensor({into}),), {{0}}, accumulate=True)",
        ),
    }
    scope.add("scatter_add", [x], ways, owned=True)


MAKERS = {sliced: 3, gather: 2, pairs: 1, along: 1, masked: 1, scatter: 2}
