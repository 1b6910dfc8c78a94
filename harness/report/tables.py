"""A table is a titled frame; the tables of the records, one function each, the worst row first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pandas as pd

from harness.cases import catalogue
from harness.runs.record import Record
from harness.verdicts import ALLOWABLE, ORDER, SEVERITY, Outcome, Verdict

# The tables of a report: what a folder of reports may hold.
NAMES = frozenset(
    {"gradients", "problems", "finite_differences", "timings", "documents", "learning", "verdicts"}
)
GRADIENT_COLUMNS = (
    "verdict", "outcome", "case", "oracle", "dtype", "input", "bits_lost", "error_ulp", "attainable_ulp",
    "bound_ulp", "where", "diagnosis",
)  # fmt: skip
TIMING_COLUMNS = (
    "case", "oracle", "gradient_time_s", "gradient_time_ratio", "gradient_time_ratio_low",
    "gradient_time_ratio_high", "first_call_time_s", "value_time_s", "value_time_ratio", "dtype", "input",
)  # fmt: skip
DIFFERENCE_COLUMNS = (
    "case", "dtype", "input", "digits", "error_estimate", "note", "max_abs_error", "where",
)  # fmt: skip
QUIET = frozenset({Outcome.PASS, Outcome.INFO})  # nothing that anybody must look at


@dataclass(frozen=True)
class Table:
    """A titled frame. `columns` are the ones a screen shows, the most needed first; files get them all."""

    name: str
    title: str
    frame: pd.DataFrame
    columns: tuple[str, ...]
    caption: str = ""


def frame_of(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a frame that keeps None (not measured) apart from NaN (measured, and not a number)."""
    return pd.DataFrame(list(rows), dtype=object)


def records_frame(records: Sequence[Record]) -> pd.DataFrame:
    """All records, worst first: by outcome, verdict, and bits lost, where NaN is the worst."""
    frame = frame_of(msgspec.structs.asdict(r) for r in records)
    keys = {
        "outcome": frame["outcome"].map(ORDER.index),
        "verdict": frame["verdict"].map(SEVERITY.index),
        "bits": frame["bits_lost"].map(_ascending),
        "ulps": frame["error_ulp"].map(_ascending),  # most rows lose no bits
    }
    order = pd.DataFrame(keys).sort_values([*keys], kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def _ascending(size: float | None) -> float:
    """A key that sorts the largest first: NaN before all numbers, what was not measured last."""
    return 1.0 if size is None else -math.inf if math.isnan(size) else -size


def gradients(frame: pd.DataFrame, full: bool) -> Table:
    """The verdicts: the worst row of each case and oracle, or all rows."""
    shown = frame if full else frame.drop_duplicates(["case", "oracle"])
    rows = "all rows" if full else "the worst row of each case and oracle"
    return Table(
        "gradients",
        f"Verdicts on gradients ({rows})",
        shown,
        GRADIENT_COLUMNS,
        "bits_lost: beyond what the inputs allow; ulp: of the worst element, in units in its last place. "
        "exact: the truth; fd: finite differences, which inform and never decide. "
        "`python -m gradproof explain WORD` explains every word",
    )


def finite_differences(frame: pd.DataFrame, full: bool) -> Table:
    """What central differences miss, beside their own estimate of it."""
    shown = frame[frame["verdict"] == Verdict.ESTIMATE]
    shown = shown.loc[shown["scaled_error"].map(_ascending).sort_values(kind="stable").index]
    digits = [_digits(error) for error in shown["scaled_error"]]
    shown = shown.assign(digits=pd.Series(digits, shown.index, dtype=object))
    shown = shown.rename(columns={"diagnosis": "note"})
    if not full:
        shown = shown.drop_duplicates(["case", "dtype"])
    return Table(
        "finite_differences",
        "Finite differences (h = 1e-4): they inform and never decide",
        shown,
        DIFFERENCE_COLUMNS,
        "digits: how many are right, of the largest element; estimate: |D(h) - D(h/2)|. Where the step "
        "cannot resolve the point: |x| < h at so many entries; no change, f(x + h) = f(x - h); step off, "
        "x + h rounds",
    )


def _digits(scaled_error: float | None) -> float | None:
    """How many decimal digits an error relative to the largest element leaves."""
    if scaled_error is None or math.isnan(scaled_error):
        return scaled_error
    return max(0.0, -math.log10(max(scaled_error, 1e-17)))


def timings(frame: pd.DataFrame, full: bool) -> Table:
    """Times and ratios to NumPy: of each case's first input in the widest dtype, or of all rows."""
    timed = frame[[t is not None for t in frame["gradient_time_s"]]]
    if not full:
        first = {name: case.inputs[0].name for name, case in catalogue().items()}
        timed = timed[timed["input"] == timed["case"].map(first)]
        timed = timed.sort_values("dtype", ascending=False, kind="stable").drop_duplicates(["case", "oracle"])
    timed = timed.sort_values("gradient_time_ratio", ascending=False, kind="stable")
    return Table(
        "timings",
        "Times of one gradient (one thread), slowest against NumPy first",
        timed,
        TIMING_COLUMNS,
        "ratio: to the NumPy reference, measured in turns in this process, median of the rounds with its "
        "99 % interval; of the reference: to a yardstick, the softmax of 100 numbers; first call: set-up, "
        "compilation and one value and gradient",
    )


def problems(frame: pd.DataFrame) -> Table:
    """Every row that is not simply right, with its numbers; a screen shows them as text, in full."""
    return Table(
        "problems",
        "Rows that are not simply right, with the reason",
        frame[~frame["outcome"].isin(QUIET)],
        (*GRADIENT_COLUMNS[:-1], "computed", "true_digits", "shapes", "seed", "blame", "diagnosis"),
        "`python -m gradproof explain WORD` says what a verdict means and what to do",
    )


def verdicts(frame: pd.DataFrame) -> Table:
    """How many rows of each oracle and dtype have which verdict."""
    found = frame["verdict"].map(lambda verdict: verdict.value or "none")
    counts = pd.crosstab([frame["oracle"], frame["dtype"]], found)
    occurring = [v.value or "none" for v in SEVERITY if (v.value or "none") in counts]
    return Table(
        "verdicts",
        "Verdicts per oracle and dtype",
        counts[occurring].reset_index(),
        ("oracle", "dtype", *occurring),
    )


def summary(frame: pd.DataFrame) -> str:
    """How many rows had which outcome, in one line, and what stays open, in another."""
    counts = frame["outcome"].value_counts()
    parts = [f"{counts[outcome]} {outcome.value}" for outcome in ORDER if outcome in counts]
    lines = [f"{len(frame)} rows: {', '.join(parts)}"]
    for outcome, advice in (
        (Outcome.FAIL, "failures; --allow {} lets them pass"),
        (Outcome.ALLOWED, "allowed by --allow"),
    ):
        found = frame.loc[frame["outcome"] == outcome, "verdict"].value_counts()
        open_ = [v for v in ALLOWABLE if v in found]
        if open_:
            rows = ", ".join(f"{v.value}: {found[v]} row{'s' if found[v] > 1 else ''}" for v in open_)
            lines.append(f"{rows} ({advice.format(','.join(v.value for v in open_))})")
    return "\n".join(lines)
