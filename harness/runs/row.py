"""One cell, from the case to the record: draw, prove the truth, run, judge, time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import numpy as np

from harness.cases.case import Case
from harness.proof.answer import answered
from harness.proof.evidence import Evidence, budget
from harness.proof.judge import Judgement, judge, worst_argument
from harness.proof.observe import Loaded, Observed, observe
from harness.proof.program import Examined, examine_derivative
from harness.proof.question import Answer, Question, ValueRule
from harness.proof.truth import Posed, pose
from harness.runs.known import KnownDefect
from harness.runs.raised import raised_line
from harness.runs.record import Cell, Record, Row, whereabouts
from harness.runs.timing import Thunk, paired, yardstick
from harness.subject import given
from harness.subject.derivative import Array
from harness.subject.tested import Programs, home_of
from harness.verdicts import RIGHT, Outcome, Verdict
from oracles import Gradient, NumpyOracle, Oracle, Subject
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.program import FLOATS, Origin
from oracles.exact_oracle import ExactOracle
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.framework import framework

REFERENCE = NumpyOracle()
EXACT = ExactOracle()


def examine(case: Case, oracle: Oracle, cell: Cell, known: Mapping[Row, KnownDefect] | None = None) -> Record:
    """The record of one cell of a case of your own. Whatever an oracle raises becomes the row's result.

    A cell of the catalogue needs no more than its names: `run([cell])` gives its record.

    Args:
        case: The function; its name is the cell's.
        oracle: Whose gradient it is: an object of a subclass of `oracles.Oracle`, such as
            `oracles.NumpyOracle()`, the case's own gradient by hand.
        cell: The input, the dtype and the seed.
        known: Defects that are known, by row; none if not given.

    Raises:
        ValueError: The cell's dtype is none that can be asked.
    """
    given.known_name("cell.dtype", cell.dtype, sorted(FLOATS))
    try:
        missing = oracle.unavailable()
        if missing:
            return _record(cell, outcome=Outcome.UNAVAILABLE, diagnosis=missing)
        impossible = oracle.unsupported(case)
        if impossible:
            outcome = Outcome.FAIL if oracle.decides else Outcome.INFO
            return _record(cell, verdict=Verdict.UNSUPPORTED, outcome=outcome, diagnosis=impossible)
        return _row(
            case, oracle, cell, (known or {}).get(Row(cell.case, cell.oracle, cell.dtype, cell.input))
        )
    except Unsupported as reason:
        return _record(cell, verdict=Verdict.UNSUPPORTED, outcome=Outcome.FAIL, diagnosis=str(reason))
    except Undecided as reason:
        return _record(cell, verdict=Verdict.UNDECIDED, outcome=Outcome.FAIL, diagnosis=str(reason))
    except KeyboardInterrupt:
        raise
    except BaseException as problem:  # a function that calls sys.exit() fails its row, and ends nothing
        return _record(cell, outcome=Outcome.ERROR, diagnosis=raised_line(problem))


def is_timed(case: Case, cell: Cell | Record, full: bool) -> bool:
    """Whether a cell is timed: where the report shows it, or everywhere but for the exact oracle."""
    return cell.input == case.inputs[0].name or (full and cell.oracle != EXACT.name)


@dataclass(frozen=True)
class OfOracle:
    """What an oracle makes of a case, as a derivative under test."""

    case: Case
    oracle: Oracle
    dtype: str

    @property
    def home(self) -> Origin | None:
        """Where the rule by hand begins."""
        return home_of(self.case.vjp) if self.oracle.name == REFERENCE.name else None

    @property
    def rounding(self) -> str:
        """The rounding model's name."""
        return self.oracle.machine

    def subject(self) -> Subject:
        """What runs it, of a tuple of one cotangent."""
        own = self.oracle.subject(self.case, np.dtype(self.dtype))
        return replace(
            own,
            gradient=lambda directions, *args: own.gradient(directions[0], *args),
            fetch_value=lambda found: (own.fetch_value(found),),
        )

    def record(self, directions: tuple[Array, ...], inputs: Sequence[Array], alone: bool) -> Programs:
        """Its programs; `alone`: of a hand-written gradient that is given copies."""
        args, eager, case, vjp = tuple(inputs), self.oracle.eager, self.case, self.case.vjp
        if alone and vjp is not None:
            case = replace(case, vjp=lambda *given: vjp(*(a.copy() for a in given)))
        gradient = eager.record(case, directions[0], args)
        if eager is not self.oracle:  # compiled, the same operations run fused, and other numbers
            gradient = replace(gradient, executed=tuple)
        return Programs(gradient, eager.record(self.case, None, args))

    def watch(self, directions: tuple[Array, ...], inputs: Sequence[Array], mend: Mend) -> Watched:
        """Run it, and see which functions of the libraries it calls; `mend` may give other numbers for some.

        Raises:
            Unsupported: What it calls cannot be seen.
        """
        return self.oracle.eager.watch(self.case, directions[0], tuple(inputs), mend)


def question_of(case: Case, cell: Cell, oracle: Oracle = REFERENCE) -> Question:
    """A cell as a question: the case's own function is the specification, and its value counts too."""
    _, cotangent = case.draw(cell.input, cell.dtype, cell.seed)
    return Question(
        lambda arrays: framework("numpy").record(case.function, arrays, differentiate=True),
        case.arguments,
        case.argnums,
        cotangent=cotangent,
        # What autograd wrote knows no better than the forward; the hand-written one might.
        custom=oracle.machine == REFERENCE.machine,
        value=ValueRule.COUNTS,
        value_dtype=cell.dtype,
        thorough=oracle.decides,
        digits=True,
    )


@lru_cache(maxsize=2)
def posed(case: Case, input_name: str, dtype: str, seed: int) -> Posed:
    """The truth at one input, kept while the oracles are asked about it in turn."""
    args, _ = case.draw(input_name, dtype, seed)
    return pose(question_of(case, Cell(case.name, input_name, dtype, REFERENCE.name, seed)), args)


@lru_cache(maxsize=4)
def examined(
    case: Case, input_name: str, dtype: str, seed: int, oracle: Oracle, alone: bool = False
) -> Examined:
    """E and B of an oracle; one that compiles or not has the same program."""
    question = question_of(case, Cell(case.name, input_name, dtype, oracle.name, seed), oracle)
    at = posed(case, input_name, dtype, seed)
    return examine_derivative(question, OfOracle(case, oracle, dtype), at, alone)


def _row(case: Case, oracle: Oracle, cell: Cell, known: KnownDefect | None) -> Record:
    args, _ = case.draw(cell.input, cell.dtype, cell.seed)
    shapes = " ".join(str(a.shape).replace(" ", "") for a in args)
    if case.vjp is None:
        return _record(cell, shapes=shapes, **_without_gradient(case, oracle, cell))
    at = posed(case, cell.input, cell.dtype, cell.seed)
    fields: dict[str, Any] = {"shapes": shapes, "proven_digits": at.true.proven_digits}
    if oracle.decides:
        return _record(cell, **fields, **_judged(answer_of(case, oracle, cell), known))
    under_test = OfOracle(case, oracle, cell.dtype)
    seen = observe(under_test.subject(), at.inputs, at.directions, at.labels, at.expected, thoroughly=False)
    fields["first_call_time_s"] = seen.first_call_time_s
    if oracle.name == EXACT.name:
        said = f"{at.true.proven_digits:.0f} digits proven"
        return _record(cell, **fields, **_truth(said), scaled_error=at.true.proven_error)
    return _record(cell, **fields, **_estimated(at, seen))


def answer_of(case: Case, oracle: Oracle, cell: Cell) -> Answer:
    """What is found of an oracle's gradient at one point.

    Raises:
        Unsupported, Undecided: There is no truth here.
    """
    at, under_test = posed(case, cell.input, cell.dtype, cell.seed), OfOracle(case, oracle, cell.dtype)
    of_program = (case, cell.input, cell.dtype, cell.seed, oracle.eager)
    question = question_of(case, cell, oracle)
    return answered(question, under_test, at, lambda alone: examined(*of_program, alone))


def _judged(found: Answer, known: KnownDefect | None) -> dict[str, Any]:
    """The fields of a record that come from the answer: of its worst part, with the worst numbers of all."""
    gradients = [part for part in found.parts if not part.of_value]
    judged = [part.judgement for part in gradients if part.judgement is not None]
    worst = worst_argument(judged) if judged else None
    amiss = [f"{p.name}: {p.diagnosis}" for p in gradients if p.judgement is None and p.diagnosis]
    deciding = [part for part in found.parts if not part.remark]
    amiss += [p.diagnosis for p in deciding if p.of_value and p.verdict not in RIGHT]
    kind = min((p.verdict for p in deciding if p.verdict), key=lambda verdict: verdict.severity)
    outcome = Outcome.PASS if kind in RIGHT and not found.faults else Outcome.FAIL
    said = [worst.diagnosis] if worst and worst.diagnosis else []
    diagnosis = "; ".join([*found.faults, *amiss, *said, *found.notes])
    if known and not found.faults and not amiss:
        outcome, diagnosis = _excused(outcome, known, diagnosis)
    faulty = [p for p in gradients if p.verdict is kind]
    return {
        "verdict": kind,
        "outcome": outcome,
        "diagnosis": diagnosis,
        "blame": next((str(p.blame) for p in faulty if p.blame), ""),
        **whereabouts(next((p.guilty for p in faulty if p.guilty), None), Path.cwd()),
        "first_call_time_s": found.first_call_time_s,
        **(_numbers(worst) if worst else {}),
    }


def _without_gradient(case: Case, oracle: Oracle, cell: Cell) -> dict[str, Any]:
    """The fields for a function whose value is an integer: it is itself, and has no gradient anywhere."""
    args, cotangent = case.draw(cell.input, cell.dtype, cell.seed)
    subject = oracle.subject(case, np.dtype(cell.dtype))
    expected = [(case.arguments[k], args[k]) for k in case.argnums]
    seen = observe(subject, args, cotangent, case.arguments, expected, thoroughly=oracle.decides)
    found = {"first_call_time_s": seen.first_call_time_s}
    if oracle.name == EXACT.name:
        return {**found, **_truth("an integer, which has no gradient")}
    if not oracle.decides:
        return {**found, "verdict": Verdict.ESTIMATE, "outcome": Outcome.INFO}
    true, value = np.asarray(case.function(*args)), seen.value
    said = []
    if not (value.dtype.kind in "iub" and np.array_equal(true, value)):
        said.append(f"value: {value} instead of {true}")
    if any(g is not None for g in seen.gradient.arrays):
        said.append("a gradient where there is none: the value is an integer")
    faults = [*seen.faults, *said]
    return {
        **found,
        "verdict": Verdict.WRONG if said else Verdict.ACCURATE,
        "outcome": Outcome.FAIL if faults else Outcome.PASS,
        "diagnosis": "; ".join([*faults, *([] if said else ["no gradient, on both sides"]), *seen.notes]),
    }


def _truth(said: str) -> dict[str, Any]:
    return {"verdict": Verdict.TRUTH, "outcome": Outcome.INFO, "diagnosis": said}


def _numbers(found: Judgement) -> dict[str, Any]:
    names = (
        "bits_lost error_ulp attainable_ulp bound_ulp where computed true true_digits max_abs_error "
        "max_rel_error scaled_error"
    )
    numbers = {name: getattr(found, name) for name in names.split()}
    if math.isnan(found.bound_ulp):
        numbers["bound_ulp"] = None
    return numbers


def _estimated(at: Posed, seen: Observed) -> dict[str, Any]:
    """The fields of a record of finite differences, which are measured and not judged.

    Entries that were not differenced (masked) count as right.
    """
    found: dict[str, Any] = {
        "verdict": Verdict.ESTIMATE,
        "outcome": Outcome.INFO,
        "diagnosis": _estimate_note(at, seen.gradient),
        "error_estimate": seen.gradient.error_estimate,
    }
    if seen.misfits:
        return {**found, "diagnosis": "; ".join(map(str, seen.misfits))}
    true = at.true
    facts = zip(true.names, true.enclosures, true.attainable, true.zero, true.dtypes, strict=True)
    evidence = [
        Evidence(n, e, a, zero, np.ones(e.shape, bool), None, dtype) for n, e, a, zero, dtype in facts
    ]
    computed: list[Array] = []
    for got, enclosure in zip(seen.gradient.arrays, true.enclosures, strict=True):
        masked: Any = np.ma.asarray(got)
        computed.append(np.where(np.ma.getmaskarray(masked), enclosure.mid, np.ma.getdata(masked)))
    unjudged = dict.fromkeys(("bits_lost", "attainable_ulp", "bound_ulp"))
    return {**found, **_numbers(judge(evidence, computed, budget)), **unjudged, "true_digits": ""}


def in_turns(
    case: Case, oracle: Oracle, cell: Cell | Record
) -> tuple[tuple[Thunk, Thunk], tuple[Thunk, Thunk]]:
    """The value and the gradient, each with what it is timed against; what is compiled has been.

    That is the reference; for the reference itself, which would never look slower, the yardstick.
    """
    args, cotangent = case.draw(cell.input, cell.dtype, cell.seed)
    mine, reference = (
        Loaded.of(one.subject(case, np.dtype(cell.dtype)), args, cotangent) for one in (oracle, REFERENCE)
    )
    mine.value(), mine.gradient()
    if oracle.name == REFERENCE.name:
        return (mine.value, yardstick), (mine.gradient, yardstick)
    return (mine.value, reference.value), (mine.gradient, reference.gradient)


def first_call_s(case: Case, oracle: Oracle, cell: Cell | Record) -> float:
    """The seconds of one value and gradient, set-up and compilation included, as this process is now."""
    args, cotangent = case.draw(cell.input, cell.dtype, cell.seed)
    start = perf_counter()
    loaded = Loaded.of(oracle.subject(case, np.dtype(cell.dtype)), args, cotangent)
    loaded.value(), loaded.gradient()
    return perf_counter() - start


def times(case: Case, oracle: Oracle, cell: Cell | Record) -> dict[str, Any]:
    """The fields of a record that are times and ratios.

    Raises:
        Exception: Whatever the oracle raises, and `ClockError`.
    """
    value, gradient = (paired(*pair) for pair in in_turns(case, oracle, cell))
    return {
        "value_time_s": value.time_s,
        "value_time_ratio": value.ratio,
        "gradient_time_s": gradient.time_s,
        "gradient_time_ratio": gradient.ratio,
        "gradient_time_ratio_low": gradient.ratio_low,
        "gradient_time_ratio_high": gradient.ratio_high,
    }


def _estimate_note(at: Posed, gradient: Gradient) -> str:
    """What finite differences say of themselves, and how far off their random directions are."""
    notes = [gradient.note] if gradient.note else []
    gaps = []
    for direction in gradient.directions:
        along = sum(
            float(np.vdot(g.mid, tangent.astype(np.float64)))
            for g, tangent in zip(at.true.enclosures, direction.tangents, strict=True)
        )
        gaps.append(abs(direction.derivative - along))
    if gaps:
        notes.append(f"{len(gaps)} random directions, off by {np.max(gaps):.1e}")
    return "; ".join(notes)


def _excused(outcome: Outcome, known: KnownDefect, diagnosis: str) -> tuple[Outcome, str]:
    """The outcome where the file of known defects names this row: known, or stale if it does not fail.

    Only a verdict is excused: another shape or dtype, or an oracle that raises, is news.
    """
    if outcome.failing:
        return Outcome.KNOWN, f"{known.reason} ({known.link}). {diagnosis}"
    gone = "listed in harness/known_defects.toml, and it does not fail any more: remove the entry"
    return Outcome.STALE, gone


def _record(cell: Cell, **fields: Any) -> Record:
    return Record(**msgspec.structs.asdict(cell), **fields)
