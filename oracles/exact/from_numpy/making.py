"""Recorded arrays from what NumPy computed and a rule recorded, from plain numbers, and in another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray, is_traced
from oracles.exact.from_numpy.dtypes import MOVING, check_dtype, in_dtype, name_of
from oracles.exact.from_numpy.nested import as_it_says, first_tape, holds_traced
from oracles.exact.from_numpy.tape import Tape
from oracles.exact.program.complex import each_part


def wrap(tape: Tape, value: Any, var: Any) -> Any:
    """What NumPy got and what was recorded, as one; plain NumPy where the record is a constant integer."""
    dtype = np.asarray(value).dtype
    check_dtype(dtype)
    known = None if var.is_float else tape.recorder.known(var)
    if known is not None:
        return np.array(known, dtype) if isinstance(value, np.ndarray) else dtype.type(known.item())
    if var.shape != np.shape(value):
        raise AssertionError(f"a rule gives shape {var.shape} where NumPy has {np.shape(value)}")
    if isinstance(value, np.ndarray) and value.base is not None:
        value = np.array(value, order="K")
    result = each_part(tape.recorder.first, in_dtype(var, name_of(dtype)))
    return TracedArray(tape, value, tape.register(result, value))


def together(tape: Tape, value: Any, tokens: Any) -> Any:
    """Values and tokens from the same NumPy function, as traced arrays."""
    if isinstance(value, list | tuple):
        return type(value)(together(tape, v, t) for v, t in zip(value, tokens, strict=True))
    check_dtype(value.dtype)
    return TracedArray(tape, value, tokens)


def lift(tape: Tape, x: Any, dtype: np.dtype[Any]) -> TracedArray:
    """Anything that NumPy would take for an array, traced, in this dtype; numbers are taken as written."""
    if isinstance(x, TracedArray):
        x = x if x.dtype == dtype else cast(x, dtype)
        if isinstance(x, TracedArray):
            return x
    x = as_it_says(x)
    if holds_traced(x):
        return lift(tape, tape.answers.array(tape, x), dtype)
    check_dtype(dtype)
    numbers = np.asarray(x)
    check_dtype(numbers.dtype)
    with np.errstate(all="ignore"):
        value = numbers.astype(dtype)
    return TracedArray(
        tape, value, tape.literal(numbers if name_of(dtype) in MOVING else value, name_of(dtype))
    )


def cast(x: TracedArray, dtype: np.dtype[Any], order: Any = "K", casting: Any = "unsafe") -> Any:
    """x in another dtype, in memory of its own."""
    check_dtype(dtype)
    with np.errstate(all="ignore"):
        value = np.asarray(x.in_numpy).astype(dtype, order, casting)
    if x.is_scalar:
        value = value[()]
    if dtype == x.dtype:
        return TracedArray(x.tape, value, np.array(x.tokens, order=order))
    if x.is_float and name_of(dtype) not in MOVING:
        numbers, known = x.tape.numbers(x.tokens)
        if known.all():
            return numbers.astype(dtype)
    return wrap(x.tape, value, in_dtype(x.recorded, name_of(dtype)))


def as_array(x: Any) -> Any:
    """x as an array, recorded where it holds recorded numbers."""
    if is_traced(x):
        return x
    return first_tape(x).answers.array(first_tape(x), x) if holds_traced(x) else np.asarray(x)
