"""Tells you whether a gradient is right.

Importing this loads no framework: the names below are fetched when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from harness.version import __version__

if TYPE_CHECKING:
    from harness.cases import catalogue
    from harness.cases.case import Case, InputMaker
    from harness.check import assert_gradient, check_gradient
    from harness.exact import (
        Enclosure,
        ExactError,
        Undecided,
        Unsupported,
        exact_gradient,
        exact_value,
    )
    from harness.layers import assert_layer, check_layer
    from harness.result import GradientError, Result
    from harness.runs.journal import read_records
    from harness.runs.plan import plan
    from harness.runs.record import Cell, Record
    from harness.runs.row import examine
    from harness.runs.runner import run
    from oracles.exact.program.registered import register_rule

_HOMES = {
    "Case": "harness.cases.case",
    "Cell": "harness.runs.record",
    "GradientError": "harness.result",
    "Result": "harness.result",
    "InputMaker": "harness.cases.case",
    "Enclosure": "harness.exact",
    "ExactError": "harness.exact",
    "Record": "harness.runs.record",
    "Undecided": "harness.exact",
    "Unsupported": "harness.exact",
    "catalogue": "harness.cases",
    "assert_gradient": "harness.check",
    "assert_layer": "harness.layers",
    "check_gradient": "harness.check",
    "check_layer": "harness.layers",
    "exact_gradient": "harness.exact",
    "exact_value": "harness.exact",
    "examine": "harness.runs.row",
    "plan": "harness.runs.plan",
    "read_records": "harness.runs.journal",
    "register_rule": "oracles.exact.program.registered",
    "run": "harness.runs.runner",
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
        globals()[name] = found = getattr(importlib.import_module(_HOMES[name]), name)
        return found
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
