"""What the command `explain` does: every word that a table or a message uses, with an example."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rich.text import Text

from harness.commands import glossary
from harness.gate.finding import Kind
from harness.report.columns import COLUMNS, column
from harness.report.screen import Screen
from harness.selection import UsageError, listed
from harness.verdicts import LETTERS, Entry, ExitCode, Outcome, Verdict

# What a message of `check` uses comes first; the columns are many.
WORDS: dict[str, Mapping[str, Entry]] = {
    "verdict": {verdict.value or "none": verdict.entry for verdict in Verdict},
    "message word": glossary.WORDS,
    "outcome": {outcome.value: outcome.entry for outcome in Outcome},
    "finding": {kind.value: kind.entry for kind in Kind},
    "exit code": {f"exit {code.value}": code.entry for code in ExitCode},
    "column": {name: column.entry for name, column in COLUMNS.items()},
}
MANY = "columns"  # which are listed where they are asked for


def print_explanation(words: Sequence[str]) -> ExitCode:
    """One word explained, or several that are one; alone those there are, and with "columns" the columns."""
    console, word = Screen(), " ".join(words)
    if not words or word.strip().lower() == MANY:
        for kind, named in WORDS.items():
            title, is_many = f"{kind}s", f"{kind}s" == MANY
            if is_many is bool(words):
                console.print(Text(title, style="bold"))
                console.folded(", ".join(named), 2)
        if not words:
            console.print(Text(f"`explain {MANY}` lists the columns of tables", style="dim"))
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
    asked = f"exit {asked}" if asked.isdecimal() else asked
    if not asked.strip(" ,"):
        raise UsageError(f"explain takes a word of a table or a message, got {word!r}; alone it lists them")
    entries = [(kind, name, entry) for kind, named in WORDS.items() for name, entry in named.items()]
    found = [one for one in entries if asked in {one[1].lower(), column(one[1]).title.lower()}]
    if not found:
        listed("explain", asked.replace(",", " "), [name for _, name, _ in entries])
    return found
