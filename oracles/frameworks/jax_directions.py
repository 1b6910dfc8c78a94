"""Along what JAX's own checkers differentiate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Function = Callable[..., Any]
FLOATS = (float, complex)  # of Python's


def with_floats_as_arrays(args: Sequence[Any]) -> tuple[Any, ...] | None:
    """The arguments with Python's floats, complex ones too, as arrays: JAX's checkers differentiate them.

    They are of the dtype that the arrays beside them have, of 32 bits at the least. None if there are no such
    floats, or no arrays.
    """
    leaves = jax.tree.leaves(tuple(args))
    arrays = [leaf for leaf in leaves if type(leaf) not in FLOATS]
    beside = list(filter(_is_inexact, map(jnp.result_type, arrays)))
    if len(arrays) == len(leaves) or not beside:
        return None
    kind = jnp.promote_types(jnp.result_type(*beside), jnp.float32)

    def as_array(leaf: Any) -> Any:
        return jnp.asarray(leaf, jnp.result_type(kind, leaf)) if type(leaf) in FLOATS else leaf

    found: tuple[Any, ...] = jax.tree.map(as_array, tuple(args))
    return found


def _is_inexact(dtype: Any) -> bool:
    return bool(jnp.issubdtype(dtype, jnp.inexact))


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
        if _is_inexact(dtype):
            found.append(np.asarray(jnp.asarray(drawn, dtype)))
    return found
