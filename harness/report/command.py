"""What the commands `report`, `list` and `bench` do, from the options to the exit code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from harness import bench, bench_exact, documents, learning
from harness.cases import catalogue
from harness.exit_codes import ExitCode
from harness.record import to_json
from harness.report import tables
from harness.report.files import WRITERS, write_tables
from harness.report.tables import Table
from harness.report.text import Screen, print_table
from harness.runner import DTYPES, oracles, plan, run
from harness.selection import UsageError, listed, matching

FORMATS = ("text", *WRITERS, "jsonl")
STEPS, QUICK_STEPS = 300, 50
PROMISED_COVERAGE = {"jax": 350, "torch": 300}
Row = TypeVar("Row")


@dataclass(frozen=True)
class Options:
    """The options of `report`, as the command line gives them."""

    case: tuple[str, ...] = ("*",)
    oracle: str = ""
    dtype: str = ""
    seed: int = 0
    quick: bool = False
    full: bool = False
    format: str = ""
    output: Path | None = None
    jobs: int = 1


def run_report(options: Options) -> ExitCode:
    """Run the selection, show and write its tables, and say by the exit code what came out."""
    formats = _formats(options)
    names = matching(options.case, list(catalogue()))
    sources = listed("--oracle", options.oracle, list(oracles())) if options.oracle else list(oracles())
    dtypes = (
        listed("--dtype", options.dtype, DTYPES) if options.dtype else DTYPES[: 1 if options.quick else None]
    )
    if options.output and options.output.exists() and not options.output.is_dir():
        raise UsageError(f"--output {options.output} is a file; name a folder, which may be new")
    if options.jobs < 1:
        raise UsageError(f"--jobs is {options.jobs}; it is the number of processes, 1 or more")
    if options.seed < 0:
        raise UsageError(f"--seed is {options.seed}; it must be 0 or more")
    cells = plan(names, sources, dtypes, options.seed, boundary=not options.quick)
    records = {}
    with ExitStack() as stack:
        sinks = _sinks(options, formats, stack)
        for record in _with_progress(run(cells, options.jobs), len(cells)):
            records[record.cell] = record
            for sink in sinks:
                sink.write(to_json(record) + b"\n")
                sink.flush()
    frame = tables.records_frame(list(records.values()))
    shown = [
        tables.gradients(frame, options.full),
        tables.problems(frame),
        tables.finite_differences(frame, options.full),
        tables.timings(frame, options.full),
    ]
    right = True
    if options.case == ("*",):
        printed = documents.reproduce()
        right = all(row.equal for row in printed)
        steps = QUICK_STEPS if options.quick else STEPS
        learners = [oracles()[name] for name in sources if oracles()[name].decides]
        shown += [tables.documents(printed), tables.learning(learning.learn(learners, steps))]
    _deliver(shown, tables.summary(frame), formats, options.output)
    if any(r.outcome.failing for r in records.values()) or not right:
        return ExitCode.FAILED
    if not any(r.outcome.compared for r in records.values()):
        print("harness: nothing was compared: no row of this selection is judged", file=sys.stderr)
        return ExitCode.NOTHING_COMPARED
    return ExitCode.OK


def print_catalogue() -> ExitCode:
    """The cases and the oracles, as two tables."""
    _deliver([tables.cases(catalogue().values()), tables.oracles(oracles().values())], "", ["text"], None)
    return ExitCode.OK


def print_operations() -> ExitCode:
    """What the exact oracle covers, front end by front end, as wrapped words."""
    from oracles.exact import operations

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
        console.print(Padding(Text(" ".join(found.covered)), (0, 0, 0, 4)))
        if found.missing:
            console.print(Text(f"{found.front_end}: {len(found.missing)} without", style="bold"))
            console.print(Padding(Text(" ".join(found.missing)), (0, 0, 0, 4)))
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
        module = importlib.import_module(f"oracles.exact.coverage_{name}")
        rows = list(_with_progress(module.coverage(), None))
        proven = sum(status == "proven" for _, status in rows)
        kept = kept and proven >= promised
        console.print(
            Text(f"{name}: {proven} of {len(rows)} functions proven ({promised} wanted)", style="bold")
        )
        for function, status in rows:
            if status != "proven":
                console.print(Padding(Text(f"{function}: {status}"), (0, 0, 0, 4)))
    return ExitCode.OK if kept else ExitCode.FAILED


def run_bench() -> ExitCode:
    """The paired benchmarks and the exact oracle's limits; fails where a promise is not kept."""
    pairs = list(_with_progress(bench.run(), len(bench.BENCHMARKS)))
    measured = list(_with_progress(bench_exact.run(), bench_exact.COUNT))
    _deliver([tables.benchmarks(pairs), tables.measurements(measured)], "", ["text"], None)
    kept = all(pair.met for pair in pairs) and all(one.met for one in measured)
    return ExitCode.OK if kept else ExitCode.FAILED


def _formats(options: Options) -> list[str]:
    default = ",".join(FORMATS) if options.output else "text"
    formats = listed("--format", options.format or default, FORMATS)
    if options.output is None and len(formats) > 1:
        raise UsageError(
            f"--format {options.format} needs --output DIR: several formats do not share a screen"
        )
    return formats


def _sinks(options: Options, formats: Sequence[str], stack: ExitStack) -> list[BinaryIO]:
    """Where the rows go as they come."""
    if "jsonl" not in formats:
        return []
    if options.output is None:
        return [sys.stdout.buffer]
    options.output.mkdir(parents=True, exist_ok=True)
    return [stack.enter_context((options.output / "records.jsonl").open("wb"))]


def _deliver(shown: Sequence[Table], summary: str, formats: Sequence[str], output: Path | None) -> None:
    console = Screen()
    shown = [table for table in shown if not table.frame.empty]
    files = [name for name in formats if name in WRITERS]
    if "text" in formats:
        for table in shown:
            print_table(console, table)
        if summary:
            console.print(summary)
    if output is None:
        for name in files:
            sys.stdout.write("\n".join(WRITERS[name](table) for table in shown))
    elif files:
        written = write_tables(shown, files, output)
        if "text" in formats:
            console.print(f"{len(written)} files in {output}")


def _with_progress(rows: Iterable[Row], total: int | None) -> Iterator[Row]:
    """Pass the rows on; on a terminal, a bar on stderr with the time left. Piped: silence."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield from progress.track(rows, total=total, description="running")
