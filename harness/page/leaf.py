"""What a row's page shows of one part of a gradient, from what it was judged by, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.page.elements import elements, rounded
from harness.page.source import source
from harness.page.sweep import WORK, sweep
from harness.page.tensor import tensor
from harness.proof.question import Part
from harness.proof.sight import Sight
from harness.verdicts import Outcome, Verdict
from oracles.exact.program.formats import FORMATS, format_of

SMALL = (8, 16)  # rows and columns of a point's picture beside others


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
        "shape": str(part.shape), "outcome": outcome_of(part).value, "diagnosis": part.diagnosis,
        "budget": budget,
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


def outcome_of(part: Part) -> Outcome:
    """In the report's words: whether it passes, fails, or only says something."""
    if part.verdict is Verdict.NONE or (part.remark and not part.verdict.right):
        return Outcome.INFO
    if part.excuse:
        return Outcome.KNOWN
    return Outcome.PASS if part.verdict.right else Outcome.FAIL


def pictures(
    part: Part, sight: Sight | None, whole: bool = True, explained: bool = True, work: float = WORK
) -> dict[str, Any]:
    """What a row's page shows beside its numbers: tensor, source, sweep, as far as there are such.

    Args:
        part: What the row is of.
        sight: What it was judged by; None where nothing was compared.
        whole: Whether it is a page's main row, which has a sweep.
        explained: Whether its source is shown.
        work: As of `sweep`.
    """
    names = [name for name, _ in sight.posed.expected] if sight else []
    if sight is None or part.of_value or part.probe or part.judgement is None or part.name not in names:
        return {}
    number, at = names.index(part.name), part.judgement.element
    found, place = elements(sight, number), part.guilty.place if part.guilty else None
    drawn = {
        "tensor": tensor(found, *(() if whole else SMALL)) if found and found.computed.size else None,
        "source": source(sight, number, at, place) if explained else None,
        "sweep": sweep(sight, number, at, work) if whole else None,
    }
    return {kind: one for kind, one in drawn.items() if one is not None}


def grow(leaves: Leaves, told: dict[str, Any], drawn: dict[str, Any]) -> None:
    """Add a row, and what its page shows."""
    leaves.rows.append(told)
    for kind, one in drawn.items():
        kept: list[dict[str, Any]] = getattr(leaves, f"{kind}s")
        kept.append(one)
        told[kind] = len(kept) - 1
