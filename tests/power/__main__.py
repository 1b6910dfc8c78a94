"""`python -m tests.power`: measure, and write the tables."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from tests.power import report
from tests.power.detection import DRAWS, of_fault
from tests.power.faults import FAULTS


def main() -> int:
    """Measure all of it; 1 where ours misses a fault at its trigger or accuses a right gradient."""
    parser = argparse.ArgumentParser(prog="python -m tests.power", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--draws", type=int, default=DRAWS, help="ordinary draws for each fault")
    parser.add_argument("--output", type=Path, default=Path("reports"), help="the folder for the tables")
    asked = parser.parse_args()
    start = time.monotonic()
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        each = list(pool.map(of_fault, range(len(FAULTS)), repeat(asked.draws)))
    found = [row for own in each for row in own]
    report.write(found, asked.output)
    ours = [r for r in found if r["checker"] == "ours"]
    missed = [r["id"] for r in ours if r["trigger"] != "found" and not r["legal"]]
    other = [r["id"] for r in ours if r["verdict"] != r["expected"]]
    print(
        f"{len(FAULTS)} reports in {time.monotonic() - start:.0f} s; missed {missed}; other verdicts {other}"
    )
    return 1 if missed or other else 0


if __name__ == "__main__":
    sys.exit(main())
