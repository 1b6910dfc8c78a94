"""What the commands `list`, `explain`, `coverage` and `bench` do."""

from __future__ import annotations

import importlib
import re

from rich.text import Text

from harness.bench import exact as bench_exact
from harness.bench import gate as bench_gate
from harness.bench import paired as bench
from harness.cases import catalogue
from harness.explain import WORDS, explanations
from harness.report import other_tables
from harness.report.delivery import deliver, with_progress
from harness.report.screen import Screen
from harness.runs.runner import oracles
from harness.verdicts.exit_codes import ExitCode
from harness.verdicts.glossary import LETTERS

PROMISED_COVERAGE = {"jax": 350, "torch": 300}


def print_catalogue() -> ExitCode:
    """The cases and the oracles, as two other_tables."""
    deliver([other_tables.cases(catalogue().values()), other_tables.oracles(oracles().values())])
    return ExitCode.OK


def print_operations() -> ExitCode:
    """What the exact oracle covers, front end by front end, as wrapped words."""
    from oracles.exact.coverage import operations

    console = Screen()
    console.print(Text("What the exact oracle covers", style="bold"))
    for name, read in (
        ("", operations.scalar_functions),
        ("", operations.numpy_operations),
        ("jax", operations.jax_operations),
        ("torch", operations.torch_operations),
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
    return ExitCode.OK


def print_explanation(word: str) -> ExitCode:
    """One word explained; or, without a word, all there are."""
    console = Screen()
    if not word:
        for kind, named in WORDS.items():
            console.print(Text(f"{kind}s", style="bold"))
            console.folded(", ".join(named), 2)
        return ExitCode.OK
    for kind, name, entry in explanations(word):
        console.print(Text(name if kind == "exit code" else f"{name} ({kind})", style="bold"))
        for title, line in zip(("", "how: ", "for example: ", "what to do: "), entry, strict=True):
            if line:
                console.folded(f"{title}{line}", 2)
        if re.search(r"\b[TCEB]\b", entry.how):
            console.folded(LETTERS, 2, "dim")
    return ExitCode.OK


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


def run_bench() -> ExitCode:
    """The paired benchmarks and the exact oracle's limits; fails where a promise is not kept."""
    pairs = list(with_progress(bench.run(), len(bench.BENCHMARKS)))
    measured = list(with_progress(bench_exact.run(), bench_exact.COUNT))
    seen = list(with_progress(bench_gate.run(), None))
    deliver([other_tables.benchmarks(pairs), other_tables.measurements(measured), other_tables.powers(seen)])
    kept = all([*(p.met for p in pairs), *(m.met for m in measured), *(s.met for s in seen)])
    return ExitCode.OK if kept else ExitCode.FAILED
