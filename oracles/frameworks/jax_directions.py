"""Along what JAX's own checkers differentiate, and functions that show how a rule depends on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Function = Callable[..., Any]


def bent(f: Function) -> Function:
    """The function with the same value and the same first derivative at the point where it is called.

    Its arguments and results run through x - (x - c)^2 / 2, where c is x and constant: the value is x, the
    slope 1, and the slope's own is not 0. So tangents and cotangents inside depend on the point, and a second
    derivative shows how a rule depends on them.
    """

    def function(*args: Any) -> Any:
        return jax.tree.map(_bent, f(*jax.tree.map(_bent, args)))

    function.__name__ = str(getattr(f, "__name__", type(f).__name__))
    return function


def _bent(x: Any) -> Any:
    if not isinstance(x, jax.Array) or not jnp.issubdtype(x.dtype, jnp.inexact):
        return x
    off = x - jax.lax.stop_gradient(x)
    return x - off * off / 2  # a sum would lose the sign of -0.0


def has_custom_rules(f: Function, args: Sequence[Any]) -> bool:
    """Whether a derivative may depend on its direction as nobody derived it."""
    try:
        program = str(jax.make_jaxpr(f)(*args))
        return "custom_" in program or "linear_call" in program
    except Exception:  # who asks runs it, and hears of it
        return True


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
