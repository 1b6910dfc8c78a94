"""The frameworks: each is recorded, differentiated and run in one place.

`framework("torch")` loads torch; nothing here does before it is asked.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from oracles.frameworks.framework import Framework, Function

__all__ = ["NAMES", "Framework", "Function", "differentiating", "framework", "framework_of", "on_host"]

NAMES = ("numpy", "jax", "torch")


@cache
def framework(name: str) -> Framework:
    """The framework of that name.

    Raises:
        ValueError: There is none.
    """
    if name not in NAMES:
        raise ValueError(f"framework is {name!r}; it must be one of {', '.join(NAMES)}")
    found: Framework = importlib.import_module(f"oracles.frameworks.in_{name}").FRAMEWORK
    return found


def framework_of(function: Callable[..., Any], leaves: Sequence[Any]) -> str:
    """By the types of the arguments' leaves, else by the function's module; NumPy if neither tells."""
    roots = {_root(leaf) for leaf in leaves}
    if "torch" in roots:
        return "torch"
    if roots & {"jax", "jaxlib"}:
        return "jax"
    home = str(getattr(function, "__module__", None) or type(function).__module__).partition(".")[0]
    return home if home in NAMES else "numpy"


def on_host(array: Any) -> Any:
    """An array of any framework as NumPy's."""
    return framework("torch" if _root(array) == "torch" else "numpy").on_host(array)


@contextmanager
def differentiating() -> Iterator[None]:
    """torch as it is where gradients are taken, whatever mode the caller is in (no_grad, inference)."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
    else:
        with torch.inference_mode(False), torch.enable_grad():
            yield


def _root(value: Any) -> str:
    return type(value).__module__.partition(".")[0]
