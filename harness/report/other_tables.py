"""The tables beside the records: the document's outputs, learning, benchmarks, the catalogue, the oracles."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import pandas as pd

from harness.bench.exact import Measurement
from harness.bench.gate import Power
from harness.bench.paired import Benchmark
from harness.book.documents import Reproduced
from harness.book.learning import Learned
from harness.case import Case
from harness.report.table import Table, frame_of
from oracles import Oracle


def documents(rows: Sequence[Reproduced]) -> Table:
    """What the document prints, and what we print."""
    frame = frame_of(dataclasses.asdict(row) for row in rows)
    return Table(
        "documents",
        "The document's printed outputs, digit for digit",
        frame.sort_values("equal", kind="stable"),
        ("equal", "what", "documented", "ours", "proven"),
        "proven: with exact gradients, in exact arithmetic",
    )


def learning(rows: Sequence[Learned]) -> Table:
    """The four steps of learning on real digits, per gradient source."""
    frame = frame_of(dataclasses.asdict(row) for row in rows)
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
    frame = frame_of({**dataclasses.asdict(row), "met": row.met} for row in rows)
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
    frame = frame_of({**dataclasses.asdict(row), "met": row.met} for row in rows)
    return Table(
        "bench_exact",
        "The exact oracle: measured, and the most it may be",
        frame,
        ("met", "name", "measured", "limit", "unit", "note"),
    )


def powers(rows: Sequence[Power]) -> Table:
    """What the gate sees of losses and slow-downs that were injected."""
    frame = frame_of({**dataclasses.asdict(row), "met": row.met, "wanted": row.wanted} for row in rows)
    return Table(
        "bench_gate",
        "The gate: injected losses and slow-downs, and how many of them fail it",
        frame,
        ("met", "injected", "trials", "suspected", "failed", "wanted"),
        "kernels of NumPy, JAX and PyTorch; suspected: a first look says so; failed: a second agrees, as in "
        "`gate`",
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
