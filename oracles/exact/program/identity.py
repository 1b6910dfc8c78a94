"""Answers about objects by their identity: the hash of a type, and its idea of equality, may be anything."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def by_identity(answer: Callable[[Item], Answer]) -> Callable[[Item], Answer]:
    """A function that is asked once for each object that lives; its answer must not hold the object."""
    known: dict[int, tuple[Any, Answer]] = {}

    @functools.wraps(answer)
    def asked(item: Item) -> Answer:
        found = known.get(id(item))
        if found is None:
            forget = functools.partial(known.pop, id(item))  # called with the reference, a default here
            found = known[id(item)] = weakref.ref(item, forget), answer(item)
        return found[1]

    return asked
