"""What the command `explain` does."""

from __future__ import annotations

import re

from rich.text import Text

from harness.explain import WORDS, explanations
from harness.report.screen import Screen
from harness.verdicts.exit_codes import ExitCode
from harness.verdicts.glossary import LETTERS


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
