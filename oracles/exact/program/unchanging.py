"""Functions that read nothing but their arguments, as a catalogue's do: they are traced once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

R = TypeVar("R")
_kept: ContextVar[dict[Hashable, Any] | None] = ContextVar("_kept", default=None)


@contextmanager
def unchanging() -> Iterator[None]:
    """Inside, the functions that are asked about read nothing that may change meanwhile."""
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def once(key: Callable[[], Hashable], make: Callable[[], R]) -> R:
    """What `make` gives; inside of `unchanging` what it gave to the first who asked with an equal key."""
    kept = _kept.get()
    if kept is None:
        return make()
    try:
        own = key()
        hash(own)
    except TypeError:  # an argument that has no hash
        return make()
    if own not in kept:
        kept[own] = make()
    return kept[own]  # type: ignore[no-any-return]
