"""No false alarm: healthy gradients of the catalogue, element by element, against their own bounds.

    python -m tests.verdicts.soundness --checks 100000 --output reports

Every element outside its bound is looked at a second time with mpmath (`second_look`); one that mpmath does
not confirm is a bug of ours. The table of overestimates says how tight the bounds are, and why not tighter.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.cases import catalogue
from harness.report.delivery import write_tables
from harness.report.tables import Table
from harness.runs.record import Cell
from harness.runs.runner import oracles, plan
from tests.oracles.exact.slacks import slacks
from tests.verdicts.bounds import Checked, check
from tests.verdicts.second_look import derivative

JUDGED = ("numpy", "jax", "jax-jit", "torch")
# Why a median above 2^10: nothing else is allowed there.
REASONS = {
    "two_layer_net": "sums of 784 and 100 terms that cancel, in any order: (n - 1) u of the sum of sizes",
}


def run(checks: int, judged: Sequence[str] = JUDGED, large: bool = True, every: int = 1) -> list[Checked]:
    """So many element-checks at the least: whole rounds of the catalogue, each with its own seed.

    The first round has the boundary inputs, which are the same for every seed. Without `large`, inputs of
    thousands of elements are left out; with it, the flagship network comes once, in the end. One cell in
    `every` is checked.
    """
    found: list[Checked] = []
    seed = 0
    while sum(one.elements for one in found) < checks or seed < 2:
        round_ = plan(list(catalogue()), judged, seed=seed, boundary=seed == 0, full=True)
        found += check(c for c in round_[::every] if not _heavy(c) and (large or c.input != "large"))
        seed += 1
    if large:
        found += check(c for c in plan(["two_layer_net"], judged, boundary=False, full=True) if _heavy(c))
    return found


def _heavy(cell: Cell) -> bool:
    return catalogue()[cell.case].input(cell.input).heavy


def confirmed(one: Checked) -> list[str]:
    """The elements outside their bound which mpmath says are right: false alarms."""
    case, oracle, cell = catalogue()[one.cell.case], oracles()[one.cell.oracle], one.cell
    args, cotangent = case.draw(cell.input, cell.dtype, cell.seed)
    subject = oracle.subject(case, np.dtype(cell.dtype))
    raw = subject.gradient(subject.load(cotangent), *map(subject.load, args))
    arrays = subject.fetch_gradient(raw).arrays
    false = []
    for argument, at in one.outside:
        got: Any = arrays[argument]
        true = float(derivative(cell.case, args, cotangent, case.argnums[argument], at))
        gap = abs(float(got[at]) - true)
        if gap <= 8 * float(np.spacing(np.abs(np.asarray(true, got.dtype)))):
            false.append(f"{cell}: [{argument}]{at}: {got[at]!r} is within 8 ulps of {true!r}")
    return false


def table(found: list[Checked]) -> Table:
    """The overestimates per case, oracle and dtype, in powers of 2."""
    groups: dict[tuple[str, str, str], list[Checked]] = defaultdict(list)
    for one in found:
        groups[one.cell.case, one.cell.oracle, one.cell.dtype].append(one)
    rows = []
    for (case, oracle, dtype), ones in groups.items():
        over = np.log2(np.concatenate([one.over for one in ones]))
        median = float(np.median(over)) if over.size else 0.0
        rows.append(
            {
                "case": case,
                "oracle": oracle,
                "dtype": dtype,
                "elements": sum(one.elements for one in ones),
                "unbounded": sum(one.unbounded for one in ones),
                "outside": sum(len(one.outside) for one in ones),
                "median": median,
                "p95": float(np.quantile(over, 0.95)) if over.size else 0.0,
                "max": float(np.max(over, initial=0.0)),
                "reason": REASONS.get(case, "") if median > 10 else "",
            }
        )
    frame = pd.DataFrame(rows)
    listed = "; ".join(f"{name}: {reason}" for name, reason in slacks())
    return Table(
        "bounds",
        "Program bounds: how far above the error (log2 of bound to error, the error at least half an ulp)",
        frame,
        tuple(frame.columns),
        f"Slack that is set by hand: {listed}",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checks", type=int, default=100_000)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    found = run(options.checks)
    shown = table(found)
    print(shown.frame.to_string(index=False))
    false = [line for one in found if one.outside for line in confirmed(one)]
    outside = sum(len(one.outside) for one in found)
    unexplained = shown.frame[(shown.frame["median"] > 10) & (shown.frame["reason"] == "")]
    print(
        f"{sum(one.elements for one in found)} element-checks, {outside} outside their bound, "
        f"{len(false)} of them not confirmed; {len(unexplained)} medians above 2^10 without a reason"
    )
    for line in false:
        print(line)
    if options.output:
        write_tables([shown], ["md", "csv"], options.output)
    return 1 if false or len(unexplained) else 0


if __name__ == "__main__":
    sys.exit(main())
