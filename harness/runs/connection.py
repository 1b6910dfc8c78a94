"""The connection to a Dask scheduler: it is made again when it is lost, and given up after some minutes."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any
from uuid import uuid4

from distributed import Client, wait
from distributed import Future as Remote

from harness.selection import Unreachable, UsageError

CONNECTS_S = 10.0  # for one attempt, and for an answer of the scheduler
PATIENCE_S = 300.0  # in which a lost scheduler, or a first worker, must come back
LOOKS_S = 1.0  # how long one looks at a time
SAYS_S = 10.0  # after so long a wait is said


class Connection:
    """A client of one scheduler."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._said = set[str]()

    def open(self) -> None:
        """Connect.

        Raises:
            UsageError: Nobody answers.
        """
        for name in ("distributed", "distributed.client"):  # what they log of a lost connection is said here
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self._connect()
        except OSError as problem:
            raise UsageError(
                f"--scheduler: nobody answers at {self.address} ({problem}); `dask scheduler` starts one"
            ) from None
        except TypeError as problem:  # so Dask says that there are no certificates
            raise UsageError(f"--scheduler: {self.address}: {problem}; docs/scale.md says how") from None

    def close(self, futures: list[Remote]) -> None:
        """Leave; what is still at work is not wanted any more."""
        with suppress(Exception):  # the scheduler may be gone
            self._client.cancel(futures, force=True)
        self._leave()

    @property
    def is_lost(self) -> bool:
        """Whether the scheduler was lost, and has not been found again."""
        return bool(self._client.status != "running")

    def again(self) -> None:
        """Connect again, and wait for a scheduler that is to come back.

        Raises:
            Unreachable: It did not.
        """
        self.say("the connection to the scheduler was lost; trying again")
        since = time.monotonic()
        while True:
            self._leave()
            try:
                self._connect()
                return
            except OSError:
                self.be_patient(since, f"nobody answers at {self.address}")
                time.sleep(LOOKS_S)

    def submit(self, function: Callable[[bytes], bytes], given: bytes, **where: Any) -> Remote | None:
        """Let some worker call a function; None where the connection is lost."""
        try:
            return self._client.submit(function, given, key=f"gradproof-{uuid4().hex}", pure=False, **where)
        except Exception:
            if self.is_lost:
                return None
            raise

    def wait(self, futures: list[Remote], seconds: float, until: str) -> None:
        """Wait for some; in what state they are is to be seen then."""
        with suppress(TimeoutError, CancelledError, OSError), self._client.as_current():
            wait(futures, timeout=seconds, return_when=until)

    def threads(self) -> dict[str, int]:
        """How many threads each worker has; none where the scheduler does not say."""
        with suppress(Exception):  # of a connection that is being lost
            return dict(self._client.nthreads(callback_timeout=CONNECTS_S))
        return {}

    def be_patient(self, since: float, why: str) -> None:
        """Say why nothing goes on, after a while.

        Raises:
            Unreachable: It has been so for too long.
        """
        waited = time.monotonic() - since
        if waited > PATIENCE_S:
            raise Unreachable(f"{why} for {PATIENCE_S:g} s")
        if waited > SAYS_S:
            self.say(f"{why}; waiting")

    def say(self, text: str) -> None:
        """Once."""
        if text not in self._said:
            self._said.add(text)
            print(f"gradproof: {text}", file=sys.stderr)

    def _connect(self) -> None:
        self._client = Client(self.address, timeout=CONNECTS_S, set_as_default=False)

    def _leave(self) -> None:
        with suppress(Exception):
            self._client.close(timeout=LOOKS_S)
