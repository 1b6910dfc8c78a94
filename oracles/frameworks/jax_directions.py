"""Along what JAX's own checkers differentiate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Function = Callable[..., Any]


def with_floats_as_arrays(args: Sequence[Any]) -> tuple[Any, ...]:
    """The arguments with Python's floats as arrays, and its complex numbers: JAX differentiates these."""
    found: tuple[Any, ...] = jax.tree.map(
        lambda leaf: jnp.asarray(leaf) if type(leaf) in (float, complex) else leaf, tuple(args)
    )
    return found


def their_direction(f: Function, args: Sequence[Any], forward: bool) -> list[Any]:
    """The tangents, or cotangents, along which `jax.test_util` differentiates."""
    rng = np.random.RandomState(0)
    tangents = _drawn(rng, tuple(args))
    return tangents if forward else [of.conj() for of in _drawn(rng, f(*args))]


def _drawn(rng: np.random.RandomState, tree: Any) -> list[Any]:
    """Normal numbers for each leaf; those for integers are left out."""
    found = []
    for leaf in jax.tree.leaves(tree):
        shape, dtype = np.shape(leaf), jnp.result_type(leaf)
        drawn = np.asarray(rng.randn(*shape), "float64")
        if jnp.issubdtype(dtype, jnp.complexfloating):
            drawn = drawn + 1j * rng.randn(*shape)
        if jnp.issubdtype(dtype, jnp.inexact):
            found.append(np.asarray(jnp.asarray(drawn, dtype)))
    return found
