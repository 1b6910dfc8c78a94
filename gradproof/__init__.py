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

if TYPE_CHECKING:  # each by its name: a star follows `__all__`, which type checkers cannot compute
    from harness import Case as Case
    from harness import Cell as Cell
    from harness import Enclosure as Enclosure
    from harness import ExactError as ExactError
    from harness import GradientError as GradientError
    from harness import InputMaker as InputMaker
    from harness import Known as Known
    from harness import MissingLibrary as MissingLibrary
    from harness import Record as Record
    from harness import Result as Result
    from harness import Undecided as Undecided
    from harness import Unsupported as Unsupported
    from harness import Untrusted as Untrusted
    from harness import UpstreamWarning as UpstreamWarning
    from harness import Workers as Workers
    from harness import assert_gradient as assert_gradient
    from harness import assert_layer as assert_layer
    from harness import assert_network as assert_network
    from harness import catalogue as catalogue
    from harness import check_gradient as check_gradient
    from harness import check_layer as check_layer
    from harness import check_network as check_network
    from harness import exact_gradient as exact_gradient
    from harness import exact_value as exact_value
    from harness import examine as examine
    from harness import plan as plan
    from harness import read_records as read_records
    from harness import register_rule as register_rule
    from harness import run as run

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


if not TYPE_CHECKING:  # to a type checker a module with it has every name

    def __getattr__(name: str) -> Any:
        if name in __all__:
            globals()[name] = found = getattr(_ours, name)
            return found
        raise AttributeError(f"module 'gradproof' has no attribute {name!r}{_ours.meant(name, 'gradproof')}")


def __dir__() -> list[str]:
    return sorted(__all__)
