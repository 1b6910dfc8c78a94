"""A pool that is a Dask cluster: units go to its scheduler, and wherever a worker is free.

The scheduler gives a unit to another worker when one dies, and gives it up after some deaths. A client that
loses its scheduler connects again and begins anew what was at work. What arrives is bytes, and checked.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

import msgspec
from distributed import Client, KilledWorker, wait
from distributed import Future as Remote

from harness.runs import node
from harness.runs.jobs import Failure, Fate, Job, Unit
from harness.runs.versions import Told, differences, told, versions
from harness.selection import Unreachable, Untrusted, UsageError

CONNECTS_S = 10.0  # for one attempt
PATIENCE_S = 300.0  # in which a lost scheduler, or a first worker, must come back
MEETS_S = 60.0  # in which a worker that has time says what it is
LOOKS_S = 1.0  # how often the connection is looked at while units are at work
SAYS_S = 10.0  # after so long without a worker that is said
DECIDES = ("OMP_", "OPENBLAS_", "MKL_", "NPY_", "XLA_", "JAX_", "GRADPROOF_")
OF_HERE = ("JAX_COMPILATION_CACHE_DIR",)  # a folder of this machine
LOST = Failure(Fate.LOST, "the connection to the scheduler was lost")


class Cluster:
    """The workers of a scheduler, connected while it is entered."""

    def __init__(self, address: str) -> None:
        self.address, self._mine = address, versions()
        self._held: dict[Remote, Unit[Any]] = {}
        self._said = set[str]()
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(DECIDES) and name not in OF_HERE
        }

    def __enter__(self) -> Cluster:
        for name in ("distributed", "distributed.client"):  # what they log of a lost connection is said here
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self._client = self._connected()
        except OSError as problem:
            raise UsageError(
                f"--scheduler: nobody answers at {self.address} ({problem}); `dask scheduler` starts one"
            ) from None
        try:
            self._meet()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):  # the scheduler may be gone
            self._client.cancel(list(self._held), force=True)
        self._leave()

    @property
    def room(self) -> int:
        """One unit at work in each thread, and one that waits."""
        return 2 * max(1, sum(self._threads().values()))

    @property
    def held(self) -> int:
        """How many units it holds."""
        return len(self._held)

    def begin(self, unit: Unit[Any]) -> None:
        """Take a unit."""
        self._held[self._submitted(unit.request, unit.timeout_s)] = unit

    def ended(self) -> Iterator[tuple[Unit[Any], bytes | Failure]]:
        """The units that have ended; it waits for at least one.

        Raises:
            UsageError: A worker has other versions.
            Untrusted: What arrived is no reply.
            Unreachable: The scheduler, or any worker, stayed away for too long.
        """
        alone_since = time.monotonic()
        while True:
            self._wait(list(self._held), LOOKS_S, "FIRST_COMPLETED")
            if self._client.status != "running" or any(f.status == "cancelled" for f in self._held):
                lost, self._held = list(self._held.values()), {}
                self._reconnect()
                yield from ((unit, LOST) for unit in lost)
                return
            replies = [(f, reply) for f in self._held if (reply := self._reply(f)) is not None]
            for future, reply in replies:
                yield self._held.pop(future), reply
            if replies:
                return
            if self._threads():
                alone_since = time.monotonic()
            self._be_patient(alone_since, "no worker is connected to the scheduler")

    def _wait(self, futures: list[Remote], seconds: float, until: str) -> None:
        """Wait for units; in what state they are is to be seen then."""
        with suppress(TimeoutError, CancelledError, OSError), self._client.as_current():
            wait(futures, timeout=seconds, return_when=until)

    def _submitted(self, request: bytes, timeout_s: float, **where: Any) -> Remote:
        asked = Job(partial(told, self._mine), Told, lambda _, why: Told({}, None)).request([request])
        order = msgspec.msgpack.encode(node.Order(asked, timeout_s, self._environment))
        return self._client.submit(node.do, order, key=f"gradproof-{uuid4().hex}", pure=False, **where)

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
        if own is None:
            return Failure(found.fate or Fate.DIED, found.why)
        if other := differences(own.versions, self._mine):
            raise UsageError(f"--scheduler: worker {found.worker} is another one: {'; '.join(other)}")
        for one in differences(own.versions, self._mine, rounding=True):
            self._say(f"on a worker {one}: last digits may differ")
        return own.answered or b""

    def _meet(self) -> None:
        """Ask each worker what it is; one that is busy says so with its first unit."""
        since = time.monotonic()
        while not (there := self._threads()):
            self._be_patient(since, "no worker is connected to the scheduler")
            time.sleep(LOOKS_S)
        asked = [self._submitted(b"", MEETS_S, workers=[address]) for address in there]
        self._wait(asked, MEETS_S, "ALL_COMPLETED")
        refused = []
        for future in asked:
            try:
                self._reply(future)
            except UsageError as problem:
                refused.append(str(problem))
        if refused:
            raise UsageError("\n".join(refused))

    def _threads(self) -> dict[str, int]:
        """How many threads each worker has."""
        try:
            return dict(self._client.nthreads())
        except (OSError, TimeoutError):
            return {}

    def _connected(self) -> Client:
        return Client(self.address, timeout=CONNECTS_S, set_as_default=False)

    def _reconnect(self) -> None:
        self._say("the connection to the scheduler was lost; trying again")
        since = time.monotonic()
        while True:
            self._leave()
            try:
                self._client = self._connected()
                return
            except OSError:
                self._be_patient(since, f"nobody answers at {self.address}")
                time.sleep(LOOKS_S)

    def _leave(self) -> None:
        with suppress(Exception):
            self._client.close(timeout=LOOKS_S)

    def _be_patient(self, since: float, why: str) -> None:
        """Say why nothing goes on, after a while; then give up."""
        waited = time.monotonic() - since
        if waited > PATIENCE_S:
            raise Unreachable(f"{why} for {PATIENCE_S:g} s")
        if waited > SAYS_S:
            self._say(f"{why}; waiting")

    def _say(self, text: str) -> None:
        """Once."""
        if text not in self._said:
            self._said.add(text)
            print(f"gradproof: {text}", file=sys.stderr)
