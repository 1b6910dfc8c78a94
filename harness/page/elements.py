"""Every element of a gradient, as its verdict was found: what was computed, what is true, how far apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.proof.evidence import TABLE, Allowed, Evidence, decide, facts, reach
from harness.proof.program import evidence_of
from harness.proof.sight import Sight
from harness.proof.tied import bound_of
from harness.subject.derivative import Array
from harness.verdicts import Verdict
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work
from oracles.exact.program.formats import format_of
from oracles.exact.program.recording import Recording
from oracles.exact.rounding.attainable import attainable
from oracles.exact_oracle import LIMITS

Numbers = NDArray[np.float64]
DIGITS = 20
COLUMNS = (
    "at", "computed", "true", "error_ulp", "attainable_ulp", "bound_ulp", "bits_lost", "verdict",
)  # fmt: skip


@dataclass(frozen=True)
class Elements:
    """Of one argument at one point; the arrays have its shape.

    Attributes:
        dtype: The gradient's.
        computed: As float64.
        truth: The true gradient.
        evidence: What the verdict follows from.
        error_ulp, attainable_ulp: In ulps of the true value.
        bits_lost: Beyond what the inputs allow.
        row: The row of the table of verdicts that decided.
        budget, digits: How many bits may be lost, and of how many.
    """

    dtype: str
    computed: Numbers
    truth: Enclosure
    evidence: Evidence
    error_ulp: Numbers
    attainable_ulp: Numbers
    bits_lost: Numbers
    row: NDArray[np.int64]
    budget: float
    digits: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The gradient's."""
        return self.computed.shape

    def verdict(self, at: tuple[int, ...]) -> Verdict:
        """On one element."""
        return TABLE[self.row[at]].verdict

    def bound_ulp(self, at: tuple[int, ...]) -> float:
        """How far from the truth its program may end, in ulps; NaN where that is not known."""
        far = reach(self.evidence.bound, at, self.truth)
        with np.errstate(over="ignore"):  # beyond float64, where the ulp is that of 0
            return float(far / format_of(self.dtype).ulp(self.truth.mid[at]))

    def told(self, at: tuple[int, ...]) -> list[Any]:
        """One element as plain values, in the order of COLUMNS."""
        return [
            ", ".join(map(str, at)),
            format_of(self.dtype).shortest(float(self.computed[at])),
            self.truth.shown(at, DIGITS).strip("?"),
            *(rounded(v) for v in (self.error_ulp[at], self.attainable_ulp[at], self.bound_ulp(at))),
            rounded(self.bits_lost[at]),
            self.verdict(at).value,
        ]


def elements(sight: Sight, part: int) -> Elements | None:
    """Those of one part of a derivative, in the run that was asked for; None where it gave no such array."""
    computed = [a for a in sight.seen.gradient.arrays if a is not None]
    if part >= len(computed):
        return None
    got, evidence = computed[part], evidence_of(sight.posed.true, sight.examined, computed)[part]
    if got.shape != evidence.truth.shape:
        return None
    judged_as = evidence.narrowest or evidence.dtype
    budget = sight.question.allowed(judged_as)
    return _elements(evidence, got, budget, format_of(judged_as).digits)


def _elements(evidence: Evidence, got: Array, budget: float, digits: int) -> Elements:
    found = facts(evidence, got, budget)
    ulp = format_of(evidence.dtype).ulp(evidence.truth.mid)
    with np.errstate(all="ignore"):
        lost = np.where(evidence.zero & found.finite, 0.0, found.lost)
        return Elements(
            evidence.dtype, found.got, evidence.truth, evidence, found.error / ulp,
            evidence.attainable / ulp, lost, decide(found), budget, digits,
        )  # fmt: skip


def of_value(
    forward: Recording, truth: Enclosure, number: int, computed: Array, rounding: str, allowed: Allowed
) -> Elements:
    """Those of one result of a function: its value, compared as a gradient is.

    Args:
        forward: The function, recorded at its point.
        truth: The true value of that result.
        number: Which result it is.
        computed: What ran.
        rounding: The name of the rounding model.
        allowed: The budget.
    """
    program, dtype = forward.program.giving(slice(number, number + 1)), forward.program.outputs[number].dtype
    wrt = [i for i, v in enumerate(program.inputs) if v.is_float]
    (excused,), (zero,) = attainable(program, forward.values, wrt, [truth], 0, work=Work(LIMITS.seconds))
    agrees = np.ones(truth.shape, bool)
    known = Evidence("value", truth, excused, zero, agrees, bound_of(forward, number, rounding), dtype)
    return _elements(known, computed, allowed(dtype), format_of(dtype).digits)


def rounded(number: Any) -> float | None:
    """Four digits, as a chart shows them; None, JSON's own word, for what is no finite number."""
    value = float(number)
    return float(f"{value:.4g}") if np.isfinite(value) else None
