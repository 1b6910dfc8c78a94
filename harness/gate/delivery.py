"""How a gate's findings reach whoever asked: on a screen, as a table, as lines of JSON, or through GitHub."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.text import Text

from harness.gate import findings
from harness.gate.changes import Change, Changes
from harness.gate.finding import Finding, Level
from harness.gate.places import place_of
from harness.gate.sarif import sarif
from harness.gate.words import Words
from harness.report.delivery import WRITERS, unmarked
from harness.report.screen import Screen
from harness.runs.writing import writing
from harness.selection import listed
from harness.verdicts import ExitCode

FORMATS = ("text", "github", "jsonl", "sarif", *WRITERS)
SUMMARY = "GITHUB_STEP_SUMMARY"
# How many groups of findings a screen shows of each level; files and jsonl have all.
MOST = {Level.FAIL: 40, Level.WARN: 10, Level.NOTE: 5}
MARKS = {Level.FAIL: ("✗", "x", "bold red"), Level.WARN: ("!", "!", "yellow"), Level.NOTE: ("·", ".", "dim")}
# GitHub shows ten of each kind a step, and refuses a summary above 1 MiB with everything in it.
MOST_ANNOTATIONS = 10
MOST_SUMMARY_BYTES = 900_000
COMMANDS = {Level.FAIL: "error", Level.WARN: "warning"}
MOST_CHANGES = 20
CHANGE_STYLES = {Change.WORSE: "bold red", Change.FIXED: "green"}
COLUMNS = (
    "level", "kind", "case", "oracle", "dtype", "input", "before", "now", "where", "computed", "true_digits",
)  # fmt: skip


def format_of(option: str) -> str:
    """The format that is asked for; where GitHub asks for a summary of the step, its own.

    Raises:
        UsageError: There is no such format.
    """
    if option:
        return listed("--format", option, FORMATS)[0]
    return "github" if os.environ.get(SUMMARY) else "text"


def deliver_findings(told: findings.Told, kind: str, code: ExitCode) -> None:
    """Show what a gate found, in one format.

    Raises:
        Unwritten: The summary of the step cannot be written: then nothing is shown, for the gate fails.
    """
    if kind == "github":
        with writing(SUMMARY):
            add_to_summary(told, code)
    if kind == "jsonl":
        for finding in findings.worst_first(told.findings):
            sys.stdout.write(msgspec.json.encode(findings.line_of(finding, told.words)).decode() + "\n")
    elif kind == "sarif":
        sys.stdout.write(sarif(told))
    elif kind in WRITERS:
        sys.stdout.write(WRITERS[kind](findings.table_of(told)))
    else:
        print_findings(Screen(), told, code)
    if kind == "github":
        print(*workflow_commands(told), sep="\n")
    elif kind != "text":
        print(f"{findings.summary(told)}\n{told.words.conclusion(code)}", file=sys.stderr)


def print_findings(console: Screen, told: findings.Told, code: ExitCode) -> None:
    """All of it as text: groups, worst first, then the summary, the machine, and the conclusion."""
    for level in findings.LEVELS:
        print_groups(console, told, level)
    console.folded(findings.summary(told))
    if told.elsewhere:
        console.folded(_elsewhere(told))
    console.folded(told.words.conclusion(code), style="bold green" if code is ExitCode.OK else "bold red")


def print_groups(console: Screen, told: findings.Told, level: Level) -> None:
    """The groups of one level, worst first."""
    groups = findings.grouped([f for f in findings.worst_first(told.findings) if f.level is level])
    for group in groups[: MOST[level]]:
        _print_group(console, group, told.words)
    hidden = sum(map(len, groups[MOST[level] :]))
    if hidden:
        console.folded(f"and {hidden} more ({level.value}); --format csv or jsonl shows all", 2, "dim")


def _elsewhere(told: findings.Told) -> str:
    """How many rows another machine expected, which one, and what that means for them."""
    some = "" if told.elsewhere == told.rows else f"{told.elsewhere} of {told.rows} rows are of "
    return f"{some}another machine ({'; '.join(told.differences)}): there lost bits and times only warn"


def _print_group(console: Screen, group: Sequence[Finding], words: Words) -> None:
    mark, plain, style = MARKS[group[0].level]
    title, *rest = findings.texts(group, words)
    console.folded(f"{console.mark(mark, plain)} {title}", style=style)
    console.below(rest)


def workflow_commands(told: findings.Told) -> list[str]:
    """Workflow commands, failures first: one for each group of findings, in full."""
    lines = []
    for level, command in COMMANDS.items():
        groups = findings.grouped([f for f in findings.worst_first(told.findings) if f.level is level])
        for group in groups[:MOST_ANNOTATIONS]:
            title, *rest = findings.texts(group, told.words)
            place = place_of(group[0], told.words)
            at = f"file={_property(place.file)},line={place.line}," if place else ""
            lines.append(f"::{command} {at}title={_property(title)}::{_data(chr(10).join(rest) or title)}")
    return lines


def add_to_summary(told: findings.Told, code: ExitCode) -> None:
    """Add to the summary of the step, if there is one."""
    if os.environ.get(SUMMARY):
        with Path(os.environ[SUMMARY]).open("a", encoding="utf-8") as file:
            file.write(step_summary(told, code))


def step_summary(told: findings.Told, code: ExitCode) -> str:
    """Markdown for the summary of the step, failures first, below the size that GitHub takes."""
    head = [f"## {unmarked(told.words.conclusion(code))}", "", unmarked(findings.summary(told)), ""]
    if told.elsewhere:
        head += [unmarked(_elsewhere(told)), ""]
    lines = [findings.line_of(finding, told.words) for finding in findings.worst_first(told.findings)]
    if lines:
        head += [_row(COLUMNS), _row(["---"] * len(COLUMNS))]
    tail = "\n\n{} more rows are left out here; `--format csv` or `jsonl` shows all.\n"
    room = MOST_SUMMARY_BYTES - len("\n".join(head).encode()) - len(tail) - 20
    rows: list[str] = []
    for line in lines:
        row = _row([str(getattr(line, name)) for name in COLUMNS])
        room -= len(row.encode()) + 1
        if room < 0:
            return "\n".join([*head, *rows]) + tail.format(len(lines) - len(rows))
        rows.append(row)
    return "\n".join([*head, *rows, *_commands(lines)]) + "\n"


def _commands(lines: Sequence[findings.Line]) -> list[str]:
    """How to go on with the worst of them."""
    shown = [text for line in lines[:MOST_ANNOTATIONS] for text in (line.reproduce, line.accept) if text]
    return ["", "```sh", *dict.fromkeys(shown), "```"] if shown else []


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(unmarked, cells))} |"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def print_changes(console: Screen, found: Changes, doing: str) -> None:
    """The rows by kind: those that differ in their inputs only together, and the first groups of each."""
    counts = []
    for change in Change:
        rows = [(row, words) for row, (kind, words) in sorted(found.said.items()) if kind is change]
        if not rows:
            continue
        counts.append(f"{len(rows)} {change.value}")
        console.print(Text(change.value, style=CHANGE_STYLES.get(change, "bold")))
        groups: dict[tuple[str, str], list[str]] = {}
        for row, words in rows:
            groups.setdefault(("/".join(row[:3]), words), []).append(row.input)
        for (name, words), inputs in list(groups.items())[:MOST_CHANGES]:
            rest = f"/{inputs[0]}" if len(inputs) == 1 else f", {len(inputs)} inputs"
            console.print(Text(f"  {name}{rest}: {words}"))
        if len(groups) > MOST_CHANGES:
            hidden = sum(map(len, list(groups.values())[MOST_CHANGES:]))
            console.print(Text(f"  and {hidden} more rows", style="dim"))
    whole = found.said.keys() | found.rows.keys()  # those that go, too
    console.print(Text(f"{len(found.said)} of {len(whole)} rows {doing}: {', '.join(counts) or 'none'}"))
