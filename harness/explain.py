"""Every word that a table or a message uses, explained: verdicts, outcomes, findings, columns, exit codes."""

from __future__ import annotations

from collections.abc import Mapping

from harness.gate.finding import Kind
from harness.report.columns import COLUMNS, Entry
from harness.report.text import HEADINGS
from harness.selection import listed
from harness.verdicts.exit_codes import ExitCode
from harness.verdicts.verdict import Outcome, Verdict

LETTERS = (
    "T: the true derivative of the forward. C: what was computed. E: the gradient program in exact "
    "arithmetic. B: the same program, rounded as its dtype rounds."
)
VERDICTS = {
    Verdict.WRONG: Entry(
        "The formula is wrong: it is the derivative of another function. Proven, not suspected.",
        "E and T are disjoint, and central differences in exact arithmetic side with T.",
        "(softmax - t) / batch as the gradient of the book's loss, which has log(y + 1e-7): off by 1e-7 / p",
        "Derive the rule again. If the forward is an iteration or an approximation, name what it stands for "
        "with spec=; if the gradient is meant to be another function's, with surrogate=.",
    ),
    Verdict.MISCOMPUTED: Entry(
        "The formula is right, its execution is not: a kernel, a compiler, an overflow.",
        "E meets T, and C is outside a finite B, or not finite where T is.",
        "jax.scipy.special.digamma' at -9.3: computed -6.2e8, true 14.98",
        "Report it, with the reproducer, to whoever wrote the operation that the diagnosis names; compare "
        "jax with jax-jit, torch with torch-compile, to see whether the compiler did it.",
    ),
    Verdict.IMPRECISE: Entry(
        "The formula is right, and the program loses digits that its inputs allow.",
        "E meets T, C is inside B, and bits_lost is over the budget, half of the significand; or C is 0 "
        "where T is not, a total loss.",
        "sigmoid' at 40.7 as s (1 - s): T = 2.1096702884774950491e-18, computed 0.0, since 1 - s rounds to 0",
        "Rewrite the operation that the diagnosis names: s(x) s(-x) keeps all digits.",
    ),
    Verdict.UNDECIDED: Entry(
        "Nothing can be proven here; the diagnosis says why. It fails, since it is not known to be right.",
        "The balls stay too wide, the truth jumps close by, or the witnesses disagree.",
        "entmax by bisection with an implicit backward: the derivative of the iteration is 0.34 off",
        "Name the specification with spec=, choose another point, or let it pass with --allow undecided.",
    ),
    Verdict.UNSUPPORTED: Entry(
        "An operation has no rule, so there is no truth or no program; the diagnosis names it.",
        "The recording met an operation that no front end knows, or left the framework.",
        "an autograd.Function whose forward goes through .numpy()",
        "`python -m harness list ops` shows what has a rule; or let it pass with --allow unsupported.",
    ),
    Verdict.CONVENTION: Entry(
        "The point is a kink, and what was computed is one of the legal slopes. It passes.",
        "T is the interval of all legal slopes there, and C lies in it.",
        "relu'(0) is 1 in the document and 0 in the frameworks; 2 or -0.1 would be wrong",
        "The diagnosis says which choice was made: compare it with what you rely on.",
    ),
    Verdict.ACCURATE: Entry(
        "The formula is right, and it keeps the digits.",
        "E meets T, C is inside B, and bits_lost is within the budget.",
        "softmax_loss by hand, float32, (32, 64): 1.8 of 24 bits lost, 12 may be",
    ),
    Verdict.TRUTH: Entry(
        "The exact oracle's own row: the others are measured against it.",
        "The forward is differentiated and evaluated in ball arithmetic until every radius is small.",
        "softmax_loss, float32, (32, 64): 36 digits proven (proven_digits)",
    ),
    Verdict.ESTIMATE: Entry(
        "Finite differences: they inform and never decide.",
        "Central differences with h = 1e-4.",
        "softmax at `huge`, float64: two right digits",
    ),
    Verdict.NONE: Entry(
        "Nothing was compared: the verdict is blank.",
        "The oracle is not installed, was not run, or raised.",
        "jax is not installed: pip install 'gradproof[jax]'",
        "Read the outcome and the diagnosis.",
    ),
}
OUTCOMES = {
    Outcome.PASS: Entry(
        "The row is right.",
        "The verdict is accurate or convention, and nothing else is wrong.",
        "softmax by hand",
    ),
    Outcome.FAIL: Entry(
        "The row is not right; the exit code is 1.",
        "Any other verdict; or a wrong value, shape or dtype, no gradient, an argument that was overwritten.",
        "imprecise, and not listed as known",
        "Paste the `reproduce:` line, and explain the verdict.",
    ),
    Outcome.KNOWN: Entry(
        "Fails because of somebody else's bug, with a reason and a link. The run goes on.",
        "harness/known_defects.toml names the row.",
        "sigmoid, jax, saturated-40: https://github.com/jax-ml/jax/issues/40342",
        "Follow the link.",
    ),
    Outcome.STALE: Entry(
        "Listed as a known defect, and it does not fail any more: fails, so that the list stays true.",
        "harness/known_defects.toml names the row, and its verdict is right.",
        "a framework was updated and its bug is gone",
        "Remove the entry.",
    ),
    Outcome.ALLOWED: Entry(
        "Undecided or unsupported, and you said that this may be.",
        "--allow names the verdict.",
        "report --allow undecided,unsupported",
        "Look at these rows now and then: nothing is known of them.",
    ),
    Outcome.INFO: Entry("Shown and not judged.", "The exact oracle and finite differences.", "exact, fd"),
    Outcome.SKIPPED: Entry(
        "Not run this time; the diagnosis says why.",
        "Some oracles are slow.",
        "torch-compile without --full",
        "Run with --full.",
    ),
    Outcome.UNAVAILABLE: Entry(
        "The framework is not installed here.",
        "Its package is not found.",
        "jax is not installed: pip install 'gradproof[jax]'",
        "Run the pip command of the diagnosis.",
    ),
    Outcome.ERROR: Entry(
        "The oracle raised; the diagnosis has its message. Fails, and the run goes on.",
        "Whatever an adapter or a framework raises becomes the row's outcome.",
        "ValueError: unexpected tree structure",
        "Paste the `reproduce:` line.",
    ),
}
EXIT_CODES = {
    ExitCode.OK: Entry(
        "Right.", "Something was compared, and nothing failed.", "report --case softmax --oracle numpy"
    ),
    ExitCode.FAILED: Entry(
        "A check failed.",
        "A row is fail, stale or error, or the document's outputs are not reproduced.",
        "report with a hand-derived gradient that is wrong in its fifth digit",
        "Read the rows that are not simply right.",
    ),
    ExitCode.USAGE: Entry(
        "The command line was wrong.",
        "An option or a word does not exist; nothing was run.",
        "report --oracle toch",
        "The message has near matches.",
    ),
    ExitCode.NOTHING_COMPARED: Entry(
        "Nothing was compared: an empty selection is not a success.",
        "No case or input matches, or no row of the selection is judged.",
        "report --case sigmiod",
        "The message has near matches.",
    ),
    ExitCode.INTERRUPTED: Entry(
        "Interrupted.",
        "Ctrl-C; the rows written so far stay.",
        "report --output DIR, then Ctrl-C",
        "Run it again, `gate` with --resume.",
    ),
    ExitCode.PIPE_CLOSED: Entry(
        "The reader of a pipe went away before anything was decided.",
        "head, less; a command that had decided keeps its own code.",
        "report --format jsonl | head -1",
        "Read it to the end, or write it to a file.",
    ),
}
FINDINGS = {
    Kind.ERROR: Entry(
        "There is no result: the oracle raised, took too long, or its process died.",
        "The outcome is error.",
        "took longer than 300 s and was stopped",
        "Paste the `reproduce:` line; --timeout allows more.",
    ),
    Kind.WORSE: Entry(
        "The verdict got worse, or what passed fails: fails the gate on every machine.",
        "The baseline has a better verdict.",
        "softmax was accurate, and is wrong",
        "Mend the gradient; or paste the `accept:` line, with your reason.",
    ),
    Kind.UNAVAILABLE: Entry(
        "The baseline has an oracle that is not installed here: fails.",
        "Every oracle of the baseline is required.",
        "jax is not installed: pip install 'gradproof[jax]'",
        "Install it, or choose others with --oracle.",
    ),
    Kind.CONFLICT: Entry(
        "One run has two different results for one row: fails.",
        "Its file was merged, or a computation is not deterministic.",
        "two runs, written into one file",
        "Run the gate again.",
    ),
    Kind.MISSING: Entry(
        "The baseline has the row, so does the catalogue, and the run does not: fails.",
        "Rows of the baseline that were asked for, less those that came.",
        "a saved run of other options",
        "Run it whole, or ask for less with --case, --oracle, --dtype.",
    ),
    Kind.STALE: Entry(
        "A list names what is no more: a row of the catalogue (fails), or a defect (warns elsewhere).",
        "The catalogue has no such row; or a known defect is gone.",
        "a case was renamed",
        "Paste the `accept:` line; remove the entry of known_defects.toml.",
    ),
    Kind.BITS: Entry(
        "The same verdict, and less accurate: fails on the machine of the baseline, and warns elsewhere.",
        "More than one bit more is lost, an error became infinite, or fewer digits are proven.",
        "0.2 bits lost, now 1.9",
        "Look at what changed in the order of the operations; or paste the `accept:` line.",
    ),
    Kind.SLOWER: Entry(
        "A gradient takes longer than the baseline says, beyond the noise.",
        "Two measurements have the ratio above 1.5 times the old one, with its 99 % interval above 1 time.",
        "1.02 (0.99 to 1.05) → 2.1 (2.0 to 2.2)",
        "Profile it; --timing warn or off on a machine that is never quiet.",
    ),
    Kind.UNTIMED: Entry(
        "The baseline has a time for the row, and the run does not.",
        "The run was saved by `gate --timing off`, or ended before it measured times.",
        "2.1 → not timed",
        "Run it again with times, or gate it with --timing off.",
    ),
    Kind.NEW: Entry(
        "The baseline does not have the row: warns; fails if the row does, or with --strict.",
        "A case, an input or an oracle was added.",
        "accurate",
        "Paste the `accept:` line.",
    ),
    Kind.BETTER: Entry(
        "The row is better than the baseline says, and may become as bad again unseen.",
        "A better verdict, or more than one bit less is lost.",
        "imprecise → accurate",
        "Paste the `accept:` line, and it is held.",
    ),
}
WORDS: dict[str, Mapping[str, Entry]] = {
    "verdict": {verdict.value or "none": entry for verdict, entry in VERDICTS.items()},
    "outcome": {outcome.value: entry for outcome, entry in OUTCOMES.items()},
    "finding": {kind.value: entry for kind, entry in FINDINGS.items()},
    "column": COLUMNS,
    "exit code": {f"exit {code.value}": entry for code, entry in EXIT_CODES.items()},
}


def explanations(word: str) -> list[tuple[str, str, Entry]]:
    """What a word means, as (kind, word, entry): more than one where a table heads several columns so.

    Raises:
        UsageError: There is no such word; the message has near matches.
    """
    asked = " ".join(word.lower().split()).replace("exit code", "exit")
    asked = f"exit {asked}" if asked.isdigit() else asked
    entries = [(kind, name, entry) for kind, named in WORDS.items() for name, entry in named.items()]
    found = [one for one in entries if asked in {one[1], HEADINGS.get(one[1])}]
    if not found:
        listed("explain", asked.replace(",", " "), [name for _, name, _ in entries])
    return found
