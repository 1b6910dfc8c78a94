"""One cell, from the case to the record: draw, enclose the truth, run, measure, judge, time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import Any

import msgspec
import numpy as np

from harness.case import Array, Arrays, Case
from harness.errors import Errors, measure
from harness.known import KnownDefect, Row
from harness.record import Cell, Record
from harness.timing import paired
from harness.verdict import Outcome, Verdict, judge, same_function
from oracles import Gradient, NumpyOracle, Oracle, Subject
from oracles.exact.enclosure import Enclosure
from oracles.exact_oracle import ExactOracle, enclosed_gradient, enclosed_value

REFERENCE = NumpyOracle()
EXACT = ExactOracle()


def examine(case: Case, oracle: Oracle, cell: Cell, known: dict[Row, KnownDefect], timing: bool) -> Record:
    """The record of one cell. Whatever an adapter or a framework raises becomes that row's result."""
    try:
        missing = oracle.unavailable()
        if missing:
            return _record(cell, outcome=Outcome.UNAVAILABLE, reason=missing)
        impossible = oracle.unsupported(case)
        if impossible:
            return _record(cell, outcome=Outcome.UNSUPPORTED, reason=impossible)
        return _examined(case, oracle, cell, known.get(Row.of(cell)), timing)
    except Exception as problem:
        return _record(cell, outcome=Outcome.ERROR, reason=_first_line(problem))


def is_timed(case: Case, cell: Cell) -> bool:
    """Whether a cell is timed: the exact oracle takes its time, so only where the report shows it."""
    return cell.oracle != EXACT.name or cell.input == case.inputs[0].name


@dataclass(frozen=True, slots=True)
class Truth:
    """The true value and gradients at one input: enclosures, or an integer value and no gradients."""

    value: Enclosure | Array
    gradients: tuple[Enclosure | None, ...]

    @property
    def proven_error(self) -> float | None:
        """The largest radius off the kinks, relative to the largest element; None without a gradient."""
        return max((g.proven_error for g in self.gradients if g is not None), default=None)

    @property
    def proven_digits(self) -> float | None:
        """How many digits of the largest elements are proven."""
        return None if self.proven_error is None else -math.log10(max(self.proven_error, 1e-300))


@lru_cache(maxsize=2)
def truth(case: Case, input_name: str, dtype: str, seed: int) -> Truth:
    """The truth at one input, kept while the oracles are asked about it in turn."""
    args, cotangent = case.draw(input_name, dtype, seed)
    gradients = enclosed_gradient(case, args, cotangent) or (None,) * len(case.argnums)
    return Truth(enclosed_value(case, args), gradients)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A subject with its arguments on its device."""

    subject: Subject
    args: tuple[Any, ...]
    cotangent: Any

    @classmethod
    def of(cls, oracle: Oracle, case: Case, dtype: str, args: Arrays, cotangent: Array) -> _Loaded:
        subject = oracle.prepare(case, np.dtype(dtype))
        return cls(subject, tuple(subject.load(a) for a in args), subject.load(cotangent))

    def value(self) -> Any:
        return self.subject.value(*self.args)

    def gradient(self) -> Any:
        return self.subject.gradient(self.cotangent, *self.args)

    def fetched(self) -> tuple[Array, Gradient]:
        return self.subject.fetch_value(self.value()), self.subject.fetch_gradient(self.gradient())


def _examined(case: Case, oracle: Oracle, cell: Cell, known: KnownDefect | None, timing: bool) -> Record:
    args, cotangent = case.draw(cell.input, cell.dtype, cell.seed)
    true = truth(case, cell.input, cell.dtype, cell.seed)
    given = [a.copy() for a in (*args, cotangent)]
    start = perf_counter()
    mine = _Loaded.of(oracle, case, cell.dtype, args, cotangent)
    value, gradient = mine.fetched()
    fields: dict[str, Any] = {
        "shapes": " ".join(str(a.shape).replace(" ", "") for a in args),
        "first_call_time_s": perf_counter() - start,
        "proven_digits": true.proven_digits,
    }
    if oracle.name == EXACT.name:
        fields |= {"verdict": Verdict.TRUTH, "outcome": Outcome.INFO, "scaled_error": true.proven_error}
    else:
        fields |= _measured(case, oracle, cell, true, args, value, gradient, known)
    for name, before, after in zip((*case.arguments, "cotangent"), given, (*args, cotangent), strict=True):
        if not np.array_equal(before, after, equal_nan=after.dtype.kind == "f"):
            fields |= {
                "outcome": Outcome.FAIL,
                "reason": f"{name} was overwritten: an oracle must leave it alone",
            }
    if timing and is_timed(case, cell):
        fields |= _timed(mine, _Loaded.of(REFERENCE, case, cell.dtype, args, cotangent))
    return _record(cell, **fields)


def _measured(
    case: Case,
    oracle: Oracle,
    cell: Cell,
    true: Truth,
    args: Arrays,
    value: Array,
    gradient: Gradient,
    known: KnownDefect | None,
) -> dict[str, Any]:
    """The fields of a record that come from measuring and judging."""
    of_value = _value_errors(true.value, value, np.dtype(cell.dtype))
    same = same_function(np.asarray(case.function(*args)), value, cell.dtype)
    dtypes = [args[k].dtype for k in case.argnums]
    of_gradient = measure(case.differentiated, true.gradients, gradient.arrays, dtypes)
    if oracle.decides:
        verdict, outcome, reason = judge(same, of_gradient, cell.dtype)
        if known and not (of_value.fault or of_gradient.fault):
            outcome, reason = _excused(outcome, known)
    else:
        verdict, outcome, reason = Verdict.ESTIMATE, Outcome.INFO, _estimate_note(true, gradient)
    return {
        "verdict": verdict,
        "outcome": outcome,
        "reason": reason,
        "where": of_gradient.where,
        "computed": _number(of_gradient.computed, of_gradient),
        "true": _number(of_gradient.true, of_gradient),
        "max_abs_error": _number(of_gradient.max_abs, of_gradient),
        "max_rel_error": _number(of_gradient.max_rel, of_gradient),
        "error_ulp": _number(of_gradient.ulp, of_gradient),
        "scaled_error": _number(of_gradient.scaled, of_gradient),
        "value_error": _number(of_value.scaled, of_value),
        "error_estimate": gradient.error_estimate,
    }


def _value_errors(true: Enclosure | Array, value: Array, dtype: np.dtype[Any]) -> Errors:
    """The errors of a value; an integer value, whose width is the framework's setting, must be equal."""
    if isinstance(true, Enclosure):
        return measure(("value",), (true,), (value,), (dtype,))
    return Errors() if np.array_equal(true, value) else Errors(fault=f"{value} instead of {true}")


def _timed(mine: _Loaded, reference: _Loaded) -> dict[str, float]:
    value = paired(mine.value, reference.value)
    gradient = paired(mine.gradient, reference.gradient)
    return {
        "value_time_s": value.time_s,
        "value_time_ratio": value.ratio,
        "gradient_time_s": gradient.time_s,
        "gradient_time_ratio": gradient.ratio,
        "gradient_time_ratio_low": gradient.ratio_low,
        "gradient_time_ratio_high": gradient.ratio_high,
    }


def _estimate_note(true: Truth, gradient: Gradient) -> str:
    """What finite differences say of themselves, and how far off their random directions are."""
    notes = [gradient.note] if gradient.note else []
    gaps = []
    for direction in gradient.directions:
        along = sum(
            float(np.vdot(g.mid, tangent.astype(np.float64)))
            for g, tangent in zip(true.gradients, direction.tangents, strict=True)
            if g is not None
        )
        gaps.append(abs(direction.derivative - along))
    if gaps:
        notes.append(f"{len(gaps)} random directions, off by {np.max(gaps):.1e}")
    return "; ".join(notes)


def _excused(outcome: Outcome, known: KnownDefect) -> tuple[Outcome, str]:
    """The outcome where the file of known defects names this row: known, or stale if it does not fail.

    Only an error in size is excused: another shape or dtype, or an oracle that raises, is news.
    """
    if outcome.failing:
        return Outcome.KNOWN, f"{known.reason} ({known.link})"
    return (
        Outcome.STALE,
        "listed in harness/known_defects.toml, and it does not fail any more: remove the entry",
    )


def _record(cell: Cell, **fields: Any) -> Record:
    return Record(**msgspec.structs.asdict(cell), **fields)


def _number(value: float, of: Errors) -> float | None:
    """A measure of what was measured; None where nothing was."""
    return value if of.where else None


def _first_line(problem: Exception) -> str:
    text = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {text[0]}" if text else type(problem).__name__
