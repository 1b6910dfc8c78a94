"""gradproof tells you whether a gradient is right.

The public names are those of `harness`, and importing this loads no framework either.

Raises:
    ImportError: Another package hides `harness` or `oracles`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradproof.home import Hidden
from gradproof.home import harness as _harness

if TYPE_CHECKING:
    from harness import *  # noqa: F403

try:
    _ours = _harness()
except Hidden as _problem:
    # Python has "-m" there while it looks for the module that it runs: a command says it without a traceback.
    if Path(*sys.argv[:1]).stem not in ("-m", "gradproof"):
        raise
    print(f"gradproof: {_problem}", file=sys.stderr)
    raise SystemExit(2) from None

__version__ = _ours.__version__
__all__ = list(_ours.__all__)


def __getattr__(name: str) -> Any:
    if name in __all__:
        globals()[name] = found = getattr(_ours, name)
        return found
    raise AttributeError(f"module 'gradproof' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
