"""NumPy as the recorded code sees it: `np` in the globals of the user's modules, for the time of one call.

Allocating functions make arrays that can take traced elements; random numbers are refused; everything else is
NumPy's own, which hands traced arrays over by itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.lib import stride_tricks

from oracles.exact.from_numpy.allocation import allocators
from oracles.exact.from_numpy.array import TracedArray, holds_traced, together
from oracles.exact.from_numpy.chance import Refused, is_seeded, without_chance
from oracles.exact.from_numpy.search import Place, Search
from oracles.exact.from_numpy.tape import Tape, unsupported


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
