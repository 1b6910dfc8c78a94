"""How a gate's findings reach whoever asked: on a screen, as a table, as lines of JSON, or through GitHub."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.text import Text

from harness.gate import findings
from harness.gate.finding import Finding, Level
from harness.gate.github import step_summary, workflow_commands
from harness.report.delivery import WRITERS
from harness.report.screen import Screen
from harness.selection import listed
from harness.verdicts import ExitCode

FORMATS = ("text", "github", "jsonl", *WRITERS)
SUMMARY = "GITHUB_STEP_SUMMARY"
# How many groups of findings a screen shows of each level; files and jsonl have all.
MOST = {Level.FAIL: 40, Level.WARN: 10, Level.NOTE: 5}
MARKS = {Level.FAIL: ("✗", "x", "bold red"), Level.WARN: ("!", "!", "yellow"), Level.NOTE: ("·", ".", "dim")}


def format_of(option: str) -> str:
    """The format that is asked for; where GitHub asks for a summary of the step, its own.

    Raises:
        UsageError: There is no such format.
    """
    return (
        listed("--format", option, FORMATS)[0] if option else "github" if os.environ.get(SUMMARY) else "text"
    )


def deliver_findings(told: findings.Told, kind: str, code: ExitCode) -> None:
    """Show what a gate found, in one format."""
    if kind == "github" and os.environ.get(SUMMARY):
        with Path(os.environ[SUMMARY]).open("a", encoding="utf-8") as file:
            file.write(step_summary(told, code))
    if kind == "jsonl":
        for finding in findings.worst_first(told.findings):
            sys.stdout.write(msgspec.json.encode(findings.line_of(finding, told.baseline)).decode() + "\n")
    elif kind in WRITERS:
        sys.stdout.write(WRITERS[kind](findings.table_of(told)))
    else:
        print_findings(Screen(), told, code)
    if kind == "github":
        print(*workflow_commands(told), sep="\n")
    elif kind != "text":
        print(f"{findings.summary(told)}\n{findings.conclusion(code)}", file=sys.stderr)


def print_findings(console: Screen, told: findings.Told, code: ExitCode) -> None:
    """All of it as text: groups, worst first, then the summary, the machine, and the conclusion."""
    for level in findings.LEVELS:
        groups = findings.grouped([f for f in findings.worst_first(told.findings) if f.level is level])
        for group in groups[: MOST[level]]:
            _print_group(console, group, told.baseline)
        hidden = sum(map(len, groups[MOST[level] :]))
        if hidden:
            console.folded(f"and {hidden} more ({level.value}); --format csv or jsonl shows all", 2, "dim")
    console.folded(findings.summary(told))
    if told.differences:
        console.folded(f"another machine ({'; '.join(told.differences)}): lost bits and times only warn")
    console.folded(findings.conclusion(code), style="bold green" if code is ExitCode.OK else "bold red")


def _print_group(console: Screen, group: Sequence[Finding], baseline: Path | None) -> None:
    mark, plain, style = MARKS[group[0].level]
    title, *rest = findings.texts(group, baseline)
    shown = mark if console.encoding.startswith("utf") else plain
    console.folded(f"{shown} {title}", style=style)
    for line in rest:
        # A command that is broken into lines cannot be pasted: the terminal may wrap it, we do not.
        if line.startswith(("reproduce: ", "accept: ")):
            console.print(Text(f"    {line}"), soft_wrap=True)
        else:
            console.folded(line, 4)
