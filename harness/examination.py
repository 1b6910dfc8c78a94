"""One cell, from the case to the record: draw, run, compare with the hand-derived gradient, judge, time."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import msgspec
import numpy as np

from harness.case import Array, Arrays, Case
from harness.difference import Difference, compare
from harness.known import KnownDefect, Row
from harness.record import Cell, Record
from harness.timing import paired
from harness.verdict import Outcome, Verdict, judge
from oracles import Gradient, NumpyOracle, Oracle, Subject

REFERENCE = NumpyOracle()


def examine(case: Case, oracle: Oracle, cell: Cell, known: dict[Row, KnownDefect], timing: bool) -> Record:
    """The record of one cell. Whatever an adapter or a framework raises becomes that row's result."""
    try:
        missing = oracle.unavailable()
        if missing:
            return _record(cell, outcome=Outcome.UNAVAILABLE, reason=missing)
        impossible = oracle.unsupported(case)
        if impossible:
            return _record(cell, outcome=Outcome.UNSUPPORTED, reason=impossible)
        return _measured(case, oracle, cell, known.get(Row.of(cell)), timing)
    except Exception as problem:
        return _record(cell, outcome=Outcome.ERROR, reason=_first_line(problem))


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


def _measured(case: Case, oracle: Oracle, cell: Cell, known: KnownDefect | None, timing: bool) -> Record:
    args, cotangent = case.draw(cell.input, cell.dtype, cell.seed)
    reference = _Loaded.of(REFERENCE, case, cell.dtype, args, cotangent)
    expected = reference.fetched()
    given = [a.copy() for a in (*args, cotangent)]
    start = perf_counter()
    mine = _Loaded.of(oracle, case, cell.dtype, args, cotangent)
    results = mine.fetched()
    fields: dict[str, Any] = {
        "shapes": " ".join(str(a.shape).replace(" ", "") for a in args),
        "first_call_time_s": perf_counter() - start,
    }
    if oracle.name == REFERENCE.name:
        fields |= {"verdict": Verdict.REFERENCE, "outcome": Outcome.INFO}
    else:
        legal = case.subdifferential(cotangent, *args) if case.subdifferential else None
        fields |= _compared(case, oracle.decides, cell.dtype, expected, results, legal, known)
    for name, before, after in zip((*case.arguments, "cotangent"), given, (*args, cotangent), strict=True):
        if not np.array_equal(before, after, equal_nan=after.dtype.kind == "f"):
            fields |= {
                "outcome": Outcome.FAIL,
                "reason": f"{name} was overwritten: an oracle must leave it alone",
            }
    if timing:
        fields |= _timed(mine, reference)
    return _record(cell, **fields)


def _compared(
    case: Case,
    decides: bool,
    dtype: str,
    expected: tuple[Array, Gradient],
    computed: tuple[Array, Gradient],
    legal: tuple[tuple[Array, Array], ...] | None,
    known: KnownDefect | None,
) -> dict[str, Any]:
    """The fields of a record that come from comparing and judging."""
    of_value = compare(("value",), (_comparable(expected[0]),), (_comparable(computed[0]),))
    of_gradient = compare(case.differentiated, expected[1].arrays, computed[1].arrays, legal)
    if decides:
        verdict, outcome, reason = judge(of_value, of_gradient, dtype)
        if known and not (of_value.fault or of_gradient.fault):
            outcome, reason = _excused(outcome, known)
    else:
        verdict, outcome, reason = Verdict.ESTIMATE, Outcome.INFO, _estimate_note(expected[1], computed[1])
    return {
        "verdict": verdict,
        "outcome": outcome,
        "reason": reason,
        "where": of_gradient.where,
        "computed": _number(of_gradient.computed, of_gradient),
        "expected": _number(of_gradient.expected, of_gradient),
        "max_abs_difference": _number(of_gradient.max_abs, of_gradient),
        "max_rel_difference": _number(of_gradient.max_rel, of_gradient),
        "max_ulp_difference": _number(of_gradient.max_ulp, of_gradient),
        "scaled_difference": _number(of_gradient.scaled, of_gradient),
        "value_difference": _number(of_value.scaled, of_value),
        "error_estimate": computed[1].error_estimate,
    }


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


def _estimate_note(expected: Gradient, gradient: Gradient) -> str:
    """What finite differences say of themselves, and how far off their random directions are."""
    notes = [gradient.note] if gradient.note else []
    gaps = []
    for direction in gradient.directions:
        along = sum(
            float(np.vdot(g.astype(np.float64), tangent.astype(np.float64)))
            for g, tangent in zip(expected.arrays, direction.tangents, strict=True)
            if g is not None
        )
        gaps.append(abs(direction.derivative - along))
    if gaps:
        notes.append(f"{len(gaps)} random directions, off by {np.max(gaps):.1e}")
    return "; ".join(notes)


def _excused(outcome: Outcome, known: KnownDefect) -> tuple[Outcome, str]:
    """The outcome where the file of known defects names this row: known, or stale if it does not fail.

    Only a difference in size is excused: another shape or dtype, or an oracle that raises, is news.
    """
    if outcome.failing:
        return Outcome.KNOWN, f"{known.reason} ({known.link})"
    return (
        Outcome.STALE,
        "listed in harness/known_defects.toml, and it does not fail any more: remove the entry",
    )


def _record(cell: Cell, **fields: Any) -> Record:
    return Record(**msgspec.structs.asdict(cell), **fields)


def _comparable(value: Array) -> Array:
    """Integers widened to 64 bits: their width is the framework's setting, not the function's result."""
    return value.astype(np.int64) if value.dtype.kind in "iu" else value


def _number(value: float, of: Difference) -> float | None:
    """A measure of a comparison that took place; None where nothing was compared."""
    return value if of.where else None


def _first_line(problem: Exception) -> str:
    text = str(problem).strip().splitlines()
    return f"{type(problem).__name__}: {text[0]}" if text else type(problem).__name__
