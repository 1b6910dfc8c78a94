"""A run on a Dask cluster of this machine, measured and attacked: `python -m tests.harness.cluster`.

Throughput with processes and with one and two workers, in turns, by the clock and by the time of processors;
then a run whose workers, their processes and the scheduler are killed at random, whose rows must be those of
a quiet run; but a row whose process was killed three times says so. A cell that is lost or comes twice, or
another row, ends it with an error.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Container
from contextlib import suppress
from pathlib import Path
from statistics import median

import msgspec

from harness.runs.record import Cell, Record
from harness.runs.runner import run
from harness.runs.workers import Workers
from tests.harness.runs.clusters import Cluster, stop
from tests.harness.scale import cells

TIMES = dict.fromkeys(name for name in Record.__struct_fields__ if "time" in name)
CHECKS = 1e8
KILLED = "the process that ran it was killed by SIGKILL"


def rows(asked: list[Cell], workers: Workers) -> dict[Cell, str]:
    """The rows without their times, each once."""
    found: dict[Cell, str] = {}
    for record in run(asked, workers, timed=()):
        assert record.cell not in found, f"twice: {record.cell}"
        found[record.cell] = repr(msgspec.structs.replace(record, **TIMES))
    assert found.keys() == set(asked), f"{len(set(asked) - found.keys())} cells were lost"
    return found


def children(pid: int) -> list[int]:
    """The processes that one has started and that live (Linux)."""
    with suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]
    return []


def processor_s(pid: int, without: Container[int] = ()) -> float:
    """The seconds that a process has worked, with all that it has started but those (Linux)."""
    with suppress(OSError):
        spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
        own = sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")
        return own + sum(processor_s(child) for child in children(pid) if child not in without)
    return 0.0


def spent_s(cluster: Cluster | None, idle: Container[int]) -> float:
    """What this process has worked, and a cluster's; without those that have nothing to do."""
    theirs = sum(map(processor_s, cluster.pids)) if cluster else 0.0
    return processor_s(os.getpid(), idle) + theirs


def measure(folder: Path, count: int, rounds: int) -> None:
    """Cells a second, in turns, after a round that is not counted: the processes of a cluster stay."""
    asked = list(itertools.islice(cells(), count))
    with Cluster(folder / "one") as one, Cluster(folder / "two") as two:
        one.start_workers(1)
        two.start_workers(2)
        clusters = {"1 worker": one, "2 workers": two}
        ways = {name: Workers(scheduler=cluster.address) for name, cluster in clusters.items()}
        ways |= {"--jobs 1": Workers(1), "--jobs 2": Workers(2)}
        idle = {*one.pids, *two.pids}
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for turn in range(rounds + 1):
            for name, way in ways.items():
                if turn == 0 and way.jobs:
                    continue  # each of its runs starts its processes
                used = clusters.get(name)
                clock, spent = time.perf_counter(), spent_s(used, idle)
                rows(asked, way)
                clock, spent = time.perf_counter() - clock, spent_s(used, idle) - spent
                print(f"round {turn}, {name}: {clock:.1f} s, {spent:.1f} s of processors", flush=True)
                took[name] += [(clock, spent)] if turn else []
    print(
        f"{count} cells; medians of {rounds} rounds, load {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores"
    )
    for name, times in took.items():
        clock, spent = (median(each) for each in zip(*times, strict=True))
        print(
            f"{name}: {count / clock:.1f} cells a second, {count / spent:.1f} in a second of a processor; "
            f"{CHECKS:.0e} cells: {CHECKS * spent / count / 3600:,.0f} hours of a processor"
        )


def attack(folder: Path, count: int, seconds: float) -> None:
    """A run while everything is killed at random, against a quiet run."""
    asked, ended, killed = list(itertools.islice(cells(), count)), threading.Event(), Counter[str]()
    quiet = rows(asked, Workers(2))
    with Cluster(folder / "attacked") as cluster:
        cluster.start_workers(2)
        killer = threading.Thread(target=lambda: kill(cluster, seconds, ended, killed))
        killer.start()
        found = rows(asked, Workers(scheduler=cluster.address))
        ended.set()
        killer.join()
    thrice = [cell for cell in asked if KILLED in found[cell]]  # by chance
    other = [cell for cell in asked if found[cell] != quiet[cell] and cell not in thrice]
    print(
        f"{count} cells; killed: {dict(killed)}; rows whose process was killed three times: {len(thrice)}; "
        f"others that differ from a quiet run's: {len(other)}"
    )
    for cell in other:
        print(f"{cell}\n  {found[cell]}\n  {quiet[cell]}")
    assert not other


def kill(cluster: Cluster, seconds: float, ended: threading.Event, killed: Counter[str]) -> None:
    """Kill for so many seconds; what was killed is started again."""
    chance, until = random.Random(0), time.monotonic() + seconds
    while not ended.wait(chance.uniform(2.0, 8.0)) and time.monotonic() < until:
        what, worker = chance.choices(("worker", "process", "scheduler"), (4, 4, 1))[0], cluster.workers[0]
        killed[what] += 1
        if what == "process":
            for child in children(worker.pid):
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        elif what == "worker":
            stop(worker)
        else:
            stop(cluster.scheduler)
            time.sleep(chance.uniform(0.0, 3.0))
            cluster.start_scheduler()
            cluster.kill_workers()
        cluster.start_workers(2 - sum(one.poll() is None for one in cluster.workers))


def main() -> None:
    """Measure, then attack."""
    parser = argparse.ArgumentParser(prog="python -m tests.harness.cluster", description=__doc__)
    parser.add_argument("--cells", type=int, default=600, help="cells of a measured run")
    parser.add_argument(
        "--rounds", type=int, default=3, help="measured runs of each kind; 0 measures nothing"
    )
    parser.add_argument("--attacked", type=int, default=2000, help="cells of the attacked run")
    parser.add_argument(
        "--seconds", type=float, default=180.0, help="how long it is attacked; 0 is not at all"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.rounds:
            measure(Path(folder), asked.cells, asked.rounds)
        if asked.seconds:
            attack(Path(folder), asked.attacked, asked.seconds)


if __name__ == "__main__":
    main()
