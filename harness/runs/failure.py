"""A row in words: what failed, where, got against allowed, and the command that shows it again."""

from __future__ import annotations

import glob
import re
import shlex
from collections.abc import Sequence
from functools import cache

from harness.cases import catalogue
from harness.proof.evidence import budget
from harness.proof.judge import worst_element
from harness.runs.record import Cell, Record
from harness.runs.runner import DTYPES, oracles, plan
from harness.verdicts import RIGHT, Outcome, Verdict


def failure_text(record: Record) -> str:
    """One row: a line that names it, the diagnosis, its worst element, and how to reproduce it."""
    return group_text([record])


def group_text(records: Sequence[Record]) -> str:
    """Rows that differ in their inputs and numbers only, as one text with the numbers of each.

    Args:
        records: At least one; they differ in their inputs and numbers only.
    """
    first, alone = records[0], len(records) == 1
    about = [first.dtype, _shapes(first) if alone else "", f"seed {first.seed}"]
    argument = argument_of(first)
    name = f"{first.case}/{argument}" if argument else first.case
    lines = [f"{name} vs {first.oracle} [{', '.join(filter(None, about))}]: {label(first)}"]
    lines += [first.diagnosis] if first.diagnosis else []
    for record in records:
        numbers = numbers_of(record)
        if numbers:
            lines.append(numbers if alone else f"{record.input} {_shapes(record)}: {numbers}")
    lines += [f"blame: {first.blame}"] if first.blame else []
    lines.append(f"reproduce: {reproducer(records)}")
    return "\n  ".join(lines)


def argument_of(record: Record) -> str:
    """The argument that the worst element belongs to, "" if nothing was compared."""
    return record.where.partition("[")[0]


def label(record: Record) -> str:
    """The verdict, and the outcome where the verdict alone does not say it."""
    if record.verdict is Verdict.NONE:
        return record.outcome.value
    plain = record.outcome is Outcome.FAIL and record.verdict not in RIGHT
    return record.verdict.value if plain else f"{record.verdict.value} ({record.outcome.value})"


def reproducer(records: Sequence[Record]) -> str:
    """The command that runs exactly these rows again; it can be pasted into a shell."""
    first = records[0]
    tokens = ["python", "-m", "gradproof", "report", "--case", glob.escape(first.case)]
    tokens += ["--oracle", first.oracle, "--dtype", first.dtype, "--seed", str(first.seed)]
    for record in records:
        tokens += ["--input", glob.escape(record.input)]
    return shlex.join([*tokens, *(["--full"] if any(map(_needs_full, records)) else [])])


def _needs_full(record: Record) -> bool:
    """Whether the default run leaves this row out."""
    oracle = oracles().get(record.oracle)
    if oracle is None or record.case not in catalogue() or record.dtype not in DTYPES:
        return False
    return bool(oracle.slow) or record.cell not in _asked(
        record.case, record.oracle, record.dtype, record.seed
    )


@cache
def _asked(case: str, oracle: str, dtype: str, seed: int) -> frozenset[Cell]:
    """The cells of the default run."""
    return frozenset(plan([case], [oracle], [dtype], seed))


def numbers_of(record: Record) -> str:
    """The worst element: got, true, and the error beside what is allowed."""
    if record.computed is None or record.true is None:
        return ""
    proven = record.true_digits.strip("?")  # "?" at a kink, where the truth is an interval
    return worst_element(
        record.where.removeprefix(argument_of(record)),
        record.computed,
        proven or f"about {record.true!r}",
        record.dtype,
        record.error_ulp,
        {"attainable": record.attainable_ulp, "program bound": record.bound_ulp},
        record.bits_lost,
        budget(record.dtype),
    )


def _shapes(record: Record) -> str:
    """The arguments' shapes as Python writes them."""
    return re.sub(r",(?=\d)", ", ", record.shapes)
