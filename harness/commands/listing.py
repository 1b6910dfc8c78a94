"""What the command `list` does: the cases and the oracles, or the operations that have a rule."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from rich.text import Text

from harness.cases import catalogue
from harness.cases.case import Case
from harness.report.delivery import deliver
from harness.report.screen import Screen
from harness.report.tables import Table
from harness.runs.runner import oracles
from harness.selection import listed
from harness.verdicts import ExitCode
from oracles import Oracle


def print_listing(what: str) -> ExitCode:
    """The catalogue, or the operations.

    Raises:
        UsageError: `what` is neither.
    """
    (chosen,) = listed("list", what, ("catalogue", "ops"))
    if chosen == "ops":
        _print_operations()
    else:
        deliver([case_table(catalogue().values()), oracle_table(oracles().values())])
    return ExitCode.OK


def case_table(rows: Iterable[Case]) -> Table:
    """The catalogue."""
    frame = pd.DataFrame(
        {
            "case": case.name,
            "differentiated": ", ".join(case.differentiated) if case.vjp else "",
            "inputs": ", ".join(maker.name for maker in case.inputs),
            "not_differentiable": case.nondifferentiable,
            "source": case.source,
        }
        for case in rows
    )
    return Table(
        "cases", "Cases", frame, ("case", "differentiated", "inputs", "not_differentiable", "source")
    )


def oracle_table(rows: Iterable[Oracle]) -> Table:
    """The oracles, and what each needs on this machine."""
    frame = pd.DataFrame(
        {
            "oracle": oracle.name,
            "decides": oracle.decides,
            "ready": not oracle.unavailable(),
            "what": oracle.summary,
            "reason": oracle.unavailable(),
        }
        for oracle in rows
    )
    return Table("oracles", "Oracles", frame, ("oracle", "ready", "decides", "what", "reason"))


def _print_operations() -> None:
    """What the exact oracle covers, front end by front end, as wrapped words."""
    from oracles.exact.coverage import operations

    console = Screen()
    console.print(Text("What the exact oracle covers", style="bold"))
    for name, read in (
        ("", operations.scalar_functions),
        ("", operations.numpy_operations),
        ("", operations.numpy_complex),
        ("", operations.scipy_operations),
        ("jax", operations.jax_operations),
        ("jax", operations.jax_complex),
        ("torch", operations.torch_operations),
        ("torch", operations.torch_complex),
    ):
        missing = oracles()[name].unavailable() if name else ""
        if missing:
            console.print(Text(f"\n{name}: {missing}", style="magenta"))
            continue
        found = read()
        console.print(Text(f"\n{found.front_end}: {len(found.covered)} with a rule", style="bold"))
        console.folded(" ".join(found.covered), 4)
        if found.missing:
            console.print(Text(f"{found.front_end}: {len(found.missing)} without", style="bold"))
            console.folded(" ".join(found.missing), 4)
