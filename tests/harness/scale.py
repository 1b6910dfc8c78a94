"""A run of many cells, with what it and its processes need of memory: `python -m tests.harness.scale`.

The catalogue with the light inputs, seed after seed, until there are enough cells; every record is counted
and dropped. A cell that is lost or comes twice ends it with an error.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from harness.cases import catalogue
from harness.runs.record import Cell
from harness.runs.runner import plan, run
from harness.runs.workers import Workers

ORACLES = ("exact", "numpy", "jax-jit", "torch", "fd")


def cells() -> Iterator[Cell]:
    """All cells of seed 0, then those of seed 1, and so on without an end."""
    heavy = {(case.name, maker.name) for case in catalogue().values() for maker in case.inputs if maker.heavy}
    for seed in itertools.count():
        yield from (c for c in plan(catalogue(), ORACLES, seed=seed) if (c.case, c.input) not in heavy)


def resident_mb(process: str) -> float:
    """The resident memory of a process, in MB (Linux)."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1000


def children_mb() -> list[float]:
    """The resident memory of each process of this one, in MB."""
    found = []
    for number in Path("/proc/self/task").glob("*/children"):
        for child in number.read_text(encoding="utf-8").split():
            try:
                found.append(resident_mb(child))
            except (OSError, StopIteration):  # it has just ended
                continue
    return found


def main() -> None:
    """Run, and print the memory at each tenth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    waiting: set[int] = set()

    def counted() -> Iterator[Cell]:
        for cell in itertools.islice(cells(), asked.cells):
            waiting.add(hash(cell))
            yield cell

    start, done = perf_counter(), 0
    for record in run(counted(), Workers(asked.jobs), timed=()):
        waiting.remove(hash(record.cell))  # KeyError: it came twice, or was never asked for
        done += 1
        if done % (asked.cells // 10) == 0:
            children = ", ".join(f"{mb:.0f}" for mb in children_mb() if mb > 50)
            took = perf_counter() - start
            shown = f"{done} cells, {took:.0f} s: {resident_mb('self'):.0f} MB; children {children}"
            print(shown, flush=True)
    assert not waiting, f"{len(waiting)} cells were lost"
    print(f"{done} cells, none lost, none twice")


if __name__ == "__main__":
    main()
