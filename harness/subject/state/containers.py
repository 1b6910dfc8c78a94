"""Lists, sets and dictionaries, and what `functools.lru_cache` keeps."""

from __future__ import annotations

import functools
import operator
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import numpy as np

from harness.subject.state.keeper import has_our_type
from harness.subject.state.variables import is_same

# How each kind of container, and what is derived from it, is filled: a Counter's own `update` adds.
_FILL: dict[Any, Callable[[Any, Any], None]] = {
    list: list.extend,
    deque: deque.extend,
    set: set.update,
    OrderedDict: OrderedDict.update,
    dict: dict.update,
}
_EXACTLY = {id(base): base for base in _FILL}  # most are; the hash of a type may be anything
CACHE: type = type(functools.lru_cache(lambda: None))


def base_of(kind: type) -> Any:
    """The kind of container that it is or is derived from, None of another type."""
    return _EXACTLY.get(id(kind)) or next((base for base in _FILL if issubclass(kind, base)), None)


class Contents:
    """The elements of a list, set or dictionary.

    Attributes:
        whole: Whether what only came to them goes too: otherwise that is a log.
    """

    def __init__(self, container: Any, whole: bool) -> None:
        self._kind = base_of(type(container))
        self._container, self.whole = container, whole
        self._parts = list(self._each())

    def __call__(self) -> bool:
        """Put back what is no log."""
        if not self.has_grown and all(map(operator.is_, self._each(), self._parts)):
            return False
        now, before = self.elements, self._before
        same = len(now) >= len(before) and all(map(is_same, now, before))
        if same and (len(now) == len(before) or not self.whole):
            return False
        self.hold(before)
        return True

    def without_ours(self) -> None:
        """Take what watched the user's code out of what came to a log."""
        count = self._count
        if self._kind.__len__(self._container) <= count:
            return
        now = self.elements
        kept = [*now[:count], *(element for element in now[count:] if not _is_ours(element))]
        if len(kept) < len(now):
            self.hold(kept)

    @property
    def has_grown(self) -> bool:
        """Whether anything came to it."""
        return bool(self._kind.__len__(self._container) != self._count)

    @property
    def has_more(self) -> bool:
        """Whether anything came to it that is not of ours: code that finds things by names reaches that."""
        known = set(map(id, self._parts))
        new = (part for part in self._each() if id(part) not in known) if self.has_grown else ()
        return not all(map(has_our_type, new))

    def begin(self) -> bool:
        """Take out what came to it; whether anything came."""
        if not self.has_grown:
            return False
        self.hold(self._before)
        return True

    def hold(self, elements: list[Any]) -> None:
        """Have these elements and no others."""
        self._kind.clear(self._container)
        _FILL[self._kind](self._container, elements)

    @property
    def _count(self) -> int:
        return len(self._parts) // 2 if issubclass(self._kind, dict) else len(self._parts)

    @property
    def _before(self) -> list[Any]:
        """What it held at the beginning: of thousands of containers few are ever asked for it."""
        count, parts = self._count, self._parts
        return list(zip(parts[:count], parts[count:], strict=True)) if count < len(parts) else parts

    @property
    def elements(self) -> list[Any]:
        """What it holds now."""
        of = self._kind.items if issubclass(self._kind, dict) else self._kind.__iter__
        return list(of(self._container))

    def _each(self) -> Iterable[Any]:
        """The elements themselves: the items of a dictionary are made anew."""
        if not issubclass(self._kind, dict):
            return self._kind.__iter__(self._container)  # type: ignore[no-any-return]
        return chain(self._kind.keys(self._container), self._kind.values(self._container))


def _is_ours(tree: Any) -> bool:
    """Whether something in it is an array that watches the user's code."""
    kind = type(tree)
    if kind in (list, tuple, dict):
        return any(map(_is_ours, tree.values() if kind is dict else tree))
    return issubclass(kind, np.ndarray) and kind.__module__.startswith("oracles.")


class Cache:
    """What `functools.lru_cache` keeps. It can be emptied, not filled: what came to it stays after all."""

    def __init__(self, cache: Any) -> None:
        self._cache, self._was_empty = cache, not cache.cache_info().currsize

    def __call__(self) -> bool:
        """Leave it: what it keeps may have taken long to compute."""
        return False

    def begin(self) -> bool:
        """Empty it, if it was that; whether anything came."""
        came = bool(self._was_empty and self._cache.cache_info().currsize)
        if came:
            self._cache.cache_clear()
        return came
