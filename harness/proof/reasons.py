"""The verdicts with their reasons in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from flint import arb

from harness.proof.evidence import Evidence
from harness.proof.formula import beyond
from harness.proof.judge import Judgement, judge_each, worst_argument
from harness.proof.program import Examined
from harness.proof.truth import Truth
from harness.subject.arrays import Array
from harness.verdicts.budget import budget
from harness.verdicts.verdict import RIGHT, Verdict
from oracles.exact.program.formats import format_of
from oracles.exact.rounding.diagnosis import diagnose


def verdict(
    truth: Truth,
    examined: Examined,
    computed: Sequence[Array],
    allowed: Callable[[str], float] = budget,
) -> Judgement:
    """The verdict on the computed gradients, with the reason in words."""
    return worst_argument(verdicts(truth, examined, computed, allowed))


def verdicts(
    truth: Truth,
    examined: Examined,
    computed: Sequence[Array],
    allowed: Callable[[str], float] = budget,
) -> list[Judgement]:
    """The verdict on each computed gradient, with the reason in words."""
    judged = judge_each(_evidence(truth, examined), computed, allowed)
    found = [_told(truth, examined, one) for one in judged]
    if truth.along is not None and all(one.verdict in RIGHT for one in found):
        return _added_up(truth, truth.along, computed, found, allowed)
    return found


def _added_up(
    truth: Truth,
    along: arb,
    computed: Sequence[Array],
    found: Sequence[Judgement],
    allowed: Callable[[str], float],
) -> list[Judgement]:
    """What is legal at kinks one by one, if the sum is not, to as many bits as the budget leaves."""
    total, slack = 0.0, 0.0
    for numbers, dtype in zip(computed, truth.dtypes, strict=True):
        wide = numbers.astype(np.float64)
        total += float(np.sum(wide))
        kept = format_of(dtype).digits - allowed(dtype)
        slack += 2.0**-kept * float(np.sum(np.abs(wide))) + float(along.abs_upper()) * 2.0**-kept
    if arb(total, slack).overlaps(along):
        return list(found)
    return [
        replace(one, verdict=Verdict.MISCOMPUTED, diagnosis=beyond(arb(total), along))
        if one.verdict is Verdict.CONVENTION
        else one
        for one in found
    ]


def _evidence(truth: Truth, examined: Examined) -> list[Evidence]:
    agrees, balls = examined.formula.agrees, examined.bound.balls if examined.bound else None
    return [
        Evidence(
            name,
            truth.enclosures[k],
            truth.attainable[k] + (format_of(dtype).normal if examined.machine.flushes else 0.0),
            truth.zero[k],
            None if agrees is None else agrees[k],
            None if balls is None else balls[k],
            dtype,
        )
        for k, (name, dtype) in enumerate(zip(truth.names, truth.dtypes, strict=True))
    ]


def _told(truth: Truth, examined: Examined, found: Judgement) -> Judgement:
    if examined.unsupported:
        return replace(found, verdict=Verdict.UNSUPPORTED, diagnosis=examined.unsupported)
    return replace(found, diagnosis=_why(truth, examined, found) or found.diagnosis)


def worst(judgements: Sequence[tuple[str, Judgement]]) -> Judgement:
    """The worst of several judgements of one gradient; its diagnosis says how it was obtained."""
    label, found = min(judgements, key=lambda pair: (pair[1].verdict.severity, -pair[1].bits_lost))
    return replace(found, diagnosis=f"{label}: {found.diagnosis}" if label else found.diagnosis)


def _why(truth: Truth, examined: Examined, found: Judgement) -> str:
    if found.verdict is Verdict.WRONG:
        return examined.formula.reason
    if found.verdict is Verdict.UNDECIDED:
        return examined.formula.reason or _undecided(examined)
    if found.verdict not in {Verdict.IMPRECISE, Verdict.MISCOMPUTED}:
        return ""
    recording, cause = examined.recording, examined.formula.reason
    if recording is not None:
        cause = diagnose(recording.program, recording.values, examined.machine, found.argument, found.element)
    if found.verdict is Verdict.IMPRECISE:
        return cause
    if not np.isfinite(found.computed):
        shown = "not a number" if np.isnan(found.computed) else "infinite"
        return f"{shown}, where the truth is {found.true_digits}" + (f": {cause}" if cause else "")
    outside = (
        f"{found.error_ulp:.3g} ulps off, where the rounding of its program allows {found.bound_ulp:.3g}"
    )
    return f"{outside}" + (f"; {cause}" if cause else "")


def _undecided(examined: Examined) -> str:
    problem = examined.bound.problem if examined.bound else ""
    return "the truth is 0, or jumps close by, and the program has no finite bound" + (
        f": {problem}" if problem else ""
    )
