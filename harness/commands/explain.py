"""What the command `explain` does: every word that a table or a message uses, with an example."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rich.text import Text

from harness.gate.finding import Kind
from harness.proof.evidence import BUDGET
from harness.report.columns import COLUMNS, column
from harness.report.screen import Screen
from harness.selection import listed
from harness.verdicts import LETTERS, Entry, ExitCode, Outcome, Verdict

WORDS: dict[str, Mapping[str, Entry]] = {
    "verdict": {verdict.value or "none": verdict.entry for verdict in Verdict},
    "outcome": {outcome.value: outcome.entry for outcome in Outcome},
    "rule": {"budget": BUDGET},
    "finding": {kind.value: kind.entry for kind in Kind},
    "column": {name: column.entry for name, column in COLUMNS.items()},
    "exit code": {f"exit {code.value}": code.entry for code in ExitCode},
}


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


def explanations(word: str) -> list[tuple[str, str, Entry]]:
    """What a word means, as (kind, word, entry): more than one where a table heads several columns so.

    Raises:
        UsageError: There is no such word; the message has near matches.
    """
    asked = " ".join(word.lower().split()).replace("exit code", "exit")
    asked = f"exit {asked}" if asked.isdigit() else asked
    entries = [(kind, name, entry) for kind, named in WORDS.items() for name, entry in named.items()]
    found = [one for one in entries if asked in {one[1], column(one[1]).title}]
    if not found:
        listed("explain", asked.replace(",", " "), [name for _, name, _ in entries])
    return found
