"""A pool of processes of this machine: each can die or be stopped, and another takes its place."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from pebble import ProcessExpired, ProcessPool

from harness.runs.interrupts import held_back
from harness.runs.jobs import Failure, Fate, Unit, answer
from harness.runs.raised import refuse_silent_exit
from harness.runs.spawned import Remembering
from harness.selection import UsageError

# A process is replaced after so many batches: what compilers keep for ever (jax: each traced function) goes.
BATCHES_A_PROCESS = 100
GRACE_S = 60.0  # beyond the limits of what it holds, in which a pool must have answered something
_at_work = False  # whether this process is one of a pool


def end_with_parent() -> None:
    """End this process when the one that started it has died: nobody else would stop what hangs here.

    It does not end with 0 in the middle of its work either: pebble would wait for an answer.
    """
    global _at_work
    _at_work = True
    refuse_silent_exit()
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=watch, name="ends with its parent", daemon=True).start()


class Processes:
    """So many processes, which are started when it is entered; `first` is what each does before it works."""

    def __init__(self, jobs: int, first: Callable[[], None] = end_with_parent) -> None:
        self.jobs, self.first = jobs, first
        self._held: dict[Future[bytes], Unit[Any]] = {}
        self._lost: list[tuple[Unit[Any], Failure]] = []

    def __enter__(self) -> Processes:
        if _at_work:
            raise UsageError(
                "a process that --jobs started is asked to start others, since what it imports does so: "
                'that belongs below `if __name__ == "__main__":`'
            )
        # Of those done; an interrupt that comes as it waits leaves it whole.
        self._done: SimpleQueue[Future[bytes]] = SimpleQueue()
        self._started = Remembering()
        self._pool = ProcessPool(self.jobs, BATCHES_A_PROCESS, self.first, context=self._started)
        return self

    def __exit__(self, *_: object) -> None:
        # At the end nothing is running; before it (Ctrl-C) what runs is not waited for.
        with held_back():
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()

    @property
    def room(self) -> int:
        """One unit at work in each process, and one that waits."""
        return 2 * self.jobs

    @property
    def held(self) -> int:
        """How many units it holds."""
        return len(self._held) + len(self._lost)

    @property
    def joins(self) -> int:
        """The way is short."""
        return 1

    def begin(self, unit: Unit[Any]) -> None:
        """Take a unit."""
        with held_back():
            if not self._pool.active:
                self._begin_anew(_ended_by(self._started.failure()))
            future = self._pool.schedule(answer, [unit.request], timeout=unit.timeout_s)
            self._held[future] = unit
            future.add_done_callback(self._done.put)

    def ended(self) -> Iterator[tuple[Unit[Any], bytes | Failure]]:
        """The units that have ended; it waits for at least one."""
        yield from self._answered() if not self._lost else ()
        lost, self._lost = self._lost, []
        yield from lost

    def _answered(self) -> list[tuple[Unit[Any], bytes | Failure]]:
        """Those of the pool that it has answered; it waits for one."""
        longest = 2 * max(unit.timeout_s for unit in self._held.values())
        try:
            finished = [self._done.get(timeout=longest + GRACE_S)]
        except Empty:
            self._begin_anew("the process that was to run it never answered")
            return []
        while not self._done.empty():
            finished.append(self._done.get())
        answers: list[tuple[Unit[Any], bytes | Failure]] = []
        with held_back():
            for future in [one for one in finished if one in self._held]:
                try:
                    answers.append((self._held[future], self._found(future)))
                except BrokenProcessPool:
                    self._begin_anew(_ended_by(self._started.failure()))
                    break
                del self._held[future]
        return answers

    def _found(self, future: Future[bytes]) -> bytes | Failure:
        """What became of a unit.

        Raises:
            BrokenProcessPool: Pebble gave up all of its units.
        """
        try:
            return future.result()
        except ProcessExpired as problem:
            return _ended(problem.exitcode or 0)
        except TimeoutError:
            return _late(self._held[future].timeout_s)

    def _begin_anew(self, why: str) -> None:
        """Replace all processes: pebble gives all up where it has not yet read that the dead one had work."""
        self._lost += [(unit, Failure(Fate.DIED, why)) for unit in self._held.values()]
        self._held = {}
        self.__exit__()
        self.__enter__()


def _ended(code: int) -> Failure:
    """Of a process that ended itself for its time, another one would, too."""
    late = code == -getattr(signal, "SIGPROF", 0) and code < 0
    return Failure(Fate.LATE if late else Fate.DIED, _ended_by(code))


def _late(timeout_s: float) -> Failure:
    return Failure(Fate.LATE, f"took longer than {timeout_s:g} s and was stopped; --timeout allows more")


def _ended_by(code: int) -> str:
    if code >= 0:
        return f"the process that ran it ended with exit code {code}"
    return (
        f"the process that ran it was killed by {_signal(-code)}; look for a crash in native "
        "code (SIGSEGV) or for too little memory (SIGKILL)"
    )


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # Windows knows few of them
        return f"signal {number}"
