"""The tables of a report, as pandas frames: one function a table, the worst row first."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pandas as pd

from harness.bench import Benchmark
from harness.bench_exact import Measurement
from harness.case import Case
from harness.cases import catalogue
from harness.documents import Reproduced
from harness.learning import Learned
from harness.record import Record
from harness.verdict import SEVERITY, Outcome, Verdict
from oracles import Oracle


@dataclass(frozen=True)
class Table:
    """A titled frame. `columns` are the ones a screen shows, the most needed first; files get them all."""

    name: str
    title: str
    frame: pd.DataFrame
    columns: tuple[str, ...]
    caption: str = ""


# What a screen shows for a row: its outcome, or `convention` where it passes by a legal choice. Worst first.
RESULTS = tuple(
    result
    for outcome in SEVERITY
    for result in (["convention", "pass"] if outcome is Outcome.PASS else [outcome.value])
)
# The tables of a report: what a folder of reports may hold.
NAMES = frozenset({"gradients", "problems", "finite_differences", "timings", "documents", "learning"})
GRADIENT_COLUMNS = (
    "result",
    "case",
    "oracle",
    "dtype",
    "input",
    "scaled_error",
    "error_ulp",
    "where",
    "computed",
    "true",
    "proven_digits",
    "max_abs_error",
    "max_rel_error",
)
TIMING_COLUMNS = (
    "case",
    "oracle",
    "gradient_time_s",
    "gradient_time_ratio",
    "gradient_time_ratio_low",
    "gradient_time_ratio_high",
    "first_call_time_s",
    "value_time_s",
    "value_time_ratio",
    "dtype",
    "input",
)


def _frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a frame that keeps None (not measured) apart from NaN (measured, and not a number)."""
    return pd.DataFrame(list(rows), dtype=object)


def records_frame(records: Sequence[Record]) -> pd.DataFrame:
    """All records, worst first: by outcome, then by error, where NaN is the worst."""
    frame = _frame(msgspec.structs.asdict(r) for r in records)
    at_kink = (frame["outcome"] == Outcome.PASS) & (frame["verdict"] == Verdict.CONVENTION)
    frame.insert(0, "result", frame["outcome"].astype(str).mask(at_kink, Verdict.CONVENTION.value))
    rank = frame["result"].map({result: i for i, result in enumerate(RESULTS)})
    size = frame["scaled_error"].astype(float)
    compared = frame["where"] != ""
    size = size.where(~(size.isna() & compared), float("inf")).fillna(-1.0)
    order = pd.DataFrame({"rank": rank, "size": -size}).sort_values(["rank", "size"], kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def gradients(frame: pd.DataFrame, full: bool) -> Table:
    """The errors: the worst row of each case and oracle, or all rows."""
    shown = frame if full else frame.drop_duplicates(["case", "oracle"])
    rows = "all rows" if full else "the worst row of each case and oracle"
    return Table(
        "gradients",
        f"Errors of gradients against the exact one ({rows})",
        shown,
        GRADIENT_COLUMNS,
        "exact: proven, in ball arithmetic, with its own proven error. fd: finite differences, which inform "
        "and never decide. error: relative to the largest element of the gradient; ulp: the largest in any "
        "one element, in units in its last place",
    )


def finite_differences(frame: pd.DataFrame, full: bool) -> Table:
    """What central differences miss, beside their own estimate of it."""
    shown = frame[frame["verdict"] == Verdict.ESTIMATE]
    digits = [_digits(error) for error in shown["scaled_error"]]
    shown = shown.assign(digits=pd.Series(digits, shown.index, dtype=object))
    if not full:
        shown = shown.drop_duplicates(["case", "dtype"])
    return Table(
        "finite_differences",
        "Finite differences (h = 1e-4): they inform and never decide",
        shown,
        (
            "case",
            "dtype",
            "input",
            "digits",
            "error_estimate",
            "reason",
            "max_abs_error",
            "where",
        ),
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
        "ratio: to the NumPy reference, measured in turns in this process, median of the rounds with the "
        "middle half beside it; first call: set-up, compilation and one value and gradient",
    )


def problems(frame: pd.DataFrame) -> Table:
    """Every row that fails or cannot be judged, with the reason in full."""
    shown = frame[(frame["reason"] != "") & ~frame["result"].isin(["pass", "info"])]
    grouped = shown.groupby(["result", "case", "oracle", "dtype", "reason"], sort=False)["input"].agg(
        ", ".join
    )
    return Table(
        "problems",
        "Rows that are not simply right, with the reason",
        grouped.reset_index(),
        ("result", "case", "oracle", "dtype", "input", "reason"),
    )


def documents(rows: Sequence[Reproduced]) -> Table:
    """What the document prints, and what we print."""
    frame = _frame(dataclasses.asdict(row) for row in rows)
    return Table(
        "documents",
        "The document's printed outputs, digit for digit",
        frame.sort_values("equal", kind="stable"),
        ("equal", "what", "documented", "ours", "proven"),
        "proven: with exact gradients, in exact arithmetic",
    )


def learning(rows: Sequence[Learned]) -> Table:
    """The four steps of learning on real digits, per gradient source."""
    frame = _frame(dataclasses.asdict(row) for row in rows)
    return Table(
        "learning",
        "Learning: TwoLayerNet(784, 100, 10) on 4,000 MNIST digits, 1,000 held out",
        frame,
        (
            "source",
            "steps",
            "first_loss",
            "last_loss",
            "held_out_accuracy",
            "max_loss_difference",
            "max_parameter_difference",
            "time_s",
            "reason",
        ),
        "each source starts from the same weights and sees the same mini-batches of 100 at rate 0.1; "
        "differences are to the first source's run",
    )


def benchmarks(rows: Sequence[Benchmark]) -> Table:
    """Paired benchmarks: how many times longer the other way takes."""
    frame = _frame({**dataclasses.asdict(row), "met": row.met} for row in rows)
    return Table(
        "bench",
        "Paired benchmarks (one thread, in turns)",
        frame,
        (
            "met",
            "name",
            "ours_time_s",
            "other_time_s",
            "ratio",
            "ratio_low",
            "ratio_high",
            "wanted_ratio",
        ),
        "; ".join(f"{row.name}: {row.ours} against {row.other}, {row.note}" for row in rows),
    )


def measurements(rows: Sequence[Measurement]) -> Table:
    """The exact oracle's time, growth and memory beside their limits."""
    frame = _frame({**dataclasses.asdict(row), "met": row.met} for row in rows)
    return Table(
        "bench_exact",
        "The exact oracle: measured, and the most it may be",
        frame,
        ("met", "name", "measured", "limit", "unit", "note"),
    )


def cases(rows: Iterable[Case]) -> Table:
    """The catalogue."""
    frame = pd.DataFrame(
        {
            "case": case.name,
            "differentiated": ", ".join(case.differentiated) if case.vjp else "",
            "inputs": ", ".join(maker.name for maker in case.inputs),
            "not_differentiable": case.nondifferentiable,
            "source": case.source,
        }
        for case in rows
    )
    return Table(
        "cases", "Cases", frame, ("case", "differentiated", "inputs", "not_differentiable", "source")
    )


def oracles(rows: Iterable[Oracle]) -> Table:
    """The oracles, and what each needs on this machine."""
    frame = pd.DataFrame(
        {
            "oracle": oracle.name,
            "decides": oracle.decides,
            "ready": not oracle.unavailable(),
            "what": type(oracle).__doc__,
            "reason": oracle.unavailable(),
        }
        for oracle in rows
    )
    return Table("oracles", "Oracles", frame, ("oracle", "ready", "decides", "what", "reason"))


def summary(frame: pd.DataFrame) -> str:
    """One line: how many rows had which outcome."""
    counts = frame["result"].value_counts()
    parts = [f"{counts[name]} {name}" for name in RESULTS if name in counts]
    return f"{len(frame)} rows: {', '.join(parts)}"
