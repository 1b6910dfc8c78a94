"""A pool that is a Dask cluster: units go to its scheduler, and wherever a worker is free.

The scheduler gives a unit to another worker when one dies, and gives it up after some deaths. A client that
loses its scheduler connects again and begins anew what was at work. What arrives is bytes, and checked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from functools import partial
from typing import Any

import msgspec
from distributed import Future as Remote
from distributed import KilledWorker

from harness.runs import node
from harness.runs.compiled import FOLDER
from harness.runs.connection import LOOKS_S, Connection
from harness.runs.jobs import Failure, Fate, Job, Unit
from harness.runs.versions import Told, differences, told, versions
from harness.selection import Untrusted, UsageError

MEETS_S = 60.0  # in which a worker that has time says what it is
WORTH_S, MOST_JOINED = 2.0, 500  # that a unit takes, and its items: it costs 20 ms by itself
DECIDES = ("OMP_", "OPENBLAS_", "MKL_", "NPY_", "XLA_", "JAX_", "GRADPROOF_")
OF_HERE = (FOLDER,)  # a folder of this machine
ALONE = "no worker is connected to the scheduler"


class Cluster:
    """The workers of a scheduler, connected while it is entered."""

    def __init__(self, address: str) -> None:
        self._connection, self._mine = Connection(address), versions()
        self._held: dict[Remote, Unit[Any]] = {}
        self._unsent: list[Unit[Any]] = []
        self._threads, self._items, self._seconds = 0, 0, 0.0
        own = {name: value for name, value in os.environ.items() if name.startswith(DECIDES)}
        self._environment = {name: value for name, value in own.items() if name not in OF_HERE}

    def __enter__(self) -> Cluster:
        self._connection.open()
        try:
            self._meet()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close(list(self._held))

    @property
    def room(self) -> int:
        """One unit at work in each thread, and one that waits."""
        return 2 * max(1, self._threads)

    @property
    def held(self) -> int:
        """How many units it holds."""
        return len(self._held) + len(self._unsent)

    @property
    def joins(self) -> int:
        """As many as take about so long that the way does not count, by what has come so far."""
        return min(MOST_JOINED, int(WORTH_S * self._items / self._seconds)) if self._seconds else 1

    def begin(self, unit: Unit[Any]) -> None:
        """Take a unit."""
        future = self._submitted(unit.request, unit.timeout_s)
        if future is None:
            self._unsent.append(unit)
        else:
            self._held[future] = unit

    def ended(self) -> Iterator[tuple[Unit[Any], bytes | Failure]]:
        """The units that have ended; it waits for at least one.

        Raises:
            UsageError: A worker has other versions.
            Untrusted: What arrived is no reply.
            Unreachable: The scheduler, or any worker, stayed away for too long.
        """
        alone_since, looked = time.monotonic(), 0.0
        while True:
            self._connection.wait(list(self._held), LOOKS_S, "FIRST_COMPLETED")
            if self._unsent or self._connection.is_lost or any(f.status == "cancelled" for f in self._held):
                lost, self._held, self._unsent = [*self._held.values(), *self._unsent], {}, []
                self._connection.again()
                yield from ((unit, Failure(Fate.LOST, "the connection was lost")) for unit in lost)
                return
            replies = [(f, reply) for f in self._held if (reply := self._reply(f)) is not None]
            for future, reply in replies:
                unit = self._held.pop(future)
                self._items += len(unit.items) if isinstance(reply, bytes) else 0
                yield unit, reply
            if not replies or time.monotonic() > looked + LOOKS_S:
                looked, self._threads = time.monotonic(), sum(self._connection.threads().values())
            if replies:
                return
            alone_since = time.monotonic() if self._threads else alone_since
            self._connection.be_patient(alone_since, ALONE)

    def _meet(self) -> None:
        """Ask each worker what it is; one that is busy says so with its first unit."""
        since = time.monotonic()
        while not (there := self._connection.threads()):
            self._connection.be_patient(since, ALONE)
            time.sleep(LOOKS_S)
        self._threads = sum(there.values())
        asked = [self._submitted(b"", MEETS_S, workers=[address]) for address in there]
        known = [future for future in asked if future is not None]
        self._connection.wait(known, MEETS_S, "ALL_COMPLETED")
        refused = []
        for future in known:
            try:
                self._reply(future)
            except UsageError as problem:
                refused.append(str(problem))
        if refused:
            raise UsageError("\n".join(refused))
        self._seconds = 0.0

    def _submitted(self, request: bytes, timeout_s: float, **where: Any) -> Remote | None:
        asked = Job(partial(told, self._mine), Told, lambda _, why: Told({}, None)).request([request])
        order = node.Order(asked, timeout_s, self._environment)
        return self._connection.submit(node.do, msgspec.msgpack.encode(order), **where)

    def _reply(self, future: Remote) -> bytes | Failure | None:
        """What became of a unit; None while it is at work, or where its reply is lost and made again."""
        try:
            if future.status == "finished":
                return self._opened(future.result(timeout=LOOKS_S))
            problem = future.exception(timeout=LOOKS_S) if future.status == "error" else None
        except (TimeoutError, CancelledError, OSError):
            return None
        if problem is None:
            return None
        if isinstance(problem, KilledWorker):
            return Failure(Fate.KILLED, f"{problem.allowed_failures + 1} workers of the cluster died of it")
        raise UsageError(f"--scheduler: a worker cannot work for this gradproof: {problem!r}")

    def _opened(self, reply: object) -> bytes | Failure:
        """What a reply holds."""
        try:
            found = msgspec.msgpack.decode(reply if isinstance(reply, bytes) else b"", type=node.Reply)
            (own,) = msgspec.msgpack.decode(found.answered, type=list[Told]) if found.answered else (None,)
        except (msgspec.MsgspecError, ValueError) as problem:
            raise Untrusted(f"a worker of the cluster sent what is no reply: {problem}") from None
        if found.raised:
            raise RuntimeError(f"on a worker of the cluster:\n{found.raised}")
        if found.refused:
            raise UsageError(f"--scheduler: worker {found.worker}: {found.refused}")
        self._seconds += found.seconds
        if own is None:
            return Failure(found.fate or Fate.DIED, found.why)
        if other := differences(own.versions, self._mine):
            raise UsageError(f"--scheduler: worker {found.worker} is another one: {'; '.join(other)}")
        for one in differences(own.versions, self._mine, rounding=True):
            self._connection.say(f"on a worker {one}: last digits may differ")
        return own.answered or b""
