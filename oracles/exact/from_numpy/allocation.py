"""NumPy's allocating functions, making arrays that can take traced elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_numpy.array import TracedArray, cast, check_dtype, holds_traced, lift, values
from oracles.exact.from_numpy.memory import decided_tree, tokens_of
from oracles.exact.from_numpy.tape import UNWRITTEN, ZERO, Tape, words
from oracles.exact.program.program import FLOATS

Make = Callable[..., Any]


def blank(tape: Tape, value: Any, token: int) -> Any:
    """A new array whose elements all have one token."""
    check_dtype(value.dtype)
    tokens = np.empty_like(value, np.int64, subok=False)
    tokens[...] = token
    return TracedArray(tape, value, tokens)


def filled(tape: Tape, value: Any, fill: Any) -> Any:
    """A new array shaped as `value`, filled with numbers or with traced elements."""
    result = blank(tape, value, ZERO)
    result[...] = fill
    return result


def literals(tape: Tape, value: Any) -> Any:
    """A new array of floats that stand in the code; what holds no floats stays NumPy's own."""
    if not isinstance(value, np.ndarray) or value.dtype.name not in FLOATS:
        return value
    return lift(tape, value.copy(order="K"), value.dtype)


def array(tape: Tape, source: Any, dtype: Any = None, order: Any = "K", ndmin: int = 0, **_: Any) -> Any:
    """np.array, of anything that may hold traced arrays; numbers are taken as written, whatever the dtype."""
    if isinstance(source, TracedArray):
        found = cast(source, np.dtype(dtype or source.dtype), order)
        if not isinstance(found, TracedArray):
            return np.array(found, order=order, ndmin=ndmin)
        value, tokens = found.value, found.tokens
    elif holds_traced(source):
        value = np.array(values(source), dtype)
        check_dtype(value.dtype)
        tokens = np.array(tokens_of(tape, source, value.dtype))
    else:
        value = np.array(source, dtype, order=order, ndmin=ndmin)
        if value.dtype.name not in FLOATS and value.dtype.kind not in "iub":
            return value
        written = np.array(source, order=order, ndmin=ndmin) if value.dtype.name in FLOATS else value
        return TracedArray(tape, value, tape.literal(written, value.dtype.name))
    again = {"copy": None, "order": order, "ndmin": ndmin}
    return TracedArray(tape, np.array(value, **again), np.array(tokens, **again))


def asarray(
    tape: Tape, a: Any, dtype: Any = None, order: Any = None, copy: bool | None = None, **_: Any
) -> Any:
    """np.asarray: a traced array itself where NumPy would give the array itself."""
    if isinstance(a, TracedArray) and not a.is_scalar and not copy:
        flags = a.tokens.flags
        fits = {"C": flags.c_contiguous, "F": flags.f_contiguous}.get(order, True)
        if fits and (dtype is None or np.dtype(dtype) == a.dtype):
            return a
    elif isinstance(a, np.ndarray) and not copy:
        return np.asarray(a, dtype, order)
    return array(tape, a, dtype, order or "K")


def allocators(tape: Tape) -> dict[str, Make]:
    """The functions by name, for one recording."""

    def made(name: str, finish: Callable[[Any], Any]) -> Make:
        function = getattr(np, name)

        def make(*args: Any, **kwargs: Any) -> Any:
            return finish(function(*decided_tree(args), **decided_tree(kwargs)))

        return make

    def like(name: str, finish: Callable[[Any], Any]) -> Make:
        function = getattr(np, name)

        def make(a: Any, *args: Any, **kwargs: Any) -> Any:
            return finish(function(values(a), *args, **kwargs))

        return make

    def full(shape: Any, fill_value: Any, dtype: Any = None, **kwargs: Any) -> Any:
        kind = dtype or np.asarray(values(fill_value)).dtype
        return filled(tape, np.zeros(decided_tree(shape), kind, **kwargs), fill_value)

    def full_like(a: Any, fill_value: Any, *args: Any, **kwargs: Any) -> Any:
        return filled(tape, np.zeros_like(values(a), *args, **kwargs), fill_value)

    def array_(
        a: Any, dtype: Any = None, *, copy: bool | None = True, order: Any = "K", **kwargs: Any
    ) -> Any:
        return array(tape, a, dtype, order, **kwargs) if copy or kwargs else asarray(tape, a, dtype, order)

    def linspace(start: Any, stop: Any, *args: Any, **kwargs: Any) -> Any:
        if holds_traced((start, stop)):
            return np.linspace(start, stop, *args, **kwargs)
        return literals(tape, np.linspace(start, stop, *args, **kwargs))

    return {
        **{
            name: made(name, lambda v: literals(tape, v))
            for name in words("arange logspace geomspace eye identity tri")
        },
        "linspace": linspace,
        "zeros": made("zeros", lambda v: blank(tape, v, ZERO)),
        "ones": made("ones", lambda v: filled(tape, v, 1)),
        "empty": made("empty", lambda v: blank(tape, v, UNWRITTEN)),
        "full": full,
        "zeros_like": like("zeros_like", lambda v: blank(tape, v, ZERO)),
        "ones_like": like("ones_like", lambda v: filled(tape, v, 1)),
        "empty_like": like("empty_like", lambda v: blank(tape, v, UNWRITTEN)),
        "full_like": full_like,
        "array": array_,
        **{
            name: lambda a, dtype=None, order=None, **kw: asarray(tape, a, dtype, order, **kw)
            for name in ("asarray", "asanyarray")
        },
        "ascontiguousarray": lambda a, dtype=None, **_: asarray(tape, a, dtype, "C"),
        "asfortranarray": lambda a, dtype=None, **_: asarray(tape, a, dtype, "F"),
    }
