"""Random numbers, refused: they have no exact value. Where the seed is reset they are the same every time."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from oracles.exact.from_numpy.tape import unsupported

SOURCES = (np.random.Generator, np.random.RandomState, random.Random)
_seeded = ContextVar("seeded", default=False)


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
        full = f"{self.__name}.{name}"
        if isinstance(found, type):
            return RefusedType(name, (), {"original": found, "full": full})
        return functools.partial(refuse, full) if callable(found) else found


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
        refuse(cls.full)


def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
    """Say that random numbers have no exact value."""
    raise unsupported(
        f"{name}: random numbers have no exact value; draw them first and pass them as arguments"
    )


def without_chance(value: Any) -> Any:
    """The value, refused where it draws random numbers."""
    if is_seeded():
        return value
    if isinstance(value, SOURCES):
        return Refused(value, type(value).__name__)
    if isinstance(getattr(value, "__self__", None), SOURCES):  # from numpy.random import normal
        return functools.partial(refuse, f"{type(value.__self__).__name__}.{value.__name__}")
    return value
