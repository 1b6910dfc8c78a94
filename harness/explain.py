"""Every word that a table or a message uses, explained: verdicts, outcomes, findings, columns, exit codes."""

from __future__ import annotations

from collections.abc import Mapping

from harness.gate.finding import Kind
from harness.report.columns import COLUMNS
from harness.report.text import HEADINGS
from harness.selection import listed
from harness.verdicts.budget import ENTRY as BUDGET
from harness.verdicts.exit_codes import ExitCode
from harness.verdicts.glossary import Entry
from harness.verdicts.outcome import Outcome
from harness.verdicts.verdict import Verdict

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
    "verdict": {verdict.value or "none": verdict.entry for verdict in Verdict},
    "outcome": {outcome.value: outcome.entry for outcome in Outcome},
    "rule": {"budget": BUDGET},
    "finding": {kind.value: entry for kind, entry in FINDINGS.items()},
    "column": COLUMNS,
    "exit code": {f"exit {code.value}": code.entry for code in ExitCode},
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
