"""A trace in which nothing becomes narrower: what a literal was before the code around it cast to bfloat16.

JAX writes the constants of its own functions (the 2 / sqrt(pi) in erf's derivative) in the dtype of their
operand. Where the function casts, that is narrow in a trace in float64, too, as if the source had it so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import numpy as np
from jax._src.lax import lax  # through which all of its modules cast

from oracles.exact.from_jaxpr.meanwhile import Meanwhile
from oracles.exact.program.program import FLOATS

_leaving_out: ContextVar[bool] = ContextVar("casts are left out", default=False)
_own = lax._convert_element_type


def _unless_narrower(operand: Any, new_dtype: Any = None, *rest: Any, **named: Any) -> Any:
    traced = _leaving_out.get() and isinstance(operand, jax.core.Tracer) and new_dtype is not None
    if traced and str(operand.dtype) == "float64" and str(np.dtype(new_dtype)) in FLOATS:
        return operand
    return _own(operand, new_dtype, *rest, **named)


_watched = Meanwhile(
    lambda: setattr(lax, "_convert_element_type", _unless_narrower),
    lambda: setattr(lax, "_convert_element_type", _own),
)


@contextmanager
def without_narrower_casts() -> Iterator[None]:
    """In this context: other threads cast as ever."""
    token = _leaving_out.set(True)
    try:
        with _watched:
            yield
    finally:
        _leaving_out.reset(token)
