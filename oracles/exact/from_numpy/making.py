"""Making traced arrays: from a result, from numbers in the code, from another dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.from_numpy.tape import Tape, unsupported
from oracles.exact.primitives.elementwise import convert
from oracles.exact.program import FLOATS, Var


def wrap(tape: Tape, value: Any, var: Var) -> Any:
    """What NumPy got and what was recorded, as one; plain NumPy where the record is a constant integer."""
    dtype = np.asarray(value).dtype
    check_dtype(dtype)
    known = None if var.is_float else tape.recorder.known(var)
    if known is not None:
        return np.array(known, dtype) if isinstance(value, np.ndarray) else dtype.type(known.item())
    if var.shape != np.shape(value):
        raise AssertionError(f"a rule gives shape {var.shape} where NumPy has {np.shape(value)}")
    if isinstance(value, np.ndarray) and value.base is not None:
        value = value.copy(order="K")
    return TracedArray(tape, value, tape.register(convert(var, dtype.name), value))


def together(tape: Tape, value: Any, tokens: Any) -> Any:
    """Values and tokens from the same NumPy function, as traced arrays."""
    if isinstance(value, list | tuple):
        return type(value)(together(tape, v, t) for v, t in zip(value, tokens, strict=True))
    check_dtype(value.dtype)
    return TracedArray(tape, value, tokens)


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Refuse what has no exact counterpart."""
    if dtype.name not in FLOATS and dtype.kind not in "iub":
        hint = "; complex numbers: not yet" if dtype.kind == "c" else ""
        raise unsupported(f"dtype {dtype} has no exact counterpart{hint}")


def lift(tape: Tape, x: Any, dtype: np.dtype[Any]) -> TracedArray:
    """Anything that NumPy would take for an array, traced, in this dtype; numbers are taken as written."""
    if isinstance(x, TracedArray):
        x = x if x.dtype == dtype else cast(x, dtype)
        if isinstance(x, TracedArray):
            return x
    if holds_traced(x):
        from oracles.exact.from_numpy.allocation import array

        return lift(tape, array(tape, x), dtype)
    check_dtype(dtype)
    numbers = np.asarray(x)
    check_dtype(numbers.dtype)
    with np.errstate(all="ignore"):
        value = numbers.astype(dtype)
    return TracedArray(tape, value, tape.literal(numbers if dtype.name in FLOATS else value, dtype.name))


def cast(x: TracedArray, dtype: np.dtype[Any], order: Any = "K", casting: Any = "unsafe") -> Any:
    """x in another dtype, in memory of its own."""
    check_dtype(dtype)
    with np.errstate(all="ignore"):
        value = np.asarray(x.value).astype(dtype, order, casting)
    if x.is_scalar:
        value = value[()]
    if dtype == x.dtype:
        return TracedArray(x.tape, value, np.array(x.tokens, order=order))
    if x.is_float and dtype.name not in FLOATS:
        numbers, known = x.tape.numbers(x.tokens)
        if known.all():
            return numbers.astype(dtype)
    return wrap(x.tape, value, convert(x.recorded, dtype.name))


def holds_traced(tree: Any) -> bool:
    """Whether a traced array is somewhere in nested lists, tuples and dictionaries."""
    if isinstance(tree, TracedArray):
        return True
    if isinstance(tree, dict):
        return any(map(holds_traced, tree.values()))
    return isinstance(tree, list | tuple) and any(map(holds_traced, tree))


def swap(tree: Any, function: Callable[[TracedArray], Any]) -> Any:
    """The tree with `function` applied to its traced arrays."""
    if isinstance(tree, TracedArray):
        return function(tree)
    if isinstance(tree, dict):
        return {k: swap(v, function) for k, v in tree.items()}
    if isinstance(tree, list | tuple) and not hasattr(tree, "_fields"):
        return type(tree)(swap(v, function) for v in tree)
    return tree


def values(tree: Any) -> Any:
    """The tree as NumPy has it: every traced array's `value`."""
    return swap(tree, lambda x: x.value)


def any_moving(tape: Tape, tree: Any) -> bool:
    """Whether some traced array in the tree is not an exact integer constant."""
    found: list[bool] = []
    swap(tree, lambda x: found.append(x.is_float or tape.recorder.known(x.recorded) is None))
    return any(found)
