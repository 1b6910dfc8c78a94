"""What the command `coverage` does."""

from __future__ import annotations

import importlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text

from harness.report.progress import with_progress
from harness.report.screen import Screen
from harness.runs.runner import oracles
from harness.verdicts import ExitCode
from oracles.exact.coverage.disagreements import EXPLAINED, Explained

# The framework, what asks for its functions, and how many are proven at the least.
PROMISED_COVERAGE = {
    "jax": ("jax", "coverage", 455),
    "torch": ("torch", "coverage", 595),
    "torch, complex128": ("torch", "complex_coverage", 310),
}
FAULTS = frozenset({"disagrees", "error"})
SHOWN = 3  # reasons of one function


def run_coverage() -> ExitCode:
    """Compare every mode of the frameworks' functions; fails on a disagreement that is not theirs."""
    console, kept = Screen(), True
    for name, (framework, asked, promised) in PROMISED_COVERAGE.items():
        missing = oracles()[framework].unavailable()
        if missing:
            console.print(Text(f"{name}: {missing}", style="magenta"))
            kept = False
            continue
        module = importlib.import_module(f"oracles.exact.coverage.{framework}")
        found = by_function(with_progress(getattr(module, asked)(), None))
        unexplained = faults(found, EXPLAINED[framework])
        show(console, name, found, unexplained, EXPLAINED[framework])
        kept = kept and not unexplained and count_proven(found) >= promised
    return ExitCode.OK if kept else ExitCode.FAILED


def by_function(rows: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """What each function's samples came to."""
    found: dict[str, list[str]] = defaultdict(list)
    for function, status in rows:
        found[function].append(status)
    return dict(found)


def kind(status: str) -> str:
    """ "proven", "unsupported", ... without the reason."""
    return status.partition(":")[0]


def count_proven(found: Mapping[str, list[str]]) -> int:
    """How many functions have a sample that is proven."""
    return sum("proven" in statuses for statuses in found.values())


def faults(found: Mapping[str, list[str]], explained: Mapping[str, Explained]) -> dict[str, list[str]]:
    """The disagreements and errors that are not known to be the framework's own."""
    ours = {
        name: [s for s in found[name] if kind(s) in FAULTS and not is_explained(s, explained.get(name))]
        for name in found
    }
    return {name: statuses for name, statuses in ours.items() if statuses}


def is_explained(status: str, by: Explained | None) -> bool:
    """Whether it is the disagreement that was looked at."""
    return by is not None and status.startswith(f"disagrees: {by.what}")


def show(
    console: Screen,
    framework: str,
    found: Mapping[str, list[str]],
    unexplained: Mapping[str, list[str]],
    explained: Mapping[str, Explained],
) -> None:
    """The counts, what is not proven and why, and whose the disagreements are."""
    counts = Counter(kind(s) for statuses in found.values() for s in statuses)
    total = sum(counts.values())
    console.print(
        Text(f"{framework}: {count_proven(found)} of {len(found)} functions proven, {total} samples", "bold")
    )
    table = Table("samples", "came to", "for example", box=None)
    for what, count in counts.most_common():
        example = next((s.partition(": ")[2] for ss in found.values() for s in ss if kind(s) == what), "")
        table.add_row(str(count), what, example)
    console.print(table)
    for name, statuses in found.items():
        reasons = [s for s in dict.fromkeys(statuses) if s != "proven"] if "proven" not in statuses else []
        for reason in reasons[:SHOWN]:
            console.folded(f"{name}: {reason}", 4)
    for name, by in explained.items():
        off = sum(is_explained(s, by) for s in found.get(name, ()))
        console.folded(f"{name}: {framework}'s own in {off} samples: {by.reason} ({by.shown_by})", 4)
    for name, statuses in unexplained.items():
        console.folded(f"{name}: {len(statuses)} samples: {statuses[0]}", 4)
