"""NumPy as the recorded code sees it: `np` in the globals of the user's modules, for the time of one call.

Allocating functions make arrays that can take traced elements; random numbers are refused; everything else is
NumPy's own, which hands traced arrays over by itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from numpy.lib import stride_tricks

from oracles.exact.from_numpy.array import (
    TracedArray,
    cast,
    check_dtype,
    holds_traced,
    lift,
    together,
    values,
)
from oracles.exact.from_numpy.memory import decided_tree, tokens_of
from oracles.exact.from_numpy.search import Place, Refused, Search, is_seeded, without_chance
from oracles.exact.from_numpy.tape import UNWRITTEN, ZERO, Tape, unsupported, words
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


# -- modules ----------------------------------------------------------------------------------------------


class Module:
    """A module with some of its attributes replaced."""

    def __init__(self, module: Any, attributes: dict[str, Any]) -> None:
        self.__dict__.update(attributes)
        self.__module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__module, name)


class Walk:
    """np.nditer over a traced array, for its `multi_index`."""

    def __init__(self, x: TracedArray, *args: Any, **kwargs: Any) -> None:
        self.__x, self.__walk = x, np.nditer(x.value, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name not in {
            "multi_index",
            "finished",
            "iternext",
            "iterindex",
            "itersize",
            "reset",
            "ndim",
            "shape",
        }:
            raise unsupported(
                f"np.nditer(...).{name} of a recorded array; use multi_index, or np.ndindex(x.shape)"
            )
        return getattr(self.__walk, name)

    def __iter__(self) -> Iterator[Any]:
        for _ in self.__walk:
            yield self.__x[self.__walk.multi_index]

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, *_: Any) -> None:
        return None


def _nditer(op: Any, *args: Any, **kwargs: Any) -> Any:
    return Walk(op, *args, **kwargs) if isinstance(op, TracedArray) else np.nditer(op, *args, **kwargs)


def _ndenumerate(x: Any) -> Any:
    return ((i, x[i]) for i in np.ndindex(np.shape(x)))


def _as_strided(x: Any, shape: Any = None, strides: Any = None, **kwargs: Any) -> Any:
    if not isinstance(x, TracedArray):
        return stride_tricks.as_strided(x, shape, strides, **kwargs)
    scale = x.tokens.itemsize / x.value.itemsize
    steps = None if strides is None else tuple(int(s * scale) for s in strides)
    return together(
        x.tape,
        stride_tricks.as_strided(x.value, shape, strides, **kwargs),
        stride_tricks.as_strided(x.tokens, shape, steps, **kwargs),
    )


class Substitutes:
    """What is put in place of NumPy's modules and functions, by the identity of the original."""

    def __init__(self, tape: Tape) -> None:
        own: dict[str, Any] = {**allocators(tape), "nditer": _nditer, "ndenumerate": _ndenumerate}
        strides = Module(stride_tricks, {"as_strided": _as_strided})
        self._by_id: dict[int, Any] = {id(getattr(np, name)): new for name, new in own.items()}
        self._by_id[id(stride_tricks.as_strided)] = _as_strided
        chance = np.random if is_seeded() else Refused(np.random, "np.random")
        attributes = {**own, "random": chance, "lib": Module(np.lib, {"stride_tricks": strides})}
        for module, new in (
            (np, Module(np, attributes)),
            (np.lib, attributes["lib"]),
            (stride_tricks, strides),
            (np.random, chance),
            (random, random if is_seeded() else Refused(random, "random")),
        ):
            self._by_id[id(module)] = new

    def of(self, value: Any) -> Any:
        """What replaces the value, None if nothing does."""
        if isinstance(value, ModuleType):
            return self._by_id.get(id(value))
        if value is not (refused := without_chance(value)):
            return refused
        module = getattr(value, "__module__", None)
        if isinstance(module, str) and module.startswith("numpy.random") and not is_seeded():
            return getattr(Refused(np.random, "np.random"), value.__name__, None)
        return self._by_id.get(id(value))


@contextmanager
def substituted(tape: Tape, function: Any, *others: Any) -> Iterator[None]:
    """Inside the block the code that is reachable from the function sees the substitutes.

    Afterwards what held them holds the originals again, and what the code stored of the recording (a layer's
    running mean, say) is what it was before.
    """
    substitutes, saved = Substitutes(tape), list[tuple[Place, Any, Any]]()
    search = Search(function)
    try:
        for place in search.places([function, *others]):
            old = place.read()
            new = substitutes.of(old)
            if new is not None:
                saved.append((place, old, new))
                place.write(new)
        yield
    finally:
        for place, old, new in reversed(saved):
            if place.read() is new:
                place.write(old)
        search.forget(holds_traced)
