"""What follows from a row for the run. An outcome carries its own facts."""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import Self

from harness.verdicts.glossary import Entry


class Effect(Enum):
    """What an outcome does to the run."""

    FAILING = auto()  # makes it fail
    COMPARED = auto()  # counts as compared
    SHOWN = auto()  # neither


class Outcome(StrEnum):
    """What follows from a row, the worst first: the order of every table.

    Attributes:
        effect: What it does to the run.
        marks: A mark that needs no colour, and the same in ASCII.
        style: How a terminal shows it.
        entry: What it means, in words, with an example and what to do.
    """

    effect: Effect
    marks: tuple[str, str]
    style: str
    entry: Entry

    def __new__(cls, word: str, effect: Effect, marks: tuple[str, str], style: str, *entry: str) -> Self:
        """A member with its facts; its value is the word alone."""
        made = str.__new__(cls, word)
        made._value_ = word
        made.effect, made.marks, made.style, made.entry = effect, marks, style, Entry(*entry)
        return made

    # fmt: off
    FAIL = ("fail", Effect.FAILING, ("✗", "x"), "bold red", "The row is not right; the exit code is 1.",
        "Any other verdict; or a wrong value, shape or dtype, no gradient, an argument that was overwritten.",
        "imprecise, and not listed as known", "Paste the `reproduce:` line, and explain the verdict.")
    ERROR = ("error", Effect.FAILING, ("!", "!"), "bold red",
        "The oracle raised; the diagnosis has its message. Fails, and the run goes on.",
        "Whatever an adapter or a framework raises becomes the row's outcome.",
        "ValueError: unexpected tree structure", "Paste the `reproduce:` line.")
    STALE = ("stale", Effect.FAILING, ("✗", "x"), "red",
        "Listed as a known defect, and it does not fail any more: fails, so that the list stays true.",
        "harness/known_defects.toml names the row, and its verdict is right.",
        "a framework was updated and its bug is gone", "Remove the entry.")
    KNOWN = ("known", Effect.COMPARED, ("~", "~"), "yellow",
        "Fails because of somebody else's bug, with a reason and a link. The run goes on.",
        "harness/known_defects.toml names the row.",
        "sigmoid, jax, saturated-40: https://github.com/jax-ml/jax/issues/40342", "Follow the link.")
    ALLOWED = ("allowed", Effect.COMPARED, ("~", "~"), "magenta",
        "Undecided or unsupported, and you said that this may be.", "--allow names the verdict.",
        "report --allow undecided,unsupported", "Look at these rows now and then: nothing is known of them.")
    UNAVAILABLE = ("unavailable", Effect.SHOWN, ("-", "-"), "magenta", "The framework is not installed here.",
        "Its package is not found.", "jax is not installed: pip install 'gradproof[jax]'",
        "Run the pip command of the diagnosis.")
    SKIPPED = ("skipped", Effect.SHOWN, ("-", "-"), "dim", "Not run this time; the diagnosis says why.",
        "Some oracles are slow.", "torch-compile without --full", "Run with --full.")
    PASS = ("pass", Effect.COMPARED, ("✓", "+"), "green", "The row is right.",
        "The verdict is accurate or convention, and nothing else is wrong.", "softmax by hand")
    INFO = ("info", Effect.SHOWN, ("·", "."), "dim", "Shown and not judged.",
        "The exact oracle and finite differences.", "exact, fd")
    # fmt: on

    @property
    def failing(self) -> bool:
        """Whether this outcome makes the run fail."""
        return self.effect is Effect.FAILING

    @property
    def compared(self) -> bool:
        """Whether the row was judged at all."""
        return self.effect is not Effect.SHOWN


ORDER = tuple(Outcome)
