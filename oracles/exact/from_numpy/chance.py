"""Random numbers in the recorded code: refused, or constants where the code sets the seed."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from oracles.exact.from_numpy.held import recording
from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.program.reach import attribute

SOURCES = (np.random.Generator, np.random.RandomState, random.Random)
GLOBAL = (np.random.seed, np.random.sample, np.random.ranf)  # of NumPy's one source, by no method
SEEDS = (int, np.integer, str, bytes)
MADE_BY_SEED = (np.random.default_rng, np.random.RandomState, random.Random)
_seeded = ContextVar("seeded", default=False)
# Sources whose seed the code has set.
seeds_set: ContextVar[tuple[Any, ...]] = ContextVar("seeds_set", default=())


@contextmanager
def seeded_chance() -> Iterator[None]:
    """Inside, random numbers are drawn: the recorded function resets the seed, so they are constants."""
    token = _seeded.set(True)
    try:
        yield
    finally:
        _seeded.reset(token)


def is_seeded() -> bool:
    """Whether random numbers are constants here."""
    return _seeded.get()


class Refused:
    """Stands for a source of random numbers: its types may be asked for, its numbers may not."""

    def __init__(self, source: Any, name: str) -> None:
        self.__source, self.__name = source, name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__source, name)
        if not recording.get():
            return found
        full = f"{self.__name}.{name}"
        if isinstance(found, type):
            return RefusedType(name, (), {"original": found, "full": full})
        return functools.partial(refuse, full, found) if callable(found) else found


class RefusedType(type):
    """A type that answers isinstance, and makes nothing.

    Attributes:
        original: The type it stands for.
        full: What messages call it.
    """

    original: type
    full: str

    def __instancecheck__(cls, item: Any) -> bool:
        return isinstance(item, (cls.original, Refused))

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Refuse."""
        return refuse(cls.full, cls.original, *args, **kwargs)


def refuse(name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Say that random numbers have no exact value; to the recording thread alone.

    A source whose seed the code has set gives the same numbers every time: they are constants.
    """
    if not recording.get():
        return function(*args, **kwargs)
    source, seed = _source(function), [*args, *kwargs.values()][:1]
    known = bool(seed) and isinstance(seed[0], SEEDS)
    if getattr(function, "__name__", "") == "seed":
        others = tuple(one for one in seeds_set.get() if one is not source)
        seeds_set.set((*others, source) if known else others)
        return function(*args, **kwargs)
    if any(source is one for one in seeds_set.get()) or (known and function in MADE_BY_SEED):
        return function(*args, **kwargs)
    raise unsupported(
        f"{name}: random numbers have no exact value; draw them first and pass them as arguments, or set the "
        "seed inside the function"
    )


def _source(function: Any) -> Any:
    """What a function draws from."""
    if function in GLOBAL:
        return np.random.get_state.__self__  # type: ignore[attr-defined]
    return getattr(function, "__self__", function)


def without_chance(value: Any) -> Any:
    """The value, refused where it draws random numbers."""
    if is_seeded():
        return value
    if issubclass(type(value), SOURCES):
        return Refused(value, type(value).__name__)
    source = type(attribute(value, "__self__"))
    if issubclass(source, SOURCES):  # from numpy.random import normal
        return functools.partial(refuse, f"{source.__name__}.{value.__name__}", value)
    return value
