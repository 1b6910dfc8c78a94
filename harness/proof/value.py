"""Is the value the specification's? Enclosed, bounded and compared like a gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

import numpy as np

from harness.proof.apart import SMALL
from harness.proof.comparison import Comparison, evaluated_as_narrowly
from harness.proof.evidence import Evidence, Mask
from harness.proof.judge import Judgement, judge_each
from harness.proof.materiality import explain
from harness.proof.observe import Observed
from harness.proof.question import Part, Question, ValueRule
from harness.proof.remembered import refined
from harness.proof.sides import Side
from harness.proof.tied import bound_of, elsewhere, half_ulp, is_rounded, outside
from harness.proof.truth import Posed
from harness.subject.derivative import Array
from harness.verdicts import RIGHT, Verdict
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work
from oracles.exact.program.errors import ExactError
from oracles.exact.program.formats import format_of
from oracles.exact.program.indices import first_true
from oracles.exact.program.program import Program
from oracles.exact.program.recording import Recording
from oracles.exact.rounding.attainable import attainable

AS_GIVEN = "called on the tensors that were given (does it know a parameter by identity?), "
OWN_RUN = "as the derivative's own run returns it, "


def value_parts(
    question: Question,
    posed: Posed,
    seen: Observed,
    program: Recording | None,
    rounding: str,
    name: str,
    bounds: Sequence[Pairs] | None = None,
    as_given: Sequence[Array] = (),
) -> list[Part]:
    """What is known of the function's value, one part for each result.

    Args:
        question: The question.
        posed: The question at its point.
        seen: What ran: the value, and what the derivative's own run returns as the value.
        program: The value's program in that run, or else in the plain one; None where it is the
            specification's.
        rounding: Its rounding model's name.
        name: Of the point.
        bounds: B of each result, where it is known already.
        as_given: The value of the function called on the arrays as they were given, where that is known.
    """
    if question.value is ValueRule.FREE:
        return []
    runs, primal = [("", seen.value)], seen.gradient.primal
    if not all(map(np.array_equal, as_given, seen.value)):
        runs.insert(0, (AS_GIVEN, as_given))
    if primal is not None and not all(map(np.array_equal, primal, seen.value)):
        runs.append((OWN_RUN, primal))
    misfit = next((text for _, values in runs if (text := _misfit(question, posed, values))), "")
    if misfit:
        return [_part(name, Verdict.WRONG, misfit)]
    try:
        true = posed.values
    except ExactError as reason:
        return [_part(name, Verdict.UNDECIDED, f"value: {reason}", remark=True)]
    differ = _other_functions(program, question, posed) if program else [""] * len(true)
    parts = []
    for k, (enclosure, output) in enumerate(zip(true, posed.forward.program.outputs, strict=True)):
        known = None if bounds is None else bounds[k]
        balls = cache(partial(_bound_of, known, program or posed.forward, k, rounding))
        found = []
        for label, values in runs:
            said, verdict = "", Verdict.ACCURATE
            if differ[k] and label == runs[-1][0]:  # the program is that of the last run
                said, verdict = differ[k], Verdict.WRONG
            elif not is_rounded(enclosure, values[k], output.dtype):
                said = outside(balls(), values[k], enclosure)
                verdict = Verdict.MISCOMPUTED if said else verdict
                own = program if program and label == runs[-1][0] else posed.forward
                if question.value is ValueRule.NOTED and (
                    apart := elsewhere(own, k, values[k], enclosure, balls, rounding)
                ):
                    said, verdict = apart, Verdict.UNDECIDED
            found.append((verdict, f"value: {label}{said}" if said else "", values[k]))
        verdict, text, numbers = min(found, key=lambda one: one[0].severity)
        (one,) = judge_each([_evidence(enclosure, output.dtype)], [numbers], question.allowed)
        one = replace(one, verdict=verdict, diagnosis=text, more=())
        remark = verdict is Verdict.MISCOMPUTED and question.value is not ValueRule.COUNTS
        parts.append(_part(name, verdict, text, one, output.dtype, enclosure.shape, remark))
    return parts


def _bound_of(known: Pairs | None, program: Recording, k: int, rounding: str) -> Array | Pairs | None:
    return bound_of(program, k, rounding) if known is None else known


def near_parts(question: Question, posed: Posed, values: Sequence[Array], name: str) -> list[Part]:
    """Whether the function has the specification's values, or near ones.

    It may be an approximation of what is specified: how good the gradient is says the gradient's own verdict.
    """
    misfit = _misfit(question, posed, values)
    if misfit:
        said = f"the function is not the specification: {misfit}"
        return [_part(name, Verdict.WRONG, said)]
    program, true = posed.forward.program, posed.values
    wrt = [i for i, v in enumerate(program.inputs) if v.is_float]
    work = Work(question.limits.seconds)
    excused, zero = attainable(program, posed.forward.values, wrt, true, 0, work=work)
    evidence = [
        replace(_evidence(e, v.dtype), attainable=a, zero=z)
        for e, a, z, v in zip(true, excused, zero, program.outputs, strict=True)
    ]
    judged = judge_each(evidence, values, question.allowed)
    given = max((float(np.max(np.abs(x), initial=0.0)) for x in posed.inputs), default=0.0)
    parts = []
    for judgement, e, z, c in zip(judged, true, zero, values, strict=True):
        size = float(np.max(np.abs(e.mid), initial=0.0))
        # Where the value is 0 whatever the inputs, no rounding excuses another one.
        off = bool(np.any(z & (np.abs(c.astype(float)) > SMALL * (size or given))))
        right = judgement.verdict in {*RIGHT, Verdict.UNDECIDED} and not off
        near = judgement.max_abs_error <= SMALL * size or right
        compared = (
            f"its value is {judgement.computed:.9g} at {list(judgement.element)}, the specification's is "
            f"{judgement.true:.9g}"
        )
        said, verdict = "", Verdict.ACCURATE
        if not near:
            verdict = Verdict.WRONG
            said = (
                f"the function is not the specification: {compared}; the gradients of two functions cannot "
                "be compared"
            )
        elif not right:
            verdict = Verdict.IMPRECISE
            said = f"value: the function only approximates the specification: {compared}"
        one = replace(judgement, verdict=verdict, diagnosis=said, more=())
        remark = verdict is Verdict.IMPRECISE
        parts.append(_part(name, verdict, said, one, c.dtype.name, c.shape, remark))
    return parts


def _part(
    name: str, verdict: Verdict, text: str, one: Judgement | None = None, dtype: str = "",
    shape: tuple[int, ...] = (), remark: bool = False,
) -> Part:  # fmt: skip
    return Part(name, "value", verdict, one, text, dtype, shape, remark, of_value=True)


def _evidence(true: Enclosure, dtype: str) -> Evidence:
    """What is known without perturbations: nobody can ask for less than half an ulp."""
    half = half_ulp(true, dtype) + format_of(dtype).normal
    everywhere = np.ones(true.shape, bool)
    return Evidence("value", true, half, ~everywhere, everywhere, None, dtype)


def _misfit(question: Question, posed: Posed, values: Sequence[Array]) -> str:
    wanted, found = [v.shape for v in posed.forward.program.outputs], [v.shape for v in values]
    if wanted != found:
        one = len(wanted) == len(found) == 1
        told = (f"shape {found[0]}", f"{wanted[0]}") if one else (f"shapes {found}", f"{wanted}")
        if question.value is ValueRule.NEAR:
            return f"value: f returns {told[0]}, spec returns {told[1]}"
        return f"value: {' instead of '.join(told)}"
    dtypes = [v.dtype.name for v in values]
    if question.value_dtype and set(dtypes) != {question.value_dtype}:
        return f"value: dtype {', '.join(dtypes)} instead of {question.value_dtype}"
    return ""


def _other_functions(program: Recording, question: Question, posed: Posed) -> list[str]:
    """For each result why its program is another function's, "" where it is not or nothing is known."""
    spec, true = posed.forward, posed.values

    def again(other: Program, inputs: Sequence[Array], asked: Sequence[Mask]) -> list[Enclosure]:
        return evaluated_as_narrowly(other, inputs, true)

    try:
        found = refined(program.program, program.values, question.limits)
        compared = Comparison(
            Side(program.program, program.values, found, {}),
            Side(spec.program, spec.values, true, {}),
            [v.dtype for v in spec.program.outputs],
            again, again,
        )  # fmt: skip
        explain(compared, question.resolution)
    except ExactError:
        return [""] * len(true)
    if not all(a.all() for a in compared.agrees) and (written := program.as_written()):
        return _other_functions(written, question, posed)
    said = []
    for e, t, agrees in zip(found, true, compared.agrees, strict=True):
        at = None if agrees.all() else first_true(~agrees)
        said.append("" if at is None else f"another function: {e.shown(at)} instead of {t.shown(at)} at {at}")
    return said
