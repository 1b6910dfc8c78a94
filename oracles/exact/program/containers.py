"""What Python's own containers hold, whatever the methods of a type that is derived from one answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

CONTAINERS = (list, tuple, set, frozenset, dict, deque)


def built_in_kind(kind: type) -> Any:
    """The kind of Python's that a type of containers is, or is derived from."""
    return next(base for base in CONTAINERS if issubclass(kind, base))


def values_of(base: Any, container: Any) -> Iterable[Any]:
    """The elements of a container of this kind of Python's, of a dictionary the values."""
    return dict.values(container) if base is dict else base.__iter__(container)


def items_of(base: Any, container: Any) -> Iterable[tuple[Any, Any]]:
    """Likewise, each after its key or its place."""
    return dict.items(container) if base is dict else enumerate(base.__iter__(container))
