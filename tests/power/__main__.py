"""`python -m tests.power`: measure, and write the tables; each part as soon as it is done."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import product, repeat
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from tests.power import alarm_page, report
from tests.power.defect import page
from tests.power.defects import of_function
from tests.power.detection import DRAWS, of_fault
from tests.power.false_alarms import cells as alarm_cells
from tests.power.false_alarms import of_cell as of_right_one
from tests.power.faults import FAULTS
from tests.power.known_alarms import CAUSES
from tests.power.mutations import cells, of_cell
from tests.power.searching import EVALUATIONS
from tests.power.searching import of_fault as of_search
from tests.power.subjects import SUBJECTS

DTYPES = ("float64", "float32")


def faults(rows: list[Any], folder: Path) -> int:
    """The re-created reports; 1 where ours misses one at its trigger or gives it another verdict."""
    report.keep(rows, folder, "power")
    ours = [r for r in rows if r["checker"] == "ours"]
    missed = [r["id"] for r in ours if r["trigger"] != "found" and not r["legal"]]
    other = [r["id"] for r in ours if r["verdict"] != r["expected"]]
    print(f"{len(FAULTS)} reports; missed at their trigger: {missed}; with another verdict: {other}")
    return 1 if missed or other else 0


def mutations(rows: list[Any], folder: Path) -> int:
    """Changed gradients; 1 where ours refuses one that is right, or lets a change through."""
    report.keep(rows, folder, "power_mutations")
    ours = [r for r in rows if r["checker"] == "ours"]
    refused = [r for r in ours if r.get("verdict", "") not in {"", "imprecise"}]
    through = [r for r in ours if r["let through"]]
    print(f"{len(rows)} rows of changes; ours refuses {len(refused)} right, lets {len(through)} through")
    return 1 if refused or through else 0


def defects(rows: list[Any], folder: Path) -> int:
    """The installed frameworks' own functions."""
    (folder / "defects.md").write_text(page(rows))
    print(f"{len(rows)} live defects in {len(SUBJECTS)} functions")
    return 0


def alarms(rows: list[Any], folder: Path) -> int:
    """Right gradients at random arguments; 1 where one is not passed and no cause of it is known."""
    report.keep(rows, folder, "false_alarms")
    table = pd.DataFrame(rows)
    gone = (f"not {cause.said} any more: {cause.reproducer}" for cause in CAUSES if not cause.is_shown)
    news = [*alarm_page.unknown(table), *alarm_page.stale(table), *gone]
    print(
        f"{table['checks'].sum()} checks of right gradients; without a cause, or no longer said: {len(news)}"
    )
    print(*news, sep="\n")
    return 1 if news else 0


def searches(rows: list[Any], folder: Path) -> int:
    """What the search finds of the reports; 1 where it accuses one that is legal."""
    report.keep(rows, folder, "power_search")
    found = [r for r in rows if r["found at"]]
    accused = [r["id"] for r in found if r["legal"]]
    missed = [r["id"] for r in rows if not r["found at"] and not r["legal"]]
    print(f"the search finds {len(found)} of {len(rows)} reports; not {missed}; it accuses {accused}")
    return 1 if accused else 0


PARTS: dict[str, Callable[[list[Any], Path], int]] = {
    "faults": faults,
    "search": searches,
    "mutations": mutations,
    "defects": defects,
    "alarms": alarms,
}


@contextmanager
def processes(jobs: int) -> Iterator[Executor]:
    """Processes of one thread each, which share what JAX compiles: most of the time of its cells."""
    with TemporaryDirectory() as kept:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = kept
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
        with ProcessPoolExecutor(jobs, get_context("spawn"), threadpool_limits, (1,)) as pool:
            yield pool


def main() -> int:
    """Measure all of it, or one part; 1 where ours is not what it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.power", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--draws", type=int, default=DRAWS, help="ordinary draws for each fault")
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS, help="inputs that a search asks")
    parser.add_argument("--seeds", type=int, default=0, help="draws for each right gradient")
    parser.add_argument("--output", type=Path, default=Path("reports"), help="the folder for the tables")
    parser.add_argument("--only", choices=PARTS, help="one part")
    asked = parser.parse_args()
    if min(asked.jobs, asked.draws, asked.evaluations) < 1 or asked.seeds < 0:
        parser.error(
            "--jobs, --draws and --evaluations must be 1 or more, --seeds 0 (as in the table) or more"
        )
    work: dict[str, tuple[Callable[..., list[Any]], Iterable[Iterable[Any]]]] = {
        "faults": (of_fault, (range(len(FAULTS)), repeat(asked.draws))),
        "search": (of_search, (range(len(FAULTS)), repeat(asked.evaluations))),
        "mutations": (of_cell, zip(*cells(), strict=True)),
        "defects": (of_function, zip(*product(SUBJECTS, DTYPES), strict=True)),
        "alarms": (of_right_one, (*zip(*alarm_cells(), strict=True), repeat(asked.seeds))),
    }
    start = time.monotonic()
    with processes(asked.jobs) as pool:
        # All is begun at once: no process waits for the end of a part.
        begun = {
            name: pool.map(function, *lists)
            for name, (function, lists) in work.items()
            if asked.only in {None, name}
        }
        worst = max(
            PARTS[name]([row for own in lists for row in own], asked.output) for name, lists in begun.items()
        )
    report.write(asked.output)
    print(f"{time.monotonic() - start:.0f} s")
    return worst


if __name__ == "__main__":
    sys.exit(main())
