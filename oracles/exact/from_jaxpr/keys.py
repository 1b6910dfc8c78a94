"""Keys of random numbers: no numbers themselves, and known wherever they are."""

from __future__ import annotations

from typing import Any

import jax

from oracles.exact.program.program import Shape


class Key:
    """A known key, or an array of keys.

    Attributes:
        value: JAX's own array of keys.
        shape: Its shape.
        dtype: Its dtype, as "key<fry>".
        is_float: Never: it has no derivative.
    """

    is_float = False

    def __init__(self, value: Any) -> None:
        self.value = value
        self.shape: Shape = tuple(value.shape)
        self.dtype = str(value.dtype)


def aval_of(value: Any) -> Any:
    """What JAX traces in place of a value of a program, or of a key."""
    dtype = value.value.dtype if isinstance(value, Key) else value.dtype
    return jax.ShapeDtypeStruct(value.shape, dtype)  # type: ignore[no-untyped-call]


def is_key(aval: Any) -> bool:
    """Whether it is, or stands for, an array of keys."""
    dtype = getattr(aval, "dtype", None)
    return dtype is not None and bool(jax.numpy.issubdtype(dtype, jax.dtypes.prng_key))
