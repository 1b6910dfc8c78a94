"""The exit codes of the command line, which CI reads."""

from __future__ import annotations

from enum import IntEnum
from typing import Self

from harness.verdicts.glossary import Entry


class ExitCode(IntEnum):
    """What a finished command says to the shell; `entry` says what it means."""

    entry: Entry

    def __new__(cls, number: int, *entry: str) -> Self:
        """A member with its explanation; its value is the number alone."""
        made = int.__new__(cls, number)
        made._value_ = number
        made.entry = Entry(*entry)
        return made

    # fmt: off
    OK = (0, "Right.", "Something was compared, and nothing failed.", "report --case softmax --oracle numpy")
    FAILED = (1, "A check failed.",
        "A row is fail, stale or error, or the document's outputs are not reproduced.",
        "report with a hand-derived gradient that is wrong in its fifth digit",
        "Read the rows that are not simply right.")
    USAGE = (2, "The command line was wrong.", "An option or a word does not exist; nothing was run.",
        "report --oracle toch", "The message has near matches.")
    NOTHING_COMPARED = (3, "Nothing was compared: an empty selection is not a success.",
        "No case or input matches, or no row of the selection is judged.", "report --case sigmiod",
        "The message has near matches.")
    INTERRUPTED = (130, "Interrupted.", "Ctrl-C; the rows written so far stay.",
        "report --output DIR, then Ctrl-C", "Run it again, `gate` with --resume.")
    PIPE_CLOSED = (141, "The reader of a pipe went away before anything was decided.",
        "head, less; a command that had decided keeps its own code.", "report --format jsonl | head -1",
        "Read it to the end, or write it to a file.")
    # fmt: on
