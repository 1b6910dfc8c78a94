"""One gradient at one point: every differentiated argument judged, and how the subject behaved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.directions import along, contracted, dtype_named, levels_of
from harness.inputs.arrays import Array
from harness.proof.formula import SMALL
from harness.proof.judge import Evidence, Judgement, judge_each
from harness.proof.observe import Observed, observe
from harness.proof.reasons import Examined, examine_opaque, examine_program, verdicts, worst
from harness.proof.truth import Truth, true_gradient
from harness.subject.derivative import FORWARD, inside
from harness.subject.target import Problem
from harness.verdicts.verdict import RIGHT, Verdict
from oracles.exact.enclose.refine import Limits, refine
from oracles.exact.program.derive import jvp, vjp
from oracles.exact.program.recording import Recording
from oracles.exact.rounding.attainable import attainable
from oracles.exact_oracle import BITS
from oracles.oracle import Subject

VALUE = "value"


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of one differentiated argument (forward: of one result) at one point.

    Attributes:
        input: Which point: "given", or what was tried beside it.
        name: The argument.
        verdict: On its gradient; "" where nothing was compared.
        judgement: The worst element, None where no numbers were compared.
        diagnosis: Why, in words.
        dtype, shape: Of the gradient.
    """

    input: str
    name: str
    verdict: Verdict
    judgement: Judgement | None
    diagnosis: str
    dtype: str = ""
    shape: tuple[int, ...] = ()

    @property
    def informs(self) -> bool:
        """Whether it says something without deciding: tried beside, where there is no derivative."""
        beside = self.input != "given"
        return beside and self.verdict in {Verdict.UNDECIDED, Verdict.UNSUPPORTED, Verdict.NONE}


@dataclass(frozen=True, slots=True)
class Point:
    """All that was found at one point; `faults` are wrong apart from size, `notes` are worth saying."""

    parts: tuple[Part, ...]
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What is the same at every point.

    Attributes:
        problem: The gradient under test.
        cotangent: What it is contracted with, as the user gave it, or None.
        seed: Seeds what is not given.
        limits: Of the exact evaluations.
        allowed: The budget of lost bits, by dtype.
        specified: Whether the truth comes from another function that has the same values.
        linear: Whether the gradient is a linear function of the cotangent.
    """

    problem: Problem
    cotangent: Any
    seed: int
    limits: Limits
    allowed: Callable[[str], float]
    specified: bool
    linear: bool = True


@dataclass(frozen=True, slots=True)
class Posed:
    """The question at one point.

    Attributes:
        forward: The specification, recorded.
        true: The truth.
        directions: What the last derivative is contracted with.
        inputs, labels: The arrays, then the directions of the derivatives below; and their names.
        expected: The name of each part of the derivative, and an array of its shape and dtype.
    """

    forward: Recording
    true: Truth
    directions: tuple[Array, ...]
    inputs: list[Array]
    labels: list[str]
    expected: list[tuple[str, Array]]


def check_point(asked: Question, arrays: Sequence[Array], name: str = "given") -> Point:
    """Judge the gradient at one point.

    Raises:
        Unsupported, Undecided: There is no truth here.
        ValueError: The cotangent does not fit.
    """
    problem, user = asked.problem, asked.problem.user
    if not any(arrays[k].size for k in problem.moving):
        return Point(tuple(_nothing(name, problem.names[k], arrays[k]) for k in problem.moving))
    posed = pose(asked, arrays)
    subject = user.subject(problem.device)
    value = _value(asked, posed, subject, name) if asked.specified else ()
    if any(part.verdict is Verdict.WRONG for part in value):
        return Point(value)
    seen = observe(subject, posed.inputs, posed.directions, posed.labels, posed.expected, linear=asked.linear)
    misshapen = _misshapen(seen, posed, name)
    if misshapen:
        return Point((*value, *misshapen), seen.faults, seen.notes)
    pull = _leaving_alone(user.framework, user.pull) if seen.faults else user.pull
    examined = examine_program(
        posed.true,
        lambda: user.record(pull, [posed.directions, *posed.inputs], edges=False),
        user.framework,
        asked.limits,
        custom=problem.derivative.steps[-1] != FORWARD,
    )
    examined = _of_what_ran(examined, seen)
    notes = seen.notes
    if asked.specified and examined.unsupported:
        notes = (*notes, f"opaque, so judged by its numbers alone: {examined.unsupported}")
        examined = examine_opaque(posed.true, user.framework)
    return Point((*value, *_judged(asked, posed, examined, seen, name)), seen.faults, notes)


def _of_what_ran(examined: Examined, seen: Observed) -> Examined:
    """Without a bound where what was recorded is not what ran.

    torch takes other paths where a dispatch mode watches it (the gradients of prod and cumprod): they have
    the same formula, and round differently.
    """
    ran = examined.recording.executed if examined.recording else ()
    pairs = zip(seen.gradient.arrays, ran, strict=False)
    if all(a is None or np.array_equal(a.astype(np.float64), e, equal_nan=True) for a, e in pairs):
        return examined
    return replace(examined, bound=None)


def pose(asked: Question, arrays: Sequence[Array]) -> Posed:
    """The question at one point: the function recorded, the truth, and what it is contracted with.

    Raises:
        Unsupported, Undecided: There is no truth here.
        ValueError: The cotangent does not fit.
    """
    problem = asked.problem
    *within, step = problem.derivative.steps
    *given, last = levels_of(asked.cotangent, len(within) + 1)
    forward = recording = problem.user.record(problem.specification, arrays, edges=True)
    wrt = [recording.argument.index(k) for k in problem.moving]
    rng = np.random.default_rng(asked.seed)

    def drawn(one: str, directions: Any) -> list[Array]:
        if one == FORWARD:
            return along(directions, [arrays[k] for k in problem.moving], rng)
        return contracted(directions, recording.program.outputs, arrays, rng)

    inner: list[Array] = []
    for one, directions in zip(within, given, strict=True):
        found = drawn(one, directions)
        inner += found
        recording = inside(one, recording, wrt, found)
    directions = drawn(step, last)
    names = [problem.names[k] for k in problem.moving]
    if problem.derivative.is_of_results:
        names = [f"result{path}" for path in problem.results.names]
    true = true_gradient(recording, directions, wrt, names, asked.limits, jvp if step == FORWARD else vjp)
    likes = [
        np.empty(e.shape, dtype_named(d, arrays)) for e, d in zip(true.enclosures, true.dtypes, strict=True)
    ]
    labels = [*problem.names, *(f"direction {k}" for k in range(len(inner)))]
    expected = list(zip(names, likes, strict=True))
    return Posed(forward, true, tuple(directions), [*arrays, *inner], labels, expected)


def _judged(asked: Question, posed: Posed, examined: Examined, seen: Observed, name: str) -> list[Part]:
    """Each part by the worst of its results: of the first run, run again, and with a scaled cotangent."""
    found = []
    for label, arrays in (("", seen.gradient.arrays), *seen.others):
        each = verdicts(posed.true, examined, [a for a in arrays if a is not None], asked.allowed)
        found.append([(label, judgement) for judgement in each])
    parts = []
    for (of, like), *results in zip(posed.expected, *found, strict=True):
        judgement = worst(results)
        shape, dtype = like.shape, like.dtype.name
        parts.append(Part(name, of, judgement.verdict, judgement, judgement.diagnosis, dtype, shape))
    return parts


def _nothing(name: str, of: str, array: Array) -> Part:
    said = f"nothing to compare: the shape is {array.shape}"
    return Part(name, of, Verdict.NONE, None, said, array.dtype.name, array.shape)


def _misshapen(seen: Observed, posed: Posed, name: str) -> list[Part]:
    """Parts that say why a result is no gradient; none where it is one."""
    said = {text.partition(": ")[0]: text.partition(": ")[2] for text in seen.misshapen if ": " in text}
    whole = [text for text in seen.misshapen if ": " not in text]
    for (of, _), got, truth in zip(posed.expected, seen.gradient.arrays, posed.true.enclosures, strict=False):
        if got is None:
            said[of] = "no gradient (None), which is not a zero gradient"
            if all(b.is_zero() for b in truth.balls.ravel().tolist()):
                said[of] += "; if the function does not depend on it, leave it out of argnums"
    if not said and not whole:
        return []
    parts = []
    for of, like in posed.expected:
        text = "; ".join([*whole, *([said[of]] if of in said else [])])
        verdict = Verdict.WRONG if text else Verdict.NONE
        parts.append(Part(name, of, verdict, None, text, like.dtype.name, like.shape))
    return parts


def _value(asked: Question, posed: Posed, subject: Subject, name: str) -> tuple[Part, ...]:
    """Whether the function has the specification's values, or near ones.

    It may be an approximation of what is specified: how good the gradient is says the gradient's own verdict.
    """
    computed = subject.fetch_value(subject.value(*(subject.load(a.copy()) for a in posed.inputs)))
    forward, program = posed.forward, posed.forward.program
    shapes = [[v.shape for v in program.outputs], [c.shape for c in computed]]
    if shapes[0] != shapes[1]:
        said = f"the function returns shapes {shapes[1]}, the specification {shapes[0]}"
        return (Part(name, VALUE, Verdict.WRONG, None, said),)
    wrt = [i for i, v in enumerate(program.inputs) if v.is_float]
    found = refine(program, forward.values, BITS, asked.limits)
    excused, zero = attainable(program, forward.values, wrt, found, 0)
    everywhere = [np.ones(e.shape, bool) for e in found]
    evidence = [
        Evidence(VALUE, e, a, z, right, None, v.dtype)
        for e, a, z, right, v in zip(found, excused, zero, everywhere, program.outputs, strict=True)
    ]
    parts = []
    given = max((float(np.max(np.abs(x), initial=0.0)) for x in posed.inputs), default=0.0)
    for judgement, e, z, c in zip(
        judge_each(evidence, computed, asked.allowed), found, zero, computed, strict=True
    ):
        size = float(np.max(np.abs(e.mid), initial=0.0))
        # Where the value is 0 whatever the inputs, no rounding excuses another one.
        off = bool(np.any(z & (np.abs(c.astype(float)) > SMALL * (size or given))))
        near = judgement.max_abs_error <= SMALL * size or (
            judgement.verdict in {*RIGHT, Verdict.UNDECIDED} and not off
        )
        said = "" if near else (
            f"the function is not the specification: its value is {judgement.computed:.9g} at "
            f"{list(judgement.element)}, the specification's is {judgement.true:.9g}; the gradients of two "
            "functions cannot be compared"
        )  # fmt: skip
        verdict = Verdict.ACCURATE if near else Verdict.WRONG
        judgement = replace(judgement, verdict=verdict, diagnosis=said, more=())
        parts.append(Part(name, VALUE, verdict, judgement, said, c.dtype.name, c.shape))
    return tuple(parts)


def _leaving_alone(framework: str, pull: Callable[..., Any]) -> Callable[..., Any]:
    """A gradient that overwrites what it is given, given copies: so that its formula is seen."""
    if framework == "jax":
        return pull
    copy = "copy" if framework == "numpy" else "clone"

    def copying(directions: Any, *inputs: Any) -> Any:
        copies = tuple(getattr(d, copy)() for d in directions)
        return pull(copies, *(getattr(a, copy)() for a in inputs))

    return copying
