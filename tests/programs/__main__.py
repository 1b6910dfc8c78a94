"""Random programs in three front ends: `python -m tests.programs --programs 5000`.

Each program's truth is compared with differences in exact arithmetic, the framework's gradient with the truth, and
the same program with a mistake in its gradient is checked too. What was done is kept in `--kept`, and not done
again: a run that was stopped goes on. SOUNDNESS=long asks ten times as many.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

from threadpoolctl import threadpool_limits

from harness.runs.compiled import compiled_once
from tests.programs.program import FRAMEWORKS
from tests.programs.tables import by_kind, refusals, summary
from tests.programs.work import of_batch
from tests.sampling import MORE

BATCH = 20


def _todo(programs: int, done: set[tuple[str, int]], frameworks: list[str]) -> Iterator[tuple[str, int, int]]:
    """Batches of seeds that are not done, the frameworks in turns."""
    for first in range(0, programs, BATCH):
        for framework in frameworks:
            last = min(first + BATCH, programs)
            if any((framework, seed) not in done for seed in range(first, last)):
                yield framework, first, last


def main() -> int:
    """Run, and print the tables; 1 where something failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs", description=__doc__)
    parser.add_argument("--programs", type=int, default=5000, help="of each framework")
    parser.add_argument(
        "--framework", choices=FRAMEWORKS, action="append", help="only this one; may be repeated"
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many processes")
    parser.add_argument("--minutes", type=float, default=60, help="when to stop; the next run goes on")
    parser.add_argument("--kept", type=Path, default=Path(".gradproof/programs.jsonl"), help="what was done")
    asked = parser.parse_args()
    programs = asked.programs * MORE
    frameworks = asked.framework or list(FRAMEWORKS)
    asked.kept.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(text) for text in asked.kept.read_text().splitlines()] if asked.kept.exists() else []
    done = {(r["framework"], r["seed"]) for r in rows}
    end = time.monotonic() + 60 * asked.minutes
    pool = ProcessPoolExecutor(asked.jobs, get_context("spawn"), threadpool_limits, (1,))
    with compiled_once(), pool, asked.kept.open("a") as file:
        waiting = _todo(programs, done, frameworks)
        running = {pool.submit(of_batch, *batch) for batch in _first(waiting, asked.jobs)}
        while running:
            finished = wait(running, return_when=FIRST_COMPLETED).done.pop()
            for kept in finished.result():
                rows.append(kept)
                print(json.dumps(kept), file=file, flush=True)
                if "source" in kept:
                    said = kept["failures"][0] if kept["failures"] else f"defect {kept['reason']}"
                    print(f"{kept['framework']} {kept['seed']}: {said}\n{kept['source']}", flush=True)
            running.discard(finished)
            if time.monotonic() < end:
                running |= {pool.submit(of_batch, *batch) for batch in _first(waiting, 1)}
    rows = [r for r in rows if r["framework"] in frameworks and r["seed"] < programs]
    for table in (summary(rows), refusals(rows), by_kind(rows)):
        print(table.to_string(index=False), end="\n\n")
    return int(any(r["failures"] for r in rows))


def _first(batches: Iterator[tuple[str, int, int]], n: int) -> list[tuple[str, int, int]]:
    return [batch for _, batch in zip(range(n), batches, strict=False)]


if __name__ == "__main__":
    sys.exit(main())
