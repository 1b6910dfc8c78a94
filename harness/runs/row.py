"""One cell, from the case to the record: draw, prove the truth, run, judge, time."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from harness.case import Case
from harness.errors import Errors, measure
from harness.inputs.arrays import Array, Arrays
from harness.proof.judge import Judgement
from harness.proof.observe import Loaded, Observed, observe
from harness.proof.reasons import Examined, examine_opaque, examine_program, verdict, worst
from harness.proof.truth import Truth, true_gradient
from harness.proof.value import verdict_on_value
from harness.runs.known import KnownDefect
from harness.runs.record import Cell, Record, Row
from harness.runs.timing import Thunk, paired, yardstick
from harness.verdicts.outcome import Outcome
from harness.verdicts.verdict import RIGHT, Verdict
from oracles import Gradient, NumpyOracle, Oracle
from oracles.exact.enclose.refine import Enclosure, refine
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact_oracle import BITS, LIMITS, ExactOracle

REFERENCE = NumpyOracle()
EXACT = ExactOracle()


def examine(case: Case, oracle: Oracle, cell: Cell, known: dict[Row, KnownDefect]) -> Record:
    """The record of one cell. Whatever an adapter or a framework raises becomes that row's result."""
    try:
        missing = oracle.unavailable()
        if missing:
            return _record(cell, outcome=Outcome.UNAVAILABLE, diagnosis=missing)
        impossible = oracle.unsupported(case)
        if impossible:
            outcome = Outcome.FAIL if oracle.decides else Outcome.INFO
            return _record(cell, verdict=Verdict.UNSUPPORTED, outcome=outcome, diagnosis=impossible)
        return _examined(case, oracle, cell, known.get(Row.of(cell)))
    except Unsupported as reason:
        return _record(cell, verdict=Verdict.UNSUPPORTED, outcome=Outcome.FAIL, diagnosis=str(reason))
    except Undecided as reason:
        return _record(cell, verdict=Verdict.UNDECIDED, outcome=Outcome.FAIL, diagnosis=str(reason))
    except Exception as problem:
        return _record(cell, outcome=Outcome.ERROR, diagnosis=first_line(problem))


def is_timed(case: Case, cell: Cell, full: bool = False) -> bool:
    """Whether a cell is timed: where the report shows it, or everywhere but for the exact oracle."""
    return cell.input == case.inputs[0].name or (full and cell.oracle != EXACT.name)


@lru_cache(maxsize=2)
def truth(case: Case, input_name: str, dtype: str, seed: int) -> tuple[Enclosure | Array, Truth | None]:
    """The true value and gradient at one input, kept while the oracles are asked about it in turn.

    An integer value is itself, and has no gradient.
    """
    from oracles.exact.from_numpy import record

    args, cotangent = case.draw(input_name, dtype, seed)
    if case.vjp is None:
        return np.asarray(case.function(*args)), None
    recording = record(case.function, args, {})
    (value,) = refine(recording.program, recording.values, BITS, LIMITS)
    wrt = [recording.argument.index(k) for k in case.argnums]
    return value, true_gradient(recording, [cotangent], wrt, case.differentiated)


@lru_cache(maxsize=4)
def examined(case: Case, input_name: str, dtype: str, seed: int, oracle: Oracle) -> Examined:
    """The gradient program of an oracle against the truth; one compiled or not is the same program."""
    args, cotangent = case.draw(input_name, dtype, seed)
    true = truth(case, input_name, dtype, seed)[1]
    assert true is not None
    if oracle.opaque:
        return examine_opaque(true, oracle.machine)
    # What autograd wrote knows no better than the forward; the hand-written one might.
    custom = oracle.machine == REFERENCE.machine
    return examine_program(true, lambda: oracle.record(case, cotangent, args), oracle.machine, LIMITS, custom)


def _examined(case: Case, oracle: Oracle, cell: Cell, known: KnownDefect | None) -> Record:
    args, cotangent = case.draw(cell.input, cell.dtype, cell.seed)
    value, true = truth(case, cell.input, cell.dtype, cell.seed)
    subject = oracle.prepare(case, np.dtype(cell.dtype))
    expected = [(case.arguments[k], args[k]) for k in case.argnums]
    seen = observe(subject, args, cotangent, case.arguments, expected, thoroughly=oracle.decides)
    fields: dict[str, Any] = {
        "shapes": " ".join(str(a.shape).replace(" ", "") for a in args),
        "first_call_time_s": seen.first_call_time_s,
        "proven_digits": true.proven_digits if true else None,
    }
    if oracle.name == EXACT.name:
        error = true.proven_error if true else None
        said = f"{true.proven_digits:.0f} digits proven" if true else "an integer, which has no gradient"
        fields |= {
            "verdict": Verdict.TRUTH,
            "outcome": Outcome.INFO,
            "scaled_error": error,
            "diagnosis": said,
        }
    elif oracle.decides:
        fields |= _judged(case, oracle, cell, args, value, true, seen, known)
    else:
        fields |= _estimated(case, args, true, seen)
    return _record(cell, **fields)


def _judged(
    case: Case,
    oracle: Oracle,
    cell: Cell,
    args: Arrays,
    value: Enclosure | Array,
    true: Truth | None,
    seen: Observed,
    known: KnownDefect | None,
) -> dict[str, Any]:
    """The fields of a record that come from the verdict."""
    faults = [*seen.misshapen, *seen.faults]
    of_value, why = verdict_on_value(
        value, seen.value, lambda: oracle.record(case, None, args), oracle.machine, cell.dtype
    )
    if why:
        faults.append(why)
    missing = [g is None for g in seen.gradient.arrays]
    if true is None:
        faults += [] if all(missing) else ["a gradient where there is none: the value is an integer"]
        found = None
        said = "no gradient, on both sides"
    elif any(missing):
        names = [n for n, m in zip(case.differentiated, missing, strict=True) if m]
        faults.append(f"{', '.join(names)}: no gradient (None), which is not a zero gradient")
        found, said = None, ""
    elif seen.misshapen:
        found, said = None, ""
    else:
        program = examined(case, cell.input, cell.dtype, cell.seed, oracle.eager)
        results = (("", seen.gradient.arrays), *seen.others)
        found = worst([(label, verdict(true, program, _all(arrays))) for label, arrays in results])
        said = found.diagnosis
    of_gradient = found.verdict if found else Verdict.WRONG if faults else Verdict.ACCURATE
    kind = min(of_gradient, of_value, key=lambda verdict: verdict.severity)
    right = kind in RIGHT and not faults
    outcome = Outcome.PASS if right else Outcome.FAIL
    diagnosis = "; ".join([*faults, *([said] if said else []), *seen.notes])
    if known and not faults:
        outcome, diagnosis = _excused(outcome, known, diagnosis)
    return {"verdict": kind, "outcome": outcome, "diagnosis": diagnosis, **(_numbers(found) if found else {})}


def _all(arrays: tuple[Array | None, ...]) -> list[Array]:
    return [a for a in arrays if a is not None]


def _numbers(found: Judgement) -> dict[str, Any]:
    names = (
        "bits_lost error_ulp attainable_ulp bound_ulp where computed true true_digits max_abs_error "
        "max_rel_error scaled_error"
    )
    numbers = {name: getattr(found, name) for name in names.split()}
    if math.isnan(found.bound_ulp):
        numbers["bound_ulp"] = None
    return numbers


def _estimated(case: Case, args: Arrays, true: Truth | None, seen: Observed) -> dict[str, Any]:
    """The fields of a record of finite differences, which are measured and not judged."""
    dtypes = [args[k].dtype for k in case.argnums]
    enclosures = true.enclosures if true else (None,) * len(case.argnums)
    of = measure(case.differentiated, enclosures, seen.gradient.arrays, dtypes)
    return {
        "verdict": Verdict.ESTIMATE,
        "outcome": Outcome.INFO,
        "diagnosis": _estimate_note(true, seen.gradient),
        "where": of.where,
        "computed": _number(of.computed, of),
        "true": _number(of.true, of),
        "max_abs_error": _number(of.max_abs, of),
        "max_rel_error": _number(of.max_rel, of),
        "error_ulp": _number(of.ulp, of),
        "scaled_error": _number(of.scaled, of),
        "error_estimate": seen.gradient.error_estimate,
    }


def in_turns(case: Case, oracle: Oracle, cell: Cell) -> tuple[tuple[Thunk, Thunk], tuple[Thunk, Thunk]]:
    """The value and the gradient, each with what it is timed against; what is compiled has been.

    That is the reference; for the reference itself, which would never look slower, the yardstick.
    """
    args, cotangent = case.draw(cell.input, cell.dtype, cell.seed)
    mine, reference = (
        Loaded.of(one.prepare(case, np.dtype(cell.dtype)), args, cotangent) for one in (oracle, REFERENCE)
    )
    mine.value(), mine.gradient()
    if oracle.name == REFERENCE.name:
        return (mine.value, yardstick), (mine.gradient, yardstick)
    return (mine.value, reference.value), (mine.gradient, reference.gradient)


def times(case: Case, oracle: Oracle, cell: Cell) -> dict[str, Any]:
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


def _estimate_note(true: Truth | None, gradient: Gradient) -> str:
    """What finite differences say of themselves, and how far off their random directions are."""
    notes = [gradient.note] if gradient.note else []
    gaps = []
    for direction in gradient.directions if true else ():
        assert true is not None
        along = sum(
            float(np.vdot(g.mid, tangent.astype(np.float64)))
            for g, tangent in zip(true.enclosures, direction.tangents, strict=True)
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
    return (
        Outcome.STALE,
        "listed in harness/known_defects.toml, and it does not fail any more: remove the entry",
    )


def _record(cell: Cell, **fields: Any) -> Record:
    return Record(**msgspec.structs.asdict(cell), **fields)


def _number(value: float, of: Errors) -> float | None:
    """A measure of what was measured; None where nothing was."""
    return value if of.where else None


def first_line(problem: Exception) -> str:
    """What an exception says, in one line, after its kind."""
    text = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {text[0]}" if text else type(problem).__name__
