"""Are `harness`, `oracles` and `reference` ours? A project may have its own package of such a name.

This imports nothing of ours, so that it can say so before anything fails.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]


class Hidden(ImportError):
    """Another package has the name of one that is needed."""


def confirm(*names: str, anew: bool = False) -> None:
    """Nothing, if each of these packages is ours.

    Args:
        names: The packages.
        anew: Whether to ask where a new process would find them, and not what is loaded.

    Raises:
        Hidden: Another one is found in its place; the message has both places and what to do.
    """
    for name in names:
        theirs, wanted = _place(PathFinder.find_spec(name) if anew else _spec(name)), ROOT / name
        if theirs is not None and theirs.resolve() != wanted.resolve():
            raise Hidden(_said(name, theirs, wanted))


def harness() -> ModuleType:
    """Our package `harness`, imported.

    Raises:
        Hidden: Another package hides it or `oracles`, or another distribution has overwritten it.
    """
    confirm("harness", "oracles")
    import harness as found

    if "check_gradient" not in getattr(found, "__all__", ()):
        raise Hidden(
            f"gradproof's package `harness` at {ROOT / 'harness'} was overwritten by another distribution's; "
            "uninstall that one, then run `pip install --force-reinstall --no-deps gradproof`"
        )
    return found


def _spec(name: str) -> ModuleSpec | None:
    """Of the package that is loaded, or else would be; without importing it."""
    loaded = sys.modules.get(name)
    return getattr(loaded, "__spec__", None) if loaded else importlib.util.find_spec(name)


def _place(spec: ModuleSpec | None) -> Path | None:
    """Its folder, or its file where it is a module; None if there is none."""
    if spec is None:
        return None
    if spec.has_location and spec.origin:
        file = Path(spec.origin)
        return file.parent if file.name == "__init__.py" else file
    return next((Path(folder) for folder in spec.submodule_search_locations or ()), None)


def _said(name: str, theirs: Path, wanted: Path) -> str:
    return (
        f"gradproof needs its own package `{name}` ({wanted}), and {theirs} hides it. "
        "Rename that one, or run from a folder where it is not on sys.path"
    )
