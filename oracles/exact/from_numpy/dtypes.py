"""The dtypes of recorded arrays, and recorded values in another one."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.program.complex import REAL, Complex, as_complex
from oracles.exact.program.primitives import convert
from oracles.exact.program.program import FLOATS

MOVING = FLOATS | REAL.keys()  # their elements are balls; those of integers and booleans are decided


@functools.cache
def name_of(dtype: np.dtype[Any]) -> str:
    """The dtype's name, which NumPy puts together anew whenever it is asked."""
    return dtype.name


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Refuse what has no exact counterpart."""
    if name_of(dtype) not in MOVING and dtype.kind not in "iub":
        raise unsupported(f"dtype {dtype} has no exact counterpart")


def in_dtype(x: Any, dtype: str) -> Any:
    """A recorded value in another dtype: as NumPy has it, the real part of a complex one in a real dtype."""
    if dtype in REAL:
        return as_complex(x, dtype)
    return convert(x.re if isinstance(x, Complex) else x, dtype)
