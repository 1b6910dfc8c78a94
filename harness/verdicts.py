"""The words for what is found: verdicts, outcomes, exit codes. Each carries its facts; sets are derived."""

from __future__ import annotations

import math
from enum import Enum, IntEnum, StrEnum, auto
from typing import NamedTuple, Self

LETTERS = (
    "T: the true derivative of the forward. C: what was computed. E: the gradient program in exact "
    "arithmetic. B: the same program, rounded as its dtype rounds."
)
# How a style of a terminal looks in a page.
COLORS = {"red": "#b00", "yellow": "#960", "magenta": "#808", "cyan": "#077", "green": "green", "dim": "gray"}


class Entry(NamedTuple):
    """One word explained, a line each; `advice` is what to do, "" if there is nothing to do."""

    meaning: str
    how: str
    example: str
    advice: str = ""


class Standing(Enum):
    """What a verdict says of the gradient, all in all."""

    FAULTY = auto()  # proven not to be what it should be
    OPEN = auto()  # nothing is proven
    RIGHT = auto()  # proven right
    UNJUDGED = auto()  # no gradient was compared


class Verdict(StrEnum):
    """What the comparison of sets says about the gradient itself, the worst first.

    Attributes:
        severity: Its place in that order; 0 is the worst.
        standing: Whether that is right, faulty, open, or no judgement.
        right: Whether a gradient with this verdict passes.
        style: How a terminal shows it.
        entry: What it means, in words, with an example and what to do.
    """

    severity: int
    standing: Standing
    right: bool
    style: str
    entry: Entry

    def __new__(cls, word: str, standing: Standing, style: str, *entry: str) -> Self:
        """A member with its facts; its value is the word alone."""
        made = str.__new__(cls, word)
        made._value_ = word
        made.severity = len(cls.__members__)
        made.standing, made.style, made.entry = standing, style, Entry(*entry)
        made.right = standing is Standing.RIGHT
        return made

    # fmt: off
    WRONG = ("wrong", Standing.FAULTY, "bold red",
        "The formula is the derivative of another function: proven, not suspected. Or what came back is no "
        "gradient of its argument: None, another shape or dtype, or another number of them.",
        "E and T are disjoint, by more than written digits, rounded data or the format explain; "
        "central differences in exact arithmetic side with T.",
        "(softmax - t) / batch as the gradient of the book's loss, which has log(y + 1e-7): off by 1e-7 / p",
        "Derive the rule again. If the forward is an iteration or an approximation, name what it stands for "
        "with spec=; if the gradient is meant to be another function's, with surrogate=.")
    MISCOMPUTED = ("miscomputed", Standing.FAULTY, "bold red",
        "The formula is right, its execution is not: a kernel, a compiler, an overflow.",
        "E meets T, and C is outside a finite B, or not finite where T is.",
        "jax.scipy.special.digamma' at -9.3: computed -6.2e8, true 14.98",
        "Report it, with the reproducer, to whoever wrote the operation that the diagnosis names; compare "
        "jax with jax-jit, torch with torch-compile, to see whether the compiler did it.")
    IMPRECISE = ("imprecise", Standing.FAULTY, "yellow",
        "The formula is right, and the program loses digits that its inputs allow.",
        "E meets T, C is inside B, and bits_lost is over the budget; or C is 0 where T is over 16 a.",
        "sigmoid' at 40.7 as s (1 - s): T = 2.1096702884774950491e-18, computed 0.0, since 1 - s rounds to 0",
        "Rewrite the operation that the diagnosis names: s(x) s(-x) keeps all digits.")
    UNDECIDED = ("undecided", Standing.OPEN, "magenta",
        "Nothing can be proven here; the diagnosis says why. It fails, since it is not known to be right.",
        "The balls stay too wide, the truth jumps close by, or the witnesses disagree.",
        "entmax by bisection with an implicit backward: the derivative of the iteration is 0.34 off",
        "Name the specification with spec=, choose another point, or let it pass with --allow undecided.")
    UNSUPPORTED = ("unsupported", Standing.OPEN, "magenta",
        "An operation of the function has no rule, so there is no truth; the diagnosis names it.",
        "The recording met an operation that no front end knows, or left the framework.",
        "an autograd.Function whose forward goes through .numpy()",
        "Say what the operation computes with register_rule, or pass a plain function as spec=; "
        "`python -m gradproof list ops` shows what has a rule; or let it pass with --allow unsupported.")
    CONVENTION = ("convention", Standing.RIGHT, "cyan",
        "One of several legal gradients was computed: at a kink, or of a symmetric matrix. It passes.",
        "T is the interval of all legal slopes there, and C lies in it.",
        "relu'(0) is 1 in the document and 0 in the frameworks; 2 or -0.1 would be wrong",
        "The diagnosis says which choice was made: compare it with what you rely on.")
    ACCURATE = ("accurate", Standing.RIGHT, "green", "The formula is right, and it keeps the digits.",
        "E meets T, C is inside B, and bits_lost is within the budget.",
        "softmax_loss by hand, float32, (32, 64): 1.8 of 24 bits lost, 12 may be")
    TRUTH = ("truth", Standing.UNJUDGED, "dim",
        "The exact oracle's own row: the others are measured against it.",
        "The forward is differentiated and evaluated in ball arithmetic until every radius is small.",
        "softmax_loss, float32, (32, 64): 36 digits proven (proven_digits)")
    ESTIMATE = ("estimate", Standing.UNJUDGED, "dim", "Finite differences: they inform and never decide.",
        "Central differences with h = 1e-4.", "softmax at `huge`, float64: two right digits")
    NONE = ("", Standing.UNJUDGED, "dim", "Nothing was compared: the verdict is blank.",
        "The oracle is not installed, was not run, or raised.",
        "jax is not installed: pip install 'gradproof[jax]'", "Read the outcome and the diagnosis.")
    # fmt: on


SEVERITY = tuple(Verdict)


def badness_key(verdict: Verdict, bits_lost: float | None) -> tuple[int, float]:
    """A key that sorts the worst first: by verdict, then by bits lost. NaN is more than any, None is as 0."""
    lost = bits_lost or 0.0
    return verdict.severity, -(math.inf if math.isnan(lost) else lost)


RIGHT = frozenset(v for v in Verdict if v.right)
JUDGED = frozenset(v for v in Verdict if v.standing is not Standing.UNJUDGED)
ALLOWABLE = tuple(v for v in Verdict if v.standing is Standing.OPEN)  # by --allow


class Effect(Enum):
    """What an outcome does to the run."""

    FAILING = auto()  # makes it fail
    COMPARED = auto()  # counts as compared
    SHOWN = auto()  # neither


class Outcome(StrEnum):
    """What follows from a row, the worst first: the order of every table.

    Attributes:
        effect: What it does to the run.
        failing: Whether it makes the run fail.
        compared: Whether the row was judged at all.
        marks: A mark that needs no colour, and the same in ASCII.
        style: How a terminal shows it.
        entry: What it means, in words, with an example and what to do.
    """

    effect: Effect
    failing: bool
    compared: bool
    marks: tuple[str, str]
    style: str
    entry: Entry

    def __new__(cls, word: str, effect: Effect, marks: tuple[str, str], style: str, *entry: str) -> Self:
        """A member with its facts; its value is the word alone."""
        made = str.__new__(cls, word)
        made._value_ = word
        made.effect, made.marks, made.style, made.entry = effect, marks, style, Entry(*entry)
        made.failing, made.compared = effect is Effect.FAILING, effect is not Effect.SHOWN
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


ORDER = tuple(Outcome)


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
    FAILED = (1, "A check failed, or what it says could not be written.",
        "A row is fail, stale or error, or the document's outputs are not reproduced; or the disk is full.",
        "report with a hand-derived gradient that is wrong in its fifth digit",
        "Read the rows that are not simply right.")
    USAGE = (2, "The command line was wrong.", "An option, a word or a file does not exist; nothing was run.",
        "report --oracle toch", "The message has near matches.")
    NOTHING_COMPARED = (3, "Nothing was compared: an empty selection is not a success.",
        "No case or input matches, or no row of the selection is judged.", "report --case sigmiod",
        "The message has near matches.")
    INTERRUPTED = (130, "Interrupted.", "Ctrl-C; the message says which rows stay, and where.",
        "report --output DIR, then Ctrl-C", "Run it again, `gate` with --resume.")
    PIPE_CLOSED = (141, "The reader of a pipe went away before anything was decided.",
        "head, less; a command that had decided keeps its own code.", "report --format jsonl | head -1",
        "Read it to the end, or write it to a file.")
    TERMINATED = (143, "Ended by SIGTERM.",
        "128 and the signal's number, as a shell has it; the rows stay, as at exit 130.",
        "report --output DIR, then kill", "Run it again, `gate` with --resume.")
    # fmt: on


def css(style: str) -> str:
    """The CSS colour of one of rich's styles, such as "bold red"."""
    return COLORS[style.split()[-1]]
