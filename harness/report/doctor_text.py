"""What the command `doctor` shows: a line for each thing that was looked at, and advice below it."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.doctor import Finding, examine_machine
from harness.exit_codes import ExitCode

MARKS = {"ok": ("✓", "+", "green"), "look": ("!", "!", "yellow"), "broken": ("✗", "x", "bold red")}


def run_doctor() -> ExitCode:
    """Examine the machine and show it; fails only where something is broken without which nothing runs."""
    console, findings = Console(), list(examine_machine())
    widest = max(len(finding.what) for finding in findings)
    # Not harness.report.text: it needs pandas, and so NumPy, which may be what is broken. Written by `print`,
    # a closed pipe is the command's to answer.
    with console.capture() as written:
        for finding in findings:
            mark, plain, style = MARKS[_mark(finding)]
            shown = mark if console.encoding.startswith("utf") else plain
            row = Table.grid(padding=(0, 1))
            row.add_column(width=len("! broken"))
            row.add_column(width=widest)
            row.add_column(overflow="fold")
            row.add_row(Text(f"{shown} {_mark(finding)}", style=style), finding.what, Text(finding.found))
            console.print(row)
            if not finding.fine:
                # Below the row, not in it: a command that need not be folded can be pasted.
                console.print(Padding.indent(Text(finding.advice, style=style), 9))
        marks = [_mark(finding) for finding in findings]
        counts = ", ".join(f"{marks.count(mark)} {mark}" for mark in MARKS if mark in marks)
        console.print(Text(f"{len(findings)} looked at: {counts}", style="dim"))
    print(written.get(), end="")
    return ExitCode.FAILED if any(finding.broken for finding in findings) else ExitCode.OK


def _mark(finding: Finding) -> str:
    return "broken" if finding.broken else "ok" if finding.fine else "look"
