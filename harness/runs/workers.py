"""Work spread over processes so that none is lost: one that dies or hangs costs an item, which says so."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

from pebble import ProcessExpired, ProcessPool

from harness.selection import TIMEOUT_S

Item = TypeVar("Item")
Result = TypeVar("Result")

# A process is replaced after so many batches: what compilers keep for ever (jax: each traced function) goes.
BATCHES_A_PROCESS = 100


def spread(
    work: Callable[[list[Item]], list[Result]],
    batches: Iterable[list[Item]],
    jobs: int,
    failed: Callable[[Item, str], Result],
    timeout_s: float = TIMEOUT_S,
) -> Iterator[Result]:
    """The results of all items, in the order in which their batches are done; few batches wait at a time.

    A batch whose process dies, or that takes longer than `timeout_s` seconds, is begun again, item by item,
    each with the same limit; an item that then fails alone has the result `failed(item, why)`.

    Args:
        work: A function of a module, which any process can import: the results of a batch, one an item.
        batches: Read as they are needed, so there may be any number.
        jobs: How many processes work at once.
        failed: The result of an item that killed its process or outlasted the limit, with the reason.
        timeout_s: The most that a batch, or an item alone, may take, in seconds.
    """
    coming, again = iter(batches), deque[list[Item]]()
    working: dict[Future[list[Result]], list[Item]] = {}
    pool = ProcessPool(jobs, BATCHES_A_PROCESS, context=multiprocessing.get_context("spawn"))
    try:
        while True:
            while len(working) < 2 * jobs and (batch := again.popleft() if again else next(coming, None)):
                working[pool.schedule(work, [batch], timeout=timeout_s)] = batch
            if not working:
                return
            finished = wait(working, return_when=FIRST_COMPLETED).done
            for done in [future for future in working if future in finished]:  # in the order they were begun
                batch = working.pop(done)
                try:
                    yield from done.result()
                except (ProcessExpired, TimeoutError) as problem:
                    if len(batch) > 1:
                        again.extend([item] for item in batch)
                    else:
                        yield failed(batch[0], _why(problem, timeout_s))
    finally:
        # At the end nothing is running; before it (Ctrl-C) what runs is not waited for.
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _why(problem: ProcessExpired | TimeoutError, timeout_s: float) -> str:
    if isinstance(problem, TimeoutError):
        return f"took longer than {timeout_s:g} s and was stopped; --timeout allows more"
    code = problem.exitcode or 0
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
