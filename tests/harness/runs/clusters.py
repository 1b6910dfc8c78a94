"""A Dask cluster of real processes on this machine, whose parts can be killed: for tests and benchmarks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from distributed import Client

ROOT = Path(__file__).parents[3]
DASK = Path(sys.executable).with_name("dask")
STARTS_S = 60.0


class Cluster:
    """A scheduler, and workers of one thread each.

    Args:
        folder: For logs and what workers keep.
        settings: Of Dask, as the environment has them: {"SCHEDULER__WORKER_TTL": "3s"}.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        own = {f"DASK_DISTRIBUTED__{name}": value for name, value in settings.items()}
        self.environment = os.environ | own | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.workers: list[subprocess.Popen[bytes]] = []
        self.port = 0

    def __enter__(self) -> Cluster:
        self.start_scheduler()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.workers, self.scheduler):
            stop(process)

    @property
    def address(self) -> str:
        """The scheduler's."""
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def pids(self) -> list[int]:
        """Of the scheduler and the workers."""
        return [self.scheduler.pid, *(worker.pid for worker in self.workers)]

    def start_scheduler(self) -> None:
        """Start it; again at the port that it had."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self.scheduler = self._started("scheduler", "--port", self.port, "--scheduler-file", file)
        until = time.monotonic() + STARTS_S
        while not (file.exists() and file.read_text().endswith("}")):
            assert time.monotonic() < until, "the scheduler did not start"
            time.sleep(0.05)
        if not self.port:
            self.port = int(json.loads(file.read_text())["address"].rpartition(":")[2])

    def start_workers(self, count: int, *options: str) -> None:
        """Start so many more, and wait until there are as many as live."""
        for _ in range(count):
            place = self.folder / "space"
            more = ("--nthreads", "1", "--local-directory", place, *(options or ("--no-nanny",)))
            self.workers.append(self._started("worker", self.address, *more))
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        with Client(self.address, timeout=STARTS_S, set_as_default=False) as client:
            client.wait_for_workers(len(self.workers), timeout=STARTS_S)

    def kill_workers(self) -> None:
        """Kill all."""
        for worker in self.workers:
            stop(worker)
        self.workers = []

    def _started(self, *words: Any) -> subprocess.Popen[bytes]:
        command = [DASK, *map(str, words), "--host", "127.0.0.1", "--no-dashboard"]
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, stopped or not."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait()


def is_alive(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def soon(condition: Any, seconds: float = STARTS_S) -> bool:
    """Whether it comes true in that time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
