"""Modules that are loaded while code is recorded: they see NumPy as it is.

What is substituted would be kept by a module that is loaded then, or would break it. So a finder stands
before the others while code is recorded. It finds what they find, and lifts the substitutes while the module
runs. What is loaded already is not looked for, and other threads pass the finder by.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Lifted = Callable[[], AbstractContextManager[None]]


@contextmanager
def loading(is_recorded: Callable[[], bool], lifted: Lifted) -> Iterator[None]:
    """Inside the block modules are loaded with the substitutes lifted.

    Args:
        is_recorded: Whether the substitutes are those of the code that runs in this thread.
        lifted: Within it they are not in place.
    """
    finder = _Finder(is_recorded, lifted)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path[:] = [other for other in sys.meta_path if other is not finder]


class _Finder:
    """Finds what the other finders find."""

    def __init__(self, is_recorded: Callable[[], bool], lifted: Lifted) -> None:
        self._is_recorded, self._lifted = is_recorded, lifted

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What they find, with a loader that lifts the substitutes."""
        if not self._is_recorded():
            return None
        for other in [finder for finder in sys.meta_path if finder is not self]:
            find = getattr(other, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, self._lifted)  # type: ignore[assignment]
                return spec
        return None


class _Loader:
    """Another loader, with the substitutes lifted; the module keeps that one."""

    def __init__(self, loader: Any, lifted: Lifted) -> None:
        self._loader, self._lifted = loader, lifted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """A new module; one in C may run here."""
        with self._lifted():
            made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: Any) -> None:
        """Run the module; a lazy one too, which would otherwise run where it is first used."""
        module.__spec__.loader = module.__loader__ = self._loader
        with self._lifted():
            self._loader.exec_module(module)
            getattr(module, "__name__", None)
