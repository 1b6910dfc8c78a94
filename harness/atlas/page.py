"""The page of the atlas: a row for each function, dtype and order, and the error over the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.atlas.row import Measured, Row
from harness.page.document import Document, page
from harness.page.leaf import Leaves, grow
from harness.proof.evidence import budget
from harness.verdicts import Outcome, Standing, Verdict
from oracles.exact.program.formats import format_of

ORDERS = {0: "value", 1: "", 2: "second derivative"}
ADVICE = "The code is the framework's: keep away from these inputs, or give the function a gradient by hand."


def page_of(found: Sequence[Measured], command: str) -> str:
    """The file's text, worst rows first.

    Raises:
        MissingLibrary: A library of the extra `html` is not installed.
    """
    leaves = Leaves()
    functions = dict.fromkeys(one.row.function for one in found)
    for one in found:
        drawn: dict[str, Any] = {"sweep": one.sweep} if one.sweep else {}
        grow(leaves, told(one.row, command), drawn)
    notes = (
        "The gradients of torch and JAX, eager and along 1, and the values of NumPy and SciPy, on a CPU.",
        f"{len(functions)} functions. A second derivative is the gradient of the gradient along 1.",
    )
    return page(Document("Atlas of gradients", leaves, notes, command))


def told(row: Row, command: str) -> dict[str, Any]:
    """A row as a page has it."""
    facts = [
        ["elements judged", f"{row.points:,}: {', '.join(f'{n} {v.value}' for v, n in row.counts.items())}"],
        ["their bits lost", _spread(row, "bits_lost")],
        ["their ulps off", _spread(row, "ulps")],
        ["time", f"{row.time_ratio:.3g} times its function" if row.time_ratio else ""],
    ]
    outcome = _outcome(row.worst)
    advice = {"advice": ADVICE} if outcome is Outcome.FAIL else {}
    own = [word for word in command.split() if not word.startswith("--functions")]
    return {
        "function": row.function, "dtype": row.dtype, "argument": ORDERS[row.order],
        "verdict": row.worst.value, "outcome": outcome.value, **advice,
        "diagnosis": row.note, "where": row.where,
        "bits_lost": row.bits_lost_worst, "error_ulp": row.ulps_worst, "digits": format_of(row.dtype).digits,
        "budget": budget(row.dtype), "facts": facts, "kind": "value" if row.order == 0 else "gradient",
        "command": f"{' '.join(own[:2])} --functions {row.function} --dtype {row.dtype}",
    }  # fmt: skip


def _spread(row: Row, of: str) -> str:
    names = ("half of them at most", "99 %", "worst")
    numbers = [getattr(row, f"{of}_{part}") for part in ("50", "99", "worst")]
    if numbers[0] is None:
        return ""
    return ", ".join(
        f"{name} {'infinitely many' if number is None else format(number, '.3g')}"
        for name, number in zip(names, numbers, strict=True)
    )


def _outcome(verdict: Verdict) -> Outcome:
    if verdict.right:
        return Outcome.PASS
    return Outcome.FAIL if verdict.standing is Standing.FAULTY else Outcome.INFO
