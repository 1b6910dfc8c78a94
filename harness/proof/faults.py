"""What an answer shows at a point that nobody asked about, and how it differs from that at the given one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.proof.observe import same
from harness.proof.question import Answer, Part, Probe
from harness.verdicts import Standing, Verdict
from oracles.exact.program.formats import format_of

ROUNDINGS = 2.0**10  # unit roundoffs


def is_right(found: Answer) -> bool:
    """Whether something was compared, and nothing is faulty."""
    return not is_silent(found) and not faults(found)


def is_silent(found: Answer) -> bool:
    """Whether nothing was compared."""
    return not any(part.judgement for part in found.parts if not part.of_value)


def is_as(here: Answer, there: Answer) -> bool:
    """Whether the gradient is at two points the same, bit for bit: right at one, it is right at the other."""
    if here.sight is None or there.sight is None:
        return False
    return same(here.sight.seen.gradient.arrays, there.sight.seen.gradient.arrays)


def differ(one: Answer, another: Answer) -> bool:
    """Whether the derivatives are known and not the same."""
    if one.sight is None or another.sight is None:
        return False
    pairs = zip(one.sight.posed.true.enclosures, another.sight.posed.true.enclosures, strict=True)
    return any(not np.array_equal(p.mid, q.mid) for p, q in pairs)


def is_shorter(one: Answer, another: Answer) -> bool:
    """Whether the function needs fewer operations at one point than at another."""
    counts = [len(p.sight.posed.forward.program.equations) for p in (one, another) if p.sight]
    return len(counts) == 2 and counts[0] < counts[1]


def compared(found: Answer) -> list[Part]:
    """The faults that numbers show, and no exception."""
    return [part for part in faults(found) if part.judgement]


def faults(found: Answer) -> list[Part]:
    """What shows a fault at a point that nobody asked about: digits that a right formula loses do not."""
    shown = (
        part for part in found.parts
        if is_faulty(part) and not part.of_value
        and not (part.verdict is Verdict.IMPRECISE and part.examined)
    )  # fmt: skip
    return [replace(part, probe=Probe.BESIDE) for part in shown]


def is_clear(part: Part) -> bool:
    """Whether a gradient is off by more than the rounding of a few operations, in which a norm is lost."""
    if part.judgement is None:
        return False
    size = part.judgement.scaled_error
    error = size if np.isfinite(size) else part.judgement.max_abs_error
    return not error <= ROUNDINGS * format_of(part.dtype).unit


def is_faulty(part: Part) -> bool:
    """Whether it says that something is wrong."""
    return part.verdict.standing is Standing.FAULTY
