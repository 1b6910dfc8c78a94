"""What a gate says to GitHub: annotations in the log, and the summary of the step."""

from __future__ import annotations

import html
from collections.abc import Sequence

from harness.gate.finding import Level
from harness.gate.findings import Line, Told, conclusion, grouped, line_of, summary, texts, worst_first
from harness.verdicts import ExitCode

# GitHub shows ten of each kind a step, and refuses a summary above 1 MiB with everything in it.
MOST_ANNOTATIONS = 10
MOST_SUMMARY_BYTES = 900_000
COMMANDS = {Level.FAIL: "error", Level.WARN: "warning"}
COLUMNS = (
    "level", "kind", "case", "oracle", "dtype", "input", "before", "now", "where", "computed", "true_digits",
)  # fmt: skip


def workflow_commands(told: Told) -> list[str]:
    """Workflow commands, failures first: one for each group of findings, in full."""
    lines = []
    for level, command in COMMANDS.items():
        groups = grouped([f for f in worst_first(told.findings) if f.level is level])
        for group in groups[:MOST_ANNOTATIONS]:
            title, *rest = texts(group, told.baseline)
            lines.append(f"::{command} title={_property(title)}::{_data(chr(10).join(rest) or title)}")
    return lines


def step_summary(told: Told, code: ExitCode) -> str:
    """Markdown for the summary of the step, failures first, below the size that GitHub takes."""
    head = [f"## {_cell(conclusion(code))}", "", _cell(summary(told)), ""]
    if told.differences:
        head += [_cell(f"Another machine: {'; '.join(told.differences)}. Lost bits and times only warn."), ""]
    lines = [line_of(finding, told.baseline) for finding in worst_first(told.findings)]
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


def _commands(lines: Sequence[Line]) -> list[str]:
    """How to go on with the worst of them."""
    shown = [text for line in lines[:MOST_ANNOTATIONS] for text in (line.reproduce, line.accept) if text]
    return ["", "```sh", *dict.fromkeys(shown), "```"] if shown else []


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """Text that Markdown and HTML leave as it is."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|").replace("`", "\\`")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
