"""One equation of a jaxpr, as its rule sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from oracles.exact.from_jaxpr.keys import Key, is_key
from oracles.exact.program import complex as cx
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import convert
from oracles.exact.program.program import FLOATS, Builder, Shape, Var
from oracles.exact.program.recording import Recorder


class Eqn(NamedTuple):
    """One equation of a jaxpr.

    Attributes:
        recorder: What writes the program.
        params: The equation's parameters.
        shape: The shape of its first output.
        dtype: The dtype of its first output.
        outvars: The variables of all outputs.
        interpret: `interpret(recorder, closed_jaxpr, operands)`, for jaxprs among the parameters.
        tested: Whether the program is what runs, as a gradient under test, and not what is meant.
    """

    recorder: Recorder
    params: dict[str, Any]
    shape: Shape
    dtype: str
    outvars: Sequence[Any]
    interpret: Callable[..., list[Var]]
    tested: bool = False


Rule: TypeAlias = Callable[..., Any]  # a value, real or complex, or several


def promoted(dtype: str, *operands: Var) -> list[Var]:
    """Floating operands in the dtype of the result: a wider one is exact, and a narrower one rounds them."""
    return [convert(x, dtype) if x.is_float and dtype in FLOATS else x for x in operands]


def constant(recorder: Builder, value: Any, dtype: str) -> Var:
    """A number or array as it is written."""
    if isinstance(value, getattr(jax, "Ref", ())):
        raise Unsupported(
            "the function reads a mutable array that was made outside; pass its value as an argument"
        )
    array = np.array(value)  # not JAX's own, which it knows as long as it lives
    return recorder.constant(array.astype(np.float64) if dtype in FLOATS else array, dtype)


def constant_of_any(recorder: Builder, value: Any, dtype: str) -> Any:
    """The same of complex numbers and of keys, too."""
    if is_key(value):
        return Key(value)
    if dtype in cx.REAL:
        return cx.constant(recorder, np.asarray(value, np.complex128), dtype, constant)
    return constant(recorder, value, dtype)
