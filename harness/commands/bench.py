"""What the command `bench` does, and its tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from harness.bench import exact, gate, paired
from harness.report.delivery import deliver
from harness.report.progress import with_progress
from harness.report.tables import Table, frame_of
from harness.verdicts import ExitCode

BENCHMARK_COLUMNS = (
    "met", "name", "ours_time_s", "other_time_s", "ratio", "ratio_low", "ratio_high", "wanted_ratio",
)  # fmt: skip


def run_bench() -> ExitCode:
    """The paired benchmarks and the exact oracle's limits; fails where a promise is not kept."""
    pairs = list(with_progress(paired.run(), len(paired.benchmarks())))
    measured = list(with_progress(exact.run(), exact.COUNT))
    seen = list(with_progress(gate.run(), None))
    deliver([benchmarks(pairs), measurements(measured), powers(seen)])
    kept = all([*(p.met for p in pairs), *(m.met for m in measured), *(s.met for s in seen)])
    return ExitCode.OK if kept else ExitCode.FAILED


def benchmarks(rows: Sequence[paired.Benchmark]) -> Table:
    """Paired benchmarks: how many times longer the other way takes."""
    frame = frame_of({**dataclasses.asdict(row), "met": row.met} for row in rows)
    return Table(
        "bench",
        "Paired benchmarks (one thread, in turns)",
        frame,
        BENCHMARK_COLUMNS,
        "; ".join(f"{row.name}: {row.ours} against {row.other}, {row.note}" for row in rows),
    )


def measurements(rows: Sequence[exact.Measurement]) -> Table:
    """The exact oracle's time, growth and memory beside their limits."""
    frame = frame_of({**dataclasses.asdict(row), "met": row.met} for row in rows)
    return Table(
        "bench_exact",
        "The exact oracle: measured, and the most it may be",
        frame,
        ("met", "name", "measured", "limit", "unit", "note"),
    )


def powers(rows: Sequence[gate.Power]) -> Table:
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
