"""What the command `doctor` shows: a line for each thing that was looked at, and advice below it."""

from __future__ import annotations

from rich.text import Text

from harness.gate.doctor import Symptom, examine_machine
from harness.report.screen import Screen
from harness.verdicts import ExitCode

MARKS = {"ok": ("✓", "+", "green"), "look": ("!", "!", "yellow"), "broken": ("✗", "x", "bold red")}


def run_doctor() -> ExitCode:
    """Examine the machine and show it; fails only where something is broken without which nothing runs."""
    console, findings = Screen(), list(examine_machine())
    widest = max(len(finding.what) for finding in findings)
    for finding in findings:
        mark, plain, style = MARKS[_mark(finding)]
        shown = mark if console.encoding.startswith("utf") else plain
        label = Text(f"{shown} {_mark(finding)}".ljust(9), style=style).append(finding.what, "default")
        console.folded(finding.found, 9 + widest + 1, label=label)
        if not finding.fine:
            # Below the row, not in it: a command that need not be folded can be pasted.
            console.folded(finding.advice, 9, style)
    marks = [_mark(finding) for finding in findings]
    counts = ", ".join(f"{marks.count(mark)} {mark}" for mark in MARKS if mark in marks)
    console.print(Text(f"{len(findings)} looked at: {counts}", style="dim"))
    return ExitCode.FAILED if any(finding.broken for finding in findings) else ExitCode.OK


def _mark(finding: Symptom) -> str:
    return "broken" if finding.broken else "ok" if finding.fine else "look"
