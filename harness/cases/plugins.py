"""What other packages add: oracles and cases, found by their entry points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import TypeVar

from harness.selection import UsageError

ORACLES, CASES = "harness.oracles", "harness.cases"
Item = TypeVar("Item")


def plugins(group: str, kind: type[Item], taken: Iterable[str]) -> dict[str, Item]:
    """What the entry points of a group give, by name.

    An entry point names one of that kind, an iterable of them, or a function without arguments that returns
    either.

    Raises:
        UsageError: One cannot be loaded, is of another kind, or has a name that is taken; it says which
            package it is of.
    """
    found: dict[str, Item] = {}
    for entry in metadata.entry_points(group=group):
        whose = f"the entry point {entry.name} = {entry.value!r} in {group}"
        whose += f" of {entry.dist.name}" if entry.dist else ""
        for item in _items(entry, kind, whose):
            name = str(getattr(item, "name", ""))
            if name in found or name in taken:
                raise UsageError(f"{whose} brings {name!r}, which there is already; give it another name")
            found[name] = item
    return found


def _items(entry: metadata.EntryPoint, kind: type[Item], whose: str) -> Iterator[Item]:
    try:
        given = entry.load()
        given = given() if callable(given) and not isinstance(given, kind) else given
        items = [given] if isinstance(given, kind) else list(given)
    except Exception as problem:
        raise UsageError(
            f"{whose} cannot be loaded: {type(problem).__name__}: {problem}; mend it, or uninstall it"
        ) from problem
    for item in items:
        if not isinstance(item, kind):
            wanted = kind.__name__
            raise UsageError(f"{whose} gives a {type(item).__name__}; {wanted}, or several, is wanted")
        yield item
