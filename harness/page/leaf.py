"""What a row's page shows of one part of a gradient, from what it was judged by, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.page.elements import elements, rounded
from harness.page.source import source
from harness.page.sweep import sweep
from harness.page.tensor import tensor
from harness.proof.answer import Sight
from harness.proof.question import Part
from harness.verdicts import Outcome, Verdict
from oracles.exact.program.formats import FORMATS, format_of

SMALL_ROWS, SMALL_COLUMNS = 8, 16  # of a point's picture beside others


@dataclass
class Leaves:
    """The rows of a document, and what they refer to by number."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    sweeps: list[dict[str, Any]] = field(default_factory=list)
    tensors: list[dict[str, Any]] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)


def row(part: Part, budget: float, **about: Any) -> dict[str, Any]:
    """A part in numbers and words; `about` says of what function, in which system."""
    j = part.judgement
    judged_as = (j.narrowest if j else "") or part.dtype
    told: dict[str, Any] = {
        "argument": part.name, "input": part.input, "verdict": part.verdict.value, "dtype": part.dtype,
        "shape": str(part.shape), "outcome": outcome_of(part), "diagnosis": part.diagnosis, "budget": budget,
        "digits": format_of(judged_as).digits if judged_as in FORMATS else None,
        "probe": str(part.probe), "blame": part.blame.why if part.blame else "", "excuse": part.excuse,
        "examined": part.examined, "kind": "value" if part.of_value else "gradient",
    }  # fmt: skip
    if j is not None:
        told |= {
            "where": j.where, "computed": repr(j.computed), "true": j.true_digits, "reason": j.reason,
            **{n: rounded(getattr(j, n)) for n in ("bits_lost", "error_ulp", "attainable_ulp", "bound_ulp")},
        }  # fmt: skip
        if part.dtype in FORMATS:
            told["computed"] = format_of(part.dtype).shortest(j.computed)
    return {**about, **told}


def outcome_of(part: Part) -> str:
    """In the report's words: whether it passes, fails, or only says something."""
    if part.verdict is Verdict.NONE or (part.remark and not part.verdict.right):
        return Outcome.INFO.value
    if part.excuse:
        return Outcome.KNOWN.value
    return (Outcome.PASS if part.verdict.right else Outcome.FAIL).value


def grow(leaves: Leaves, told: dict[str, Any], part: Part, sight: Sight | None, whole: bool = True) -> None:
    """Add a row with its pictures; the source if it is `whole` or not right, a sweep if it is `whole`.

    Args:
        leaves: What it is added to.
        told: The row.
        part: What it is of.
        sight: What it was judged by; None where nothing was compared.
        whole: Whether it is a page's main row, and not one beside it.
    """
    leaves.rows.append(told)
    names = [name for name, _ in sight.posed.expected] if sight else []
    if sight is None or part.of_value or part.probe or part.judgement is None or part.name not in names:
        return
    number = names.index(part.name)
    found = elements(sight, number)
    if found is not None and found.computed.size:
        size = () if whole else (SMALL_ROWS, SMALL_COLUMNS)
        told["tensor"] = _kept(leaves.tensors, tensor(found, *size))
    at, place = part.judgement.element, part.guilty.place if part.guilty else None
    if (whole or not part.verdict.right) and (lines := source(sight, number, at, place)) is not None:
        told["source"] = _kept(leaves.sources, lines)
    if whole and (over := sweep(sight, number, at)) is not None:
        told["sweep"] = _kept(leaves.sweeps, {**over, "system": told.get("system", "")})


def _kept(found: list[dict[str, Any]], one: dict[str, Any]) -> int:
    found.append(one)
    return len(found) - 1
