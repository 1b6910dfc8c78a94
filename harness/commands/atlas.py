"""What `atlas` and `atlas diff` do."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeAlias

import msgspec

from harness.atlas.compare import compared
from harness.atlas.guard import ENDLESS, MOST_S
from harness.atlas.measure import failed, measured, ratios
from harness.atlas.row import DTYPES, Measured
from harness.atlas.saved import Atlas, in_order, journal_of, read, text_of, versions
from harness.atlas.show import print_atlas, print_changes
from harness.atlas.task import SYSTEMS, Task, subjects_of
from harness.commands.options import AtlasOptions
from harness.commands.pages import confirmed
from harness.commands.phrasing import as_command
from harness.files import replace_file
from harness.report.delivery import whatever_the_reader_does
from harness.report.progress import with_progress
from harness.report.screen import Screen
from harness.runs.compiled import compiled_once
from harness.runs.jobs import Job
from harness.runs.journal import Journal, refuse_other_code
from harness.runs.runner import oracles
from harness.runs.workers import Workers, spread
from harness.runs.writing import refuse_unwritable
from harness.selection import (
    NothingSelected,
    Untrusted,
    UsageError,
    listed,
    near_matches,
    refuse_wrong_numbers,
)
from harness.verdicts import ExitCode

FORMATS = ("text", "csv", "html")
QUICK = 0.1
_Found: TypeAlias = tuple[str, list[Measured]]  # a function's name, and its rows


def run_atlas(options: AtlasOptions) -> ExitCode:
    """Measure what is chosen, show it, and write it."""
    formats = _formats(options)
    refuse_wrong_numbers(timeout=options.timeout)
    workers = Workers(options.jobs, options.scheduler)
    asked = _asked(options, drawn="html" in formats)
    if options.output:
        refuse_unwritable(f"--output {options.output}", options.output, made=True)
    with compiled_once():
        found = list(_measured(options, asked, workers))
    if not any(one.row.points for one in found):
        said = next((one.row.note for one in found if one.row.note), "no kernel in these dtypes")
        raise NothingSelected(f"nothing was compared: {said}")
    atlas = Atlas(versions(), tuple(one.row for one in found))
    with whatever_the_reader_does():
        if "text" in formats:
            print_atlas(Screen(), atlas)
        if "csv" in formats and options.output is None:
            sys.stdout.write(text_of(atlas))
        if options.output is not None:
            _write(options, options.output, formats, atlas, found)
    return ExitCode.OK


def run_diff(old: Path, new: Path) -> ExitCode:
    """Say what changed."""
    before, after = _read(old), _read(new)
    changes = compared(before, after)
    with whatever_the_reader_does():
        print_changes(Screen(), before, after, changes)
    return ExitCode.FAILED if any(change.is_worse for change in changes) else ExitCode.OK


def _read(path: Path) -> Atlas:
    if not path.exists() or path.is_dir():
        raise UsageError(f"there is no atlas at {path}; `atlas --output DIR` writes DIR/atlas.csv")
    try:
        return read(path)
    except UnicodeDecodeError as problem:
        raise Untrusted(f"{path} is no atlas: {problem}; `atlas --output DIR` writes DIR/atlas.csv") from None


def _formats(options: AtlasOptions) -> list[str]:
    formats = listed("--format", options.format or ("text,csv" if options.output else "text"), FORMATS)
    if "html" in formats:
        if options.output is None:
            raise UsageError("--format html needs --output DIR")
        confirmed("--format html")
    if options.output is None and len(formats) > 1:
        raise UsageError(f"--format {options.format} needs --output DIR: they do not share a screen")
    if options.resume and options.output is None:
        raise UsageError("--resume needs --output DIR, the folder of the run that is to go on")
    return formats


def _asked(options: AtlasOptions, drawn: bool) -> list[Task]:
    """The functions that the patterns choose, of the systems that are installed.

    Raises:
        NothingSelected: A pattern matches nothing; the message has near matches.
    """
    dtypes = tuple(listed("--dtype", options.dtype, DTYPES)) if options.dtype else DTYPES
    every = {
        name: system for system in SYSTEMS if not _missing(system) for name in subjects_of(system).names()
    }
    chosen, roots = set[str](), {name.partition(".")[0] for name in every}
    for pattern in options.functions:
        matched = {name for name in every if _matches(name, pattern, roots)}
        if not matched:
            raise NothingSelected(f"no function matches {pattern!r}; {near_matches(pattern, list(every))}")
        chosen |= matched
    work = QUICK if options.quick else 1.0
    timed = not options.scheduler
    return [
        Task(system, name, dtypes, work, drawn, timed) for name, system in every.items() if name in chosen
    ]


def _missing(system: str) -> str:
    return "" if system == "numpy" else oracles()[system].unavailable()


def _matches(name: str, pattern: str, roots: set[str]) -> bool:
    """A pattern is of the whole name, or of its last parts: `special.*` is torch's, JAX's and SciPy's.

    One that begins with a whole framework's name is of whole names: `numpy.*` is not jax.numpy's.
    """
    parts = name.split(".")
    last = 1 if pattern.partition(".")[0] in roots else len(parts)
    return any(fnmatchcase(".".join(parts[k:]), pattern) for k in range(last))


def _measured(options: AtlasOptions, asked: list[Task], workers: Workers) -> Iterator[Measured]:
    """The rows in order, those of a run that goes on among them."""
    names = [one.name for one in asked]
    path = options.output / "atlas.jsonl" if options.output else None
    go_on = bool(options.resume and path and path.exists())
    found: list[Measured] = []
    with ExitStack() as stack:
        if path:
            if go_on:
                refuse_other_code(path)
                found += journal_of(path, names)
            journal = stack.enter_context(Journal(path, go_on))
        done = {one.row.function for one in found}
        rest = [one for one in asked if one.name not in done]
        for rows in with_progress(_each(rest, workers, options.timeout), len(rest), [o.name for o in rest]):
            found += rows
            if path:
                for row in rows:
                    journal.add(msgspec.json.encode(row))
        if options.scheduler:
            for timed in _timed(asked, in_order(found, names), options.timeout):
                found.append(timed)
                if path:
                    journal.add(msgspec.json.encode(timed))
    yield from in_order(found, names)


def _each(asked: list[Task], workers: Workers, timeout: float) -> Iterator[list[Measured]]:
    """The rows of each function; those of one that killed its process come last, at calm numbers."""
    if not workers.are_others:
        yield from map(measured, asked)
        return
    apart: list[Task] = []
    endless = defaultdict[str, set[str]](set)  # by whose they are: another system's code ends

    def postponed(one: Task, why: str) -> _Found:
        apart.append(one)
        if ENDLESS in why:
            endless[one.system].update(one.name.split(".")[1:])
        return one.name, []

    most_s = 0.0 if workers.scheduler else MOST_S  # which ends a process of this machine alone
    batches = ([replace(one, most_s=most_s, endless=tuple(sorted(endless[one.system])))] for one in asked)
    for name, rows in spread(replace(MEASURING, failed=postponed), batches, workers, timeout):
        if all(one.name != name for one in apart):
            yield rows
    pieces = [piece for one in apart for piece in one.apart()]
    count, found = Counter(piece.name for piece in pieces), defaultdict[str, list[Measured]](list)
    for name, rows in spread(MEASURING, ([piece] for piece in pieces), workers, timeout):
        found[name] += rows
        count[name] -= 1
        if not count[name]:
            yield found[name]


def _timed(asked: list[Task], found: list[Measured], timeout: float) -> Iterator[Measured]:
    """The rows that a cluster measured, with their times, which are taken on this machine, alone."""
    rows = {
        one.row.key: one for one in found if one.row.order == 1 and one.row.points and not one.row.time_ratio
    }
    wanted = [
        replace(one, dtypes=own)
        for one in asked
        if (own := tuple(d for d in one.dtypes if (one.name, d, 1) in rows))
    ]
    names = [f"time of {one.name}" for one in wanted]
    times = spread(TIMING, ([one] for one in wanted), Workers(1), timeout)
    for name, ratio in with_progress(times, len(wanted), names):
        for dtype, number in ratio.items():
            before = rows[name, dtype, 1]
            row = msgspec.structs.replace(before.row, time_ratio=number)
            yield msgspec.structs.replace(before, row=row)


def _batch(asked: list[Task]) -> list[_Found]:
    return [(one.name, measured(one)) for one in asked]


def _lost(asked: Task, why: str) -> _Found:
    return asked.name, failed(asked, why)


def _ratios(asked: list[Task]) -> list[tuple[str, dict[str, float]]]:
    return [(one.name, ratios(one)) for one in asked]


def _is_of(asked: Task, found: _Found) -> bool:
    return found[0] == asked.name and all(one.row.function == asked.name for one in found[1])


MEASURING = Job(_batch, _Found, _lost, _is_of)
TIMING = Job(
    _ratios, tuple[str, dict[str, float]], lambda one, _: (one.name, {}), lambda one, t: t[0] == one.name
)


def _write(
    options: AtlasOptions, folder: Path, formats: list[str], atlas: Atlas, found: list[Measured]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if "csv" in formats:
        replace_file(folder / "atlas.csv", text_of(atlas))
    if "html" in formats:
        from harness.atlas.page import page_of

        again = as_command(
            ["atlas"], options, frozenset({"format", "output", "jobs", "scheduler", "resume", "timeout"})
        )
        replace_file(folder / "atlas.html", page_of(found, again))
