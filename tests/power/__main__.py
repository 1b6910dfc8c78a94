"""`python -m tests.power`: measure, and write the tables; each part as soon as it is done."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from itertools import product, repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

from tests.power import alarm_page, report
from tests.power.defect import page
from tests.power.defects import of_function
from tests.power.detection import DRAWS, of_fault
from tests.power.false_alarms import SEEDS
from tests.power.false_alarms import cells as alarm_cells
from tests.power.false_alarms import of_cell as of_right_one
from tests.power.faults import FAULTS
from tests.power.mutations import cells, of_cell
from tests.power.subjects import SUBJECTS

DTYPES = ("float64", "float32")


def faults(pool: Executor, folder: Path, draws: int) -> int:
    """The re-created reports; 1 where ours misses one at its trigger or gives it another verdict."""
    rows = _all(pool.map(of_fault, range(len(FAULTS)), repeat(draws)))
    report.keep(rows, folder, "power")
    ours = [r for r in rows if r["checker"] == "ours"]
    missed = [r["id"] for r in ours if r["trigger"] != "found" and not r["legal"]]
    other = [r["id"] for r in ours if r["verdict"] != r["expected"]]
    print(f"{len(FAULTS)} reports; missed at their trigger: {missed}; with another verdict: {other}")
    return 1 if missed or other else 0


def mutations(pool: Executor, folder: Path) -> int:
    """Changed gradients; 1 where ours refuses one that is right, or lets a change through."""
    rows = _all(pool.map(of_cell, *zip(*cells(), strict=True)))
    report.keep(rows, folder, "power_mutations")
    ours = [r for r in rows if r["checker"] == "ours"]
    refused = [r for r in ours if r.get("verdict", "") not in {"", "imprecise"}]
    through = [r for r in ours if r["let through"]]
    print(f"{len(rows)} rows of changes; ours refuses {len(refused)} right, lets {len(through)} through")
    return 1 if refused or through else 0


def defects(pool: Executor, folder: Path) -> int:
    """The installed frameworks' own functions."""
    found = _all(pool.map(of_function, *zip(*product(SUBJECTS, DTYPES), strict=True)))
    (folder / "defects.md").write_text(page(found))
    print(f"{len(found)} live defects in {len(SUBJECTS)} functions")
    return 0


def alarms(pool: Executor, folder: Path, seeds: int) -> int:
    """Right gradients at random arguments; 1 where one is not passed and no cause of it is known."""
    found = pool.map(of_right_one, *zip(*alarm_cells(), strict=True), repeat(range(seeds)))
    rows = pd.DataFrame(_all(found))
    rows.to_csv(folder / "false_alarms.csv", index=False)
    news = [*alarm_page.unknown(rows), *alarm_page.stale(rows)]
    print(
        f"{rows['checks'].sum()} checks of right gradients; without a cause, or no longer said: {len(news)}"
    )
    print(*news, sep="\n")
    return 1 if news else 0


def _all(lists: Iterable[list[Any]]) -> list[Any]:
    return [row for own in lists for row in own]


def main() -> int:
    """Measure all of it, or one part; 1 where ours is not what it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.power", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--draws", type=int, default=DRAWS, help="ordinary draws for each fault")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="draws for each right gradient and dtype")
    parser.add_argument("--output", type=Path, default=Path("reports"), help="the folder for the tables")
    parser.add_argument("--only", choices=("faults", "mutations", "defects", "alarms"), help="one part")
    asked = parser.parse_args()
    if min(asked.jobs, asked.draws, asked.seeds) < 1:
        parser.error("--jobs, --draws and --seeds must be 1 or more")
    start, worst = time.monotonic(), 0
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        if asked.only in {None, "faults"}:
            worst = faults(pool, asked.output, asked.draws)
        if asked.only in {None, "mutations"}:
            worst = max(worst, mutations(pool, asked.output))
        if asked.only in {None, "defects"}:
            worst = max(worst, defects(pool, asked.output))
        if asked.only in {None, "alarms"}:
            worst = max(worst, alarms(pool, asked.output, asked.seeds))
    report.write(asked.output)
    print(f"{time.monotonic() - start:.0f} s")
    return worst


if __name__ == "__main__":
    sys.exit(main())
