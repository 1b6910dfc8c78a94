"""JAX's differentiable functions with arguments of a dtype: those of `jax_functions`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from oracles.exact.coverage.jax import Sample, samples
from oracles.exact.coverage.subject import Subject
from oracles.exact.from_jaxpr import is_floating


@cache
def _samples() -> dict[str, Sample]:
    return {sample.name: sample for sample in samples()}


def names() -> list[str]:
    """Those that this JAX has."""
    return list(_samples())


def subjects(name: str, dtype: str) -> Iterator[Subject]:
    """The function with its arguments in the table, the floating ones in this dtype."""
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    sample, own = _samples()[name], getattr(jnp, dtype)

    def cast(x: Any) -> Any:
        return jnp.asarray(x, own) if isinstance(x, np.ndarray) and is_floating(x) else x

    leaves, tree = jax.tree.flatten(jax.tree.map(cast, (sample.args, sample.kwargs)))
    moving = [k for k, leaf in enumerate(leaves) if isinstance(leaf, jax.Array) and is_floating(leaf)]

    def function(*arrays: Any) -> list[Any]:
        whole = list(leaves)
        for k, array in zip(moving, arrays, strict=True):
            whole[k] = array
        args, kwargs = jax.tree.unflatten(tree, whole)
        return [y for y in jax.tree.leaves(sample.function(*args, **kwargs)) if is_floating(y)]

    def structure(*arrays: Any) -> list[Any]:
        """JAX compiles each operation for these shapes where the function runs, and here nothing."""
        try:
            shapes = jax.eval_shape(function, *arrays)
        except Exception:  # it looks at the numbers
            return function(*arrays)
        return [jax.device_put(np.zeros(one.shape, one.dtype)) for one in shapes]

    if moving:
        yield Subject(name, function, tuple(leaves[k] for k in moving), structure)
