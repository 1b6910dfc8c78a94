"""What the command `search` does: a check that looks for the worst input."""

from __future__ import annotations

import inspect
from dataclasses import replace

from harness.commands.check import run_check
from harness.commands.named import named
from harness.commands.options import CheckOptions
from harness.selection import UsageError
from harness.verdicts import ExitCode

SHAPE = "3"  # of an argument of which nothing is said


def run_search(name: str, evaluations: int, options: CheckOptions) -> ExitCode:
    """Check a function or a layer at so many inputs.

    Raises:
        UsageError: The number is none, or what the function takes cannot be seen.
    """
    if evaluations < 1:
        raise UsageError(f"--evaluations must be an integer >= 1, got {evaluations}")
    if not options.shape and options.inputs is None:
        options = replace(options, shape=(SHAPE,) * _arguments(name))
    return run_check(name, replace(options, search=evaluations))


def _arguments(name: str) -> int:
    """How many arguments without a default a function has."""
    try:
        takes = inspect.signature(named(name)).parameters.values()
    except (TypeError, ValueError):
        raise UsageError(f"what {name} takes cannot be seen: add --shape 32,64 for each argument") from None
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in by_place and p.default is p.empty for p in takes) or 1
