"""What others add: oracles and cases, by entry points of a package, or by `cases` in pyproject.toml."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial, reduce
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from harness.selection import UsageError
from harness.settings import TABLE, listed_cases
from oracles.exact.program.words import kind_of

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
        found |= _named(_items(entry.load, kind, whose, "mend it, or uninstall it"), {*found, *taken}, whose)
    return found


def listed(kind: type[Item], taken: Iterable[str]) -> dict[str, Item]:
    """What the names `cases = ["package.module:CASES"]` of the nearest pyproject.toml give, as `plugins`.

    The folder of that file can be imported from.

    Raises:
        UsageError: As `plugins`; it says which name it is, and of which file.
    """
    path, names = listed_cases()
    found: dict[str, Item] = {}
    if names and str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    for name in names:
        whose = f"{name} of cases in [tool.{TABLE}] of {path}"
        items = _items(partial(_loaded, name), kind, whose, "mend it")
        found |= _named(items, {*found, *taken}, whose)
    return found


def listed_files() -> list[Path]:
    """The sources that the listed cases come from: of their module, or of the whole package that it is in."""
    path, names = listed_cases()
    found: set[Path] = set()
    for top in {name.partition(":")[0].partition(".")[0] for name in names}:
        place = path.parent / top
        found |= set(place.rglob("*.py")) if place.is_dir() else {place.with_suffix(".py")}
    return sorted(file for file in found if file.is_file())


def _loaded(name: str) -> Any:
    module, _, inside = name.partition(":")
    return reduce(getattr, inside.split("."), importlib.import_module(module))


def _named(items: Iterable[Item], taken: Iterable[str], whose: str) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for item in items:
        name = str(getattr(item, "name", ""))
        if name in found or name in taken:
            raise UsageError(f"{whose} brings {name!r}, which there is already; give it another name")
        found[name] = item
    return found


def _items(load: Callable[[], Any], kind: type[Item], whose: str, advice: str) -> Iterator[Item]:
    try:
        given = load()
        given = given() if callable(given) and not isinstance(given, kind) else given
        items = [given] if isinstance(given, kind) else list(given)
    except Exception as problem:
        raise UsageError(
            f"{whose} cannot be loaded: {type(problem).__name__}: {problem}; {advice}"
        ) from problem
    for item in items:
        if not isinstance(item, kind):
            wanted = kind.__name__
            raise UsageError(f"{whose} gives {kind_of(item)}; {wanted}, or several, is wanted")
        yield item
