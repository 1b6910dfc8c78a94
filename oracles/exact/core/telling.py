"""How far long work has come, for whoever wants to say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

Told: TypeAlias = Callable[[str, int, int], None]
_told: ContextVar[Told | None] = ContextVar("told", default=None)


@contextmanager
def telling(told: Told) -> Iterator[None]:
    """Inside, `told(what, done, of)` is called as work goes on."""
    token = _told.set(told)
    try:
        yield
    finally:
        _told.reset(token)


def is_told() -> bool:
    """Whether somebody listens."""
    return _told.get() is not None


def tell(what: str, done: int, of: int) -> None:
    """So many steps of so many are done, of what."""
    told = _told.get()
    if told is not None:
        told(what, done, of)
