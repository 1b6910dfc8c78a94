"""Tells you whether a gradient is right.

Importing this loads no framework: the names below are fetched when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from harness.version import __version__

if TYPE_CHECKING:
    from harness.case import Case, InputMaker
    from harness.cases import catalogue
    from harness.check import assert_gradient, check_gradient
    from harness.exact import (
        Enclosure,
        ExactError,
        Undecided,
        Unsupported,
        exact_gradient,
        exact_value,
    )
    from harness.examination import examine
    from harness.journal import read_records
    from harness.layer_check import assert_layer, check_layer
    from harness.record import Cell, Record
    from harness.result import GradientError, Result
    from harness.runner import plan, run
    from oracles.exact.registered import register_rule

_HOMES = {
    "Case": "case",
    "Cell": "record",
    "GradientError": "result",
    "Result": "result",
    "InputMaker": "case",
    "Enclosure": "exact",
    "ExactError": "exact",
    "Record": "record",
    "Undecided": "exact",
    "Unsupported": "exact",
    "catalogue": "cases",
    "assert_gradient": "check",
    "assert_layer": "layer_check",
    "check_gradient": "check",
    "check_layer": "layer_check",
    "exact_gradient": "exact",
    "exact_value": "exact",
    "examine": "examination",
    "plan": "runner",
    "read_records": "journal",
    "register_rule": "oracles.exact.registered",
    "run": "runner",
}

__all__ = [
    "Case",
    "Cell",
    "Enclosure",
    "ExactError",
    "GradientError",
    "InputMaker",
    "Record",
    "Result",
    "Undecided",
    "Unsupported",
    "__version__",
    "assert_gradient",
    "assert_layer",
    "catalogue",
    "check_gradient",
    "check_layer",
    "exact_gradient",
    "exact_value",
    "examine",
    "plan",
    "read_records",
    "register_rule",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        home = _HOMES[name]
        return getattr(importlib.import_module(home if "." in home else f"harness.{home}"), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
