"""Tells you whether a gradient is right.

Importing this loads no framework: the names below are fetched when they are first used.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.version import __version__

if TYPE_CHECKING:
    from harness.accepted import Known as Known
    from harness.accepted import UpstreamWarning as UpstreamWarning
    from harness.cases import catalogue as catalogue
    from harness.cases.case import Case as Case
    from harness.cases.case import InputMaker as InputMaker
    from harness.check import assert_gradient as assert_gradient
    from harness.check import check_gradient as check_gradient
    from harness.exact import Enclosure as Enclosure
    from harness.exact import ExactError as ExactError
    from harness.exact import Undecided as Undecided
    from harness.exact import Unsupported as Unsupported
    from harness.exact import exact_gradient as exact_gradient
    from harness.exact import exact_value as exact_value
    from harness.layers import assert_layer as assert_layer
    from harness.layers import check_layer as check_layer
    from harness.networks import assert_network as assert_network
    from harness.networks import check_network as check_network
    from harness.page.library import MissingLibrary as MissingLibrary
    from harness.registering import register_rule as register_rule
    from harness.result import GradientError as GradientError
    from harness.result import Result as Result
    from harness.runs.journal import read_records as read_records
    from harness.runs.record import Cell as Cell
    from harness.runs.record import Record as Record
    from harness.runs.row import examine as examine
    from harness.runs.runner import plan as plan
    from harness.runs.runner import run as run
    from harness.runs.workers import Workers as Workers
    from harness.selection import Untrusted as Untrusted

_MODULES = {
    "harness.accepted": "Known UpstreamWarning",
    "harness.cases": "catalogue",
    "harness.cases.case": "Case InputMaker",
    "harness.check": "assert_gradient check_gradient",
    "harness.exact": "Enclosure ExactError Undecided Unsupported exact_gradient exact_value",
    "harness.layers": "assert_layer check_layer",
    "harness.networks": "assert_network check_network",
    "harness.page.library": "MissingLibrary",
    "harness.registering": "register_rule",
    "harness.result": "GradientError Result",
    "harness.runs.journal": "read_records",
    "harness.runs.record": "Cell Record",
    "harness.runs.row": "examine",
    "harness.runs.runner": "plan run",
    "harness.runs.workers": "Workers",
    "harness.selection": "Untrusted",
}
HOME = Path(__file__).parents[1] / "gradproof" / "home.py"
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        confirm("oracles")
        globals()[name] = found = getattr(importlib.import_module(_HOMES[name]), name)
        return found
    raise AttributeError(f"module 'harness' has no attribute {name!r}{meant(name, 'harness')}")


def confirm(*names: str) -> None:
    """Nothing, if `gradproof` and these packages are ours.

    Raises:
        ImportError: Another package hides one.
    """
    _home().confirm("gradproof", *names)


@cache
def _home() -> Any:
    """`gradproof.home`, by its place: `gradproof` itself may be another's."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("gradproof_home", HOME)
    assert spec is not None
    assert spec.loader is not None
    home = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(home)
    return home


def meant(name: str, home: str) -> str:
    """What a name that there is not may have meant, for the end of a message; "" if nobody can tell."""
    if name.startswith("_"):  # which machines ask for
        return ""
    import difflib

    from harness.checkers import HOMES

    if any(name in names for names in HOMES.values()):
        return f"; {name} is in {home}.dropin"
    near = [own for own in __all__ if own.startswith(name)] or difflib.get_close_matches(name, __all__)
    return f"; near matches: {', '.join(near)}" if near else ""


def __dir__() -> list[str]:
    return sorted(__all__)
