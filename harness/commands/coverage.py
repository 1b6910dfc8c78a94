"""What the command `coverage` does."""

from __future__ import annotations

import importlib

from rich.text import Text

from harness.report.delivery import with_progress
from harness.report.screen import Screen
from harness.runs.runner import oracles
from harness.verdicts import ExitCode

PROMISED_COVERAGE = {"jax": 350, "torch": 300}


def run_coverage() -> ExitCode:
    """Prove what can be proven of the frameworks' own functions; fails below what the project promises."""
    console, kept = Screen(), True
    for name, promised in PROMISED_COVERAGE.items():
        missing = oracles()[name].unavailable()
        if missing:
            console.print(Text(f"{name}: {missing}", style="magenta"))
            kept = False
            continue
        module = importlib.import_module(f"oracles.exact.coverage.{name}")
        rows = list(with_progress(module.coverage(), None))
        proven = sum(status == "proven" for _, status in rows)
        kept = kept and proven >= promised
        console.print(
            Text(f"{name}: {proven} of {len(rows)} functions proven ({promised} wanted)", style="bold")
        )
        for function, status in rows:
            if status != "proven":
                console.folded(f"{function}: {status}", 4)
    return ExitCode.OK if kept else ExitCode.FAILED
